"""How the commands read their options: a wrong one is one line on stderr and exit status 2, before any work."""

import argparse
import math
from collections.abc import Callable
from typing import Any, NoReturn

import torch

from clipspm_lite.data.names import on_one_line

MOST = 10_000_000  # of what is counted: far more than makes sense, and no number overflows
MOST_SEED = 2**63 - 1  # what torch takes


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong without repeating all options."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {on_one_line(message)} (all options: {self.prog} --help)\n")

    def fail(self, error: Exception) -> NoReturn:
        """End with what went wrong after the options were read."""
        self.exit(1, f"error: {on_one_line(error)}\n")


def number_from(least: int, most: int = MOST) -> Callable[[str], int]:
    """A reader of whole numbers in ``least`` … ``most``, for ``add_argument(type=…)``."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {least} to {most:,}, found {text!r}"
            )
        return number

    return read


count = number_from(1)
seed_number = number_from(0, MOST_SEED)


def positive_number(text: str) -> float:
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return number


def device_name(text: str) -> str:
    """A device of torch that is there."""
    here = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    here += ["mps"] * torch.backends.mps.is_available()
    if text not in here and f"{text}:0" not in here:
        raise argparse.ArgumentTypeError(f"this machine has {', '.join(here)}, found {text!r}")
    return text


def check_not_empty(options: argparse.Namespace) -> None:
    """Refuse options with nothing in them, such as "--out $RUN" gives where no RUN is set.

    Raises:
        ValueError: the first of them.
    """
    for name, value in vars(options).items():
        values: Any = value if isinstance(value, list) else [value]
        if "" in values:
            raise ValueError(
                f"--{name.replace('_', '-')}: nothing is in it; give it a value, or leave it out"
            )
