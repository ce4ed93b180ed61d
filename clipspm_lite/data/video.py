"""Video in: one file becomes T frames, and they are the right ones (SPEC section 1).

`import decord` is provided by the distribution **decord2** on every platform, as measured (3.4.0 beside decord 0.6.0):

- wheels for Python 3.10 to 3.13: decord2 has Linux x86_64 and aarch64, macOS arm64 and Windows x64; decord has Linux
  x86_64 and Windows only. Linux x86_64 was run, the others were only resolved. Don't install both: they share a folder;
- on 98 made-up files with their frame numbers drawn into the pixels (15 containers, 14 codecs, some damaged) and on 42
  real ones both give the same frames or both refuse; decord2 opens AV1 and GIF too, and takes about ⅔ of the time;
- PyAV (which writes the sample clips) cannot encode VP9 once decord 0.6.0 is loaded; with decord2 it can;
- in both, reading single frames (`reader[i]`, `get_batch([…])`) is **silently wrong** for AVI and MPEG with B-frames,
  so for all of HMDB51, and for HEVC. Reading forward from the start equals PyAV, but for MPEG transport streams.

So this module reads forward, keeps the frames it needs and closes the reader: one a call, never shared, never idle.
"""

import re
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from clipspm_lite.data.names import printable

import decord  # isort: skip  (its shared libraries load after torch's)

decord.logging.set_level(decord.logging.QUIET)  # FFmpeg's remarks; errors still arrive as exceptions

# decord covers up for frames that cannot be decoded with copies of the last one; this makes it raise at the first copy.
_NO_COPIES = "0.000000001"
_CONVERT = "convert it with `ffmpeg -i IN -pix_fmt yuv420p OUT.mp4` or leave it out"


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
        ValueError: an argument is out of range.
        VideoError: the file is missing, no video, damaged, or decord cannot decode all of it.
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, found {frames}")
    if size is None and (resize is not None or random_crop):
        raise ValueError("resize and random_crop need size, found size=None")
    shorter = size if resize is None else resize
    if size is not None and shorter is not None and not 1 <= size <= shorter:
        raise ValueError(f"size must be at least 1 and at most resize, found size={size}, resize={resize}")
    if random_segments:
        offsets = torch.rand(frames, dtype=torch.float64, generator=generator)
    else:
        offsets = torch.full((frames,), 0.5, dtype=torch.float64)
    pictures = _read_frames(Path(path), offsets)
    if size is None or shorter is None:
        clip = torch.stack([_to_float(picture) for picture in pictures])
    else:
        clip = torch.stack([_resized(_to_float(picture), shorter) for picture in pictures])
        clip = _cropped(clip, size, random_crop, generator)
    if random_flip and torch.rand((), generator=generator) < 0.5:
        clip = clip.flip(-1)
    return clip


def count_frames(path: str | Path) -> int:
    """How many frames a video really has, found by decoding them all; raises VideoError as `load_video` does."""
    path = Path(path)
    _check_file(path)
    return _read_forward(_open(path), path, [])[1]


def frame_indices(count: int, offsets: torch.Tensor) -> list[int]:
    """Which of `count` frames stand for a video: floor((i + offset) · count / T), offsets `[T]` float64 in [0, 1)."""
    places = (torch.arange(len(offsets)) + offsets) * count / len(offsets)
    return places.long().clamp(max=count - 1).tolist()


def _read_frames(path: Path, offsets: torch.Tensor) -> list[np.ndarray]:
    """The chosen frames, uint8 `[H, W, 3]` each. Where the file claims more frames than it has, it is read again."""
    _check_file(path)
    reader = _open(path)
    claimed = len(reader)
    kept, count = _read_forward(reader, path, frame_indices(claimed, offsets))
    del reader  # an idle reader keeps on decoding ahead
    indices = frame_indices(count, offsets)
    if count < claimed:
        kept, _ = _read_forward(_open(path), path, indices)
    return [kept[index] for index in indices]


def _read_forward(
    reader: decord.VideoReader, path: Path, wanted: list[int]
) -> tuple[dict[int, np.ndarray], int]:
    """Decodes a fresh reader to its end: the wanted frames by index, and how many frames there really are."""
    kept: dict[int, np.ndarray] = {}
    count = 0
    try:
        while True:
            frame = reader.next()
            if count in wanted:
                kept[count] = _picture(frame.asnumpy())
            count += 1
    except (StopIteration, decord.DECORDLimitReachedError):
        pass  # the end, or the first copy after it
    except decord.DECORDError as error:
        raise _error(path, f"damaged, not all frames can be decoded ({_reason(error)}); {_CONVERT}") from None
    if count == 0 or count < len(reader) - _surplus(reader):
        found = f"damaged, or a transport stream: only {count} of its {len(reader)} frames can be decoded"
        raise _error(path, f"{found}; {_CONVERT}")
    return kept, count


def _surplus(reader: decord.VideoReader) -> int:
    """How many frames fewer than `len` are no sign of damage: those before the start of a trimmed clip (times below
    zero; AVI has no times, and all of its frames count as such), and the one that old AVIs have too many.
    """
    times = reader.get_frame_timestamp(range(len(reader)))
    return int((times[:, 0] < 0).sum()) + 1


def _picture(array: np.ndarray) -> np.ndarray:
    """RGB `[H, W, 3]`. For widths such as 8, 24 or 48 decord hands out padded rows, as `[H, W, more than 3]`."""
    height, width = array.shape[:2]
    return array.reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)


def _to_float(picture: np.ndarray) -> torch.Tensor:
    """uint8 `[H, W, 3]` → float32 `[3, H, W]` in [0, 1]."""
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 255


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


def _open(path: Path) -> decord.VideoReader:
    try:
        # An absolute path, because FFmpeg would take a name such as "http:clip.mp4" for an address.
        return decord.VideoReader(str(path.absolute()), fault_tol=_NO_COPIES)
    except (decord.DECORDError, RuntimeError, AssertionError, UnicodeError) as error:
        reason = _reason(error)
    if "cannot find video stream" in reason:
        raise _error(
            path, f"no video stream that can be decoded (only sound, or an unknown codec); {_CONVERT}"
        )
    raise _error(path, f"not a video, or damaged ({reason}); {_CONVERT}")


def _check_file(path: Path) -> None:
    """Says what a file is that decord would only call unreadable, or would wait for without end."""
    try:
        if path.is_dir():
            raise _error(path, "this is a folder; expected a video")
        if not path.is_file():
            found = "not a regular file" if path.exists() else "no such file"
            raise _error(path, f"{found}; expected a video")
        with path.open("rb") as file:
            start = file.read(256)
    except OSError as error:
        raise _error(path, f"cannot be opened ({error.strerror}); check its permissions") from None
    if not start:
        raise _error(path, "the file is empty; copy or download it again")
    if start.startswith(b"version https://git-lfs"):
        raise _error(path, "a Git LFS pointer, not the video; fetch it with `git lfs pull`")
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise _error(path, "a web page under a video's name; download the video again")


def _error(path: Path, found: str) -> VideoError:
    return VideoError(f"{found}: {printable(path)}")


def _reason(error: Exception) -> str:
    """The first line of decord's message, without its clock, C++ source lines and conditions."""
    first_line = (str(error).strip().splitlines() or ["no reason given"])[0]
    return re.sub(r"\[[\d:]+\] \S+:\d+: |Check failed: .*\) ", "", first_line).rstrip(".")
