"""Checks that many public functions need: a whole number, one of several known names, and a configuration."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import inf
from numbers import Integral
from typing import Any, Literal, get_args, get_origin, get_type_hints

ABOVE_0 = ("learning_rate", "alpha", "temperature")


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


@dataclass(frozen=True)
class Checked:
    """A configuration that refuses, by its annotations, an int below 1 (a seed below 0), a float that is not finite (a
    rate not above 0), an unknown `Literal` and a tuple of another length; lists become tuples."""

    def __post_init__(self) -> None:
        annotations = get_type_hints(type(self))
        for field in fields(self):
            annotation, value = annotations[field.name], getattr(self, field.name)
            if annotation is int or (annotation == int | None and value is not None):
                whole_number(field.name, value, least=0 if field.name == "seed" else 1)
            elif annotation is float:
                least = 0 if field.name in ABOVE_0 else -inf
                if not least < value < inf:
                    expected = "that is finite" if least else "above 0"
                    raise ValueError(f"{field.name}: expected a number {expected}, found {value!r}")
            elif get_origin(annotation) is Literal:
                check_known(field.name, value, get_args(annotation))
            elif get_origin(annotation) is tuple:
                object.__setattr__(self, field.name, tuple(value))
                if ... not in get_args(annotation) and len(value) != len(get_args(annotation)):
                    raise ValueError(f"{field.name}: expected {len(get_args(annotation))} values, found {value!r}")
