"""What a prepared folder saves: python tests/benchmarks/prepared.py

There is no filmed video in this repository. So each clip is made of several sample clips, one after the other, enlarged
to 320 x 240 with a grain over them that costs what a camera's costs, and written as H.264: 6 seconds, 180 frames. The
last number is of the sample clips themselves.
"""

import tempfile
from pathlib import Path

import av
import numpy as np
import torch
from timing import seconds
from torch.nn import functional as F

from clipspm_lite.data.datasets import sample_world
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.prepared import prepare

CLIPS, FRAMES, TIMES, COMPARED = 25, 180, 5, 8


def write_clip(path: Path, samples: list[Path]) -> None:
    pictures = torch.cat([load_video(sample, 24) for sample in samples])
    pictures = F.interpolate(pictures, (240, 320), mode="bilinear").movedim(1, -1).numpy() * 255
    grain = np.random.default_rng(0).normal(0, 6, (16, 240, 320, 1))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(FRAMES):
            picture = (pictures[number % len(pictures)] + grain[number % len(grain)]).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def feed(paths: list[Path]) -> torch.Tensor:
    """What training asks for: random frames, a random square of them, mirrored or not."""
    how = dict(random_segments=True, random_crop=True, random_flip=True)
    return torch.stack([load_video(path, 8, 224, resize=256, **how) for path in paths])


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        videos, prepared = Path(folder) / "videos", Path(folder) / "prepared"
        videos.mkdir()
        samples = sample_world("base").paths
        for number in range(CLIPS):
            write_clip(videos / f"{number:02d}.mp4", list(samples[number * 8 : number * 8 + 8]))
        taken = seconds(lambda: prepare(videos, prepared))
        size, video_size = (sum(file.stat().st_size for file in place.iterdir()) for place in (prepared, videos))
        print(
            f"prepared: {1000 * taken / CLIPS / FRAMES:.1f} ms and {size / CLIPS / FRAMES / 1000:.0f} kB a frame",
            end="",
        )
        print(f", {size / video_size:.0f} times the videos' bytes")
        names = [path.name for path in sorted(videos.iterdir())]
        videos_of, prepared_of = [videos / name for name in names], [prepared / name for name in names]
        feed(videos_of[:1]), feed(prepared_of[:1])  # what is loaded once
        slow, fast = (min(seconds(lambda: feed(paths)) for _ in range(TIMES)) for paths in (videos_of, prepared_of))
        print(
            f"8 random frames: {1000 * slow / CLIPS:.0f} ms from the mp4, {1000 * fast / CLIPS:.1f} ms prepared, ",
            end="",
        )
        print(f"{slow / fast:.1f} times as fast; an episode of {CLIPS} clips: {fast:.2f} s of one core")


if __name__ == "__main__":
    main()
