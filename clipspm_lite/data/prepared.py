"""Preparing clips: each is decoded once, and its frames are kept as JPEGs that are read one by one (`clips.py`).

A record is appended and synced before the index gets its line. Whatever stops this, the next call cuts off the rest.
"""

import json
import os
import shutil
import sys
import time
import zlib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from tqdm.auto import tqdm

from clipspm_lite.arguments import whole_number
from clipspm_lite.data import clips
from clipspm_lite.data.clips import INDEX, PICTURES, PreparedFolder, VideoError, VideoFile, find_clip, find_clips
from clipspm_lite.data.decoding import frame_indices
from clipspm_lite.data.decoding.video import load_ahead, resized
from clipspm_lite.data.names import printable
from clipspm_lite.storage.files import check_writable, replace_file, stamp

QUALITY = 95  # of the JPEGs
LARGEST = 1 << 30  # bytes of a file with pictures
PICTURES_GLOB = "pictures_*.bin"
FEW = 5  # clips from which space and time are estimated


def prepare(
    source: str | Path,
    target: str | Path,
    *,
    shorter: int = 256,
    frames: int | None = None,
    workers: int | None = None,
    skip_unreadable: bool = False,
    progress: bool = False,
) -> PreparedFolder:
    """Prepares all clips in `source`, at any depth. A call that was stopped is continued by the same call.

    Args:
        target: the prepared folder, taken wherever `source` is, with the same paths in it.
        shorter: pixels that the shorter side is reduced to; smaller pictures stay as they are.
        frames: how many to keep of each clip, the centres of its segments; default: all.
        workers: as for `load_videos`.
        skip_unreadable: leave out clips that cannot be read; they are in `left_out` of the result.

    Raises:
        ValueError: a wrong argument, or another than in an earlier call.
        VideoError: clips cannot be read (the others are prepared all the same), or changed after an earlier call.
        OSError: `target` is in use or has something else in it, or there is not enough room.
    """
    source, target = Path(source), Path(target)
    frames = None if frames is None else whole_number("frames", frames)
    settings = {"format_version": clips.PREPARED_FORMAT, "shorter": whole_number("shorter", shorter), "frames": frames}
    if source.resolve() in (target.resolve(), *target.resolve().parents):
        raise ValueError(f"expected a folder for the prepared clips outside of {source}, found {target}")
    check_writable(target / INDEX)  # and makes the folder
    with FileLock(target / ".lock", blocking=False):
        there = _resumed(source, target, settings | {"quality": QUALITY})
        todo = [name for name in find_clips(source) if name not in there]
        few = todo[:: max(1, len(todo) // FEW)][:FEW]
        todo = few + [name for name in todo if name not in few]
        encoded = load_ahead(lambda name: _encode(source / name, shorter, frames), iter(todo), workers)
        bar = tqdm(zip(todo, encoded, strict=True), "preparing", len(todo), disable=None if progress else True)
        left_out, written, started = {}, 0, time.monotonic()
        for done, (name, clip) in enumerate(bar, 1):
            if isinstance(clip, VideoError):
                left_out[name] = str(clip)
            else:
                written += _append(target, {"source": name} | clip[0], clip[1])
            if done == len(few):
                left = (len(todo) - done) / done
                _check_room(target, written * left, (time.monotonic() - started) * left, progress)
        if left_out and not skip_unreadable:
            found = f"{len(left_out)} clips cannot be read, the others are prepared; --skip-unreadable leaves them out:"
            raise VideoError("\n".join([found, *left_out.values()]))
        _append_line(target, {"left_out": left_out})
    return PreparedFolder(target, stamp((target / INDEX).stat()))


def _resumed(source: Path, target: Path, settings: dict[str, Any]) -> set[str]:
    """The clips that are prepared already; what is not in the index is cut off."""
    if not (target / INDEX).exists():
        if others := [path.name for path in target.iterdir() if path.name[0] != "."]:
            raise FileExistsError(f"has something else in it ({others[0]}); expected a new folder: {target}")
        replace_file(target / INDEX, json.dumps(settings).encode() + b"\n")
    there = PreparedFolder(target, stamp((target / INDEX).stat()))
    if there.settings != settings:
        raise ValueError(f"prepared with {there.settings}, not {settings}; take another folder: {target}")
    if changed := [name for name, record in there.records.items() if _changed(source / name, record)]:
        found = f"{len(changed)} clips changed or are gone since they were prepared, such as {printable(changed[0])}"
        raise VideoError(f"{found}; prepare them in another folder, or delete this one first: {target}")
    os.truncate(target / INDEX, there.stamp[0] - len(there.torn))
    for path in target.glob(PICTURES_GLOB):
        places = [record["place"] for record in there.records.values()]
        ends = [start + length for number, start, length in places if path.name == PICTURES.format(number)]
        os.truncate(path, min(max(ends, default=0), path.stat().st_size))
    return set(there.records)


def _changed(path: Path, record: dict[str, Any]) -> bool:
    with suppress(VideoError):  # it is gone
        (size, modified, _), sha256 = (clip := find_clip(path)).stamp(), clip.sha256
        return size != record["size"] or (modified != record["modified"] and sha256() != record["sha256"])
    return True


def _encode(path: Path, shorter: int, frames: int | None) -> tuple[dict[str, Any], bytes]:
    """What the index says of a clip, and its record."""
    from torchvision.io import encode_jpeg  # takes a second to import

    clip = find_clip(path)
    before, sha256 = clip.stamp(), clip.sha256()
    chosen = frames and set(frame_indices(clip.decode(())[1], [0.5] * frames))
    pictures, table, sizes = bytearray(), list[tuple[int, int]](), set[tuple[int, ...]]()

    def keep(number: int, picture: np.ndarray) -> None:
        if number == 0:  # for the first time, or once more
            pictures.clear()
            table.clear()
        if chosen and number not in chosen:
            return
        image = resized(torch.from_numpy(picture).movedim(-1, 0)[None], min(shorter, *picture.shape[:2]))[0]
        jpeg = encode_jpeg(image, QUALITY).numpy().tobytes()
        pictures.extend(jpeg)
        table.append((len(jpeg), zlib.crc32(jpeg)))
        sizes.add((*picture.shape[:2], *image.shape[1:]))
        if len(pictures) > LARGEST or len(sizes) > 1:
            found = "its pictures change their size" if len(sizes) > 1 else "too long to keep all frames; give --frames"
            raise VideoError(f"{found}: {path}")

    clip.decode((), keep)
    if clip.stamp() != before:
        raise VideoError(f"it changed while it was read; try again: {path}")
    ((height, width, *stored),) = sizes
    package = "decord2" if isinstance(clip, VideoFile) else "torchvision"
    about = {"size": before[0], "modified": before[1], "sha256": sha256, "decoder": f"{package} {version(package)}"}
    about |= {"frames": len(table), "original": [height, width], "stored": stored}
    return about, np.array(table, "<u4").tobytes() + pictures


def _append(target: Path, about: dict[str, Any], record: bytes) -> int:
    """Writes a record and then its line; returns its length."""
    sizes = [path.stat().st_size for path in sorted(target.glob(PICTURES_GLOB))] or [0]
    number = len(sizes) - (sizes[-1] + len(record) <= LARGEST or sizes[-1] == 0)
    with (target / PICTURES.format(number)).open("ab") as file:
        place = [number, file.tell(), len(record)]
        file.write(record)
        file.flush()
        os.fsync(file.fileno())
    _append_line(target, about | {"place": place})
    return len(record)


def _append_line(target: Path, line: dict[str, Any]) -> None:
    with (target / INDEX).open("ab") as index:
        index.write(json.dumps(line).encode() + b"\n")


def _check_room(target: Path, size: float, seconds: float, progress: bool) -> None:
    """Says what the rest will take, as estimated from the first clips; raises OSError where there is no room for it."""
    free = shutil.disk_usage(target).free
    estimate = f"the rest needs about {size / 1e6:,.0f} MB ({free / 1e6:,.0f} MB are free)"
    if size > free:
        raise OSError(f"{estimate}; make room, give a smaller --shorter, or --frames: {target}")
    if progress:
        tqdm.write(f"{estimate} and {seconds / 60:,.0f} minutes; once stopped, the same command goes on", sys.stderr)
