"""What `python -m clipspm_lite.notebooks` and `start` do with an executed notebook."""

import contextlib
import json
import re
import shutil
import subprocess
import sys

import nbformat
import psutil
import pytest
from nbclient.exceptions import CellExecutionError

from clipspm_lite import notebooks
from clipspm_lite.exercises import exercises
from clipspm_lite.exercises.editions import exercise_cells
from clipspm_lite.exercises.pages import for_a_page

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr(notebooks, "PICTURES", tmp_path / "results")
    cells = [
        nbformat.v4.new_markdown_cell("*The cells run in 999 s on 2 CPU cores*"),
        nbformat.v4.new_code_cell("print('a row')", metadata={"tags": ["table"]}),
        nbformat.v4.new_code_cell("import ipywidgets\n\nipywidgets.IntSlider()"),
        nbformat.v4.new_code_cell(
            f"from IPython.display import Image, display\nimport base64\n"
            f"display(Image(base64.b64decode('{PIXEL}'), alt='a dot'))",
            metadata={"tags": ["picture:dot"]},
        ),
    ]
    python = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.v4.new_notebook(cells=cells, metadata={**python, "toc": {}})


def test_start_prints_the_table_and_writes_the_page(notebook, tmp_path, capsys):
    nbformat.write(notebook, tmp_path / "00_start_here.ipynb")
    notebooks.show_start(tmp_path / "out")
    printed = capsys.readouterr().out
    assert "a row" in printed and f'jupyterlab "{tmp_path}' in printed
    page = (tmp_path / "out" / "00_start_here.html").read_text(encoding="utf-8")
    assert PIXEL[:40] in page and 'alt="a dot"' in page


