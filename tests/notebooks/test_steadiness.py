"""The runner that asks whether notebooks are steady: it sees one that is not, keeps a log, and goes on from it."""

import importlib.util
import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

PATH = Path(__file__).with_name("steadiness.py")
spec = importlib.util.spec_from_file_location("steadiness", PATH)
steadiness = importlib.util.module_from_spec(spec)
spec.loader.exec_module(steadiness)


def notebook(path, code, printed):
    cell = new_code_cell(code, execution_count=1, outputs=[new_output("stream", text=printed)])
    made = new_notebook(cells=[cell])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, path)
    return path


@pytest.mark.slow
def test_a_notebook_that_prints_something_else_each_time_is_found_and_a_steady_one_passes(tmp_path):
    steady = notebook(tmp_path / "steady.ipynb", "print(1 + 1)", "2\n")
    flaky = notebook(tmp_path / "flaky.ipynb", "import time\nprint(time.time_ns())", "2\n")
    log = tmp_path / "log.jsonl"
    entries = steadiness.steadiness([steady, flaky], ["one thread", "half a CPU"], 1, log)
    assert {(e["notebooks"][0][0], e["passed"]) for e in entries} == {("steady", True), ("flaky", False)}
    assert [json.loads(line) for line in log.read_text().splitlines()] == entries
    assert "| half a CPU | 2 | 1 |" in steadiness.table(entries)


def test_what_is_in_the_log_is_not_run_again_unless_the_notebook_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(steadiness, "run", lambda group, **how: {"passed": True, "seconds": 1.0})
    one = notebook(tmp_path / "one.ipynb", "print(1)", "1\n")
    two = notebook(tmp_path / "two.ipynb", "print(2)", "2\n")
    log = tmp_path / "log.jsonl"

    def lines(repetitions):
        steadiness.steadiness([one, two], steadiness.CONDITIONS, repetitions, log)
        return len(log.read_text().splitlines())

    assert lines(1) == 3 * 2 + 1  # together, all notebooks are one run
    assert lines(1) == 7
    assert lines(2) == 14
    notebook(one, "print(1)  # changed", "1\n")
    assert lines(1) == 14 + 3 + 1
