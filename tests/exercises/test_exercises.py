"""Every exercise: its solution passes, its stub fails, each wrong answer fails with its own hint; one source."""

import ast
import math
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from clipspm_lite.exercises import check, exercise, exercises, hint
from clipspm_lite.exercises.editions import exercise_cells, places, wrong_answers
from clipspm_lite.exercises.exercise import value_of
from clipspm_lite.exercises.nb03_matching_in_time import soft_minimum

FOLDER = Path(__file__).parents[2] / "notebooks"
ALL = exercises()


WRONG = wrong_answers()


@pytest.fixture(params=ALL)
def number(request):
    return request.param


def test_the_solution_passes(number):
    assert ALL[number].hint(value_of(ALL[number].solution)) is None


def test_the_stub_runs_and_fails(number):
    assert ALL[number].hint(value_of(ALL[number].stub)) is not None


def test_wrong_answers_fail_each_with_its_own_hint(number):
    wrong = WRONG[number]
    assert len(wrong) >= 2
    hints = [ALL[number].hint(value_of(source)) for _, source in wrong]
    for found, (piece, _) in zip(hints, wrong, strict=True):
        assert found is not None and piece in found
    assert len(set(hints)) == len(hints)


def test_it_says_how_hard_how_important_and_how_long_it_is_and_helps_in_steps(number):
    asked = ALL[number]
    assert {asked.difficulty, asked.importance} <= {1, 2, 3} and 1 <= asked.minutes <= 60
    assert asked.task and asked.idea.endswith(".") and "\n" not in asked.idea and asked.why
    assert "..." in asked.template and asked.template.strip() not in asked.solution


