"""Seconds of a call, measured several times."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any


def seconds(act: Callable[[], Any], times: int = 1) -> float:
    """The median of ``times`` calls."""
    measured = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        measured.append(time.perf_counter() - started)
    return median(measured)
