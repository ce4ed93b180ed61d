"""What an exercise is, and what its checkers have in common."""

import ast
import functools
import inspect
import math
import numbers
import operator
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Exercise:
    """One task of a notebook.

    Attributes:
        title: what is to be written, in a few words.
        difficulty: 1 fill in, 2 write, 3 open.
        minutes: what a reader who knows PyTorch needs.
        stub: source of a function, a class or a value that runs and is not right yet; the notebook's cell shows it.
        solution: source that is right.
        find: looks at the answer and returns a hint that names the mistake, or None if the answer is right. It gets a
            class as it is and builds the object itself.
        importance: 1 nice to know, 2 worth knowing, 3 needed later.
        task: the notebook's text, after title and marks.
        idea, template: the first two hints: a sentence; the solution with the decisive line left as ``...``.
        why: a sentence or two after the solution.
        library: of a build exercise: gives the library's object, to be called as the stub is.
    """

    title: str
    difficulty: int
    minutes: int
    stub: str
    solution: str
    find: Callable[[Any], str | None]
    importance: int = 2
    task: str = ""
    idea: str = ""
    template: str = ""
    why: str = ""
    library: Callable[[], Any] | None = None

    def verdict(self, answer: object) -> str | None:
        """None for a right answer, else "not attempted." or "not yet." and a hint."""
        if _untouched(answer, value_of(self.stub)):
            return "not attempted."
        hint = self.hint(answer)
        return None if hint is None else f"not yet. {hint}"

    def hint(self, answer: object) -> str | None:
        """`find`, where a gap, a value in place of a function and an exception become hints too."""
        if _is_gap(answer):
            return "There is a gap left: replace each … in the cell."
        asked = _asked_for(self.stub)
        if asked is None:
            try:
                return self.find(answer)
            except Exception:
                return f"Expected a value like the one in the cell, found {_described(answer)}."
        problem = _not_callable_as(asked, answer)
        if problem is not None or not callable(answer):
            return problem
        with torch.random.fork_rng(devices=[]):  # the cells below draw the same numbers whatever was checked
            if isinstance(asked, ast.ClassDef):
                return self._hint_for_class(answer)
            return self._hint_for_function(answer, [argument.arg for argument in asked.args.args])

    def _hint_for_class(self, answer: Callable[..., Any]) -> str | None:
        try:
            return self.find(answer)
        except (Exception, SystemExit) as error:
            return where_it_stopped(answer, error)

    def _hint_for_function(self, answer: Callable[..., Any], names: list[str]) -> str | None:
        calls = _Calls(answer, names)
        try:
            hint = self.find(calls.watched)
        except (Exception, SystemExit) as error:
            if error is calls.stopped or not calls.returned or IN_PLACE.search(str(error)):
                return where_it_stopped(answer, error)
            hint = f"It returns {_described(calls.returned[-1])}; the docstring in the cell says what is wanted."
        if hint and "…" in hint:
            return hint
        if hint and "return" in self.stub and any(_is_gap(result) for result in calls.returned):
            return "It returns nothing yet: replace the … and return what the docstring in the cell says."
        if calls.changed:
            values = hint or "The values are right, but the cells below use that argument again."
            return f"It changes its argument {calls.changed} in place: {A_NEW_ONE}. {values}"
        return hint


IN_PLACE = re.compile("in-?place operation")  # in what torch says where a gradient is lost by one
A_NEW_ONE = "make a new one instead, as x = x + 1 does and x += 1 doesn't"


@dataclass
class _Calls:
    """The calls that a checker made of a reader's function: what came back, what stopped it, what it changed."""

    answer: Callable[..., Any]
    names: list[str]
    returned: list[Any] = field(default_factory=list)
    stopped: BaseException | None = None
    changed: str = ""

    def watched(self, *arguments: Any, **named: Any) -> Any:
        before = [_copy(argument) for argument in arguments]
        try:
            result = self.answer(*arguments, **named)
        except (Exception, SystemExit) as error:
            self.stopped = error
            raise
        for place, (argument, copy) in enumerate(zip(arguments, before, strict=True)):
            if copy is not None and not _unchanged(argument, copy):
                self.changed = self.changed or self.names[place]
        self.returned.append(result)
        return result


def _functions_of(answer: object) -> list[Any]:
    """A function alone, or all functions that a class defines."""
    things = vars(answer).values() if inspect.isclass(answer) else [inspect.unwrap(answer)]  # type: ignore[arg-type]
    return [thing for thing in things if inspect.isfunction(thing)]


