"""A data set as features: what heads are trained on and methods are scored on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from clipspm_lite.model.checks import check_tensors


@dataclass(frozen=True)
class EncodedDataset:
    """A data set as features, class after class.

    Attributes:
        classes: names, in the order of ``class_text``.
        videos_per_class: how many rows of ``features`` each class has, in the same order.
        features: frame features ``[V, T, C]``.
        class_text: text features of the class names ``[classes, C]``.

    Raises:
        TypeError: features or class_text that are no tensors.
        ValueError: no classes or a name twice, shapes or counts that do not fit together, or values that are not
            finite.
    """

    classes: tuple[str, ...]
    videos_per_class: tuple[int, ...]
    features: Tensor
    class_text: Tensor

    def __post_init__(self) -> None:
        tensors = {"features": self.features, "class_text": self.class_text}
        check_tensors(tensors)
        names, counts = self.classes, self.videos_per_class
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"classes: expected different names, found {', '.join(map(repr, names)) or 'none'}"
            )
        if len(counts) != len(names) or min(counts) < 1:
            raise ValueError(
                f"videos_per_class: expected a number of at least 1 for each of {len(names)} classes, found "
                f"{', '.join(map(str, counts)) or 'none'}"
            )
        for name, rows, axes in (("features", sum(counts), "TC"), ("class_text", len(names), "C")):
            shape = tensors[name].shape
            if (
                len(shape) != 1 + len(axes)
                or shape[0] != rows
                or 0 in shape
                or shape[-1] != self.class_text.shape[-1]
            ):
                raise ValueError(
                    f"{name}: expected [{rows}, {', '.join(axes)}] with the C of both, found {tuple(shape)} beside "
                    f"features of {tuple(self.features.shape)} and class_text of {tuple(self.class_text.shape)}"
                )
            check_finite(name, tensors[name])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything in it."""
        digest = hashlib.sha256(json.dumps([self.classes, self.videos_per_class]).encode())
        for tensor in (self.features, self.class_text):
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def subset(self, classes: Sequence[str]) -> "EncodedDataset":
        """Only these classes, in this order.

        Raises:
            ValueError: none, one that is not here, or one twice.
        """
        unknown = [name for name in classes if name not in self.classes]
        if unknown or not classes:
            raise ValueError(
                f"classes: expected some of the {len(self.classes)} that are here, found "
                f"{', '.join(map(repr, unknown)) or 'none'}"
            )
        positions = [self.classes.index(name) for name in classes]
        starts = torch.tensor((0, *self.videos_per_class)).cumsum(0).tolist()
        rows = torch.cat([torch.arange(starts[p], starts[p + 1]) for p in positions])
        return replace(
            self,
            classes=tuple(classes),
            videos_per_class=tuple(self.videos_per_class[p] for p in positions),
            features=self.features[rows],
            class_text=self.class_text[positions],
        )


def check_encoded(data: object) -> None:
    """Refuse data whose videos are not encoded; raises TypeError."""
    if not isinstance(data, EncodedDataset):
        raise TypeError(
            f"data: expected an EncodedDataset, found a {type(data).__name__}: FeatureStore.encode_dataset makes one"
        )


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuse numbers that are NaN or infinite, which no score would show.

    Raises:
        ValueError: there are some, or no floating-point numbers at all.
    """
    if not tensor.is_floating_point():
        raise ValueError(f"{name}: expected floating-point features, found {tensor.dtype}")
    if tensor.numel() and not torch.stack(tensor.detach().aminmax()).isfinite().all():
        raise ValueError(
            f"{name}: found values that are not finite; the backbone's weights or the videos are damaged, or training "
            "diverged (a smaller learning rate helps)"
        )
