"""Checkpoints of the authors' released code (`checkpoint_best.pt`, SPEC section 6), under this project's names."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from clipspm_lite.storage.files import CheckpointError, is_safetensors, read_torch

# Parts of the released head's names → this project's, replaced from top to bottom.
RENAMED = {
    "motion_conv": "mfe.conv",
    "token_tr.mlp.net.0": "prompt_generator.fc1",
    "token_tr.mlp.net.3": "prompt_generator.fc2",
    "gate_vision.0": "fusion.visual_gate.fc1",
    "gate_vision.2": "fusion.visual_gate.fc2",
    "gate_text.0": "fusion.prompt_gate.fc1",
    "gate_text.2": "fusion.prompt_gate.fc2",
    "context2.layers.0": "fusion.transformer",
    "context1.layers.0": "padm.transformer",
    "transformer.0.norm": "transformer.norm",
    "transformer.0.fn.to_out.0": "transformer.to_out",
    "transformer.0.fn": "transformer",
    "transformer.1.net.0": "transformer.ff1",
    "transformer.1.net.3": "transformer.ff2",
    "mo_alpha1": "motion_loss_weight",
}

# A tensor that only this visual encoder has → open_clip's name of the CLIP.
ARCHITECTURES = {"class_embedding": "ViT-B-16-quickgelu", "attnpool.positional_embedding": "RN50-quickgelu"}

# NumPy's float64 (`acc`) is the only type that a file may hold beside tensors, numbers and containers.
_SCALAR: Any = np.float64(0).__reduce__()[0]
NUMPY_FLOAT64 = [(_SCALAR, "numpy._core.multiarray.scalar"), (_SCALAR, "numpy.core.multiarray.scalar")]  # NumPy 2, 1
NUMPY_FLOAT64 += [(np.dtype, "numpy.dtype"), (np.dtypes.Float64DType, "numpy.dtypes.Float64DType")]


def is_released(path: str | os.PathLike) -> bool:
    """Whether a file is a checkpoint of the released code."""
    with suppress(CheckpointError):
        return os.path.isfile(path) and not is_safetensors(Path(path)) and bool(_model_state(path))
    return False


def read_released(path: str | os.PathLike) -> tuple[str, dict[str, Tensor], dict[str, Tensor]]:
    """open_clip's name of the CLIP, its visual encoder's tensors, the head's by `CLIPSPM`'s names; CheckpointError."""
    visual, head = {}, {}
    for name, tensor in _model_state(path).items():
        if name.startswith("backbone."):
            visual[name.removeprefix("backbone.").removeprefix("module.")] = tensor
        elif name != "scale":
            for theirs, ours in RENAMED.items():
                name = name.replace(theirs, ours)
            head[name] = tensor
    architecture = next((name for key, name in ARCHITECTURES.items() if key in visual), None)
    if architecture is None:
        raise CheckpointError(f"backbone.*: expected OpenAI's ViT-B/16 or RN50, found neither: {path}")
    return architecture, visual, head


def _model_state(path: str | os.PathLike) -> Mapping[str, Tensor]:
    content = read_torch(path, NUMPY_FLOAT64)
    state = content.get("model_state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"model_state_dict: expected the released code's tensors: {path}")
    return state
