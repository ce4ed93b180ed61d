"""Video in: one clip becomes T frames, and they are the right ones (SPEC section 1).

It makes of a clip's pictures (`clips.py`) what a backbone takes; decord runs in processes of its own (`worker.py`).
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.arguments import whole_number
from clipspm_lite.data.clips import VideoError, VideoFile, find_clip
from clipspm_lite.data.decoding import frame_indices as frame_indices

PIXELS_AT_ONCE = 2**20  # of a clip that are resized together; more would only take more memory
MOST_FRAMES = 1024  # T of one video; all of them are kept in memory and encoded


def load_video(
    path: str | Path,
    frames: int = 8,
    size: int | None = None,
    *,
    resize: int | None = None,
    random_segments: bool = False,
    random_crop: bool = False,
    random_flip: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """T frames of a video as float32 RGB `[T, 3, H, W]` in [0, 1] (SPEC sections 1 and 4).

    The n frames that the video really has are cut into T equal segments. Frame i is the centre of its segment,
    floor((i + ½) n / T), or with `random_segments` (training) a random place in it, floor((i + u) n / T). A video with
    fewer than T frames repeats them: a single frame comes back T times. Rotation metadata of phones is applied.

    Args:
        path: a video file, a folder with the frames of a clip as images, or a clip of a prepared folder.
        frames: T, from 1 to 1024.
        size: of a square cut from the centre of each frame, `[T, 3, size, size]`; default: whole frames, as they are.
        resize: of the shorter side before that; at least `size`, its default. The benchmarks: `resize=256, size=224`.
        random_crop: cut a random square instead, the same for all frames of the clip (training).
        random_flip: mirror every second clip, all of its frames alike (training, where no class depends on the side).
        generator: makes the random choices repeatable.

    Raises:
        ValueError: an argument is not a whole number, or out of range; `resize`: the clip was prepared smaller.
        VideoError: the file is missing, not a video, damaged, or decord cannot decode all of it.
    """
    frames, size, shorter = _checked(frames, size, resize, random_crop)
    offsets = torch.full((frames,), 0.5, dtype=torch.float64)
    if random_segments:
        offsets = torch.rand(frames, dtype=torch.float64, generator=generator)
    source = find_clip(path)
    if shorter and source.largest and shorter > source.largest:
        found = f"prepared with --shorter {source.largest}; prepare it again with --shorter {shorter}"
        raise ValueError(f"resize: found {shorter}, but the clip was {found}: {path}")
    pictures, *_ = source.decode(offsets.tolist())
    if size is None or shorter is None:
        clip = _to_float(pictures)
    elif isinstance(source, VideoFile):
        at_once = max(1, PIXELS_AT_ONCE // (pictures.shape[1] * pictures.shape[2]))
        parts = (pictures[start : start + at_once] for start in range(0, len(pictures), at_once))
        clip = torch.cat([resized(_to_float(part), shorter) for part in parts])
        clip = _cropped(clip, size, random_crop, generator).contiguous()
    else:  # whole numbers to the end, which takes a third of the time
        clip = resized(torch.from_numpy(pictures).movedim(-1, -3), shorter)
        clip = _cropped(clip, size, random_crop, generator)
    if random_flip and torch.rand((), generator=generator) < 0.5:
        clip = clip.flip(-1)
    return clip if clip.is_floating_point() else _to_float(clip.movedim(-3, -1).numpy())


def load_videos(
    paths: Iterable[str | Path],
    frames: int = 8,
    size: int | None = None,
    *,
    resize: int | None = None,
    workers: int | None = None,
    ahead: int = 0,
) -> Iterator[Tensor | VideoError]:
    """For each video, in order, its frames as `load_video` gives them, or the VideoError that it raises.

    `workers` processes (`count_workers`) decode `2 * workers` videos ahead, or `ahead`. Raises as `load_video`.
    """
    frames, size, resize = _checked(frames, size, resize)
    return load_ahead(lambda p: load_video(p, frames, size, resize=resize), iter(paths), count_workers(workers), ahead)


def load_ahead(load: Callable[[Any], Any], paths: Iterator[Any], workers: int, ahead: int = 0) -> Iterator[Any]:
    """What `load` gives for each path, or the VideoError that it raises; the rest is as for `load_videos`."""
    # A thread for each worker process waits for it and resizes what comes back.
    pool = ThreadPoolExecutor(workers, "load_videos")
    try:
        loading = deque(pool.submit(load, path) for path in islice(paths, max(ahead, 2 * workers)))
        while loading:
            error = loading[0].exception()
            loaded = error if isinstance(error, VideoError) else loading[0].result()
            loading.popleft()
            loading.extend(pool.submit(load, path) for path in islice(paths, 1))
            yield loaded
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def or_raise(video: Tensor | VideoError) -> Tensor:
    """The frames of a video, or the error that stands in their place."""
    if isinstance(video, VideoError):
        raise video
    return video


def count_workers(workers: int | None = None) -> int:
    """How many processes decode: by default as many as this process may use cores, at most 8."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return min(len(cores), 8) if workers is None else whole_number("workers", workers)


def count_frames(path: str | Path) -> int:
    """How many frames a video really has, found by decoding them all; raises VideoError as `load_video` does."""
    return find_clip(path).decode(())[1]


def _checked(frames: int, size: int | None, resize: int | None, random_crop: bool = False) -> tuple[int, Any, Any]:
    """The arguments: T, the side of the square, and the length of the shorter side before it is cut."""
    frames = whole_number("frames", frames, most=MOST_FRAMES)
    if size is None:
        if resize is not None or random_crop:
            raise ValueError("resize and random_crop need size, found size=None")
        return frames, None, None
    size = whole_number("size", size)
    return frames, size, size if resize is None else whole_number("resize", resize, least=size)


def fitted(picture: np.ndarray, shorter: int, size: int) -> Tensor:
    """A decoded frame, uint8 `[H, W, 3]`, as it stands in what `load_video` returns, `[3, size, size]`."""
    return _cropped(resized(_to_float(picture[None]), shorter), size, False, None)[0]


def _to_float(picture: np.ndarray) -> Tensor:
    """uint8 `[…, H, W, 3]` → contiguous float32 `[…, 3, H, W]` in [0, 1], without threads that the decoder needs."""
    return torch.from_numpy(np.divide(np.moveaxis(picture, -1, -3), np.float32(255), order="C"))


def resized(clip: Tensor, shorter: int) -> Tensor:
    """`[T, 3, H, W]`, float or uint8, with the shorter side at `shorter` pixels, proportions kept, antialiased."""
    height, width = clip.shape[-2:]
    if min(height, width) == shorter:
        return clip
    scale = shorter / min(height, width)
    target = (max(shorter, round(height * scale)), max(shorter, round(width * scale)))
    large = F.interpolate(clip, target, mode="bicubic", antialias=True, align_corners=False)
    return large.clamp(0, 1) if large.is_floating_point() else large  # bicubic overshoots at edges


def _cropped(clip: Tensor, size: int, random: bool, generator: torch.Generator | None) -> Tensor:
    top, left = (
        int(torch.randint(side - size + 1, (), generator=generator)) if random else (side - size) // 2
        for side in clip.shape[-2:]
    )
    return clip[..., top : top + size, left : left + size]
