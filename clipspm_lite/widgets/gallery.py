"""Clips with their features and a model: what explorers show and compute on."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.names import readable
from clipspm_lite.data.video import load_video
from clipspm_lite.features import EncodedDataset
from clipspm_lite.model.clipspm import CLIPSPM

SIZE = 112  # pixels of a clip in a picture


@dataclass(frozen=True)
class Gallery:
    """A data set, its features, and a model that fits them.

    Attributes:
        dataset: the clips; nothing of them is decoded before it is shown.
        data: their features, from `FeatureStore.encode_dataset(dataset)`.
        model: in evaluation mode.

    Raises:
        ValueError: dataset and data differ in classes or counts, or the model's width is not the features'.
    """

    dataset: VideoDataset
    data: EncodedDataset
    model: CLIPSPM

    def __post_init__(self) -> None:
        for what in ("classes", "videos_per_class"):
            if getattr(self.dataset, what) != getattr(self.data, what):
                raise ValueError(
                    f"data: its {what} are not the dataset's; encode this dataset with a FeatureStore"
                )
        if self.model.dim != self.data.features.shape[-1]:
            raise ValueError(
                f"model: made for features of width {self.model.dim}, the data's have "
                f"{self.data.features.shape[-1]}: encode with the backbone that the model was trained with"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Class names in plain words."""
        return tuple(readable(name) for name in self.data.classes)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The number of each class's first video."""
        return tuple(torch.tensor((0, *self.data.videos_per_class)).cumsum(0).tolist()[:-1])

    def class_of(self, video: int) -> int:
        """The class that a video belongs to."""
        return max(number for number, start in enumerate(self.starts) if start <= video)

    def clip(self, video: int) -> Tensor:
        """The frames of a video as the model sees them in time, small: ``[T, 3, 112, 112]`` in [0, 1]."""
        return _small(self.dataset.paths[video], self.data.features.shape[1]).float() / 255


@lru_cache(maxsize=256)
def _small(path: Path, frames: int) -> Tensor:
    return (load_video(path, frames=frames, size=SIZE) * 255).round().to(torch.uint8)