def test_the_notebook_shows_this_task_and_stub_and_folds_this_solution(number):
    (path,) = FOLDER.glob(f"{number[:2]}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    place = places(notebook)[number]
    shown = [cell.source for cell in notebook.cells[place - 1 : place + 2]]
    assert shown == [cell.source for cell in exercise_cells(number)]


def test_check_prints_a_verdict_and_never_raises(number, capsys):
    def raises(*_, **__):
        raise RuntimeError("oops")

    for answer in (None, ..., 3, "text", raises):
        check(number, answer)
    check(number, value_of(ALL[number].solution))
    verdicts = capsys.readouterr().out.splitlines()
    assert verdicts[-1] == f"Exercise {number}: right."
    assert all(verdict.startswith(f"Exercise {number}: not ") for verdict in verdicts[:-1])


def test_an_untouched_stub_is_not_attempted(number, capsys):
    check(number, value_of(ALL[number].stub))
    assert capsys.readouterr().out == f"Exercise {number}: not attempted.\n"


BUILT = [number for number in ALL if ALL[number].library is not None]


@pytest.mark.parametrize("number", BUILT)
def test_a_build_exercise_gives_back_what_is_right_and_else_the_librarys(number, capsys):
    asked = ALL[number]
    mine, library, state = value_of(asked.solution), asked.library(), torch.get_rng_state()
    assert exercise(number, mine) is mine
    for _, source in WRONG[number]:
        assert exercise(number, value_of(source)) is library
    for other in (value_of(asked.stub), None, ..., 3, lambda *_, **__: sys.exit(1), type("Mine", (), {"forward": 1})):
        assert exercise(number, other) is library
    assert asked.hint(library) is None, "the library's passes too"
    assert torch.equal(state, torch.get_rng_state())
    first, *others = capsys.readouterr().out.splitlines()
    assert first == f"Exercise {number}: yours is in use."
    assert all(line.endswith("The library's is in use.") for line in others)
    assert others[len(WRONG[number])] == f"Exercise {number}: not attempted. The library's is in use."


def test_a_class_that_stops_says_where():
    class MFE(torch.nn.Module):
        def __init__(self, dim, *, motion="symmetric"):
            sys.exit("stopped here")

    assert "sys.exit(" in ALL["05.1"].hint(MFE) and "SystemExit" in ALL["05.1"].hint(MFE)


def test_hints_come_in_steps(capsys):
    asked = ALL["01.1"]
    for _ in range(4):
        hint("01.1")
    printed = capsys.readouterr().out
    assert printed.index(asked.idea) < printed.index(asked.template) < printed.index("folded")
    assert printed.count(asked.idea) == printed.count(asked.template) == 1


def real_types(value):
    """A number in the types in which an answer may give it."""
    number = float(value)
    yield from (number, np.float32(number), np.float64(number), torch.tensor(number), np.array(number))
    if number.is_integer():
        yield from (int(number), np.int64(number), torch.tensor(int(number)))


ONE_NUMBER = ("01.3", "01.5", "03.2", "04.4", "06.2", "07.4", "08.2")


@pytest.mark.parametrize("number", ONE_NUMBER)
@pytest.mark.parametrize("place", range(5))
def test_a_right_number_is_right_in_any_type(number, place):
    right = value_of(ALL[number].solution)
    assert ALL[number].hint(lambda *a, **k: list(real_types(right(*a, **k)))[place]) is None


@pytest.mark.parametrize("number", ["01.1", "01.2", "01.4", "08.1"])
@pytest.mark.parametrize("place", range(5))
def test_right_numbers_are_right_in_any_type(number, place):
    right = value_of(ALL[number].solution)

    def typed(value):
        return type(value)(map(typed, value)) if isinstance(value, list | tuple) else list(real_types(value))[place]

    assert ALL[number].hint(lambda *a, **k: typed(right(*a, **k))) is None


@pytest.mark.parametrize("number", ["03.2", "04.4", "06.2", "11.1", "11.2", "12.2"])
def test_the_fold_says_what_the_solution_gives(number):
    call, expected = re.search(r"\*Expected:\* `(.+?)` gives (\(.+?\)|[\d.]*\d)", ALL[number].why).groups()
    solution = value_of(ALL[number].solution)
    found = eval(call, {"torch": torch, "soft_min": soft_minimum, solution.__name__: solution})
    assert found == pytest.approx(ast.literal_eval(expected), rel=0.01)


RIGHT = [  # a piece of the solution, and what may stand in its place
    ("01.2", "videos[:shot].tolist()", "videos[:shot]"),
    ("01.4", "return mean, half", "return np.array([mean, half])"),
    ("02.4", "video @ (example + name)", "2 * video @ (example + name)"),
    ("03.3", "D[rows - 1, columns - 1]", "D[rows - 1, columns - 1] / (rows + columns)"),
    ("03.3", "D[rows - 1, columns - 1]", "D[rows - 1, columns - 1] / max(rows, columns)"),
    ("04.2", "return tokens[..., 1:, :], tokens[..., :1, :]", "return [tokens[..., 1:, :], tokens[..., :1, :]]"),
    ("05.2", "-0.5, 1.0, 0.5", "np.array([-0.5, 1.0, 0.5])"),
    ("05.4", "(time[:, None] * video).mean(0)", "float((time[:, None] * video).mean())"),
    ("05.4", "(time[:, None] * video).mean(0)", "(time[:, None] * video).mean(0).numpy()"),
    ("07.3", "return loss.item(), right.item()", "return [loss.item(), right]"),
    ("07.4", 'entry["validation_accuracy"]', '(entry["validation_accuracy"], -entry["step"])'),
    ("09.4", "baselines.otam(self.project(support)", "baselines.zero_shot(support"),
    ("08.1", "return paired, unpaired", "return np.array([paired, unpaired])"),
    ("08.3", "return corrected[order.argsort()]", "return corrected[order.argsort()].tolist()"),
]


@pytest.mark.parametrize("number, piece, other", RIGHT)
def test_another_right_answer_is_right(number, piece, other):
    assert piece in ALL[number].solution
    assert ALL[number].hint(value_of(ALL[number].solution.replace(piece, other))) is None


@pytest.mark.parametrize("number", ["02.3", "08.4", "10.2", "12.1"])
def test_true_and_false_may_come_in_any_order_and_from_numpy(number):
    right = value_of(ALL[number].solution)
    assert ALL[number].hint({letter: np.bool_(right[letter]) for letter in reversed(right)}) is None


MISTAKES = [  # what a reader may leave or hand over by mistake, and what the hint must say
    ("01.1", "def f(count, offsets):\n    count", "returns nothing yet"),
    ("01.1", "def f(count, offsets):\n    return [math.nan for _ in offsets]", "whole number"),
    ("01.1", "def f(count, offsets):\n    return ['1' for _ in offsets]", "whole numbers, found str"),
    ("01.2", "def f(sizes, way, shot, queries, seed, index):\n    way", "returns nothing yet"),
    ("01.2", "def f(sizes, way, shot, queries, seed, index):\n    return 1, 2, 3", "list, classes, found int"),
    ("01.2", "def f(sizes, way, *_):\n    return [math.nan] * 3, [[1]] * 3, [1] * 9", "whole numbers"),
    ("01.4", "def f(ours, other):\n    pass", "returns nothing yet"),
    ("01.4", "def f(ours, other):\n    ours -= other\n    return 100 * ours.mean(), 1.0", "argument ours in place"),
    ("02.1", "def f():\n    return 1", "Expected a function of (captions)"),
    ("02.1", "f = 3", "Expected the function targets, not yet called; found int 3"),
    ("02.1", "def f(captions):\n    return captions.foo", "Your code stops"),
    ("02.1", "def f(captions):\n    assert False", "AssertionError."),
    ("02.1", "def f(captions):\n    return torch.eye(len(captions)) * math.nan", "16 of 16 values are not finite"),
    ("02.1", "def f(captions):\n    return 2 * torch.eye(len(captions)).long()", "whole numbers (torch.int64)"),
    ("02.1", "def f(captions):\n    return torch.eye(len(captions)).numpy()", "keep to torch"),
    ("02.1", "def f(captions):\n    return torch.eye(len(captions)) + 0j", "Expected real numbers"),
    ("03.3", "def f(distances):\n    return distances.sum() * math.nan", "not finite"),
    ("03.3", "def f(distances):\n    return distances.sum(-1)", "found [4]"),
    ("03.3", "def f(distances):\n    return 'cost'", "Expected a tensor with the cost, found str"),
    ("05.4", "def f(video):\n    return (video[-1] - video[0]) * math.nan", "not finite"),
    ("05.4", "def f(video):\n    return (video[-1] - video[0]).long()", "floating-point numbers, found torch.int64"),
    ("08.1", "def f(ours, other):\n    return math.nan, 1.0", "not finite"),
    ("08.2", "def f(right, asked, seeds, classes):\n    return 'many'", "Expected a number, found str"),
    ("08.4", "follows = dict.fromkeys('ABCDEFG', torch.ones(2))", "Expected True or False for A"),
    ("09.5", "def f(support, query, class_text):\n    return query", "something with .logits, for example"),
    ("09.5", "def f(support, query, class_text):\n    return query.foo", "no attribute 'foo'"),
    (
        "09.5",
        "def f(support, query, class_text):\n    from clipspm_lite.model.baselines import Scores\n"
        "    return Scores(torch.full((2, 4, 3), math.nan))",
        "24 of 24 values are not finite",
    ),
]


@pytest.mark.parametrize("number, source, piece", MISTAKES)
def test_a_mistake_is_named_and_never_taken_for_an_error_of_the_checker(number, source, piece):
    hint = ALL[number].hint(value_of(source))
    assert hint is not None and piece in hint and "\n" not in hint
    assert ("Your code stops" in hint) == ("text.T" in source or "assert" in source or ".foo" in source)


@pytest.mark.parametrize("number", [number for number in ALL if ALL[number].stub.lstrip().startswith("def")])
@pytest.mark.parametrize("result", [math.nan, "text", {"a": 1}, (1, "2"), torch.full((2, 3), math.nan), iter([1])])
def test_an_unusable_result_is_no_error_of_the_readers_code_and_is_never_right(number, result):
    hint = ALL[number].hint(lambda *_, **__: result)
    assert hint is not None and "Your code stops" not in hint and "\n" not in hint


def test_the_line_that_stops_is_shown(tmp_path):
    cell = tmp_path / "cell.py"
    cell.write_text("def score(a, b, c):\n    total = a + b\n    return total / none\n")
    names = {}
    exec(compile(cell.read_text(), str(cell), "exec"), names)
    assert ALL["07.1"].hint(names["score"]) == (
        "Your code stops at “return total / none” with NameError: name 'none' is not defined"
    )


def test_an_unknown_number_is_answered_with_the_known_ones(capsys):
    check("99.9", 1)
    assert "There is no exercise 99.9" in capsys.readouterr().out
