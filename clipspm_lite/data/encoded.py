"""A data set as features: what heads are trained on and methods are scored on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from clipspm_lite.data.names import composed


@dataclass(frozen=True)
class EncodedDataset:
    """A data set as features, class after class.

    Raises:
        ValueError: no classes or a name twice, shapes or counts that do not fit together, or values that are not
            finite.
    """

    classes: tuple[str, ...]
    videos_per_class: tuple[int, ...]  # how many rows of `features` each class has
    features: Tensor  # of frames, [V, T, C]
    class_text: Tensor  # features of the class names, [classes, C]

    def __post_init__(self) -> None:
        counts, number = self.videos_per_class, len(self.classes)
        if not number or len(set(self.classes)) < number or len(counts) != number or min(counts) < 1:
            wanted = "different names, and for each a number of at least 1"
            raise ValueError(f"classes, videos_per_class: expected {wanted}, found {self.classes} and {counts}")
        frames, dim = (*self.features.shape[1:], 0, 0)[:2]
        for name, expected in {"features": (sum(counts), frames, dim), "class_text": (number, dim)}.items():
            shape = tuple(getattr(self, name).shape)
            if shape != expected or 0 in shape:
                raise ValueError(f"{name}: expected {list(expected)} for these classes, found {list(shape)}")
            check_finite(name, getattr(self, name))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything in it."""
        digest = hashlib.sha256(json.dumps([self.classes, self.videos_per_class]).encode())
        for tensor in (self.features, self.class_text):
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def subset(self, classes: Sequence[str]) -> "EncodedDataset":
        """Only these classes, in this order; raises ValueError where one is unknown or there are none."""
        places = {composed(name): place for place, name in enumerate(self.classes)}
        if not classes or (unknown := [name for name in classes if composed(name) not in places]):
            found = unknown if classes else "none"
            raise ValueError(f"classes: expected some of the {len(self.classes)} that are here, found {found}")
        positions = [places[composed(name)] for name in classes]
        rows = torch.arange(len(self.features)).split(list(self.videos_per_class))
        return replace(
            self,
            classes=tuple(self.classes[p] for p in positions),
            videos_per_class=tuple(self.videos_per_class[p] for p in positions),
            features=self.features[torch.cat([rows[p] for p in positions])],
            class_text=self.class_text[positions],
        )


def check_encoded(data: object) -> None:
    """Refuse data whose videos are not encoded; raises TypeError."""
    if not isinstance(data, EncodedDataset):
        found = f"found a {type(data).__name__}: FeatureStore.encode_dataset makes one"
        raise TypeError(f"data: expected an EncodedDataset, {found}")


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuse features that are NaN, infinite or whole numbers, which no score would show; raises ValueError."""
    found = f"{tensor.dtype}"
    if tensor.is_floating_point():
        if not tensor.numel() or torch.stack(tensor.detach().aminmax()).isfinite().all():
            return
        found = "NaN or infinity; the backbone's weights or the videos are damaged, or training diverged"
    raise ValueError(f"{name}: expected finite floating-point features, found {found}")
