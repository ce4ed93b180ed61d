"""Work in child processes that are killed at random moments, as often as CLIPSPM_KILLS says; a few times by default.

A longer run finds more: `CLIPSPM_KILLS=1000 python -m pytest tests/kills tests/nightly/kills.py`.
"""

import os
import random
import signal
import sys
import threading
import time

import torch
from tqdm.auto import tqdm

KILLS = int(os.environ.get("CLIPSPM_KILLS", "3"))


def start(work):
    """A child that does `work` and ends: with status 0, or 1 and a traceback where it fails."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)  # others' threads are not there in a child
            tqdm.set_lock(threading.RLock())  # a killed child would keep the one that it shares with others
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


def killed_in_between(work, check, kills=KILLS, processes=1):
    """Kill processes that repeat `work`, each in its second time or later; then `check`, again and again."""
    moments = random.Random(0)

    def for_ever(done):
        while True:
            work()
            os.write(done, b".")

    for _ in range(kills):
        pipes = [os.pipe() for _ in range(processes)]
        began = time.monotonic()
        children = [start(lambda done=done: for_ever(done)) for _, done in pipes]
        for was_done, done in pipes:
            os.close(done)
            assert os.read(was_done, 1), "it failed"
        time.sleep(moments.uniform(0, 2 * (time.monotonic() - began)))
        for child in children:
            os.kill(child, signal.SIGKILL)
        assert [ended(child) for child in children] == [-signal.SIGKILL] * processes
        for was_done, _ in pipes:
            os.close(was_done)
        check()


def age(folder):
    """Make unfinished files older than any that a living process writes to; how many there are."""
    unfinished = list(folder.rglob(".*.partial"))
    for path in (one for found in unfinished for one in (*found.glob("*"), found)):
        os.utime(path, (0, 0))
    return len(unfinished)
