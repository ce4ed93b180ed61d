"""What functions all over the package ask of an argument: a whole number, or one of the words they know."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any


def whole_number(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """The number that an argument gives, of Python's or NumPy's kind.

    Raises:
        ValueError: no whole number, or none of ``least`` … ``most``.
    """
    is_number = isinstance(value, Integral) and not isinstance(value, bool)  # True would pass for 1
    if not is_number or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}: expected a whole number {span}, found {value!r}")
    return int(value)


def check_known(name: str, value: object, known: Iterable[object]) -> None:
    """Refuse a name that is none of those there are, and say which there are; raises ValueError."""
    known = list(known)
    if value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(map(str, known))}, found {value!r}")
