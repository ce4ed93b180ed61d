"""What `python -m clipspm_lite.notebooks` and `start` do with an executed notebook."""

import json
import sys

import nbformat
import pytest

from clipspm_lite import notebooks

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr(notebooks, "PICTURES", tmp_path / "results")
    cells = [
        nbformat.v4.new_markdown_cell("*Measured: 999 s on 2 CPU cores*"),
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
    assert "Measured: 999 s" not in stored.cells[0].source
    assert (tmp_path / "results" / "dot.png").read_bytes().startswith(b"\x89PNG")


def test_handouts_lack_the_solutions_and_nothing_else(notebook, tmp_path, monkeypatch):
    notebook.cells.append(nbformat.v4.new_markdown_cell("<details><summary>Solution</summary>\n\n42\n\n</details>"))
    monkeypatch.setattr("sys.argv", ["notebooks", "--without-solutions", str(tmp_path / "handout")])
    nbformat.write(notebook, tmp_path / "00_start_here.ipynb")
    notebooks.main()
    handout = nbformat.read(tmp_path / "handout" / "00_start_here.ipynb", as_version=4)
    assert [cell.source for cell in handout.cells] == [cell.source for cell in notebook.cells[:-1]]


def test_the_kernel_is_this_python_whatever_is_installed_as_python3(notebook, tmp_path, monkeypatch):
    spec = {"argv": ["nowhere", "{connection_file}"], "display_name": "another", "language": "python"}
    (tmp_path / "kernels" / "python3").mkdir(parents=True)
    (tmp_path / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    notebook.cells = [nbformat.v4.new_code_cell("import sys; print(sys.executable)")]
    nbformat.write(notebook, tmp_path / "one.ipynb")
    assert notebooks.execute(tmp_path / "one.ipynb")[0].cells[0].outputs[0].text.strip() == sys.executable
