"""The command `notebooks`: copies the course into a folder of the reader's."""

import argparse
from pathlib import Path

from clipspm_lite.home import hand_out
from clipspm_lite.places import NOTEBOOKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="gets the notebooks and their README")


def run(options: argparse.Namespace) -> int:
    sources = [*sorted(NOTEBOOKS.glob("*.ipynb")), NOTEBOOKS / "README.md"]
    hand_out({path.name: path.read_text(encoding="utf-8") for path in sources}, options.folder)
    print(f"{len(sources) - 1} notebooks and their README: {options.folder.resolve()}")
    print(f'To begin: python -m jupyterlab "{options.folder / sources[0].name}"')
    return 0
