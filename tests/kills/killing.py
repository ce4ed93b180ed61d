"""Work in a child process that is killed at a random moment, as often as CLIPSPM_KILLS says (default 20).

The moments are drawn from a seed. What is found at them depends on the machine, so a longer run finds more:
`CLIPSPM_KILLS=1000 python -m pytest tests/kills`.
"""

import os
import random
import signal
import sys
import threading
import time

import torch
from tqdm.auto import tqdm

KILLS = int(os.environ.get("CLIPSPM_KILLS", "20"))


def start(work):
    """A child that does `work` and ends: with status 0, or 1 and a traceback where it fails."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)  # others' threads are not there in a child
            tqdm.set_lock(
                threading.RLock()
            )  # a child that is killed would keep the one that it shares with others
            work()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    return child


def ended(child):
    """The status of a child that is waited for; minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def seconds_of(work):
    started = time.perf_counter()
    assert ended(start(work)) == 0
    return time.perf_counter() - started


def killed_in_between(work, longest, check, kills=KILLS, processes=1):
    """Kill `work`, done for ever by some processes, after up to `longest` seconds; then `check`, again and again."""
    moments = random.Random(0)

    def for_ever():
        while True:
            work()

    for _ in range(kills):
        children = [start(for_ever) for _ in range(processes)]
        time.sleep(moments.uniform(0, longest))
        for child in children:
            os.kill(child, signal.SIGKILL)
        assert [ended(child) for child in children] == [-signal.SIGKILL] * processes
        check()


def age(folder):
    """Make unfinished files older than any that a living process writes to; how many there are."""
    unfinished = list(folder.rglob(".*.partial"))
    for path in (one for found in unfinished for one in (*found.iterdir(), found)):
        os.utime(path, (0, 0))
    return len(unfinished)
