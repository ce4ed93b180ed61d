"""What an exercise is, and what its checkers have in common."""

import ast
import functools
import inspect
import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
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
        find: looks at the answer and returns a hint that names the mistake, or None if the answer is right.
    """

    title: str
    difficulty: int
    minutes: int
    stub: str
    solution: str
    find: Callable[[Any], str | None]

    def hint(self, answer: object) -> str | None:
        """`find`, where a gap, a value in place of a function and an exception become hints too."""
        if _is_gap(answer):
            return "There is no answer yet: replace the … in the cell."
        asked = _function_of(self.stub)
        if asked is None:
            try:
                return self.find(answer)
            except Exception:
                return f"Expected a value like the one in the cell, found {_described(answer)}."
        problem = _not_callable_as(asked, answer)
        if problem is not None or not callable(answer):
            return problem
        calls = _Calls(answer, [argument.arg for argument in asked.args.args])
        try:
            hint = self.find(calls.watched)
        except Exception as error:
            if error is calls.stopped or not calls.returned:
                return calls.where_it_stopped(error)
            hint = f"It returns {_described(calls.returned[-1])}; the docstring in the cell says what is wanted."
        if hint is None or "…" in hint:
            return hint
        if "return" in self.stub and any(_is_gap(result) for result in calls.returned):
            return "It returns nothing yet: replace the … and return what the docstring in the cell says."
        if calls.changed:
            return (
                f"It changes its argument {calls.changed} in place: make a new one instead, "
                f"as x = x + 1 does and x += 1 doesn't. {hint}"
            )
        return hint


@dataclass
class _Calls:
    """The calls that a checker made of a reader's function: what came back, what stopped it, what it changed."""

    answer: Callable[..., Any]
    names: list[str]
    returned: list[Any] = field(default_factory=list)
    stopped: Exception | None = None
    changed: str = ""

    def watched(self, *arguments: Any, **named: Any) -> Any:
        before = [_copy(argument) for argument in arguments]
        try:
            result = self.answer(*arguments, **named)
        except Exception as error:
            self.stopped = error
            raise
        for place, (argument, copy) in enumerate(zip(arguments, before, strict=True)):
            if copy is not None and not _unchanged(argument, copy):
                self.changed = self.changed or self.names[place]
        self.returned.append(result)
        return result

    def where_it_stopped(self, error: Exception) -> str:
        code = getattr(inspect.unwrap(self.answer), "__code__", None)
        steps = traceback.extract_tb(error.__traceback__)
        own = [step for step in steps if code is not None and step.filename == code.co_filename]
        line = f" at “{own[-1].line}”" if own and own[-1].line else ""
        words = " ".join(str(error).split())[:200]
        return f"Your code stops{line} with {type(error).__name__}{': ' + words if words else '.'}"


def _is_gap(value: object) -> bool:
    return value is None or value is ... or (isinstance(value, tuple) and any(map(_is_gap, value)))


def _copy(value: Any) -> Any:
    """A copy of what an answer could change in place by mistake; None for anything else."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray | list) else None


def _unchanged(value: Any, copy: Any) -> bool:
    if isinstance(value, Tensor):
        return value.shape == copy.shape and torch.equal(value, copy)
    return np.array_equal(value, copy) if isinstance(value, np.ndarray) else len(value) == len(copy)


def _described(value: object) -> str:
    """A value in a few words, for a hint."""
    if isinstance(value, Tensor | np.ndarray):
        kind = "a tensor" if isinstance(value, Tensor) else "a numpy array"
        return f"{kind} of shape {list(value.shape)} and dtype {value.dtype}"
    if isinstance(value, tuple) and value:
        return f"a tuple of {len(value)} ({', '.join(type(item).__name__ for item in value[:4])})"
    text = " ".join(repr(value).split())
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:60] + '…'}"


@functools.cache
def _function_of(stub: str) -> ast.FunctionDef | None:
    """The function that a stub asks for, or None where it asks for a value."""
    last = ast.parse(stub).body[-1]
    return last if isinstance(last, ast.FunctionDef) else None


def _not_callable_as(asked: ast.FunctionDef, answer: object) -> str | None:
    """What keeps an answer from being called with the stub's parameters, or None."""
    if not callable(answer):
        return f"Expected the function {asked.name}, not yet called; found {_described(answer)}."
    names = [argument.arg for argument in asked.args.args]
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*names[: len(names) - len(asked.args.defaults)])
    except TypeError:
        return f"Expected a function of ({', '.join(names)}), as in the cell; yours is one of {signature}."
    return None


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
        advice = ": keep to torch's operations." if isinstance(found, np.ndarray | list | int | float) else "."
        return f"Expected a torch tensor, found {type(found).__name__}{advice}"
    if found.shape != expected.shape:
        turned = found.ndim >= 2 and found.transpose(-1, -2).shape == expected.shape
        extra = " The last two axes are exchanged." if turned else ""
        return f"Expected the shape {list(expected.shape)}, found {list(found.shape)}.{extra}"
    if found.is_complex():
        return f"Expected real numbers, found {found.dtype}."
    if not torch.isfinite(found).all():
        count = int((~torch.isfinite(found)).sum())
        return f"{count} of {found.numel()} values are not finite: look for a division by 0 or a logarithm of 0."
    difference = float((found.double() - expected.double()).abs().max())
    if difference > tolerance:
        whole = "" if found.is_floating_point() else f" They are whole numbers ({found.dtype}): rounded?"
        return f"The shape is right; the largest difference to the right values is {difference:.3g}.{whole}"
    return None


def matches(found: object, expected: Tensor) -> bool:
    """Whether an answer is this tensor, whatever else may be wrong about it."""
    return tensor_hint(found, expected) is None


def known_mistake(found: object, expected: Tensor, mistakes: dict[str, Tensor]) -> str | None:
    """None if the answer is right, the hint of the mistake that gives exactly these values, or a general hint."""
    if matches(found, expected):
        return None
    hint = next((hint for hint, values in mistakes.items() if matches(found, values)), None)
    return hint or tensor_hint(found, expected)


def random_tensor(*shape: int, seed: int) -> Tensor:
    """Normally distributed numbers, the same for every run."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
