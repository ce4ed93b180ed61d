"""Good clips with random damage: python tests/nightly/mutations.py [--count 10000]

For each: does a caller get the right frames, or one error that names the file, in time? Frames are compared with those
of the undamaged clip; the table says, for each kind of file, how often damage went unseen.
Mutation i depends on the seed and i only, so one can be repeated: --first I --count 1.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import av
import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

from marked_video import COLUMNS, ROWS, marked_frame, numbers_in, priority_kept

from clipspm_lite.data.decoding import worker as workers
from clipspm_lite.data.decoding.video import VideoError, load_video

FRAMES, WIDTH, HEIGHT = 60, 96, 72
TIME_LIMIT = 10.0  # for the library's watchdog in this run, seconds without a new frame
CLIPS = {
    "h264.mp4": ("libx264", {}),
    "h264.mkv": ("libx264", {}),
    "hevc.mp4": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    "vp8.webm": ("libvpx", {}),
    "vp9.webm": ("libvpx-vp9", {"deadline": "realtime"}),
    "av1.mp4": ("libsvtav1", {"preset": "8", "crf": "10"}),
    "mpeg4.avi": ("mpeg4", {}),
    "mpeg4.mp4": ("mpeg4", {}),
    "mjpeg.avi": ("mjpeg", {}),
    "mpeg1.mpg": ("mpeg1video", {}),
    "mpeg2.ts": ("mpeg2video", {}),
    "wmv2.wmv": ("wmv2", {}),
    "flv1.flv": ("flv", {}),
    "animation.gif": ("gif", {}),
}
B_FRAMES = ("libx264", "libx265", "mpeg4", "mpeg1video", "mpeg2video")
PIXEL_FORMATS = {"mjpeg": "yuvj420p", "gif": "rgb8"}

RIGHT, OTHER, UNSEEN = "right frames", "fewer or moved frames, intact", "damaged frames"
REFUSED, CRASHED, HUNG = "error: damaged", "error: the decoder crashed", "error: the decoder hung"
KNOWN = [RIGHT, OTHER, UNSEEN, REFUSED, CRASHED, HUNG]
BROKEN = ("another exception", "no single line with the file's name", "too slow")


def textured(number: int) -> np.ndarray:
    """A marked frame over a texture that moves, uint8 RGB: damage has something to show in."""
    noise = np.random.default_rng(0).normal(0, 1, (2 * HEIGHT, 2 * WIDTH))
    for axis in (0, 1) * 3:
        noise = (noise + np.roll(noise, 1, axis)) / 2
    texture = np.roll(noise / noise.std() * 12, (number, 2 * number), (0, 1))[:HEIGHT, :WIDTH, None]
    return (25 + 0.8 * marked_frame(number, WIDTH, HEIGHT) + texture).clip(0, 255).astype(np.uint8)


def write_clips(folder: Path) -> None:
    pictures = [textured(number) for number in range(FRAMES)]
    for name, (codec, options) in CLIPS.items():
        with priority_kept(), av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.width, stream.height = WIDTH, HEIGHT
            stream.pix_fmt = PIXEL_FORMATS.get(codec, "yuv420p")
            stream.codec_context.gop_size = 12
            stream.codec_context.max_b_frames = 2 if codec in B_FRAMES else 0
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())


def mutated(content: bytes, generator: random.Random) -> bytes:
    """Content with one kind of damage, in two of five cases near its start or end, where headers and indices are."""
    data, size = bytearray(content), len(content)

    def place() -> int:
        start, length = generator.choice([(0, size)] * 3 + [(0, size // 10), (size - size // 10, size // 10)])
        return start + generator.randrange(length)

    def run(longest: int) -> slice:
        start = place()
        return slice(start, min(size, start + 1 + generator.randrange(longest)))

    kind = generator.choice(("bytes", "bits", "zeros", "noise", "cut", "repeat", "swap", "truncate", "extreme"))
    if kind == "bytes":
        for _ in range(generator.choice((1, 2, 4, 16))):
            data[place()] = generator.randrange(256)
    elif kind == "bits":
        for _ in range(generator.choice((1, 2, 4))):
            data[place()] ^= 1 << generator.randrange(8)
    elif kind == "zeros":
        part = run(size // 20)
        data[part] = bytes(part.stop - part.start)
    elif kind == "noise":
        part = run(size // 20)
        data[part] = generator.randbytes(part.stop - part.start)
    elif kind == "cut":
        del data[run(size // 10)]
    elif kind == "repeat":
        part = run(size // 10)
        data[part.start : part.start] = data[part]
    elif kind == "swap":
        one, other = run(size // 20), place()
        moved = data[one]
        data[one] = data[other : other + len(moved)]
        data[other : other + len(moved)] = moved
    elif kind == "truncate":
        del data[place() :]
    else:
        extremes = ("00000000", "ffffffff", "7fffffff", "80000000", "ffffff7f", "00000001")
        start = place()
        data[start : start + 4] = bytes.fromhex(generator.choice(extremes))
    return bytes(data)


def numbers_of(frames: torch.Tensor) -> list[int] | None:
    """The numbers drawn into `[T, 3, H, W]`; None where one cannot be read."""
    height, width = frames.shape[-2:]
    if height < ROWS * 8 or width < COLUMNS * 8:
        return None
    try:
        return numbers_in(F.avg_pool2d(frames.mean(1, keepdim=True), 5, stride=1, padding=2), darkest=0.38)
    except AssertionError:
        return None


def outcome(path: Path, whole: torch.Tensor) -> str:
    """What a caller of `load_video` gets for a damaged clip; `whole` are the frames of the undamaged one."""
    start = time.monotonic()
    try:
        frames = load_video(path, 8)
    except VideoError as error:
        message = str(error)
        if not message.endswith(f": {path}") or len(message.splitlines()) > 1:
            return BROKEN[1]
        result = CRASHED if "crashed" in message else HUNG if "no new frame" in message else REFUSED
    except Exception as error:
        return f"{BROKEN[0]}: {type(error).__name__}"
    else:
        result = _compared(frames, whole)
    return BROKEN[2] if time.monotonic() - start > 3 * TIME_LIMIT else result


def _compared(frames: torch.Tensor, whole: torch.Tensor) -> str:
    numbers = numbers_of(frames) if frames.shape[1:] == whole.shape[1:] else None
    if numbers is None or max(numbers) >= len(whole):
        return UNSEEN
    difference = F.avg_pool2d((frames - whole[numbers]).abs().mean(1, keepdim=True), 8).max()
    if difference > 0.15:
        return UNSEEN
    if numbers == [(2 * i + 1) * FRAMES // 16 for i in range(8)]:
        return RIGHT
    return OTHER if numbers == sorted(numbers) else UNSEEN


def _whole(path: Path) -> torch.Tensor:
    """The frames of an undamaged clip, read by PyAV: decord cannot read the transport stream."""
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == FRAMES, path
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def run(count: int, seed: int = 0, first: int = 0) -> tuple[dict[str, Counter], float]:
    """How often each outcome came up, by clip, and the longest time that one mutation took, in seconds."""
    table: dict[str, Counter] = {name: Counter() for name in CLIPS}
    slowest, names, limit = 0.0, list(CLIPS), workers.TIME_LIMIT
    workers.TIME_LIMIT = TIME_LIMIT
    with tempfile.TemporaryDirectory() as folder:
        write_clips(Path(folder))
        whole = {name: _whole(Path(folder, name)) for name in CLIPS}
        for index in range(first, first + count):
            name = names[index % len(names)]
            path = Path(folder, f"{index}.{name}")
            path.write_bytes(mutated(Path(folder, name).read_bytes(), random.Random(f"{seed} {index}")))
            start = time.monotonic()
            table[name][outcome(path, whole[name])] += 1
            slowest = max(slowest, time.monotonic() - start)
            path.unlink()
    workers.TIME_LIMIT = limit
    return table, slowest


def markdown(table: dict[str, Counter]) -> str:
    """The table, a row for each clip."""
    columns = [*KNOWN, *sorted(broken(table))]
    rows = [["clip", *columns], ["---"] * (len(columns) + 1)]
    rows += [[name, *(str(row[column]) for column in columns)] for name, row in table.items()]
    rows.append(["all", *(str(sum(row[column] for row in table.values())) for column in columns)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def broken(table: dict[str, Counter]) -> dict[str, int]:
    """The outcomes that must not be."""
    return {result: n for row in table.values() for result, n in row.items() if result not in KNOWN}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    start = time.monotonic()
    table, slowest = run(options.count, options.seed, options.first)
    print(markdown(table))
    print(f"\n{options.count} mutations, {time.monotonic() - start:.0f} s, the slowest {slowest:.1f} s")
    sys.exit(bool(broken(table)))


if __name__ == "__main__":
    main()
