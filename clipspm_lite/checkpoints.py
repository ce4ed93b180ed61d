"""Checkpoints: one safetensors file that holds the weights and, as JSON in its header, the configuration."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from clipspm_lite.backbones import Backbone, load_backbone
from clipspm_lite.files import replacing
from clipspm_lite.model.clipspm import CLIPSPM

FORMAT_VERSION = 1
VISUAL = "visual."  # before the names of a fine-tuned visual encoder's entries
LITE_MODEL = Path(__file__).parent / "weights" / "lite.safetensors"
LITE_INDUCTIVE_MODEL = Path(__file__).parent / "weights" / "lite-inductive.safetensors"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the last line of the message names the file."""


def write_tensors(
    path: str | os.PathLike, tensors: Mapping[str, Tensor], description: dict[str, Any]
) -> None:
    """Write tensors and a JSON-able description to ``path``, whole or not at all."""
    header = {"clipspm_lite": json.dumps({"format_version": FORMAT_VERSION, **description})}
    with replacing(path) as name:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, name, header)


def read_tensors(path: str | os.PathLike, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote with ``description["kind"] == kind``.

    Raises:
        CheckpointError: a missing or foreign file, another kind, or a format newer than this version knows.
    """
    if not os.path.isfile(path):
        raise CheckpointError(f"no such file, expected a {kind} written by clipspm_lite: {path}")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("clipspm_lite")
            if header is None:
                raise CheckpointError(
                    f"a safetensors file without clipspm_lite's description, expected a {kind}: {path}"
                )
            description = json.loads(header)
            version = description["format_version"]
            if version > FORMAT_VERSION:
                raise CheckpointError(
                    f"format {version} is newer than this version of clipspm_lite reads ({FORMAT_VERSION}): "
                    f"update clipspm_lite to open {path}"
                )
            if description["kind"] != kind:
                raise CheckpointError(f"expected a {kind}, found a {description['kind']}: {path}")
            return {name: file.get_tensor(name) for name in file.keys()}, description  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise CheckpointError(f"not a {kind} of clipspm_lite, or damaged ({error}): {path}") from error


def save_model(path: str | os.PathLike, model: CLIPSPM, **description: Any) -> None:
    """Write a model's weights and configuration; ``description`` is kept with them (seed, backbone, accuracy…)."""
    write_tensors(path, model.state_dict(), {"kind": "model", "config": model.config, **description})


def load_model(path: str | os.PathLike) -> tuple[CLIPSPM, dict[str, Any]]:
    """The model of a file that `save_model` wrote, in evaluation mode, and its description.

    Raises:
        CheckpointError: the file is not such a checkpoint, or its weights do not fit its configuration.
    """
    tensors, description = read_tensors(path, "model")
    if any(name.startswith(VISUAL) for name in tensors):
        raise CheckpointError(
            f"this head belongs to the fine-tuned visual encoder beside it: open both with load_finetuned: {path}"
        )
    return _build(tensors, description, path), description


def _build(tensors: Mapping[str, Tensor], description: dict[str, Any], path: str | os.PathLike) -> CLIPSPM:
    try:
        with torch.random.fork_rng(devices=[]):  # building draws random weights; loading must not
            model = CLIPSPM(**description["config"])
        model.load_state_dict(tensors)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"weights and configuration do not fit together ({error}): {path}") from error
    return model.eval()


def save_finetuned(
    path: str | os.PathLike,
    model: CLIPSPM,
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
        {**description, "kind": "model", "config": model.config, "backbone": made_with},
    )


def load_finetuned(
    path: str | os.PathLike, *, weights: str | Path | None = None, device: str | torch.device = "cpu"
) -> tuple[CLIPSPM, Backbone, dict[str, Any]]:
    """The model of a file that `save_finetuned` wrote, its backbone, both in evaluation mode, and its description.

    Args:
        weights: of the CLIP that training started from, whose text encoder is used: as for `load_backbone`.
        device: where both go.

    Raises:
        CheckpointError: no such checkpoint, or the text encoder is not the one of its training.
        ValueError, FileNotFoundError, RuntimeError: about ``weights``, as `load_backbone` raises them.
    """
    tensors, description = read_tensors(path, "model")
    encoder = {k.removeprefix(VISUAL): v for k, v in tensors.items() if k.startswith(VISUAL)}
    if not encoder:
        raise CheckpointError(f"a head without a visual encoder of its own: open it with load_model: {path}")
    model = _build({k: v for k, v in tensors.items() if not k.startswith(VISUAL)}, description, path)
    made_with = description["backbone"]
    backbone = load_backbone(
        made_with["name"], weights=weights, normalize_pixels=made_with["normalize_pixels"]
    )
    try:
        backbone.clip.visual.load_state_dict(encoder)
    except RuntimeError as error:
        raise CheckpointError(f"not the visual encoder of {backbone.name} ({error}): {path}") from error
    if backbone.fingerprint != made_with["fingerprint"]:
        raise CheckpointError(
            f"trained beside the text encoder of other weights than {weights!r}; give weights= those of the CLIP that "
            f"training started from: {path}"
        )
    return model.to(device), backbone.to(device), description


def is_finetuned(path: str | os.PathLike) -> bool:
    """Whether a file is one of `save_finetuned`; only its header is read."""
    try:
        with safe_open(path, framework="pt") as file:
            return any(name.startswith(VISUAL) for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return False
