"""Execute the notebooks and store their outputs: `python -m clipspm_lite.notebooks [NAME …]`, all without names.

Widgets, times and the version of Python are not stored, so a second run changes no more than the measured seconds.
"""

import argparse
import base64
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbconvert import preprocessors
from nbconvert.preprocessors import CellExecutionError
from nbformat import NotebookNode

from clipspm_lite.exercises import editions, pages
from clipspm_lite.places import INSTALLED, ROOT
from clipspm_lite.places import NOTEBOOKS as FOLDER
from clipspm_lite.storage.files import replace_file

PICTURES = FOLDER / "results"


def execute(path: Path, notebook: NotebookNode | None = None) -> tuple[NotebookNode, float]:
    """Run the notebook of a file, or another in its place, in a fresh kernel: the executed one, and the seconds."""
    if notebook is None:
        notebook = nbformat.read(path, as_version=4)
        editions.refresh(notebook)
    started = time.perf_counter()
    # Without the log level, the kernel's warnings would be stored beside the results.
    how = dict(record_timing=False, store_widget_state=False, coalesce_streams=True)
    runner = preprocessors.ExecutePreprocessor(timeout=600, extra_arguments=["--log-level=40"], **how)
    # The kernel of this Python; one that is installed as "python3" may be of another environment.
    kernel = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    try:
        runner.preprocess(notebook, {"metadata": {"path": str(path.parent)}}, kernel)
    finally:
        run_sync(kernel.shutdown_kernel)(now=True)  # the runner leaves a kernel that it was given
    return notebook, time.perf_counter() - started


def save_pictures(notebook: NotebookNode) -> None:
    """Save the pictures of cells tagged ``picture:NAME`` as files for the README."""
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", []):
            if tag.startswith("picture:"):
                png = next(o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
                replace_file(PICTURES / f"{tag.removeprefix('picture:')}.png", base64.b64decode(png))


def show_start(out: str | Path) -> None:
    """Run notebook 00, print its cells tagged "table", and write it as an HTML page to the folder ``out``."""
    path, page = FOLDER / "00_start_here.ipynb", Path(out) / "00_start_here.html"
    print("running notebooks/00_start_here.ipynb …", flush=True)
    try:
        notebook, seconds = execute(path)
    except CellExecutionError as error:
        raise RuntimeError(f"the notebook stopped with {error.ename}: {error.evalue}; see where: {path}") from None
    for cell in notebook.cells:
        if "table" in cell.metadata.get("tags", []):
            print("".join(output.get("text", "") for output in cell.outputs))
    replace_file(page, pages.page(notebook).encode())
    print(f"The page with its pictures ({seconds:.0f} s): {page}")
    clone = f'python -m jupyterlab "{path}"'
    print("To work through it:", "clipspm_lite notebooks FOLDER" if ROOT == INSTALLED else clone)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m clipspm_lite.notebooks", description="Execute the notebooks.")
    parser.add_argument("names", nargs="*", help="notebooks, for example 00_start_here (default: all)")
    help_ = f"run nothing; write {', '.join(editions.EDITIONS)}, slides or html to a folder"
    parser.add_argument("--edition", nargs=2, metavar=("EDITION", "FOLDER"), help=help_)
    options = parser.parse_args()
    paths = [FOLDER / f"{name}.ipynb" for name in options.names] or sorted(FOLDER.glob("*.ipynb"))
    if options.edition:
        return editions.write(options.edition[0], paths, Path(options.edition[1]))
    for path in paths:
        notebook, seconds = execute(path)
        save_pictures(notebook)
        editions.strip(notebook, seconds)
        print(f"{path.name}: {seconds:.0f} s", flush=True)
        replace_file(path, nbformat.writes(notebook).encode() + b"\n")


if __name__ == "__main__":
    main()
