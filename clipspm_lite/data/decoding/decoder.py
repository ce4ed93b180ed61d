"""What a worker process does: decord reads a file forward from its start, and the wanted frames are kept.

`import decord` is provided by the package **decord2**, which has more wheels, opens AV1 and GIF too, and takes about ⅔
of decord's time. Don't install both: they share a folder. In both, reading single frames (`reader[i]`, `get_batch`) is
**silently wrong** for HEVC and for AVI and MPEG with B-frames, so for all of HMDB51. Reading forward from the start
equals PyAV, except for MPEG transport streams. So a worker reads forward and closes the reader: one per request, never
shared, never idle. It imports no torch.
"""

import contextlib
import faulthandler
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from clipspm_lite.data.decoding import Each, frame_indices

sys.modules["nvidia"] = None  # type: ignore[assignment]  # decord would load all of CUDA: 0.3 s and 650 MB

import decord  # noqa: E402

decord.logging.set_level(decord.logging.INFO)  # FFmpeg's remarks, read by `_Remarks`

# FFmpeg covers up for damage and goes on; it says so in a remark, and only there. What goes unseen: see SECURITY.md.
_DAMAGE = re.compile(
    r"concealing \d+ DC|error while decoding|Error at MB|\S+ damaged at|header damaged|LZW decode failed"  # pictures
    r"|overread \d+|Error parsing frame sizes"
    r"|Packet corrupt|Packet mismatch|Truncating packet|Track size mismatch|Invalid track number"  # containers
    r"|packet_\w+_size .*invalid|freeing incomplete packet|ff asf skip \d+ \(unknown stream|File ended prematurely"
    r"|Length \d+ indicated by an EBML number's first byte|.* invalid as first byte of an EBML"
    r"|Element at .* exceeds containing master element"
)
# decord covers up for frames that cannot be decoded with copies of the last one; this makes it raise at the first copy.
_NO_COPIES = "0.000000001"
SMALL = 2_000_000  # bytes; starting threads for a smaller file costs more than they save
MAX_PIXELS = 8192 * 8192  # per picture; FFmpeg would take up to 16000 x 16000, 0.8 GB each
MAX_MEMORY = 8 << 30  # bytes, where the system can limit it; threads reserve address space


class Unreadable(Exception):
    """What is wrong with a file, without its name."""


def serve() -> None:
    """Answers requests, one line of JSON each on the standard input, until it ends.

    A request has `path`, `offsets` (null: every frame is wanted) and `limit`: the seconds without a new frame after
    which the process ends itself, as it does without its parent. A wanted frame is sent once decoded, `{"number": …,
    "shape": [H, W, 3]}` on a line, then the picture, uint8; last a line `{"error": …}` or `{"count": …, "fps": …}`.
    """

    def send(number: int, picture: np.ndarray) -> None:
        with watchdog.at_rest() if request["offsets"] is None else contextlib.nullcontext():
            answers.write(json.dumps({"number": number, "shape": picture.shape}).encode() + b"\n")
            answers.write(np.ascontiguousarray(picture).data)

    answers = os.fdopen(os.dup(1), "wb")
    remarks = _Remarks()
    answers.write(b"ready\n")
    answers.flush()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C and Jupyter's stop are for the process that asked
    _limit("RLIMIT_DATA", MAX_MEMORY)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        watchdog = _Watchdog(request["limit"])
        remarks.clear()
        try:
            answer = _decode(request["path"], request["offsets"], watchdog, remarks, send)
        except Unreadable as error:
            answer = {"error": str(error)}
        except MemoryError:
            answer = {"error": "its pictures need more memory than there is"}
        except Exception as error:
            answer = {"error": f"damaged ({type(error).__name__}: {_reason(error)})"}
        faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


class _Remarks:
    """What FFmpeg and other libraries print, in a file: decord offers no other way to see it."""

    LONGEST = 1 << 20

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the process lives)
        for printed in (1, 2):
            os.dup2(self._file.fileno(), printed)
        _limit("RLIMIT_FSIZE", self.LONGEST)

    def clear(self) -> None:
        self._file.seek(0)  # what is printed goes on from here too
        self._file.truncate()

    def damage(self) -> str | None:
        """The first remark that tells of damage, without the part of FFmpeg that made it."""
        self._file.seek(0)
        lines = self._file.read(self.LONGEST).decode(errors="replace").splitlines()
        return next(filter(_DAMAGE.match, (re.sub(r"^\[.*?\] ", "", line) for line in lines)), None)


