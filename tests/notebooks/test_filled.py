"""Run All finishes whatever stands in the exercises: every solution, or a wrong answer in each."""

from pathlib import Path

import nbformat
import pytest

from clipspm_lite.exercises import exercises
from clipspm_lite.exercises.editions import fill, places, wrong_answers
from clipspm_lite.notebooks import execute

FOLDER = Path(__file__).parents[2] / "notebooks"
ANSWERS = {
    "solutions": {number: asked.solution for number, asked in exercises().items()},
    "wrong answers": {number: wrong[0][1] for number, wrong in wrong_answers().items()},
}
VERDICTS = {"solutions": ("right.", "yours is in use."), "wrong answers": ("not yet.",)}
WITH_EXERCISES = sorted({number[:2] for number in exercises()})


def run(number, kind, until=None):
    """A notebook's printed verdicts by exercise, after it ran from top to bottom (or up to a heading) with answers."""
    (path,) = FOLDER.glob(f"{number}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    fill(notebook, ANSWERS[kind])
    if until is not None:  # the exercises that stand below the heading stay
        cut = next(index for index, cell in enumerate(notebook.cells) if until in cell.source)
        below = [index for index in places(notebook).values() if index > cut]
        notebook.cells = notebook.cells[:cut] + [notebook.cells[index] for index in below]
    executed, _ = execute(path, notebook)  # raises where a cell stops
    return {name: executed.cells[index].outputs[0].text for name, index in places(executed).items()}


def holds(verdicts, kind):
    assert verdicts
    for number, text in verdicts.items():
        assert any(f"Exercise {number}: {verdict}" in text for verdict in VERDICTS[kind]), text


@pytest.mark.slow
@pytest.mark.parametrize("kind", ANSWERS)
def test_05_runs_up_to_its_real_clips(kind):
    holds(run("05", kind, until="## What it says about real clips"), kind)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("number", WITH_EXERCISES)
def test_every_notebook_runs(number, kind):
    holds(run(number, kind), kind)
