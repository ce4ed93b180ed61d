"""The exercises of the notebooks: their checkers print a verdict and never raise.

`check("01.2", answer)` says whether an answer is right. `exercise("05.1", MFE)` says so too and gives back what the
cells below use: the reader's object if it is right, else the library's. `hint("05.1")` helps, step by step.

The module ``nb01_….py`` holds the exercises of notebook 01 as ``EXERCISES``, with stub and solution as source text. The
notebook shows the stub and folds the solution. The tests show that the solution passes, that the stub fails, and that
each wrong answer in ``tests/exercises/wrong_answers.md`` gets its own hint. ``sample_downloads.py`` lets notebook 12 be
tried before a download.
"""

import importlib
import pkgutil
from collections import Counter
from typing import Any

from clipspm_lite.exercises.exercise import Exercise

__all__ = ["Exercise", "check", "exercise", "exercises", "hint"]

_HINTS_GIVEN: Counter[str] = Counter()


def exercises() -> dict[str, Exercise]:
    """All exercises by number: "01.1" is the first of notebook 01."""
    found: dict[str, Exercise] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        if module.name.startswith("nb"):
            found |= importlib.import_module(f"{__name__}.{module.name}").EXERCISES
    return found


def _known(number: object) -> Exercise | None:
    known = exercises()
    if str(number) not in known:
        print(f"There is no exercise {number}; there are {', '.join(known)}.")
    return known.get(str(number))


def check(number: str, answer: object) -> None:
    """Say whether an answer to an exercise is right and, if it is not, what to look at."""
    if asked := _known(number):
        print(f"Exercise {number}: {asked.verdict(answer) or 'right.'}")


def exercise(number: str, mine: Any) -> Any:
    """What the cells below use: a reader's function or class if it is right, else the library's; says which."""
    asked = _known(number)
    if asked is None or asked.library is None:
        check(number, mine)
        return mine
    verdict = asked.verdict(mine)
    if verdict is None:
        print(f"Exercise {number}: yours is in use.")
        return mine
    print(f"Exercise {number}: {verdict} The library's is in use.")
    return asked.library()


def hint(number: str) -> None:
    """Help with an exercise: first the idea, then a template; after that, where the solution is."""
    if asked := _known(number):
        _HINTS_GIVEN[number] += 1
        steps = [f"Idea: {asked.idea}", f"Template:\n\n{asked.template.strip()}"]
        step = _HINTS_GIVEN[number] - 1
        print(steps[step] if step < len(steps) else "Except in the handout, the solution is folded below.")
