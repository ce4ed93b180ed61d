"""Clips with their features and a model: what explorers show and compute on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import Episode, gather
from clipspm_lite.data.names import readable
from clipspm_lite.evaluation.comparison import pairs_by_kind
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.extensions import QueryAnchorPADM
from clipspm_lite.model.heads import scored_in_eval_mode

PICTURE_SIZE = 112  # pixels of a clip's frames in a picture
MOST_PAIRS = 20  # of one kind that a list of hard pairs offers
AFTER_SPM, AFTER_PADM = "after SPM", "after PADM"  # stages of a model


@dataclass(frozen=True)
class Gallery:
    """A data set, its features, and a model that fits them.

    Attributes:
        dataset: the clips; each is decoded when it is first shown.
        data: their features, from `FeatureStore.encode_dataset(dataset)`.
        model: a CLIP-SPM head, extended or not. Explorers ask it in evaluation mode and leave it in its own mode.
        parts: for each class its part of a split, where that is known ("base", "validation" …).

    Raises:
        TypeError: another kind of model.
        ValueError: dataset and data differ in classes or counts, or the model's width is not the features'.
    """

    dataset: VideoDataset
    data: EncodedDataset
    model: CLIPSPM
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.model, CLIPSPM):
            raise TypeError(f"model: expected a CLIPSPM, found {type(self.model).__name__}")
        for what in ("classes", "videos_per_class"):
            if getattr(self.dataset, what) != getattr(self.data, what):
                raise ValueError(f"data: its {what} are not the dataset's; encode this dataset with a FeatureStore")
        if self.model.dim != self.data.features.shape[-1]:
            found = f"made for features of width {self.model.dim}, the data's have {self.data.features.shape[-1]}"
            raise ValueError(f"model: {found}: encode with the backbone that the model was trained with")

    @contextmanager
    def scoring(self) -> Iterator[CLIPSPM]:
        """The model in evaluation mode and without gradients; afterwards it is in the mode it came in."""
        with scored_in_eval_mode(self.model), torch.inference_mode():
            yield self.model

    @property
    def has_anchor(self) -> bool:
        """Whether the model scores with one anchor for all queries of an episode."""
        own_anchors = isinstance(self.model.padm, QueryAnchorPADM)
        return self.model.config.with_padm and self.model.config.with_anchor and not own_anchors

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Class names in plain words."""
        return tuple(readable(name) for name in self.data.classes)

    @property
    def numbered_names(self) -> list[tuple[str, int]]:
        """Class names with their numbers, as options of a list."""
        return [(name, number) for number, name in enumerate(self.names)]

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

    def video(self, class_number: int, clip: int) -> int:
        """The number of a class's clip, which is counted from 1."""
        return self.starts[class_number] + clip - 1

    def class_of(self, video: int) -> int:
        """The class that a video belongs to."""
        return max(number for number, start in enumerate(self.starts) if start <= video)

    def clip_name(self, video: int) -> str:
        """The name of a clip in captions: its class and its number there, from 1."""
        number = self.class_of(video)
        return f"{self.names[number]} {video - self.starts[number] + 1}"

    def thumbnails(self, video: int) -> Tensor:
        """The same frames as `clip`, half as wide and high."""
        return self.clip(video)[..., ::2, ::2]

    def tensors(self, episode: Episode) -> tuple[Tensor, Tensor, Tensor]:
        """Support, query and class text of an episode, each with one leading axis."""
        batch = gather(self.data.features, self.data.text, [episode])
        return batch.support, batch.query, batch.class_text

    def clip(self, video: int) -> Tensor:
        """The frames of a video that the model sees, small: ``[T, 3, 112, 112]`` in [0, 1]."""
        return _small(self.dataset.paths[video], self.data.features.shape[1]).float() / 255


def model_stages(model: CLIPSPM, first: str) -> list[str]:
    """The stages that frames go through in a model, of which the first is before its parts."""
    return [first, *([AFTER_SPM] if model.config.with_spm else []), *([AFTER_PADM] if model.config.with_padm else [])]


@lru_cache(maxsize=256)
def _small(path: Path, frames: int) -> Tensor:
    return (load_video(path, frames=frames, size=PICTURE_SIZE) * 255).round().to(torch.uint8)
