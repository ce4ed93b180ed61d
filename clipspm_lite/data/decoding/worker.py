"""Decoding processes: a file on which decord crashes or hangs costs that file, and nothing else.

Of 10,000 clips with random damage (tests/data/mutate.py) decord crashed on 2; that it can hang is known from others'
reports. Another process costs little: one starts in 0.2 s, takes 38 MB, and is kept for the next file, so that the
sample clips are read at 81 % of decord's bare rate, where reading them in this process reached 85 %.

One that met a bad file is not used again, because what that did to its memory is unknown. They are started anew and
not forked, since a decord reader opened before `fork` hangs, and not by `multiprocessing`, which imports a script
without a main guard a second time and may not start anything inside a DataLoader's workers.
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

import numpy as np

from clipspm_lite.data.names import CONVERT

TIME_LIMIT = 30.0  # seconds without a new frame
_ITS_WATCHDOG = 1  # exit status
SLOWEST_DISK = 20e6  # bytes a second: a large file may take this much longer before its first frame

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from clipspm_lite.data.decoding.decoder import serve; serve()"
)


class DecodingFailed(Exception):
    """What is wrong with a file and what to do, without its name."""


def decode(path: str, offsets: Sequence[float]) -> tuple[list[np.ndarray], int]:
    """The frames that stand for a video, uint8 `[H, W, 3]` each, and how many it has, decoded in another process.

    Args:
        path: absolute.
        offsets: of the T frames in their segments, in [0, 1); none only counts.

    Raises:
        DecodingFailed: it cannot be decoded.
        RuntimeError: no decoding process can be started.
    """
    limit = TIME_LIMIT + os.stat(path).st_size / SLOWEST_DISK
    request = json.dumps({"path": path, "offsets": list(offsets), "limit": limit}).encode() + b"\n"
    while True:
        try:
            process, fresh = _idle.pop(), False
        except IndexError:
            process, fresh = _Process(), True
        try:
            answer = process.ask(request)
        except EOFError:
            status = process.status()
            if status == _ITS_WATCHDOG:
                raise DecodingFailed(f"decoding it gave no new frame for {limit:.0f} s; {CONVERT}") from None
            if fresh:
                raise DecodingFailed(f"the decoder crashed on it ({_cause(status)}); {CONVERT}") from None
            continue  # what came before may be to blame
        except BaseException:
            process.kill()  # part of the answer is still to come
            raise
        if isinstance(answer, str):
            process.kill()
            raise DecodingFailed(answer)
        _idle.append(process)
        return answer


class _Process:
    """One decoding process; `decoder.serve` says what goes through its pipes."""

    def __init__(self) -> None:
        self._running = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # Windows would open a console
        )
        _all.add(self)
        assert self._running.stdin and self._running.stdout and self._running.stderr
        self._requests: IO[bytes] = self._running.stdin
        self._answers: IO[bytes] = self._running.stdout
        try:
            self._send(json.dumps([entry for entry in sys.path if isinstance(entry, str)]).encode() + b"\n")
            started = self._answers.readline() == b"ready\n"
        except EOFError:
            started = False
        except BaseException:
            self.kill()
            raise
        with self._running.stderr as errors:  # from here on it points elsewhere
            said = [] if started else errors.read().decode(errors="replace").strip().splitlines()
        if not started:
            self.kill()
            raise RuntimeError(
                f"videos cannot be decoded: {sys.executable} does not start the decoder "
                f"({said[-1] if said else 'and does not say why'}); pip install -e . in clipspm_lite's folder installs "
                "what it needs, decord2 among it"
            )

    def ask(self, request: bytes) -> tuple[list[np.ndarray], int] | str:
        """What is asked for, or why it cannot be had.

        Raises:
            EOFError: the process ended.
        """
        self._send(request)
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        answer = json.loads(line)
        if "error" in answer:
            return str(answer["error"])
        pictures = np.empty(answer["shape"], np.uint8)
        if self._answers.readinto(pictures.reshape(-1)) < pictures.nbytes:  # type: ignore[attr-defined]
            raise EOFError
        return [pictures[place] for place in answer["places"]], answer["count"]

    def _send(self, line: bytes) -> None:
        try:
            self._requests.write(line)
            self._requests.flush()
        except OSError:
            raise EOFError from None

    def status(self) -> int:
        """The exit status of one that ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._running.wait(10)
        return self.kill()

    def kill(self) -> int:
        """Ends it if it still runs, and returns its exit status."""
        self._running.kill()
        self._close()
        return self._running.wait()

    def forget(self) -> None:
        """It belongs to the process that this one was forked from."""
        self._running.returncode = 0  # it's not this one's child to wait for
        self._close()

    def _close(self) -> None:
        _all.discard(self)
        for pipe in (self._requests, self._answers):
            with contextlib.suppress(OSError):  # a request that was not sent
                pipe.close()


def _cause(status: int) -> str:
    """What an exit status says about a crash."""
    if status == -getattr(signal, "SIGKILL", 0):
        return "it was killed, as systems do when memory runs out"
    if status < 0:
        return signal.Signals(-status).name
    return f"exit status {status:#x}"


_all: set[_Process] = set()
_idle: list[_Process] = []  # appending and popping need no lock


@atexit.register
def _end_all() -> None:
    _idle.clear()
    for process in list(_all):
        process.kill()


def _forget_all() -> None:
    _idle.clear()
    for process in list(_all):
        process.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
