"""Preparing clips: each is decoded once, and its frames are kept as JPEGs (`clips.py`), in files written whole."""

import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from clipspm_lite.arguments import whole_number
from clipspm_lite.data import clips
from clipspm_lite.data.clips import PreparedFolder, VideoError, VideoFile, find_clip, find_clips
from clipspm_lite.data.decoding import frame_indices
from clipspm_lite.data.decoding.video import count_workers, load_ahead, resized
from clipspm_lite.data.names import printable
from clipspm_lite.storage.tensors import write_tensors

QUALITY = 95  # of the JPEGs
ENOUGH = 1 << 28  # bytes of pictures for a file, about a minute's work


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

    Raises ValueError for an argument other than in an earlier call, VideoError for clips that changed or cannot be read
    (the others are prepared all the same), OSError where `target` holds something else or cannot be written.
    """
    source, target = Path(source), Path(target)
    frames = None if frames is None else whole_number("frames", frames)
    settings = {"shorter": whole_number("shorter", shorter), "frames": frames, "quality": QUALITY}
    if source.resolve() in (target.resolve(), *target.resolve().parents):
        raise ValueError(f"expected a folder for the prepared clips outside of {source}, found {target}")
    if todo := _still_to_do(source, target, settings):
        _write_index(target, settings, None)
    encoded = load_ahead(lambda name: _encode(source / name, shorter, frames), iter(todo), count_workers(workers))
    bar = tqdm(zip(todo, encoded, strict=True), "preparing", len(todo), disable=None if progress else True)
    left_out, tensors, about = {}, dict[str, Tensor](), {}
    for done, (name, clip) in enumerate(bar, 1):
        if isinstance(clip, VideoError):
            left_out[name] = str(clip)
        else:
            about[name], tensors[name] = clip
        if tensors and (sum(map(len, tensors.values())) > ENOUGH or done == len(todo)):
            file = target / clips.PICTURES.format(_files(target))
            write_tensors(file, tensors, {"kind": clips.SOME_CLIPS, "clips": about})
            tensors, about = {}, {}
    if left_out and not skip_unreadable:
        found = f"{len(left_out)} clips cannot be read, the others are prepared; --skip-unreadable leaves them out:"
        raise VideoError("\n".join([found, *left_out.values()]))
    if not {*todo} <= PreparedFolder(target).clips.keys() | left_out.keys():
        raise OSError(f"another process prepares clips into it too; give the command again: {target}")
    _write_index(target, settings, left_out)
    return PreparedFolder(target)


def _still_to_do(source: Path, target: Path, settings: dict[str, Any]) -> list[str]:
    """The clips that are not prepared yet; raises what `prepare` raises for a target that does not fit."""
    names = dict.fromkeys(find_clips(source))
    if not (target / clips.INDEX).exists():
        if other := next(target.glob("[!.]*"), None):
            raise FileExistsError(f"has something else in it ({other.name}); expected a new folder: {target}")
        return [*names]
    there = PreparedFolder(target)
    if settings != (earlier := {name: there.settings.get(name) for name in settings}):
        raise ValueError(f"prepared with {earlier}, not {settings}; take another folder: {target}")
    changed = [name for name, about in there.clips.items() if name not in names or _changed(source / name, about)]
    if changed:
        found = f"{len(changed)} clips changed or are gone since they were prepared, such as {printable(changed[0])}"
        raise VideoError(f"{found}; prepare them in another folder, or delete this one first: {target}")
    return [name for name in names if name not in there.clips]


def _changed(path: Path, about: dict[str, Any]) -> bool:
    clip = find_clip(path)
    size, modified, _ = clip.stamp()
    return size != about["size"] or (modified != about["modified"] and clip.sha256() != about["sha256"])


def _files(target: Path) -> int:
    return len([*target.glob(clips.PICTURES.format("*"))])


def _write_index(target: Path, settings: dict[str, Any], left_out: dict[str, str] | None) -> None:
    about = {"kind": clips.PREPARED, "left_out": left_out, "files": _files(target)}
    write_tensors(target / clips.INDEX, {}, settings | about)


def _encode(path: Path, shorter: int, frames: int | None) -> tuple[dict[str, Any], Tensor]:
    """What is kept of a clip: where it comes from, and its tensor."""
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
        sizes.add(picture.shape[:2])

    clip.decode((), keep)
    if clip.stamp() != before or len(sizes) > 1:
        raise VideoError(f"it changed while it was read, or its pictures change their size: {path}")
    package = "decord2" if isinstance(clip, VideoFile) else "torchvision"
    about = {"size": before[0], "modified": before[1], "sha256": sha256, "decoder": f"{package} {version(package)}"}
    about |= {"frames": len(table), "reduced_to": shorter if min(sizes.pop()) > shorter else None}
    return about, torch.frombuffer(bytearray(np.array(table, "<u4").tobytes() + pictures), dtype=torch.uint8)
