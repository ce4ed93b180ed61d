"""The rules every notebook keeps, as far as a program can see them."""

import json
import re
from pathlib import Path
from statistics import median

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_stored_with_outputs_of_one_run_from_top_to_bottom(notebook):
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell["outputs"]:
            assert output["output_type"] != "error" and output.get("name") != "stderr", source(cell)


def test_nothing_stored_that_belongs_to_one_machine(notebook):
    assert "widgets" not in notebook["metadata"]
    text = json.dumps(notebook, ensure_ascii=False)
    assert not re.search(r"(?<![\w.:/])/(home|root|tmp|usr|Users|work)/\w", text)
    assert not re.search(r"[A-Z]:\\\\\\\\\w", text)
    for cell in code_cells(notebook):
        assert "video/" not in json.dumps(cell["outputs"])


def test_ignored_outputs_are_few_and_nothing_is_skipped(notebook):
    with_output = [cell for cell in code_cells(notebook) if cell["outputs"]]
    ignored = [cell for cell in with_output if "NBVAL_IGNORE_OUTPUT" in source(cell)]
    assert len(ignored) * 10 <= len(with_output)
    everything = "\n".join(source(cell) for cell in code_cells(notebook))
    assert "NBVAL_SKIP" not in everything and not re.search(r"except\s*:", everything)


def test_code_cells_are_short_and_each_follows_prose(notebook):
    lines = [len(source(cell).splitlines()) for cell in code_cells(notebook)]
    assert median(lines) <= 8 and max(lines) <= 40
    assert sum(count <= 25 for count in lines) >= 0.9 * len(lines)
    kinds = [cell["cell_type"] for cell in notebook["cells"]]
    for before, kind in zip(kinds, kinds[1:], strict=False):
        assert kind == "markdown" or before == "markdown"


def test_the_measured_time_stands_at_the_top(notebook):
    assert re.search(r"Measured: \d+ s on 2 CPU cores", source(notebook["cells"][0]))


def test_every_picture_has_alt_text_and_a_caption(notebook):
    for cell in code_cells(notebook):
        for output, following in zip(cell["outputs"], [*cell["outputs"][1:], {}], strict=False):
            if "image/png" in output.get("data", {}):
                assert output["metadata"]["image/png"]["alt"], source(cell)
                assert "text/markdown" in following.get("data", {}), source(cell)