def test_notebooks_are_executed_and_stored_clean_with_their_time_and_pictures(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["notebooks"])
    path = tmp_path / "00_start_here.ipynb"
    nbformat.write(notebook, path)
    notebooks.main()
    stored = nbformat.read(path, as_version=4)
    assert [cell.execution_count for cell in stored.cells[1:]] == [1, 2, 3]
    assert set(stored.metadata) == {"kernelspec", "language_info"}
    kept = {"name", "file_extension", "nbconvert_exporter"}
    assert stored.metadata.language_info.keys() == kept  # not which version ran it
    assert list(stored.cells[2].outputs[0].data) == ["text/plain"]  # a widget's text, without the widget
    assert "execution" not in stored.cells[1].metadata
    assert "run in 999 s" not in stored.cells[0].source
    assert (tmp_path / "results" / "dot.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def edition(notebook, tmp_path, monkeypatch):
    """An edition of a notebook with exercise 02.1 and a figure."""
    notebook.cells = notebook.cells[:1] + exercise_cells("02.1")
    picture = nbformat.v4.new_output("display_data", {"image/png": PIXEL}, metadata={"image/png": {"alt": "a dot"}})
    caption = nbformat.v4.new_output("display_data", {"text/markdown": "*A caption.*"})
    notebook.cells.append(nbformat.v4.new_markdown_cell("## A section"))
    cell = nbformat.v4.new_code_cell("draw()", outputs=[picture, caption], metadata={"tags": ["slide"]})
    notebook.cells.append(cell)
    nbformat.write(notebook, tmp_path / "00_start_here.ipynb")

    def make(kind):
        monkeypatch.setattr("sys.argv", ["notebooks", "--edition", kind, str(tmp_path / "out")])
        notebooks.main()
        (path,) = set((tmp_path / "out").iterdir()) - {tmp_path / "out" / "README.md"}
        return path.read_text(encoding="utf-8") if kind == "slides" else nbformat.read(path, as_version=4)

    return make


def test_the_students_edition_lacks_the_solutions_and_nothing_else(edition, notebook):
    kept = [cell.source for cell in notebook.cells if "<details>" not in cell.source]
    assert [cell.source for cell in edition("students").cells] == kept and len(kept) == len(notebook.cells) - 1


def test_the_students_edition_of_the_course_speaks_of_no_solution_and_says_where_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["notebooks", "--edition", "students", str(tmp_path)])
    notebooks.main()
    printed = capsys.readouterr().out
    assert str(tmp_path) in printed and "clipspm_lite/exercises" in printed
    names = {path.name for path in notebooks.FOLDER.glob("*.ipynb")} | {"README.md"}
    assert {path.name for path in tmp_path.iterdir()} == names and len(names) == 14
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bfold(ed)?\b", text) and "--edition" not in text and "](../" not in text, path.name


def in_git(folder, *command):
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", folder, *author, *command], check=True, capture_output=True)


def change_in_jupyter(path):
    ran = nbformat.read(path, as_version=4)
    ran.cells[-1].source = "my_answer()"
    ran.metadata["language_info"] = {"name": "python", "version": "3.11.4"}
    nbformat.write(ran, path)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_in_a_clone_an_edition_is_made_of_the_committed_notebook(edition, notebook, tmp_path, capsys):
    in_git(tmp_path, "init")
    in_git(tmp_path, "add", "00_start_here.ipynb")
    in_git(tmp_path, "commit", "-m", "stored")
    change_in_jupyter(tmp_path / "00_start_here.ipynb")
    assert edition("students").cells[-1].source == "draw()"
    assert "without your changes" in capsys.readouterr().out


def test_without_git_a_notebook_that_was_run_is_refused(edition, tmp_path):
    change_in_jupyter(tmp_path / "00_start_here.ipynb")
    with pytest.raises(SystemExit, match="00_start_here"):
        edition("students")
    assert not (tmp_path / "out").exists()


def test_an_edition_is_not_written_over_other_files(edition, notebook, tmp_path):
    edition("students")
    edition("students")
    (tmp_path / "out" / "00_start_here.ipynb").write_text("mine")
    with pytest.raises(SystemExit, match="00_start_here"):
        edition("students")
    assert (tmp_path / "out" / "00_start_here.ipynb").read_text() == "mine"


def test_the_instructors_edition_opens_them_and_says_what_goes_wrong(edition):
    opened = edition("instructors").cells[3].source
    assert "<details>" not in opened and exercises()["02.1"].solution.strip() in opened
    assert "its other copy is called wrong" in opened


def test_the_solutions_edition_runs_them(edition):
    cell = edition("solutions").cells[2]
    assert cell.source.startswith(exercises()["02.1"].solution.strip())
    assert cell.source.endswith('check("02.1", targets)')
    assert not cell.outputs and cell.execution_count is None


def test_slides_show_each_tagged_figure_with_heading_alt_text_and_caption(edition):
    page = edition("slides")
    assert PIXEL in page and 'alt="a dot"' in page and "A caption." in page and "A section" in page
    assert "http" not in page and "draw()" not in page


def test_equations_side_by_side_go_below_each_other_and_cases_stay_whole():
    whole = r"$$x = \begin{cases} 1 \qquad a \end{cases}$$, and \qquad in text"
    assert for_a_page(whole) == whole
    parts = for_a_page(r"$$a = \left\{ b \qquad c \right. \qquad\quad d = {e \qquad f}, \qquad g$$")
    assert parts.count("\n&") == 3 and r"b \qquad c" in parts and r"{e \qquad f}" in parts


def test_an_unknown_edition_is_named(edition):
    with pytest.raises(SystemExit, match="teachers"):
        edition("teachers")


def test_the_kernel_is_this_python_whatever_is_installed_as_python3(notebook, tmp_path, monkeypatch):
    spec = {"argv": ["nowhere", "{connection_file}"], "display_name": "another", "language": "python"}
    (tmp_path / "kernels" / "python3").mkdir(parents=True)
    (tmp_path / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    notebook.cells = [nbformat.v4.new_code_cell("import sys; print(sys.executable)")]
    nbformat.write(notebook, tmp_path / "one.ipynb")
    assert notebooks.execute(tmp_path / "one.ipynb")[0].cells[0].outputs[0].text.strip() == sys.executable


def test_no_kernel_outlives_its_notebook(notebook, tmp_path):
    for code in ("pass", "1 / 0"):
        notebook.cells = [nbformat.v4.new_code_cell(code)]
        nbformat.write(notebook, tmp_path / "one.ipynb")
        with contextlib.suppress(CellExecutionError):
            notebooks.execute(tmp_path / "one.ipynb")
    assert not [child for child in psutil.Process().children() if "ipykernel_launcher" in child.cmdline()]
