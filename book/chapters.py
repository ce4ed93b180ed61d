"""What the book changes in a text as it reads it: links and equations; in a notebook also explorers and alt texts."""

import os
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from sphinx.application import Sphinx

from clipspm_lite.exercises.frozen import colab, put_into
from clipspm_lite.exercises.pages import for_a_page
from clipspm_lite.home import REPOSITORY

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGES = {
    "clipspm_lite/model/SPEC.md": "/model/spec.md",
    "clipspm_lite/SCALING.md": "/scaling.md",
    "CHANGELOG.md": "/changelog.md",
    "SECURITY.md": "/security.md",
    "notebooks/README.md": "/index.md",
}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?![a-z]+:|#|/)([^)#\s]+)")  # not of a picture, nor to another site


def address(target: str, folder: Path) -> str:
    """A link's target, relative to a folder of the repository, as the book knows it or else as the repository does."""
    path = Path(os.path.normpath(folder / target))
    if path.suffix == ".ipynb" and path.is_file():
        return f"/notebooks/{path.name}"
    if HERE in path.parents or ROOT not in path.parents or not path.exists():
        return target
    name = path.relative_to(ROOT).as_posix()
    return PAGES.get(name, f"{REPOSITORY}/blob/main/{name}")


def text_for_the_book(text: str, folder: Path) -> str:
    """Markdown for a page, whose links lead on from the book."""
    return LINK.sub(lambda match: f"[{match[1]}]({address(match[2], folder)}", for_a_page(text))


def is_explorer(cell: NotebookNode) -> bool:
    """Whether a cell's output is an explorer, of which only the text is stored."""
    return any("(to be moved where a kernel runs" in out.get("data", {}).get("text/plain", "") for out in cell.outputs)


def link_to_run(notebook: str) -> list[NotebookNode]:
    """The outputs that stand for an explorer of which nothing was drawn beforehand."""
    text = (
        f"*An explorer with controls: [run it yourself in Colab]({colab(notebook)}). The picture below shows the same.*"
    )
    return [nbformat.v4.new_output("display_data", {"text/markdown": text})]


def notebook_for_the_book(notebook: NotebookNode, docname: str) -> None:
    """Fold asserting cells, hand alt texts on, let explorers move without a kernel."""
    notebook.metadata.language_info.pygments_lexer = "ipython3"
    for cell in notebook.cells:
        if cell.cell_type != "code":
            cell.source = text_for_the_book(cell.source, ROOT / "notebooks")
            continue
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata.tags = [*cell.metadata.get("tags", []), "hide-input"]
        for output in cell.outputs:
            if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
                cell.metadata.mystnb = {"image": {"alt": alt}}
        if is_explorer(cell):
            cell.outputs = link_to_run(Path(docname).name)
    put_into(notebook, Path(docname).name, "../_static/widgets.js")


def on_source_read(app: Sphinx, docname: str, source: list[str]) -> None:
    if app.env.doc2path(docname).suffix == ".ipynb":
        notebook = nbformat.reads(source[0], as_version=4)
        notebook_for_the_book(notebook, docname)
        source[0] = nbformat.writes(notebook)
    else:
        source[0] = text_for_the_book(source[0], (HERE / docname).parent)


def on_include_read(app: Sphinx, path: Path, docname: str, source: list[str]) -> None:
    source[0] = text_for_the_book(source[0], (HERE / path).resolve().parent)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", on_source_read)
    app.connect("include-read", on_include_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
