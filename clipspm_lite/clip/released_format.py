"""Checkpoints of the authors' released code (`checkpoint_best.pt`, SPEC section 6), under this project's names.

`load_backbone` makes a backbone of the visual encoder, `open_checkpoint` a head of the rest. No code in a file is run.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from clipspm_lite.storage.files import CheckpointError, is_safetensors, read_torch

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
WITHOUT_BIAS = ("to_q", "to_k", "to_v")

# A tensor that only this visual encoder has → open_clip's name of the CLIP.
ARCHITECTURES = {
    "class_embedding": "ViT-B-16-quickgelu",
    "attnpool.positional_embedding": "RN50-quickgelu",
}

# NumPy's float64 (`acc`) is the only type that a file may hold beside tensors, numbers and containers.
_SCALAR: Any = np.float64(0).__reduce__()[0]
NUMPY_FLOAT64 = [
    (_SCALAR, "numpy._core.multiarray.scalar"),
    (_SCALAR, "numpy.core.multiarray.scalar"),  # as NumPy 1 wrote it
    (np.dtype, "numpy.dtype"),
    (type(np.dtype("float64")), "numpy.dtypes.Float64DType"),
]


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """What a released checkpoint holds, on the CPU.

    Attributes:
        architecture: open_clip's name of the CLIP whose visual encoder it is.
        visual: the fine-tuned visual encoder, by open_clip's names without "visual.".
        head: the head, by the names of `CLIPSPM`'s state dict.
    """

    architecture: str
    visual: dict[str, Tensor]
    head: dict[str, Tensor]


def is_released(path: str | os.PathLike) -> bool:
    """Whether a file is a checkpoint of the released code."""
    try:
        return os.path.isfile(path) and not is_safetensors(Path(path)) and bool(_model_state(path))
    except CheckpointError:
        return False


def read_released(path: str | os.PathLike) -> ReleasedCheckpoint:
    """Read a checkpoint of the released code.

    Raises:
        CheckpointError: not such a file, or other entries than the released code writes.
    """
    visual, head, unexpected = {}, {}, []
    entries = _entries()
    for name, tensor in _model_state(path).items():
        if name.startswith("backbone."):
            visual[name.removeprefix("backbone.").removeprefix("module.")] = tensor
        elif name in entries:
            head[entries[name]] = tensor
        elif name != "scale":
            unexpected.append(name)
    missing = [theirs for theirs, ours in entries.items() if ours not in head]
    if missing or unexpected:
        raise CheckpointError(
            f"not the entries that the released code writes; missing: {_first(missing)}; "
            f"unexpected: {_first(unexpected)}: {path}"
        )
    architectures = [name for key, name in ARCHITECTURES.items() if key in visual]
    if len(architectures) != 1:
        raise CheckpointError(
            f"backbone.*: expected OpenAI's ViT-B/16 or RN50, found the entries {_first(visual)}: {path}"
        )
    return ReleasedCheckpoint(architectures[0], visual, head)


def _entries() -> dict[str, str]:
    """Every entry of the released head → its name here."""
    blocks = {
        f"{theirs}.layers.0.{part}": f"{ours}.{name}"
        for theirs, ours in BLOCKS.items()
        for part, name in IN_A_BLOCK.items()
    }
    entries = {"mo_alpha1": "motion_loss_weight"}
    for theirs, ours in (NAMES | blocks).items():
        entries[f"{theirs}.weight"] = f"{ours}.weight"
        if not theirs.endswith(WITHOUT_BIAS):
            entries[f"{theirs}.bias"] = f"{ours}.bias"
    return entries


def _model_state(path: str | os.PathLike) -> dict[str, Tensor]:
    """The ``model_state_dict`` of a torch file; raises CheckpointError where there is none."""
    content = read_torch(path, NUMPY_FLOAT64)
    state = content.get("model_state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        found = _first(content) if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(
            f"expected a checkpoint_best.pt of the released code, with tensors in its model_state_dict, found {found}: "
            f"{path}"
        )
    return state


def _first(names: Iterable[Any]) -> str:
    """The first of many names."""
    shown = [str(name)[:80] for name in names]
    return (", ".join(shown[:4]) or "none") + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")
