"""Names as people read them: classes as the words that a prompt is made of (SPEC section 1), files on one line."""

import os
import re
import unicodedata
from collections.abc import Iterable

_WORD_BOUNDARY = re.compile(
    r"(?<=[a-z])(?=[A-Z])"  # taiChi → tai Chi
    r"|(?<=[A-Z])(?=[A-Z][a-z])"  # TVShow → TV Show
    r"|(?<=[a-zA-Z])(?=\d)"  # jump2 → jump 2
    r"|(?<=\d)(?=[A-Z][a-z])"  # 2Steps → 2 Steps, but 3D stays 3D
)
# Brackets, spaces, and what would move a terminal's cursor or turn the direction of what is read.
_NOT_A_WORD = re.compile(r"[\[\](){}_\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


def readable(name: str) -> str:
    """A class name in plain lower-case words: underscores and CamelCase parted, brackets dropped.

    >>> readable("ApplyEyeMakeup"), readable("raising_both_arms"), readable("Pushing [something] off [something]")
    ('apply eye makeup', 'raising both arms', 'pushing something off something')
    """
    return _NOT_A_WORD.sub(" ", _WORD_BOUNDARY.sub(" ", composed(name))).strip().lower()


def composed(name: str) -> str:
    """The form (NFC) in which names are compared: "é" may be one character, or as on macOS two, and is one name."""
    return unicodedata.normalize("NFC", name)


def some(names: Iterable[str]) -> str:
    """The first three names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def is_file_name(name: object) -> bool:
    """Whether it is the name of one file or folder, which leads nowhere else."""
    if not isinstance(name, str) or name in ("", ".", "..") or name[1:2] == ":":  # a drive of Windows
        return False
    try:
        return len(os.fsencode(name)) <= 255 and not any(c in name for c in "/\\\0")
    except UnicodeEncodeError:  # half a character, which JSON can hold
        return False


def printable(text: object) -> str:
    """A name or message on one line: what is not a character to show, such as a line break, is spelled out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def on_terminal(text: object) -> str:
    """Likewise, but the lines of a message stay lines."""
    return "\n".join(map(printable, str(text).split("\n")))
