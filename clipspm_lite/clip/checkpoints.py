"""Checkpoints: one safetensors file that holds the weights and, as JSON in its header, the configuration.

And the head of a released checkpoint, whose configuration has to be read off its shapes.
"""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from clipspm_lite.arguments import check_known
from clipspm_lite.clip.backbone import LOCAL_DIR, Backbone, load_backbone
from clipspm_lite.clip.released_format import ReleasedCheckpoint
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.heads import HEADS, Head, build_head, describe_head
from clipspm_lite.model.presets import DATASET_SETTINGS
from clipspm_lite.storage.files import CheckpointError, fill, is_safetensors, one_line
from clipspm_lite.storage.tensors import read_description, read_tensors, write_tensors
from clipspm_lite.storage.untrusted import Refused, check_safetensors

LARGEST_CONFIG = 10_000  # characters
# A stranger's file must not ask for videos that fill the memory.
LARGEST_FRAMES = 1024
LARGEST_RESIZE = 4096  # pixels
RELEASED_HEADS = 8  # attention heads of a released checkpoint, which its shapes do not tell
VISUAL = "visual."  # before the names of a fine-tuned visual encoder's entries
LITE_MODEL = Path(__file__).parents[1] / "weights" / "lite.safetensors"
LITE_INDUCTIVE_MODEL = Path(__file__).parents[1] / "weights" / "lite-inductive.safetensors"


def save_model(path: str | os.PathLike, model: Head, **description: Any) -> None:
    """Write a model's weights and configuration; ``description`` is kept with them (seed, backbone, accuracy…)."""
    write_tensors(path, model.state_dict(), {"kind": "model", "config": describe_head(model), **description})


def load_model(path: str | os.PathLike) -> tuple[Head, dict[str, Any]]:
    """The model of a file that `save_model` wrote, in evaluation mode, and its description.

    Raises:
        CheckpointError: the file is not such a checkpoint, or its weights do not fit its configuration.
    """
    if path is None:
        raise TypeError(
            "path: expected a model's file, for example LITE_MODEL or what train left, found None"
        )
    tensors, description = read_tensors(path, "model")
    if any(name.startswith(VISUAL) for name in tensors):
        raise CheckpointError(
            f"this head belongs to the fine-tuned visual encoder beside it: open both with load_finetuned: {path}"
        )
    return build_model(description.get("config"), tensors, path), description


def build_model(config: Any, tensors: Mapping[str, Tensor], path: str | os.PathLike) -> Head:
    """The model of a configuration and weights that were read from ``path``, in evaluation mode.

    ``config["model"]`` says which of `HEADS` it is, CLIP-SPM where it says nothing.

    Raises:
        CheckpointError: the configuration is none, or the weights do not fit it.
    """
    try:
        if len(repr(config)) > LARGEST_CONFIG:
            raise ValueError("a configuration as long as no model's")
        if any(isinstance(value, float) and not math.isfinite(value) for value in config.values()):
            raise ValueError("a number that is none in the configuration")
        with torch.device("meta"):  # no random numbers are drawn, and a size that is made up takes no memory
            model = build_head(config)
        fill(model, tensors)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise CheckpointError(
            f"weights and configuration do not fit together ({one_line(error)}): {path}"
        ) from error
    return model.eval()


def head_name(path: str | os.PathLike) -> str:
    """Which of `HEADS` a checkpoint holds; only its header is read.

    Raises:
        CheckpointError: no such file, none that holds a head, or a head that is unknown here.
    """
    if os.path.isfile(path) and not is_safetensors(Path(path)):
        return "clip-spm"  # of the released code
    config = read_description(path, "model").get("config")
    name = config.get("model", "clip-spm") if isinstance(config, dict) else None
    if name not in tuple(HEADS):
        raise CheckpointError(f"model: expected one of {', '.join(HEADS)}, found {repr(name)[:80]}: {path}")
    return name


def clip_spm_only(model: Head, path: str | os.PathLike) -> CLIPSPM:
    """The model, for what explains or keeps the answers of a CLIP-SPM head.

    Raises:
        CheckpointError: it is another of `HEADS`.
    """
    if type(model) is not CLIPSPM:  # of an extended one the parts of an answer would not add up
        raise CheckpointError(
            f"expected a CLIP-SPM head, found a {type(model).__name__}: open it with load_head and score it with "
            f"evaluate: {path}"
        )
    return model


