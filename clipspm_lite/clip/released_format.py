"""Checkpoints of the authors' released code: read without running any of it, and given this project's names.

SPEC section 6 describes such a file (`checkpoint_best.pt`). `load_backbone` makes a backbone of its visual encoder,
`released_head` a head of the rest, and `clipspm_lite.load` a recogniser of both.
"""

import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from clipspm_lite.storage.files import CheckpointError, read_torch

EXPECTED = "expected a checkpoint_best.pt of the released code"

# Modules of the released head → this project's.
NAMES = {
    "motion_conv1": "mfe.conv1",
    "motion_conv2": "mfe.conv2",
    "token_tr.mlp.net.0": "prompt_generator.fc1",
    "token_tr.mlp.net.3": "prompt_generator.fc2",
    "gate_vision.0": "fusion.visual_gate.fc1",
    "gate_vision.2": "fusion.visual_gate.fc2",
    "gate_text.0": "fusion.prompt_gate.fc1",
    "gate_text.2": "fusion.prompt_gate.fc2",
}
BLOCKS = {"context2": "fusion.transformer", "context1": "padm.transformer"}
IN_A_BLOCK = {
    "0.norm": "norm",
    "0.fn.to_q": "to_q",
    "0.fn.to_k": "to_k",
    "0.fn.to_v": "to_v",
    "0.fn.to_out.0": "to_out",
    "1.net.0": "ff1",
    "1.net.3": "ff2",
}
NAMES |= {
    f"{theirs}.layers.0.{part}": f"{ours}.{name}"
    for theirs, ours in BLOCKS.items()
    for part, name in IN_A_BLOCK.items()
}
WITHOUT_BIAS = ("to_q", "to_k", "to_v")

# A tensor that only this visual encoder has → open_clip's name of the CLIP.
ARCHITECTURES = {
    "class_embedding": "ViT-B-16-quickgelu",
    "attnpool.positional_embedding": "RN50-quickgelu",
}


def _entries() -> dict[str, str]:
    """Every entry of the released head → its name here."""
    entries = {"mo_alpha1": "motion_loss_weight"}
    for theirs, ours in NAMES.items():
        entries[f"{theirs}.weight"] = f"{ours}.weight"
        if not theirs.endswith(WITHOUT_BIAS):
            entries[f"{theirs}.bias"] = f"{ours}.bias"
    return entries


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """What a released checkpoint holds, on the CPU, mapped from the file.

    Attributes:
        architecture: open_clip's name of the CLIP whose visual encoder it is.
        visual: the fine-tuned visual encoder, by open_clip's names without "visual.".
        head: the head, by the names of `CLIPSPM`'s state dict.
    """

    architecture: str
    visual: dict[str, Tensor]
    head: dict[str, Tensor]


def read_released(path: str | os.PathLike) -> ReleasedCheckpoint:
    """Read a checkpoint of the released code (SPEC section 6).

    Raises:
        CheckpointError: no such file, a pickle that asks for more than tensors and numbers, or other entries than the
            released code writes.
    """
    content = _unpickle(path)
    if not _is_released(content):
        found = f"the entries {_few(content)}" if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f"found {found}, {EXPECTED} with its model_state_dict: {path}")
    state: Mapping[str, Tensor] = content["model_state_dict"]
    odd = [
        name for name, value in state.items() if not isinstance(name, str) or not isinstance(value, Tensor)
    ]
    if odd:
        raise CheckpointError(f"entries of model_state_dict that are no tensors: {_few(odd)}: {path}")

    visual, head, unexpected = {}, {}, []
    entries = _entries()
    for name, tensor in state.items():
        if name.startswith("backbone."):
            visual[name.removeprefix("backbone.").removeprefix("module.")] = tensor
        elif name in entries:
            head[entries[name]] = tensor
        elif name != "scale":
            unexpected.append(name)
    missing = [theirs for theirs, ours in entries.items() if ours not in head]
    if missing or unexpected:
        if "mfe.conv1.weight" in state:
            raise CheckpointError(
                f"these entries have this project's names already: open the .safetensors file that `save_model` "
                f"wrote; {EXPECTED}: {path}"
            )
        found = "; ".join(
            f"{what}: {_few(names)}"
            for what, names in (("missing", missing), ("unexpected", unexpected))
            if names
        )
        raise CheckpointError(f"other entries than the released code writes, {found}: {path}")
    architectures = [name for key, name in ARCHITECTURES.items() if key in visual]
    if len(architectures) != 1:
        raise CheckpointError(
            f"the backbone is neither CLIP's ViT-B/16 nor its RN50, the two that the released code uses; "
            f"its entries are {_few(visual) or 'none'}: {path}"
        )
    return ReleasedCheckpoint(architectures[0], visual, head)


def is_released(path: str | os.PathLike) -> bool:
    """Whether `read_released` is meant for this file."""
    try:
        return _is_released(_unpickle(path))
    except CheckpointError:
        return False


def _is_released(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("model_state_dict"), dict)


class _Float64Type:
    """Stands for NumPy's, of which a stranger's file could make one of any size."""

    def __init__(self, *arguments: Any) -> None:
        if arguments != ("f8", False, True):
            raise ValueError("a number of another type than float64")

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like, which are the same for all."""


def _float64(kind: Any, content: Any) -> float:
    if not isinstance(kind, _Float64Type) or not isinstance(content, bytes) or len(content) != 8:
        raise ValueError("a number of another type than float64")
    return struct.unpack("<d", content)[0]


def _unpickle(path: str | os.PathLike) -> Any:
    """A torch file's content; of what is no tensor, number or container only a NumPy float64 is let through (`acc`)."""
    if not os.path.isfile(path):
        raise CheckpointError(f"no such file, {EXPECTED}: {path}")
    allowed: list[tuple[Any, str]] = [
        (_float64, "numpy._core.multiarray.scalar"),
        (_float64, "numpy.core.multiarray.scalar"),  # as NumPy 1 wrote it
        (_Float64Type, "numpy.dtype"),
    ]
    return read_torch(path, allowed)


def _few(names: Iterable[Any]) -> str:
    """The first names of many."""
    names = [name[:80] if isinstance(name, str) else f"a {type(name).__name__}" for name in names]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