def where_it_stopped(answer: object, error: BaseException) -> str:
    """A hint with the last line of the reader's that an error passed."""
    words = " ".join(str(error).split())[:200]
    if "ellipsis" in words.lower():
        return "It returns nothing yet: there is a … left in the cell."
    if IN_PLACE.search(words):
        return f"It changes in place what the gradient needs: {A_NEW_ONE}."
    files = {function.__code__.co_filename for function in _functions_of(answer)}
    own = [step for step in traceback.extract_tb(error.__traceback__) if step.filename in files]
    line = f" at “{own[-1].line}”" if own and own[-1].line else ""
    return f"Your code stops{line} with {type(error).__name__}{': ' + words if words else '.'}"


def _same_code(one: Any, other: Any) -> bool:
    if not (isinstance(one, CodeType) and isinstance(other, CodeType)):
        return type(one) is type(other) and one == other
    if (one.co_code, one.co_names, one.co_varnames) != (other.co_code, other.co_names, other.co_varnames):
        return False
    return len(one.co_consts) == len(other.co_consts) and all(map(_same_code, one.co_consts, other.co_consts))


def _untouched(answer: object, stub: object) -> bool:
    """Whether an answer is the stub as it was given."""
    if not callable(stub) or not callable(answer):
        parts = list(answer.values()) if isinstance(answer, dict) else answer
        return all(map(_is_gap, parts)) if isinstance(parts, tuple | list) else _is_gap(parts)
    mine, given = _functions_of(answer), _functions_of(stub)
    pairs = zip(mine, given, strict=False)
    return len(mine) == len(given) > 0 and all(_same_code(one.__code__, other.__code__) for one, other in pairs)


def _is_gap(value: object) -> bool:
    return value is None or value is ... or (isinstance(value, tuple | list) and any(map(_is_gap, value)))


def _copy(value: Any) -> Any:
    """A copy of what an answer could change in place by mistake; None for anything else."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray | list) else None


def _unchanged(value: Any, copy: Any) -> bool:
    if isinstance(value, Tensor):
        return value.shape == copy.shape and torch.equal(value, copy)
    if isinstance(value, np.ndarray):
        return np.array_equal(value, copy)
    return len(value) == len(copy) and all(map(operator.is_, value, copy))


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
def _asked_for(stub: str) -> ast.FunctionDef | ast.ClassDef | None:
    """The function or class that a stub asks for, or None where it asks for a value."""
    last = ast.parse(stub).body[-1]
    return last if isinstance(last, ast.FunctionDef | ast.ClassDef) else None


def _not_callable_as(asked: ast.FunctionDef | ast.ClassDef, answer: object) -> str | None:
    """What keeps an answer from being called with the stub's parameters, or None."""
    if isinstance(asked, ast.ClassDef):
        return None if inspect.isclass(answer) else f"Expected the class {asked.name}; found {_described(answer)}."
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
    """The last function, class or value that a piece of exercise source defines; torch, numpy and math are at hand."""
    names: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "np": np, "math": math}
    known = set(names)
    exec(source, names)
    return [value for name, value in names.items() if name not in known and name != "__builtins__"][-1]


def real(value: object) -> float | None:
    """A real number of any type (Python's, numpy's, a tensor or array without axes) as a float, else None."""
    if isinstance(value, Tensor | np.ndarray | np.generic):
        value = value.item() if value.ndim == 0 else None
    return float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else None


def whole(value: object) -> int | None:
    """A whole number of any type as an int, else None."""
    number = real(value)
    return int(number) if number is not None and number.is_integer() else None


def numbers_in(found: Any, count: int = 1) -> list[float] | str:
    """So many finite numbers of any type (more than one in a tuple, list or array), or the hint on what they are."""
    if found is None or found is ...:
        return "It returns nothing yet: replace the …."
    several = isinstance(found, tuple | list) or getattr(found, "ndim", 0) > 0
    parts = list(found) if several and count > 1 else [found]
    if any(map(_is_gap, parts)):
        return "There is a gap left: replace each …."
    if len(parts) != count:
        return f"Expected {count} numbers, found {len(parts)}."
    values = []
    for part in parts:
        value = real(part)
        if value is None:
            forgotten = ": forgotten mean, std or sum?" if getattr(part, "ndim", 0) else "."
            return f"Expected a number, found {_described(part)}{forgotten}"
        if not math.isfinite(value):
            return "The result is not finite: look for a division by 0."
        values.append(value)
    return values


Numbers = float | Sequence[float]


def numbers_hint(found: Any, expected: Numbers, mistakes: Mapping[str, Numbers], where: str = "") -> str | None:
    """None for the expected numbers, of whatever type, or the hint: no numbers, a known mistake, other numbers."""
    values = numbers_in(found, np.size(expected))
    if isinstance(values, str):
        return values

    def near(other: Numbers) -> bool:
        return np.allclose(values, other, rtol=1e-4, atol=1e-6)

    if near(expected):
        return None
    hint = next((hint for hint, other in mistakes.items() if near(other)), None)
    right, wrong = (", ".join(f"{value:.4g}" for value in np.ravel(numbers)) for numbers in (expected, values))
    return hint or f"{where}{'e' if where else 'E'}xpected {right}{'' if where else ' here'}, found {wrong}."


