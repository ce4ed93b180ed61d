"""What a second decoding worker saves a feature store whose encoder costs nothing: python tests/benchmarks/store.py"""

import subprocess
import sys
import tempfile

import torch
from timing import seconds

from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import sample_world

CLIPS, TIMES = 64, 10


class FreeBackbone(torch.nn.Module):
    image_size, dim, fingerprint = 64, 128, "free"

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def encode_frames(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.new_zeros(*frames.shape[:2], self.dim)


def two_cores() -> float:
    """What this machine allows: half the time of two busy processes at once, over the time of one alone."""

    def busy(processes: int) -> float:
        command = [sys.executable, "-c", "for number in range(20_000_000): pass"]
        return seconds(lambda: [p.wait() for p in [subprocess.Popen(command) for _ in range(processes)]])

    return min(busy(2) for _ in range(3)) / 2 / min(busy(1) for _ in range(3))


def main() -> None:
    paths = sample_world("base").paths[:CLIPS]
    FeatureStore(FreeBackbone()).encode_anew(paths[:1])  # what is loaded once

    with tempfile.TemporaryDirectory() as folder:

        def encode(workers: int) -> None:
            FeatureStore(FreeBackbone(), tempfile.mkdtemp(dir=folder), workers=workers).encode(paths)

        encode(2)  # starts the workers
        measured: dict[int, list[float]] = {1: [], 2: []}
        for workers in (1, 2) * TIMES:
            measured[workers].append(seconds(lambda workers=workers: encode(workers)))
    one, two = min(measured[1]), min(measured[2])  # other processes only make them slower
    print(f"encoding {CLIPS} clips on 2 workers takes {two / one:.2f} of the time on one worker ({one:.2f} s)")
    print(f"two processes that share nothing take {two_cores():.2f} of the time of one after the other")


if __name__ == "__main__":
    main()
