"""The command `notebooks`: copies the course into a folder of the reader's."""

import argparse
from pathlib import Path

from clipspm_lite.home import REPOSITORY
from clipspm_lite.places import NOTEBOOKS
from clipspm_lite.storage.files import replace_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="gets the notebooks and their README")


def run(options: argparse.Namespace) -> int:
    sources = [*sorted(NOTEBOOKS.glob("*.ipynb")), NOTEBOOKS / "README.md"]
    # What lies beside the notebooks in a clone is read on the project's pages.
    texts = {path.name: path.read_bytes().replace(b"](../", f"]({REPOSITORY}/blob/main/".encode()) for path in sources}
    for name, text in texts.items():
        path = options.folder / name
        if path.exists() and path.read_bytes() != text:
            raise FileExistsError(f"differs from the course's, and nothing was written; choose another folder: {path}")
    for name, text in texts.items():
        replace_file(options.folder / name, text)
    print(f"{len(sources) - 1} notebooks and their README: {options.folder.resolve()}")
    print(f'To begin: python -m jupyterlab "{options.folder / sources[0].name}"')
    return 0
