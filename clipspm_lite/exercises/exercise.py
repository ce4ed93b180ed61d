"""What an exercise is, and what its checkers have in common."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Exercise:
    """One task of a notebook.

    Attributes:
        title: what is to be written, in a few words.
        difficulty: 1 fill in, 2 write, 3 open.
        minutes: what a reader needs.
        stub: source of a function (or a value) that runs and is not right yet; the notebook's cell starts with it.
        solution: source that is right.
        wrong: plausible wrong sources, each with a piece of the hint that it must get.
        find: looks at the answer and returns a hint that names the mistake, or None if the answer is right.
    """

    title: str
    difficulty: int
    minutes: int
    stub: str
    solution: str
    wrong: tuple[tuple[str, str], ...]
    find: Callable[[Any], str | None]

    def hint(self, answer: object) -> str | None:
        """`find`, where an exception in the reader's code becomes a hint too."""
        if answer is None or answer is ...:
            return "There is no answer yet: replace the … in the cell."
        try:
            return self.find(answer)
        except Exception as error:
            return f"Your code stops with {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def value_of(source: str) -> Any:
    """The last function or value that a piece of exercise source defines, with torch, numpy and math at hand."""
    names: dict[str, Any] = {"torch": torch, "np": np, "math": math}
    known = set(names)
    exec(source, names)
    return [value for name, value in names.items() if name not in known and name != "__builtins__"][-1]


def tensor_hint(found: object, expected: Tensor, *, tolerance: float = 1e-4) -> str | None:
    """A hint on what is wrong with a tensor: missing, no tensor, another shape, transposed, other values; or None."""
    if found is None or found is ...:
        return "It returns nothing yet: replace the … and return a tensor."
    if not isinstance(found, Tensor):
        return f"Expected a torch tensor, found {type(found).__name__}."
    if found.shape != expected.shape:
        turned = found.ndim >= 2 and found.transpose(-1, -2).shape == expected.shape
        extra = " The last two axes are exchanged." if turned else ""
        return f"Expected the shape {list(expected.shape)}, found {list(found.shape)}.{extra}"
    if not torch.isfinite(found).all():
        return "Some values are not finite."
    difference = float((found.double() - expected.double()).abs().max())
    if difference > tolerance:
        return f"The shape is right; the largest difference to the right values is {difference:.3g}."
    return None
