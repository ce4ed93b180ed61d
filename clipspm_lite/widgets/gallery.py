"""Clips with their features and a model: what explorers show and compute on."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import Episode
from clipspm_lite.data.names import readable
from clipspm_lite.evaluation.comparison import pairs_by_kind
from clipspm_lite.model.clipspm import CLIPSPM

SIZE = 112  # pixels of a clip in a picture
MOST_PAIRS = 20  # of one kind that a list of hard pairs offers


@dataclass(frozen=True)
class Gallery:
    """A data set, its features, and a model that fits them.

    Attributes:
        dataset: the clips; nothing of them is decoded before it is shown.
        data: their features, from `FeatureStore.encode_dataset(dataset)`.
        model: in evaluation mode.
        parts: for each class which part of a split it is from, where that is known ("base", "validation" …).

    Raises:
        TypeError: an attribute of another kind.
        ValueError: dataset and data differ in classes or counts, the model's width is not the features', or there are
            not as many parts as classes.
    """

    dataset: VideoDataset
    data: EncodedDataset
    model: CLIPSPM
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, kind in (("dataset", VideoDataset), ("data", EncodedDataset), ("model", CLIPSPM)):
            if not isinstance(getattr(self, name), kind):
                found = type(getattr(self, name)).__name__
                raise TypeError(f"{name}: expected a {kind.__name__}, found {found}")
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

        if self.parts and len(self.parts) != len(self.data.classes):
            raise ValueError(
                f"parts: expected one for each of {len(self.data.classes)} classes, found {len(self.parts)}"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Class names in plain words."""
        return tuple(readable(name) for name in self.data.classes)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The number of each class's first video."""
        return tuple(torch.tensor((0, *self.data.videos_per_class)).cumsum(0).tolist()[:-1])

    @cached_property
    def hard_pairs(self) -> tuple[tuple[int, int, str], ...]:
        """Pairs of classes that are hard to tell apart, and why: order-reversed, or looking alike to this backbone."""
        kinds = pairs_by_kind(self.data)
        number = {name: place for place, name in enumerate(self.data.classes)}
        return tuple(
            (number[one], number[other], why)
            for kind, why in (("reversed", "order-reversed"), ("similar", "look alike"))
            for one, other in kinds[kind][:MOST_PAIRS]
        )

    def names_of(self, episode: Episode) -> list[str]:
        """Names of an episode's classes, in its order."""
        return [self.names[number] for number in episode.classes]

    def class_of(self, video: int) -> int:
        """The class that a video belongs to."""
        return max(number for number, start in enumerate(self.starts) if start <= video)

    def clip(self, video: int) -> Tensor:
        """The frames of a video as the model sees them in time, small: ``[T, 3, 112, 112]`` in [0, 1]."""
        return _small(self.dataset.paths[video], self.data.features.shape[1]).float() / 255


def check_gallery(gallery: object) -> None:
    """Refuse, before anything is drawn, what is no gallery; raises TypeError."""
    if not isinstance(gallery, Gallery):
        raise TypeError(
            f"gallery: expected a Gallery of clips, their features and a model, found {type(gallery).__name__}"
        )


@lru_cache(maxsize=256)
def _small(path: Path, frames: int) -> Tensor:
    return (load_video(path, frames=frames, size=SIZE) * 255).round().to(torch.uint8)
