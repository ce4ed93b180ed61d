"""Two checks that many public functions need: a whole number, and one of several known names."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any


def whole_number(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """``value`` as an int, from an int of Python or NumPy; raises ValueError if it is not in ``least`` … ``most``."""
    is_number = isinstance(value, Integral) and not isinstance(value, bool)  # True would pass as 1
    if not is_number or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}: expected a whole number {span}, found {value!r}")
    return int(value)


def check_known(name: str, value: object, known: Iterable[object]) -> None:
    """Raise ValueError, with all known names, where ``value`` is not one of them."""
    known = list(known)
    if value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(map(str, known))}, found {value!r}")
