"""What a second decoding worker saves a feature store whose encoder costs nothing: python tests/benchmarks/store.py"""

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
    print(
        f"encoding {CLIPS} clips on 2 workers takes {two / one:.2f} of the time on one worker ({one:.2f} s)"
    )


if __name__ == "__main__":
    main()
