"""Worker processes: a file on which decord crashes or hangs costs that file and nothing else.

A worker is kept for the next file, unless it met a bad one. Workers are not forked: a decord reader opened before that
hangs. `multiprocessing` and loky start none in a DataLoader's workers, and a crash in loky fails all that is decoded.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Any, cast

import numpy as np

from clipspm_lite.data.decoding import Each, frame_indices

TIME_LIMIT = 30.0  # seconds without a new frame
SLOWEST_DISK = 20e6  # bytes per second: a large file may take this much longer before its first frame
_WATCHDOG_STATUS = 1  # exit status of a worker that found itself hanging
_START = """
import json, sys
sys.path[:] = json.loads(sys.stdin.buffer.readline())
try:
    from clipspm_lite.data.decoding.decoder import serve
except Exception as error:
    print(ascii(str(error)))
else:
    serve()
"""


class DecodingFailed(Exception):
    """What is wrong with a file, without its name."""


def decode(path: str, offsets: Sequence[float], each: Each | None = None) -> tuple[np.ndarray, int, float]:
    """What `VideoFile.decode` returns, for an absolute path; threads may call it. Raises DecodingFailed of it."""
    limit = TIME_LIMIT + os.stat(path).st_size / SLOWEST_DISK
    request = {"path": path, "offsets": list(offsets) if each is None else None, "limit": limit}
    while True:
        try:
            worker, fresh = _idle.pop(), False
        except IndexError:
            worker, fresh = _Worker(), True
        try:
            kept: dict[int, np.ndarray] = {}
            count, fps = worker.answer(request, each or kept.__setitem__)
            wanted = frame_indices(count, offsets)
            if not kept.keys() >= set(wanted) or len({picture.shape for picture in kept.values()}) > 1:
                raise DecodingFailed("it changed while it was read, or its pictures change their size")
        except (EOFError, OSError):
            status = worker.kill(patience=10)  # it ends by itself
            if status == _WATCHDOG_STATUS:
                raise DecodingFailed(f"decoding it gave no new frame for {limit:.0f} s") from None
            if fresh:  # otherwise an earlier file may be to blame
                raise DecodingFailed(f"the decoder crashed on it, or memory ran out (exit status {status})") from None
            continue
        except BaseException:
            worker.kill()  # it met a bad file, or part of the answer is still to come
            raise
        _idle.append(worker)
        return np.array([kept[number] for number in wanted]), count, fps


class _Worker:
    """One worker process; `decoder.serve` says what goes through its pipes."""

    def __init__(self) -> None:
        how: Any = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        how["creationflags"] = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open a console
        self._process = subprocess.Popen([sys.executable, "-c", _START], **how)
        _all.add(self)
        self._requests, self._answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        found = ""
        try:
            self._send([entry for entry in sys.path if isinstance(entry, str)])
            found = self._answers.readline().decode(errors="replace").strip()
        finally:
            if found != "ready":
                self.kill()
        if found != "ready":
            # Packages that bring a module `decord` overwrite, and take away, each other's files.
            pip = f"{sys.executable} -m pip"
            advice = f'do `{pip} uninstall -y decord decord2 eva-decord`, then `{pip} install "decord2>=3.4,<4"`'
            raise RuntimeError(f"{sys.executable} does not start the video decoder ({found or 'it ended'}); {advice}")

    def answer(self, request: dict[str, Any], each: Each) -> tuple[int, float]:
        """The numbers that `decode` returns; raises DecodingFailed, EOFError or OSError where the process ended."""
        self._send(request)
        while (line := self._answers.readline()).endswith(b"\n"):
            answer = json.loads(line)
            if "error" in answer:
                raise DecodingFailed(answer["error"])
            if "count" in answer:
                return answer["count"], answer["fps"]
            picture = np.empty(answer["shape"], np.uint8)
            if self._answers.readinto(picture.reshape(-1)) < picture.nbytes:  # type: ignore[attr-defined]
                break
            each(answer["number"], picture)
        raise EOFError

    def _send(self, message: Any) -> None:
        self._requests.write(json.dumps(message).encode() + b"\n")
        self._requests.flush()

    def kill(self, patience: float = 0) -> int:
        """Ends the process if it still runs after `patience` seconds, and returns its exit status."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        self._process.kill()
        self.close()
        return self._process.wait()

    def close(self) -> None:
        _all.discard(self)
        for pipe in (self._requests, self._answers):
            with contextlib.suppress(OSError):  # a request that was not sent
                pipe.close()


_all: set[_Worker] = set()
_idle: list[_Worker] = []  # appending and popping need no lock


@atexit.register
def end_workers() -> None:
    """Ends all worker processes; the next video starts new ones."""
    _idle.clear()
    for worker in list(_all):
        worker.kill()


def _forget_workers() -> None:
    """In a forked process: the workers belong to the process that it was forked from."""
    _idle.clear()
    for worker in list(_all):
        worker._process.returncode = 0  # not this process's child to wait for
        worker.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)
