"""From a folder with a few clips an action to a recogniser that names the action in a new clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.evaluation import Method
from clipspm_lite.features import FeatureStore


@dataclass(frozen=True)
class Prediction:
    """The answer for one video: classes with their logits, the best first."""

    video: str
    ranking: tuple[tuple[str, float], ...]

    @property
    def action(self) -> str:
        return self.ranking[0][0]


class Recogniser:
    """Support clips, a method, and what it answers to new clips, each by itself.

    Args:
        method: the model or a baseline. A `CLIPSPM` must be ``inductive``, so that clips asked together do not change
            each other's answers, and should have been trained so: `LITE_INDUCTIVE_MODEL`.
        store: encodes videos and class names with a backbone.
        support: a data set with at least one clip in each of two or more classes; counts may differ.
    """

    def __init__(self, method: Method, store: FeatureStore, support: VideoDataset):
        if len(support.classes) < 2:
            raise ValueError(
                f"a recogniser needs at least 2 actions, found {len(support.classes)}: {support.root}"
            )
        self.method = method
        self.store = store
        encoded = store.encode_dataset(support)
        self.classes = encoded.classes
        self.class_text = encoded.class_text
        shots = max(encoded.videos_per_class)
        by_class = encoded.features.split(encoded.videos_per_class)
        self.support = torch.stack(
            [torch.cat([f, f.new_zeros(shots - len(f), *f.shape[1:])]) for f in by_class]
        )
        self.support_mask = torch.tensor([[k < len(f) for k in range(shots)] for f in by_class])

    @torch.inference_mode()
    def predict(self, videos: Sequence[str | Path]) -> list[Prediction]:
        """Name the action in each video.

        Raises:
            VideoError: a video cannot be read.
        """
        if not videos:
            return []
        query = self.store.encode(videos)
        logits = self.method(self.support, query, self.class_text, self.support_mask).logits
        return [
            Prediction(
                str(video),
                tuple((self.classes[i], float(row[i])) for i in row.argsort(descending=True)),
            )
            for video, row in zip(videos, logits, strict=True)
        ]
