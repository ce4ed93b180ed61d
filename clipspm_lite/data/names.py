"""Names as people read them: classes as the words that a prompt is made of (SPEC section 1), files on one line."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

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


def printable(path: str | Path) -> str:
    """A file's name for a message: as it is, or quoted and escaped where it holds line breaks and the like."""
    name = str(path)
    return name if name.isprintable() else repr(name)


def on_terminal(text: object) -> str:
    """A message for a terminal: what a name in it would do to the terminal, or what it cannot show, is spelled out."""
    return "\n".join(map(on_one_line, str(text).split("\n")))


def on_one_line(text: object) -> str:
    """Likewise, line breaks in names too."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
