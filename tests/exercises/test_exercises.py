"""Every exercise: its solution passes, its stub fails, each wrong answer fails with its own hint; one source."""

import json
import re
from pathlib import Path

import pytest

from clipspm_lite.exercises import check, exercises
from clipspm_lite.exercises.exercise import value_of

FOLDER = Path(__file__).parents[2] / "notebooks"
ALL = exercises()


@pytest.fixture(params=ALL)
def number(request):
    return request.param


def test_the_solution_passes(number):
    assert ALL[number].hint(value_of(ALL[number].solution)) is None


def test_the_stub_runs_and_fails(number):
    assert ALL[number].hint(value_of(ALL[number].stub)) is not None


def test_wrong_answers_fail_each_with_its_own_hint(number):
    wrong = ALL[number].wrong
    assert len(wrong) >= 2
    hints = [ALL[number].hint(value_of(source)) for source, _ in wrong]
    for hint, (_, piece) in zip(hints, wrong, strict=True):
        assert hint is not None and piece in hint
    assert len(set(hints)) == len(hints)


def test_it_says_how_hard_and_how_long_it_is(number):
    assert ALL[number].difficulty in (1, 2, 3) and 1 <= ALL[number].minutes <= 60


def test_the_notebook_shows_this_stub_and_folds_this_solution(number):
    exercise = ALL[number]
    (path,) = FOLDER.glob(f"{number[:2]}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    (asked,) = (source for source in code if f'check("{number}"' in source)
    assert asked.startswith(exercise.stub.strip())
    folded = re.findall(r"<details>.*?</details>", prose, re.S)
    assert any(exercise.solution.strip() in block for block in folded)
    assert f"**Exercise {number}" in prose and f"{exercise.minutes} min" in prose


def test_check_prints_a_verdict_and_never_raises(number, capsys):
    def raises(*_, **__):
        raise RuntimeError("oops")

    for answer in (None, ..., 3, "text", raises):
        check(number, answer)
    check(number, value_of(ALL[number].solution))
    verdicts = capsys.readouterr().out.splitlines()
    assert verdicts[-1] == f"Exercise {number}: right."
    assert all(verdict.startswith(f"Exercise {number}: not yet.") for verdict in verdicts[:-1])


def test_an_unknown_number_is_answered_with_the_known_ones(capsys):
    check("99.9", 1)
    assert "There is no exercise 99.9" in capsys.readouterr().out
