"""Checkpoints of the authors' released code (`checkpoint_best.pt`, SPEC section 6), under this project's names.

`load_backbone` makes a backbone of the visual encoder, `open_checkpoint` a head of the rest.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from clipspm_lite.storage.files import CheckpointError, is_safetensors, read_torch

# Beginnings of the released head's names → this project's.
MODULES = {
    "motion_conv": "mfe.conv",
    "token_tr.mlp.net.0": "prompt_generator.fc1",
    "token_tr.mlp.net.3": "prompt_generator.fc2",
    "gate_vision.0": "fusion.visual_gate.fc1",
    "gate_vision.2": "fusion.visual_gate.fc2",
    "gate_text.0": "fusion.prompt_gate.fc1",
    "gate_text.2": "fusion.prompt_gate.fc2",
    "context2.layers.0.": "fusion.transformer.",
    "context1.layers.0.": "padm.transformer.",
    "mo_alpha1": "motion_loss_weight",
}
# Likewise inside a transformer.
TRANSFORMER = {"0.norm": "norm", "0.fn.to_out.0": "to_out", "0.fn.": "", "1.net.0": "ff1", "1.net.3": "ff2"}

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


class ReleasedCheckpoint(NamedTuple):
    """What a released checkpoint holds, on the CPU."""

    architecture: str  # open_clip's name of the CLIP whose visual encoder it is
    visual: dict[str, Tensor]  # the fine-tuned visual encoder, by open_clip's names without "visual."
    head: dict[str, Tensor]  # by the names of `CLIPSPM`'s state dict


def is_released(path: str | os.PathLike) -> bool:
    """Whether a file is a checkpoint of the released code."""
    try:
        return os.path.isfile(path) and not is_safetensors(Path(path)) and bool(_model_state(path))
    except CheckpointError:
        return False


def read_released(path: str | os.PathLike) -> ReleasedCheckpoint:
    """Read a checkpoint of the released code; no code in it is run.

    Raises:
        CheckpointError: not such a file, or another encoder than the two of the released code.
    """
    state = _model_state(path)
    visual = {
        name.removeprefix("backbone.").removeprefix("module."): tensor
        for name, tensor in state.items()
        if name.startswith("backbone.")
    }
    head = {_renamed(n): t for n, t in state.items() if not n.startswith("backbone.") and n != "scale"}
    architecture = next((name for key, name in ARCHITECTURES.items() if key in visual), None)
    if architecture is None:
        raise CheckpointError(f"backbone.*: expected OpenAI's ViT-B/16 or RN50, found neither: {path}")
    return ReleasedCheckpoint(architecture, visual, head)


def _renamed(name: str) -> str:
    for theirs, ours in MODULES.items():
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
            break
    start, transformer, part = name.rpartition("transformer.")
    for theirs, ours in TRANSFORMER.items():
        if transformer and part.startswith(theirs):
            return start + transformer + ours + part.removeprefix(theirs)
    return name


def _model_state(path: str | os.PathLike) -> Mapping[str, Tensor]:
    content = read_torch(path, NUMPY_FLOAT64)
    state = content.get("model_state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"expected a checkpoint_best.pt of the released code, with tensors in its model_state_dict: {path}"
        )
    return state