class _Watchdog:
    """Ends the process `limit` seconds after the last sign of life, even where decord never gives the lock back."""

    def __init__(self, limit: float) -> None:
        self._limit, self._parent, self._last = limit, os.getppid(), 0.0
        self.alive()

    def alive(self) -> None:
        if time.monotonic() - self._last > self._limit / 60:
            self._last = time.monotonic()
            if os.getppid() != self._parent:
                os._exit(0)
            faulthandler.dump_traceback_later(self._limit, exit=True)

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """While somebody works on each frame, who may take long: on a CPU a large encoder does."""
        faulthandler.cancel_dump_traceback_later()
        yield
        self._last = 0.0
        self.alive()


def _limit(name: str, size: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no limits, macOS not all
        import resource

        which = getattr(resource, name)
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (size if hard < 0 else min(size, hard), hard))


def _decode(
    path: str, offsets: Sequence[float] | None, watchdog: _Watchdog, remarks: _Remarks, send: Each
) -> dict[str, Any]:
    """Sends the wanted frames of an intact file; how many it has, in all and per second."""
    reader = _open(path)
    claimed, fps = len(reader), reader.get_avg_fps()
    wanted = None if offsets is None else frame_indices(claimed, offsets)
    count = _read_forward(reader, wanted, watchdog, send)
    del reader  # an idle reader keeps on decoding ahead
    if count < claimed and offsets:  # the file claims more frames than it has
        _read_forward(_open(path), frame_indices(count, offsets), watchdog, send)
    if damage := remarks.damage():
        raise Unreadable(f"damaged, FFmpeg can only guess some of its pictures ({damage})")
    return {"count": count, "fps": fps}


def _read_forward(reader: decord.VideoReader, wanted: Sequence[int] | None, watchdog: _Watchdog, send: Each) -> int:
    """Decodes a fresh reader to its end, sends the wanted frames, and says how many there really are."""
    chosen, count = wanted and set(wanted), 0
    try:
        while True:
            frame = reader.next()
            watchdog.alive()
            height, width = frame.shape[:2]
            if height * width > MAX_PIXELS:
                found = f"its pictures are too large ({width} x {height}, at most 8192 x 8192 pixels are read)"
                raise Unreadable(f"{found}; make them smaller with -vf scale=1920:-2")
            if chosen is None or count in chosen:
                send(count, _picture(frame.asnumpy()))
            count += 1
    except (StopIteration, decord.DECORDLimitReachedError):
        pass  # the end, or the first copy after it
    # `len` also counts frames before the start of a trimmed clip, at times below zero (AVI has no times: all of its
    # frames count as such), and old AVIs have one frame too many.
    spare = 1 + int((reader.get_frame_timestamp(range(len(reader)))[:, 0] < 0).sum()) if count else 0
    if count == 0 or count < len(reader) - spare:
        found = f"only {count} of its {len(reader)} frames can be decoded"
        raise Unreadable(f"damaged, trimmed, or a transport stream: {found}")
    return count


def _picture(array: np.ndarray) -> np.ndarray:
    """RGB `[H, W, 3]`. For widths such as 8, 24 or 48 decord hands out padded rows, as `[H, W, more than 3]`."""
    height, width = array.shape[:2]
    return array.reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)


def _open(path: str) -> decord.VideoReader:
    threads = 1 if os.path.getsize(path) < SMALL else 0  # 0: as many as there are cores
    try:
        return decord.VideoReader(path, num_threads=threads, fault_tol=_NO_COPIES)
    except UnicodeError:
        raise Unreadable("decord cannot open a name that is not UTF-8; rename the file") from None
    except (decord.DECORDError, RuntimeError, AssertionError) as error:
        reason = _reason(error)
        found = f"not a video, or damaged ({reason})"
        if "cannot find video stream" in reason:
            found = "no video stream that can be decoded (only sound, or an unknown codec)"
        elif "measure duration" in reason:
            found = "it does not say how long it is (a raw stream, or recorded in a browser), or it is damaged"
        raise Unreadable(found) from None


def _reason(error: Exception) -> str:
    """The first line of decord's message, without its clock, C++ source lines, conditions and the file's name."""
    first_line = (str(error).strip().splitlines() or ["no reason given"])[0]
    reason = re.sub(r"\[[\d:]+\] \S+:\d+: |Check failed: .*\) ", "", first_line)
    return re.sub(r"^\[.*\] ?| because the video might .*", "", reason).rstrip(".")
