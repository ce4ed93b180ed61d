"""A data set as features: what heads are trained on and methods are scored on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class EncodedDataset:
    """A data set as features, class after class.

    Attributes:
        classes: names, in the order of ``class_text``.
        videos_per_class: how many rows of ``features`` each class has, in the same order.
        features: frame features ``[V, T, C]``.
        class_text: text features of the class names ``[classes, C]``.

    Raises:
        ValueError: no classes or a name twice, shapes or counts that do not fit together, or values that are not
            finite.
    """

    classes: tuple[str, ...]
    videos_per_class: tuple[int, ...]
    features: Tensor
    class_text: Tensor

    def __post_init__(self) -> None:
        counts, expected = self.videos_per_class, len(set(self.classes))
        if not expected or len(self.classes) > expected:
            raise ValueError(f"classes: expected different names, found {self.classes}")
        if len(counts) != expected or min(counts) < 1:
            raise ValueError(f"videos_per_class: expected {expected} numbers of at least 1, found {counts}")
        shapes = self.features.shape, self.class_text.shape
        for name, rows, axes, shape in zip(
            ("features", "class_text"), (sum(counts), expected), ("T, C", "C"), shapes, strict=True
        ):
            fits = len(shape) == len(axes.split()) + 1 and shape[0] == rows and shape[-1] == shapes[1][-1]
            if not fits or 0 in shape:
                raise ValueError(
                    f"{name}: expected [{rows}, {axes}] with the same C in both, found features {[*shapes[0]]} and "
                    f"class_text {[*shapes[1]]}"
                )
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
        unknown = [name for name in classes if name not in self.classes]
        if unknown or not classes:
            raise ValueError(
                f"classes: expected some of the {len(self.classes)} that are here, found {unknown or 'none'}"
            )
        positions = [self.classes.index(name) for name in classes]
        rows = torch.arange(len(self.features)).split(list(self.videos_per_class))
        return replace(
            self,
            classes=tuple(classes),
            videos_per_class=tuple(self.videos_per_class[p] for p in positions),
            features=self.features[torch.cat([rows[p] for p in positions])],
            class_text=self.class_text[positions],
        )


def check_encoded(data: object) -> None:
    """Refuse data whose videos are not encoded; raises TypeError."""
    if not isinstance(data, EncodedDataset):
        raise TypeError(
            f"data: expected an EncodedDataset, found a {type(data).__name__}: FeatureStore.encode_dataset makes one"
        )


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuse features that are NaN, infinite or whole numbers, which no score would show; raises ValueError."""
    if not tensor.is_floating_point():
        raise ValueError(f"{name}: expected floating-point features, found {tensor.dtype}")
    if tensor.numel() and not torch.stack(tensor.detach().aminmax()).isfinite().all():
        raise ValueError(
            f"{name}: found values that are not finite; the backbone's weights or the videos are damaged, or training "
            "diverged (a smaller learning rate helps)"
        )
