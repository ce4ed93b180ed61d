"""The exercises of the notebooks and their checkers: `check("01.1", answer)` prints a verdict and never raises.

The module ``nb01_….py`` holds the exercises of notebook 01 as ``EXERCISES``, with stub and solution as source text. The
notebook shows the stub and folds the solution. The tests show that the solution passes, that the stub fails, and that
each wrong answer in ``tests/exercises/wrong_answers.md`` gets its own hint. ``sample_downloads.py`` lets notebook 12 be
tried before a download.
"""

import importlib
import pkgutil

from clipspm_lite.exercises.exercise import Exercise

__all__ = ["Exercise", "check", "exercises"]


def exercises() -> dict[str, Exercise]:
    """All exercises by number: "01.1" is the first of notebook 01."""
    found: dict[str, Exercise] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        if module.name.startswith("nb"):
            found |= importlib.import_module(f"{__name__}.{module.name}").EXERCISES
    return found


def check(number: str, answer: object) -> None:
    """Say whether an answer to an exercise is right and, if it is not, what to look at."""
    known = exercises()
    if str(number) not in known:
        print(f"There is no exercise {number}; there are {', '.join(known)}.")
        return
    hint = known[str(number)].hint(answer)
    print(f"Exercise {number}: right." if hint is None else f"Exercise {number}: not yet. {hint}")
