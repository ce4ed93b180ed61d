"""Video in: one file becomes T frames, and they are the right ones (SPEC section 1).

This module looks at a file before it is decoded and turns the decoded pictures into what a backbone takes. decord runs
in processes of its own: `decoder.py` is what they do, `worker.py` starts them and survives their crashes.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.arguments import whole_number
from clipspm_lite.data.decoding import frame_indices
from clipspm_lite.data.decoding.worker import DecodingFailed, decode
from clipspm_lite.data.names import printable

__all__ = ["MOST_FRAMES", "VideoError", "check_file", "count_frames", "frame_indices", "load_video", "load_videos"]

CONVERT = "get it again, convert it with `ffmpeg -i IN -pix_fmt yuv420p OUT.mp4` if a player shows it, or leave it out"
PIXELS_AT_ONCE = 2**20  # of a clip that are resized together; more would only take more memory
MOST_FRAMES = 1024  # T of one video; all of them are kept in memory and encoded
MOST_WORKERS = 8  # unless more are asked for


class VideoError(RuntimeError):
    """A file could not be read as a video; says what was found, what to do, and its name, in one line."""


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
        frames: T, from 1 to 1024.
        size: None leaves the frames at the video's own size; a number gives `[T, 3, size, size]`: shorter side
            resized to `resize`, then a square cut from the centre.
        resize: in pixels, at least `size`, which it defaults to; the benchmarks use `resize=256, size=224`.
        random_crop: cut a random square instead, the same for all frames of the clip (training).
        random_flip: mirror every second clip, all of its frames alike (training, where no class depends on the side).
        generator: makes the random choices repeatable.

    Raises:
        ValueError: an argument is not a whole number, or out of range.
        VideoError: the file is missing, not a video, damaged, or decord cannot decode all of it.
    """
    frames, size, shorter = _checked(frames, size, resize)
    if size is None and random_crop:
        raise ValueError("random_crop needs size, found size=None")
    offsets = torch.full((frames,), 0.5, dtype=torch.float64)
    if random_segments:
        offsets = torch.rand(frames, dtype=torch.float64, generator=generator)
    pictures, _ = _decode(Path(path), offsets)
    if size is None or shorter is None:
        clip = _to_float(pictures)
    else:
        at_once = max(1, PIXELS_AT_ONCE // (pictures.shape[1] * pictures.shape[2]))
        parts = (pictures[start : start + at_once] for start in range(0, len(pictures), at_once))
        clip = torch.cat([_resized(_to_float(part), shorter) for part in parts])
        clip = _cropped(clip, size, random_crop, generator)
    return clip.flip(-1) if random_flip and torch.rand((), generator=generator) < 0.5 else clip


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

    Several processes decode at the same time, `2 * workers` videos ahead of the one in use, or `ahead` if that is more.
    `workers` is by default as many as this process may use cores, at most 8. Raises ValueError as `load_video` does.
    """
    frames, size, resize = _checked(frames, size, resize)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    workers = min(len(cores), MOST_WORKERS) if workers is None else whole_number("workers", workers)

    def load(path: str | Path) -> Tensor | VideoError:
        try:
            return load_video(path, frames, size, resize=resize)
        except VideoError as error:
            return error

    return _load_ahead(load, iter(paths), workers, max(ahead, 2 * workers))


def count_frames(path: str | Path) -> int:
    """How many frames a video really has, found by decoding them all; raises VideoError as `load_video` does."""
    return _decode(Path(path), torch.empty(0))[1]


def _checked(frames: int, size: int | None, resize: int | None) -> tuple[int, int | None, int | None]:
    """The arguments: T, the side of the square, and the length of the shorter side before it is cut."""
    frames = whole_number("frames", frames, most=MOST_FRAMES)
    if size is None and resize is not None:
        raise ValueError("resize needs size, found size=None")
    if size is None:
        return frames, None, None
    size = whole_number("size", size)
    return frames, size, size if resize is None else whole_number("resize", resize, least=size)


def _load_ahead(
    load: Callable[[str | Path], Tensor | VideoError], paths: Iterator[str | Path], workers: int, ahead_of_use: int
) -> Iterator[Tensor | VideoError]:
    """One thread for each worker process: it waits for the decoder and resizes what comes back."""
    pool = ThreadPoolExecutor(workers, "load_videos")
    try:
        ahead = deque(pool.submit(load, path) for path in islice(paths, ahead_of_use))
        while ahead:
            loaded = ahead.popleft().result()
            ahead.extend(pool.submit(load, path) for path in islice(paths, 1))
            yield loaded
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _decode(path: Path, offsets: Tensor) -> tuple[np.ndarray, int]:
    """The chosen frames, uint8 `[T, H, W, 3]`, and how many there are."""
    before, failure = check_file(path), None
    try:  # an absolute path, because FFmpeg would take a name such as "http:clip.mp4" for an address
        decoded = decode(str(path.absolute()), offsets.tolist())
    except DecodingFailed as error:
        failure = f"{error}; {CONVERT}"
    if failure or path.exists():  # one that was removed meanwhile was read to its end all the same
        after = check_file(path)
        if any(getattr(before, stat) != getattr(after, stat) for stat in ("st_size", "st_mtime_ns", "st_ino")):
            failure = "it changed while it was read; try again when it is complete"
    if failure:
        raise _error(path, failure)
    return decoded


def _to_float(picture: np.ndarray) -> Tensor:
    """uint8 `[…, H, W, 3]` → contiguous float32 `[…, 3, H, W]` in [0, 1], without threads that the decoder needs."""
    return torch.from_numpy(np.divide(np.moveaxis(picture, -1, -3), np.float32(255), order="C"))


def _resized(clip: Tensor, shorter: int) -> Tensor:
    """`[T, 3, H, W]` with the shorter side at `shorter` pixels, proportions kept, antialiased."""
    height, width = clip.shape[-2:]
    scale = shorter / min(height, width)
    target = (max(shorter, round(height * scale)), max(shorter, round(width * scale)))
    large = F.interpolate(clip, target, mode="bicubic", antialias=True, align_corners=False)
    return large.clamp(0, 1)  # bicubic overshoots at edges


def _cropped(clip: Tensor, size: int, random: bool, generator: torch.Generator | None) -> Tensor:
    top, left = (
        int(torch.randint(side - size + 1, (), generator=generator)) if random else (side - size) // 2
        for side in clip.shape[-2:]
    )
    return clip[..., top : top + size, left : left + size].contiguous()


def check_file(path: str | Path) -> os.stat_result:
    """The status of a file that may be a video, found without decoding it.

    Raises:
        VideoError: it is not a file, cannot be opened, or does not start like a video. decord would call it only
            unreadable, or wait for it without end.
    """
    path = Path(path)
    try:
        if path.is_file():
            with path.open("rb") as file:
                status, found = os.fstat(file.fileno()), _instead_of_a_video(file.read(256))
            if found is None:
                return status
        elif path.is_dir():
            found = "this is a folder; expected a video"
        elif path.exists():
            found = "not a regular file; expected a video"
        else:
            found = f"a link to nothing ({printable(os.readlink(path))})" if path.is_symlink() else "no such file"
    except (OSError, ValueError) as error:  # ValueError: a null byte in its name
        found = f"cannot be opened ({getattr(error, 'strerror', None) or error}); check its name and permissions"
    raise _error(path, found)


def _instead_of_a_video(start: bytes) -> str | None:
    if not start:
        return "the file is empty; copy or download it again"
    beginning = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if beginning.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the video; fetch it with `git lfs pull`"
    if beginning.startswith((b"<!doctype html", b"<html")):
        return "a web page under a video's name; download the video again"
    if beginning.startswith((b"#extm3u", b"ffconcat", b"<?xml", b"<mpd", b"v=0")):
        # FFmpeg would open what a playlist names: other files, or addresses in the network.
        return "a playlist or another text, not a video; give the video itself, or download it again"
    return None


def _error(path: Path, found: str) -> VideoError:
    return VideoError(f"{found}: {printable(path)}")
