"""Names as people read them: classes as the words that a prompt is made of (SPEC section 1), files on one line."""

import re
from pathlib import Path

_WORD_BOUNDARY = re.compile(
    r"(?<=[a-z])(?=[A-Z])"  # taiChi → tai Chi
    r"|(?<=[A-Z])(?=[A-Z][a-z])"  # TVShow → TV Show
    r"|(?<=[a-zA-Z])(?=\d)"  # jump2 → jump 2
    r"|(?<=\d)(?=[A-Z][a-z])"  # 2Steps → 2 Steps, but 3D stays 3D
)
_NOT_A_WORD = re.compile(r"[\[\](){}_\s]+")


def readable(name: str) -> str:
    """A class name in plain lower-case words: underscores and CamelCase parted, brackets dropped.

    >>> readable("ApplyEyeMakeup"), readable("raising_both_arms"), readable("Pushing [something] off [something]")
    ('apply eye makeup', 'raising both arms', 'pushing something off something')
    """
    return _NOT_A_WORD.sub(" ", _WORD_BOUNDARY.sub(" ", name)).strip().lower()


def is_text(name: str) -> bool:
    """Whether a name can be written down: what a file system gives for bytes that are no text cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(path: str | Path) -> str:
    """A file's name for a message: as it is, or quoted and escaped where it holds line breaks and the like."""
    name = str(path)
    return name if name.isprintable() else repr(name)
