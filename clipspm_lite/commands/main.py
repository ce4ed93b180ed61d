"""The parser of `python -m clipspm_lite`. It imports no command but the chosen one, so that `--help` is quick."""

import argparse
import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from clipspm_lite import __version__
from clipspm_lite.data.names import on_terminal, printable

COMMANDS = {
    "start": "Run notebook 00: the trained model on clips of actions that it never saw.",
    "notebooks": "Put the course into a folder of yours.",
    "train": "Train CLIP-SPM, or another head in the same loop, on the base classes; validation chooses the best step.",
    "evaluate": "Score a method on listed few-shot episodes.",
    "table": "Score methods at several shots on the paper's 10,000 episodes, beside the numbers that papers report.",
    "compare": "Train CLIP-SPM with several seeds; score it and the baselines on the same episodes.",
    "compare-results": "Compare another's result file with yours, episode by episode.",
    "predict": "Name the action in videos, from a folder ACTION/clip.mp4.",
    "prepare": "Decode every video once, so that training never waits for one.",
    "check": "Read every video of a data set and list what cannot be used.",
}


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong option in one line, without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {printable(message)} (all options: {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command: 0, or 1 with the error on stderr; a wrong option exits with status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console or file may lack a character: its code is shown instead
            stream.reconfigure(errors="backslashreplace")
    try:
        options = build_parser(arguments).parse_args(arguments)
        return options.run(options)
    except (ValueError, OSError, RuntimeError, ImportError, AssertionError) as error:  # the last: torch without CUDA
        print(f"error: {on_terminal(error)}", file=sys.stderr)
        return 1


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the options of the one command that ``arguments`` name."""
    parser = OneLineParser(prog="python -m clipspm_lite", description="Few-shot action recognition with CLIP-SPM.")
    parser.add_argument("--version", action="version", version=f"clipspm_lite {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, line in COMMANDS.items():
        sub = commands.add_parser(name, help=line, description=line)
        if name == chosen:
            command = import_module(f"clipspm_lite.commands.{name.replace('-', '_')}")
            command.add_arguments(sub)
            parser.prog = sub.prog  # an unknown option's error says where the known ones are
            sub.set_defaults(run=command.run)
    return parser