def with_weights_of(library: nn.Module, mine: object) -> str | None:
    """Give an answer's module the library's weights, or return the hint that says why it cannot take them."""
    if not isinstance(mine, nn.Module):
        return f"Expected a class of nn.Module, found one of {type(mine).__name__}."
    found, wanted = ({name: list(value.shape) for name, value in m.state_dict().items()} for m in (mine, library))
    for name, shape in wanted.items():
        if name not in found:
            return f"There are no weights {name}; yours are {', '.join(found) or 'none'}."
        if found[name] != shape:
            return f"The weights {name} have the shape {found[name]}, expected {shape}."
    if extra := found.keys() - wanted.keys():
        return f"There are weights too many: {', '.join(sorted(extra))}."
    mine.load_state_dict(library.state_dict())
    mine.train(library.training)
    return None


def tensor_hint(found: object, expected: Tensor, *, tolerance: float = 1e-4) -> str | None:
    """A hint on what is wrong with a tensor: missing, no tensor, another shape, transposed, other values; or None."""
    if found is None or found is ...:
        return "It returns nothing yet: replace the … and return a tensor."
    if expected.ndim == 0 and not isinstance(found, Tensor) and real(found) is not None:
        found = torch.tensor(real(found), dtype=torch.float64)
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
    difference = float((found.detach().double() - expected.detach().double()).abs().max())
    if difference > tolerance:
        whole = "" if found.is_floating_point() else f" They are whole numbers ({found.dtype}): rounded?"
        return f"The shape is right; the largest difference to the right values is {difference:.3g}.{whole}"
    return None


def matches(found: object, expected: Tensor) -> bool:
    """Whether an answer is this tensor, whatever else may be wrong about it."""
    return tensor_hint(found, expected) is None


def wrong_verdict(answer: Mapping[str, bool], claims: Mapping[str, tuple[bool, str]]) -> str | None:
    """Of claims answered by True or False: None if all are right, else what is missing, odd or wrong, and why."""
    if not isinstance(answer, Mapping):
        return f"Expected a dict with True or False for each line, found {type(answer).__name__}."
    missing = [letter for letter in claims if _is_gap(answer.get(letter))]
    if missing:
        return f"Not answered yet by True or False: {', '.join(missing)}."
    for letter in claims:
        if not isinstance(answer[letter], bool | np.bool_ | int) or answer[letter] not in (0, 1):
            return f"Expected True or False for {letter}, found {answer[letter]!r}."
    return next((f"{letter}: {why}" for letter, (right, why) in claims.items() if bool(answer[letter]) != right), None)


def known_mistake(found: object, expected: Tensor, mistakes: Mapping[str, Tensor], **inputs: Tensor) -> str | None:
    """None if the answer is right, the hint of the mistake that gives exactly these values, or a general hint.

    inputs: tensors by the reader's names for them; right values must pass the expected gradients on to each.
    """
    if matches(found, expected):
        return _gradient_hint(found, expected, inputs)
    hint = next((hint for hint, values in mistakes.items() if matches(found, values)), None)
    return hint or tensor_hint(found, expected)


def _gradient_hint(found: object, expected: Tensor, inputs: Mapping[str, Tensor]) -> str | None:
    if not inputs:
        return None
    advice = "keep to torch's operations, without no_grad, detach or item."
    if not isinstance(found, Tensor) or not found.requires_grad:
        return f"The values are right, but no gradient is left: {advice}"

    def gradients(of: Tensor) -> tuple[Tensor | None, ...]:
        loss = (of * random_tensor(*of.shape, seed=9)).sum()
        return torch.autograd.grad(loss, [*inputs.values()], retain_graph=True, allow_unused=True)

    for name, mine, right in zip(inputs, gradients(found), gradients(expected), strict=True):
        if mine is None or (right is not None and not matches(mine, right)):
            reaches = "no gradient reaches" if mine is None else "not all of the gradient reaches"
            return f"The values are right, but {reaches} {name}: {advice}"
    return None


def axes_hint(answer: Callable[..., Any], expected: Tensor, *arguments: Any) -> str | None:
    """A hint where arguments with other leading axes than before stop an answer or give another result."""
    try:
        right = matches(answer(*arguments), expected)
    except Exception:
        right = False
    shape = next(list(argument.shape) for argument in arguments if isinstance(argument, Tensor))
    return None if right else f"With other leading axes, {shape}, it stops or is wrong: count the axes from the end."


def random_tensor(*shape: int, seed: int, gradient: bool = False) -> Tensor:
    """Normally distributed numbers, the same for every run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), requires_grad=gradient)
