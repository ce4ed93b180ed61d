"""The command `start`: notebook 00, executed and written as a page."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="out", metavar="FOLDER", help="where the notebook goes as a page")


def run(options: argparse.Namespace) -> int:
    try:
        from clipspm_lite.notebooks import show_start  # needs the notebooks extra, the other commands do not
    except ModuleNotFoundError as error:
        raise ValueError(
            f"start runs a notebook, and {error.name} is not installed: pip install -e '.[notebooks]'"
        ) from None
    show_start(Path(options.out))
    return 0
