"""A data set as features: what heads are trained on and methods are scored on."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from clipspm_lite.data.names import composed
from clipspm_lite.storage.files import CheckpointError, one_line, replacing

FEATURES_VERSION = 1  # of the format of `EncodedDataset.save`
TENSORS = ("features", "class_text", "stage_text")
NO_TEXT = "reads class names, and these features have none: give class_text, or a method such as otam or trx"


@dataclass(frozen=True)
class EncodedDataset:
    """A data set as features, class after class; raises ValueError for what does not fit together, or is not finite."""

    classes: tuple[str, ...]
    videos_per_class: tuple[int, ...]  # how many rows of `features` each class has
    features: Tensor  # of frames, [V, T, C]
    class_text: Tensor | None = None  # features of the class names, [classes, C], for the methods that read them
    encoder: str | None = None  # what made the features: a name, or a `Backbone.fingerprint`; compared, never loaded
    stage_text: Tensor | None = None  # of sentences for start, middle and end of each class, [classes, 3, C]

    def __post_init__(self) -> None:
        counts, number = self.videos_per_class, len(self.classes)
        if not number or len(set(self.classes)) < number or len(counts) != number or min(counts) < 1:
            wanted = "different names, and for each a number of at least 1"
            raise ValueError(f"classes, videos_per_class: expected {wanted}, found {self.classes} and {counts}")
        frames, dim = (*self.features.shape[1:], 0, 0)[:2]
        expected = {"features": (sum(counts), frames, dim), "class_text": (number, dim), "stage_text": (number, 3, dim)}
        for name, tensor in self._tensors().items():
            shape = tuple(tensor.shape)
            if shape != expected[name] or 0 in shape:
                raise ValueError(f"{name}: expected {list(expected[name])} for these classes, found {list(shape)}")
            check_finite(name, tensor)

    def _tensors(self) -> dict[str, Tensor]:
        return {name: tensor for name in TENSORS if (tensor := getattr(self, name)) is not None}

    @property
    def text(self) -> Tensor:
        """``class_text``, or NaN in its place: logits or a loss that are NaN then show who reads it."""
        missing = self.features.new_full((len(self.classes), self.features.shape[-1]), torch.nan)
        return missing if self.class_text is None else self.class_text

    @property
    def staged_text(self) -> Tensor:
        """``[classes, 4, C]``: each name and its sentences, for `SubActions`; raises ValueError if there are none."""
        if self.class_text is None or self.stage_text is None:
            found = "found none: give --stages, or features with class_text and stage_text"
            raise ValueError(f"stage_text: expected the sentences of each class, which this method reads, {found}")
        return torch.cat([self.text.unsqueeze(1), self.stage_text], dim=1)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything in it but the encoder's name."""
        digest = hashlib.sha256(json.dumps([self.classes, self.videos_per_class]).encode())
        for tensor in self._tensors().values():
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
        videos = torch.cat([rows[p] for p in positions])
        own: dict[str, Any] = {n: t[videos if n == "features" else positions] for n, t in self._tensors().items()}
        own |= {n: tuple(getattr(self, n)[p] for p in positions) for n in ("classes", "videos_per_class")}
        return replace(self, **own)

    def save(self, path: str | os.PathLike) -> None:
        """Write it to one safetensors file, whole or not at all, for `load` and ``--features``."""
        header = {"format_version": str(FEATURES_VERSION)} | ({"encoder": self.encoder} if self.encoder else {})
        header |= {name: json.dumps(getattr(self, name)) for name in ("classes", "videos_per_class")}
        with replacing(path) as unfinished:
            own = {name: tensor.detach().cpu().contiguous() for name, tensor in self._tensors().items()}
            save_file(own, unfinished, header)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "EncodedDataset":
        """What `save` wrote, or anybody: a safetensors file of ``features`` and, if there are any, both texts.

        They become float32. The metadata hold, as JSON lists, ``classes`` and ``videos_per_class``, and may name the
        ``encoder``. Raises CheckpointError for another or damaged file.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header, names = file.metadata() or {}, {*TENSORS} & set(file.keys())
                tensors = {name: file.get_tensor(name) for name in names}
            if int(header.get("format_version", 1)) > FEATURES_VERSION:
                raise ValueError(f"format_version {header['format_version']}: update clipspm_lite")
            tensors = {n: t.to(torch.float32, copy=True) if t.is_floating_point() else t for n, t in tensors.items()}
            classes, counts = (json.loads(header[name]) for name in ("classes", "videos_per_class"))
            return cls(tuple(map(str, classes)), tuple(map(int, counts)), **tensors, encoder=header.get("encoder"))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            wanted = "expected a safetensors file with features, and with classes and videos_per_class in its metadata"
            raise CheckpointError(f"not features of a data set ({one_line(error)}); {wanted}: {path}") from None


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuse features that are NaN, infinite or whole numbers, which no score would show; raises ValueError."""
    found = f"{tensor.dtype}"
    if tensor.is_floating_point():
        if not tensor.numel() or torch.stack(tensor.detach().aminmax()).isfinite().all():
            return
        found = "NaN or infinity; the backbone's weights or the videos are damaged, or training diverged"
    raise ValueError(f"{name}: expected finite floating-point features, found {found}")
