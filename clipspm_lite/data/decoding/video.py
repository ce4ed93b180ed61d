"""Video in: one file becomes T frames, and they are the right ones (SPEC section 1).

Here a file is looked at before it is decoded, and its frames are made into what a backbone takes. decord reads it in a
process of its own: `decoder.py` is what runs there, `processes.py` what keeps its crashes away from this one.
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from clipspm_lite.arguments import whole_number
from clipspm_lite.data.decoding.worker import DecodingFailed, decode
from clipspm_lite.data.names import printable
from clipspm_lite.data.segments import frame_indices

__all__ = ["VideoError", "count_frames", "frame_indices", "load_video"]


class VideoError(RuntimeError):
    """A file could not be read as a video: its name, what was found and what to do, in one line."""


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
) -> torch.Tensor:
    """T frames of a video as float32 RGB `[T, 3, H, W]` in [0, 1] (SPEC sections 1 and 4).

    The n frames that the video really has are cut into T equal segments. Frame i is the centre of its segment,
    floor((i + ½) n / T), or with `random_segments` (training) a random place in it, floor((i + u) n / T). A video with
    fewer than T frames repeats them: a single frame comes back T times.

    Args:
        path: the video file; rotation metadata of phones is applied.
        frames: T, at least 1.
        size: None leaves the frames at the video's own size; a number gives `[T, 3, size, size]`: shorter side
            resized to `resize`, then a square cut from the centre.
        resize: in pixels, at least `size`, which it defaults to; the benchmarks use `resize=256, size=224`.
        random_crop: cut a random square instead, the same for all frames of the clip (training).
        random_flip: exchange left and right in every second clip, in all of its frames (training, where no class
            depends on the side).
        generator: makes the random choices repeatable.

    Raises:
        ValueError: an argument is no whole number, or out of range.
        VideoError: the file is missing, no video, damaged, or decord cannot decode all of it.
    """
    frames = whole_number("frames", frames)
    if size is None and (resize is not None or random_crop):
        raise ValueError("resize and random_crop need size, found size=None")
    shorter = None
    if size is not None:
        size = whole_number("size", size)
        shorter = size if resize is None else whole_number("resize", resize, least=size)
    if random_segments:
        offsets = torch.rand(frames, dtype=torch.float64, generator=generator)
    else:
        offsets = torch.full((frames,), 0.5, dtype=torch.float64)
    pictures, _ = _decode(Path(path), offsets)
    if size is None or shorter is None:
        clip = _to_float(np.stack(pictures))
    else:
        clip = torch.stack([_resized(_to_float(picture), shorter) for picture in pictures])
        clip = _cropped(clip, size, random_crop, generator)
    if random_flip and torch.rand((), generator=generator) < 0.5:
        clip = clip.flip(-1)
    return clip


def count_frames(path: str | Path) -> int:
    """How many frames a video really has, found by decoding them all; raises VideoError as `load_video` does."""
    return _decode(Path(path), torch.empty(0))[1]


def _decode(path: Path, offsets: torch.Tensor) -> tuple[list[np.ndarray], int]:
    """The chosen frames, uint8 `[H, W, 3]` each, and how many there are."""
    before = check_file(path)
    try:
        # An absolute path, because FFmpeg would take a name such as "http:clip.mp4" for an address.
        decoded = decode(str(path.absolute()), offsets.tolist())
    except DecodingFailed as error:
        _check_unchanged(path, before)
        raise _error(path, str(error)) from None
    if path.exists():  # one that was removed meanwhile was read to its end all the same
        _check_unchanged(path, before)
    return decoded


def _check_unchanged(path: Path, before: os.stat_result) -> None:
    after = check_file(path)
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    ):
        raise _error(path, "it changed while it was read; try again when it is complete")


def _to_float(picture: np.ndarray) -> torch.Tensor:
    """uint8 `[…, H, W, 3]` → contiguous float32 `[…, 3, H, W]` in [0, 1], without threads that the decoder needs."""
    channels_first = np.moveaxis(picture, -1, -3)
    return torch.from_numpy(np.divide(channels_first, np.float32(255), order="C"))


def _resized(image: torch.Tensor, shorter: int) -> torch.Tensor:
    """`[3, H, W]` with the shorter side at `shorter` pixels, proportions kept, antialiased."""
    height, width = image.shape[-2:]
    scale = shorter / min(height, width)
    target = (max(shorter, round(height * scale)), max(shorter, round(width * scale)))
    large = F.interpolate(image[None], target, mode="bicubic", antialias=True, align_corners=False)
    return large[0].clamp(0, 1)  # bicubic overshoots at edges


def _cropped(clip: torch.Tensor, size: int, random: bool, generator: torch.Generator | None) -> torch.Tensor:
    """One square of `[…, H, W]` for the whole clip."""
    spare = [side - size for side in clip.shape[-2:]]
    if random:
        top, left = (int(torch.randint(room + 1, (), generator=generator)) for room in spare)
    else:
        top, left = (room // 2 for room in spare)
    return clip[..., top : top + size, left : left + size].contiguous()


def check_file(path: str | Path) -> os.stat_result:
    """Says what a file is that decord would only call unreadable, or would wait for without end; returns its status.

    Raises:
        VideoError: it is no file, cannot be opened, or is at first sight no video.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise _error(path, "this is a folder; expected a video")
        if not path.is_file():
            found = "no such file"
            if path.is_symlink():
                found = f"a link to nothing ({printable(os.readlink(path))})"
            if path.exists():
                found = "not a regular file"
            raise _error(path, f"{found}; expected a video")
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            start = file.read(256)
    except (OSError, ValueError) as error:  # ValueError: a null byte in its name
        reason = getattr(error, "strerror", None) or error
        raise _error(path, f"cannot be opened ({reason}); check its name and permissions") from None
    if not start:
        raise _error(path, "the file is empty; copy or download it again")
    if start.startswith(b"version https://git-lfs"):
        raise _error(path, "a Git LFS pointer, not the video; fetch it with `git lfs pull`")
    beginning = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if beginning.startswith((b"<!doctype html", b"<html")):
        raise _error(path, "a web page under a video's name; download the video again")
    if beginning.startswith((b"#extm3u", b"ffconcat", b"<?xml", b"<mpd", b"v=0")):
        # FFmpeg would open what it names: other files, or addresses in the network.
        raise _error(
            path, "a playlist or another text, not a video; give the video itself, or download it again"
        )
    return status


def _error(path: Path, found: str) -> VideoError:
    return VideoError(f"{found}: {printable(path)}")


MOST_FRAMES = 1024


def load_videos(paths, frames=8, size=None, *, resize=None, workers=None):
    """Stand-in until branch data is merged."""
    for path in paths:
        try:
            yield load_video(path, frames, size, resize=resize)
        except VideoError as error:
            yield error