def released_head(
    checkpoint: ReleasedCheckpoint,
    path: str | os.PathLike,
    *,
    dataset: str | None = None,
    prompt_weight: float | None = None,
    gate_slope: float | None = None,
) -> CLIPSPM:
    """The head of a released checkpoint that was read from ``path``, preset "released", in evaluation mode.

    Widths are read off its shapes (SPEC section 6).

    Args:
        dataset: a name of `DATASET_SETTINGS`, which has both numbers below.
        prompt_weight, gate_slope: α and the gates' LeakyReLU slope, which no shape tells.

    Raises:
        CheckpointError: shapes that do not fit together.
        ValueError: an unknown data set, one whose gates have other widths, or a number that is missing.
    """
    head = checkpoint.head

    def rows(name: str) -> int:
        return head[name].shape[0] if head[name].ndim else 0

    dim = rows("mfe.conv1.weight")
    gates = (rows("fusion.visual_gate.fc1.weight"), rows("fusion.prompt_gate.fc1.weight"))
    fitting = [
        name
        for name, settings in DATASET_SETTINGS.items()
        if gates == (int(settings["visual_gate_ratio"] * dim), int(settings["prompt_gate_ratio"] * dim))
    ]
    if dataset is not None:
        check_known("dataset", dataset, DATASET_SETTINGS)
        if dataset not in fitting:
            raise ValueError(
                f"dataset: gates {gates[0]} and {gates[1]} wide are not those of {dataset}, but of "
                f"{', '.join(fitting) or 'none of the published settings'}: {path}"
            )
        settings = DATASET_SETTINGS[dataset]
        prompt_weight = settings["prompt_weight"] if prompt_weight is None else prompt_weight
        gate_slope = settings["gate_slope"] if gate_slope is None else gate_slope
    if prompt_weight is None or gate_slope is None:
        known = f"dataset= ({' or '.join(fitting)} have gates of these widths), or " if fitting else ""
        raise ValueError(
            f"prompt_weight and gate_slope are not in such a file: give {known}both numbers: {path}"
        )
    config = dict(
        dim=dim,
        heads=RELEASED_HEADS,
        head_dim=rows("fusion.transformer.to_q.weight") // RELEASED_HEADS,
        mlp_dim=rows("fusion.transformer.ff1.weight"),
        visual_gate_ratio=gates[0] / max(dim, 1),
        prompt_gate_ratio=gates[1] / max(dim, 1),
        gate_slope=gate_slope,
        prompt_weight=prompt_weight,
        preset="released",
    )
    return clip_spm_only(build_model(config, head, path), path)


def save_finetuned(
    path: str | os.PathLike,
    model: Head,
    backbone: Backbone,
    *,
    frames: int,
    resize: int,
    **description: Any,
) -> None:
    """Write a model with the visual encoder that was trained with it, but not the text encoder.

    The encoder's entries are ``visual.*``, with open_clip's names; ``description["backbone"]`` says what it is and how
    it takes videos: ``name``, ``normalize_pixels``, ``frames``, ``resize``, and the ``fingerprint`` of the whole
    `Backbone`, by which a wrong text encoder is noticed.
    """
    encoder = {VISUAL + name: tensor for name, tensor in backbone.clip.visual.state_dict().items()}
    made_with = dict(
        name=backbone.name,
        normalize_pixels=backbone.normalize_pixels,
        frames=frames,
        resize=resize,
        fingerprint=backbone.fingerprint,
    )
    write_tensors(
        path,
        {**model.state_dict(), **encoder},
        {**description, "kind": "model", "config": describe_head(model), "backbone": made_with},
    )


def load_finetuned(
    path: str | os.PathLike, *, weights: str | Path | None = None, device: str | torch.device = "cpu"
) -> tuple[Head, Backbone, dict[str, Any]]:
    """The model of a file that `save_finetuned` wrote, its backbone, both in evaluation mode, and its description.

    Args:
        weights: of the CLIP that training started from, whose text encoder is used: as for `load_backbone`, or
            "local-dir:FOLDER" where it was one in a folder.
        device: where both go.

    Raises:
        CheckpointError: no such checkpoint, or the text encoder is not the one of its training.
        ValueError, FileNotFoundError, RuntimeError: about ``weights``, as `load_backbone` raises them.
    """
    tensors, description = read_tensors(path, "model")
    encoder = {k.removeprefix(VISUAL): v for k, v in tensors.items() if k.startswith(VISUAL)}
    if not encoder:
        raise CheckpointError(f"a head without a visual encoder of its own: open it with load_model: {path}")
    model = build_model(
        description.get("config"), {k: v for k, v in tensors.items() if not k.startswith(VISUAL)}, path
    )
    made_with = description.get("backbone")
    if not (
        isinstance(made_with, dict)
        and isinstance(name := made_with.get("name"), str)
        and isinstance(made_with.get("normalize_pixels"), bool)
        and is_count(made_with.get("frames"), LARGEST_FRAMES)
        and is_count(made_with.get("resize"), LARGEST_RESIZE)
    ):
        raise CheckpointError(f"damaged (it does not say what its visual encoder is): {path}")
    if name.startswith(LOCAL_DIR):  # a stranger's file must not choose what is read here
        if not str(weights).startswith(LOCAL_DIR):
            raise CheckpointError(
                f"trained from the CLIP in a folder, {name[:80]!r}: give weights= it, as {LOCAL_DIR}FOLDER: {path}"
            )
        name, weights = str(weights), None
    backbone = load_backbone(name, weights=weights, normalize_pixels=made_with["normalize_pixels"])
    try:
        backbone.clip.visual.load_state_dict(encoder)
    except RuntimeError as error:
        raise CheckpointError(
            f"not the visual encoder of {backbone.name} ({one_line(error)}): {path}"
        ) from None
    if backbone.fingerprint != made_with.get("fingerprint"):
        raise CheckpointError(
            f"trained beside the text encoder of other weights than {weights!r}; give weights= those of the CLIP that "
            f"training started from: {path}"
        )
    return model.to(device), backbone.to(device), description


def is_count(value: Any, largest: int) -> bool:
    """Whether a value of a stranger's file is a whole number from 1 to ``largest``."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest


def is_finetuned(path: str | os.PathLike) -> bool:
    """Whether a file is one of `save_finetuned`; only its header is read."""
    try:
        check_safetensors(path)
        with safe_open(path, framework="pt") as file:
            return any(name.startswith(VISUAL) for name in file.keys())  # noqa: SIM118
    except (SafetensorError, Refused, OSError):
        return False
