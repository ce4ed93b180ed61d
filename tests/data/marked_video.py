"""Videos that say which frame is which: every frame carries its own number, drawn as a grid of black and white blocks.

PyAV writes them, and reads them back independently of the library under test.
"""

import os
import struct
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import torch

ROWS, COLUMNS = 3, 4  # 12 bits: frame numbers up to 4,095


def marked_frame(number: int, width: int, height: int) -> np.ndarray:
    """Frame `number` as uint8 RGB [H, W, 3]: block b (in reading order) is white where bit b of the number is set."""
    bits = (number >> np.arange(ROWS * COLUMNS) & 1).reshape(ROWS, COLUMNS)
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    grey = 16 + 224 * bits[rows][:, columns]
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def numbers_in(frames: torch.Tensor, darkest: float = 0.35) -> list[int]:
    """The numbers drawn into frames float [T, 3, H, W] in [0, 1]; fails where a block is neither black nor white."""
    height, width = frames.shape[-2:]
    rows = ((torch.arange(ROWS) + 0.5) * height / ROWS).long()
    columns = ((torch.arange(COLUMNS) + 0.5) * width / COLUMNS).long()
    centres = frames.mean(dim=1)[:, rows][:, :, columns].flatten(1)  # [T, 12]
    assert not ((centres > darkest) & (centres < 1 - darkest)).any(), "a block is neither black nor white"
    return ((centres > 0.5).long() << torch.arange(ROWS * COLUMNS)).sum(dim=1).tolist()


@contextmanager
def priority_kept():
    """SVT-AV1's encoder makes root's process a real-time one, and for good: it and its children would starve others."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def write_marked_video(
    path: Path,
    frames: int,
    *,
    codec: str = "libx264",
    width: int = 64,
    height: int = 48,
    b_frames: int = 2,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """Encodes frames 0 … frames − 1 at 25 a second into `path`; the suffix chooses the container."""
    with priority_kept(), av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.gop_size = 12
        stream.codec_context.max_b_frames = b_frames
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(marked_frame(number, width, height), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def rotate_mp4(source: Path, target: Path, degrees: int) -> Path:
    """Copies an MP4 and writes into its track header that players turn it clockwise by 90, 180 or 270 degrees."""
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    content = bytearray(source.read_bytes())
    matrix = content.index(b"tkhd") + 44  # past the box's name, version, times, number, duration, layer and volume
    one = 1 << 16
    struct.pack_into(">5i", content, matrix, cosine * one, sine * one, 0, -sine * one, cosine * one)
    target.write_bytes(content)
    return target


def start_mp4_later(source: Path, target: Path, frames: int) -> Path:
    """Copies an MP4 and lets it start `frames` frames later, as `ffmpeg -ss … -c copy` does: they stay in the file."""
    content = bytearray(source.read_bytes())
    start_time = content.index(b"elst") + 16
    (time,) = struct.unpack_from(">i", content, start_time)
    struct.pack_into(">i", content, start_time, time + frames * 512)  # PyAV writes 512 ticks a frame at 25 a second
    target.write_bytes(content)
    return target
