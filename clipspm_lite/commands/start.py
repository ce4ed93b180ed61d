"""The command `start`: notebook 00, executed and written as a page."""

import argparse

from clipspm_lite.notebooks import show_start  # imports Jupyter, the other commands do not


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="out", metavar="FOLDER", help="gets the page (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    show_start(options.out)
    return 0
