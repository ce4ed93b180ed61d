"""Execute the notebooks and store their outputs: `python -m clipspm_lite.notebooks [NAME …]`, all without names.

What must not be stored is stripped: widgets and their state, timings, and the version of the Python that ran them.
"""

import base64
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from clipspm_lite.commands.options import OneLineParser, check_not_empty
from clipspm_lite.storage.files import check_writable, replace_file

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
PICTURES = FOLDER / "results"
MEASURED = re.compile(r"(Measured: )\d+( s on \d+ CPU cores)")


def execute(path: Path) -> tuple[NotebookNode, float]:
    """Run a notebook top to bottom in a fresh kernel: the executed notebook, and the seconds that took."""
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        # Errors only: the kernel's notes on its transport would stand beside the results.
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    return notebook, time.perf_counter() - started


def clean(notebook: NotebookNode, seconds: float) -> NotebookNode:
    """Strip what must not be stored, and write the measured seconds into the first cell."""
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # Without its state, which isn't stored either, a widget would show as an error; its text says what it is.
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    first = notebook.cells[0]
    first.source = MEASURED.sub(rf"\g<1>{round(seconds)}\g<2>", first.source)
    return notebook


def save_pictures(notebook: NotebookNode) -> None:
    """Keep the pictures of cells tagged ``picture:NAME`` as files, for the README."""
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", []):
            if tag.startswith("picture:"):
                png = next(o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
                replace_file(PICTURES / f"{tag.removeprefix('picture:')}.png", base64.b64decode(png))


def show_start(out: Path) -> None:
    """Run notebook 00, print the cells tagged "table", write it as a page, and say how to open it in JupyterLab."""
    path = FOLDER / "00_start_here.ipynb"
    if not path.is_file():
        raise FileNotFoundError(f"the notebooks belong to a clone of the repository; not found: {path}")
    page = out / "00_start_here.html"
    check_writable(page)
    print("running notebooks/00_start_here.ipynb …", flush=True)
    try:
        notebook, seconds = execute(path)
    except CellExecutionError as error:
        raise RuntimeError(
            f"the notebook stopped with {error.ename}: {error.evalue}; open it in JupyterLab to see where: {path}"
        ) from None
    for cell in notebook.cells:
        if "table" in cell.metadata.get("tags", []):
            print("".join(output.get("text", "") for output in cell.outputs))
    content, _ = HTMLExporter(template_name="classic").from_notebook_node(
        notebook
    )  # it keeps alt texts, "lab" does not
    replace_file(page, content.encode())
    print(f"The page with its pictures ({seconds:.0f} s): {page}")
    print("To work through it: python -m jupyterlab notebooks/00_start_here.ipynb")


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """Drop the folded solutions, for a class: the exercises and their checkers stay."""
    notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith("<details>")]
    return notebook


def main() -> int:
    parser = OneLineParser(prog="python -m clipspm_lite.notebooks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="notebooks, for example 00_start_here (default: all)")
    parser.add_argument(
        "--without-solutions",
        metavar="FOLDER",
        help="run nothing, write copies without solutions there",
    )
    options = parser.parse_args()
    there = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    if not there:
        parser.error(f"the notebooks belong to a clone of the repository; not found: {FOLDER}")
    if unknown := [name for name in options.names if name not in there]:
        parser.error(f"no such notebook: {', '.join(unknown)}; there are {', '.join(there)}")
    names = [f"{name}.ipynb" for name in options.names or there]
    out = Path(options.without_solutions or FOLDER)
    try:
        check_not_empty(options)
        for name in names:
            check_writable(out / name)
    except (ValueError, OSError) as error:
        parser.fail(error)
    for name in names:
        if options.without_solutions:
            handout = without_solutions(nbformat.read(FOLDER / name, as_version=4))
            replace_file(out / name, nbformat.writes(handout).encode() + b"\n")
            continue
        notebook, seconds = execute(FOLDER / name)
        save_pictures(notebook)
        replace_file(out / name, nbformat.writes(clean(notebook, seconds)).encode() + b"\n")
        print(f"{name}: {seconds:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
