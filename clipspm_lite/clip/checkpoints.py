"""Checkpoints: a trained head and its configuration in one safetensors file, and the one way to open all kinds."""

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import open_clip
import torch
from torch import Tensor

from clipspm_lite.arguments import check_known
from clipspm_lite.clip.backbone import Backbone, load_backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.clip.released_format import read_released
from clipspm_lite.model.heads import HEADS, Head, build_head, describe_head
from clipspm_lite.model.presets import DATASET_SETTINGS
from clipspm_lite.storage.files import CheckpointError, fill, is_safetensors, one_line
from clipspm_lite.storage.tensors import read_description, read_tensors, write_tensors

VISUAL = "visual."  # before the names of a fine-tuned visual encoder's entries
DEFAULT_HEAD = "clip-spm"  # what a configuration without "model" is of
DEFAULT_FRAMES = 8  # of the files that do not say it, among them the released ones (SPEC section 1)
RELEASED_RESIZE = 256  # the released code's shorter side, before its crop of 224 pixels (SPEC section 4)
RELEASED_HEADS = 8  # attention heads of a released checkpoint, which its shapes do not tell
LITE_MODEL = Path(__file__).parents[1] / "weights" / "lite.safetensors"
LITE_INDUCTIVE_MODEL = Path(__file__).parents[1] / "weights" / "lite-inductive.safetensors"


class OpenedCheckpoint(NamedTuple):
    """A trained head and what makes its features."""

    head: Head  # in evaluation mode
    store: FeatureStore  # takes and encodes videos as when the head was trained
    description: dict[str, Any]  # what the file says beside its weights


def open_checkpoint(
    path: str | os.PathLike,
    *,
    backbone: Backbone | str | None = None,
    weights: str | Path | None = None,
    text_weights: str | Path | None = None,
    dataset: str | None = None,
    prompt_weight: float | None = None,
    gate_slope: float | None = None,
    frames: int | None = None,
    device: str | torch.device = "cpu",
    store: str | Path | None = None,
) -> OpenedCheckpoint:
    """Open a trained head, alone or with the encoder that was fine-tuned with it, or the authors' released checkpoint.

    Args:
        path: what `train`, `save_model` or `save_finetuned` wrote, or a released `checkpoint_best.pt` (SPEC section 6).
        backbone, weights: as for `load_backbone`, or a `Backbone`; by default what the file says. A fine-tuned or
            released checkpoint brings its visual encoder; ``weights`` are then of the CLIP that training started from.
        text_weights: another name for ``weights`` where the file lacks only the text encoder.
        dataset: of a released checkpoint, a name of `DATASET_SETTINGS`, which has the next two.
        prompt_weight, gate_slope: of a released checkpoint: α and the gates' LeakyReLU slope.
        frames: T. What the head was trained with, and by default that. Only a released file does not say it: 8.
        device: where backbone and head go.
        store: folder of the feature store; default: this user's cache folder.

    Raises:
        CheckpointError: not such a file, damaged, or a head of another backbone or number of frames.
        ValueError, FileNotFoundError, RuntimeError: a setting is missing, or about ``weights`` as in `load_backbone`.
    """
    path = Path(path)
    kind = checkpoint_kind(path)
    if kind == "released":
        released = read_released(path)
        head = _released_head(released.head, path, dataset, prompt_weight, gate_slope)
        name = backbone.name if isinstance(backbone, Backbone) else backbone or released.architecture
        text = text_weights or weights
        clip = load_backbone(name, weights=path, text_weights=text, device=device, normalize_pixels=False)
        taken = DEFAULT_FRAMES if frames is None else frames
        kept = FeatureStore(clip, store, frames=taken, resize=RELEASED_RESIZE)
        return OpenedCheckpoint(head.to(device), kept, {"config": describe_head(head), "backbone_name": name})
    tensors, description = read_tensors(path, "model")
    encoder = {}
    if kind == "fine-tuned":
        encoder = {k.removeprefix(VISUAL): tensors.pop(k) for k in list(tensors) if k.startswith(VISUAL)}
        made_with = {"fingerprint": "", **description["backbone"]}
    else:
        made_with = {key: description[key] for key in ("frames", "resize") if key in description}
        made_with |= {"name": description.get("backbone_name"), "fingerprint": description.get("backbone")}
    head = restore_head(description.get("config"), tensors, path)
    kept = open_store(made_with, path, encoder, backbone, weights, text_weights, frames, device, store)
    return OpenedCheckpoint(head.to(device), kept, description)


def checkpoint_kind(path: str | os.PathLike) -> Literal["head", "fine-tuned", "released", "recogniser"]:
    """What a file holds, from its first bytes or its header alone; raises CheckpointError for none of these."""
    if os.path.isfile(path) and not is_safetensors(Path(path)):
        return "released"
    description = read_description(path, "model", "recogniser")
    if description["kind"] == "recogniser":
        return "recogniser"
    return "fine-tuned" if isinstance(description.get("backbone"), dict) else "head"


def head_name(path: str | os.PathLike) -> str:
    """Which of `HEADS` a checkpoint holds, from its header alone; raises CheckpointError if none."""
    config = {} if checkpoint_kind(path) == "released" else read_description(path, "model").get("config")
    name = config.get("model", DEFAULT_HEAD) if isinstance(config, dict) else None
    if name not in tuple(HEADS):
        raise CheckpointError(f"model: expected one of {', '.join(HEADS)}, found {repr(name)[:80]}: {path}")
    return name


def save_model(path: str | os.PathLike, model: Head, **description: Any) -> None:
    """Write a head's weights and configuration; ``description`` is kept with them.

    `open_checkpoint` reads from it ``backbone_name``, ``backbone`` (its fingerprint), ``frames`` and ``resize``.
    """
    write_tensors(path, model.state_dict(), {"kind": "model", "config": describe_head(model), **description})


def load_model(path: str | os.PathLike) -> tuple[Head, dict[str, Any]]:
    """The head alone of a file that `save_model` wrote, in evaluation mode, and its description.

    Raises:
        CheckpointError: not such a file, or weights and configuration do not fit together.
    """
    tensors, description = read_tensors(path, "model")
    if isinstance(description.get("backbone"), dict):
        raise CheckpointError(
            f"this head needs the encoder in its file: open both with open_checkpoint: {path}"
        )
    return restore_head(description.get("config"), tensors, path), description


def save_finetuned(
    path: str | os.PathLike, model: Head, backbone: Backbone, *, frames: int, resize: int, **description: Any
) -> None:
    """Write a head with the visual encoder that was trained with it, but not the text encoder.

    The encoder's entries are ``visual.*``, with open_clip's names; ``description["backbone"]`` says what it is and how
    it takes videos, and has the fingerprint of the whole `Backbone`, by which a wrong text encoder is noticed.
    """
    encoder = {VISUAL + name: tensor for name, tensor in backbone.clip.visual.state_dict().items()}
    made_with = dict(
        name=backbone.name,
        normalize_pixels=backbone.normalize_pixels,
        frames=frames,
        resize=resize,
        fingerprint=backbone.fingerprint,
    )
    header = {**description, "kind": "model", "config": describe_head(model), "backbone": made_with}
    write_tensors(path, {**model.state_dict(), **encoder}, header)


def restore_head(config: Any, tensors: Mapping[str, Tensor], path: str | os.PathLike) -> Head:
    """The head of a configuration and weights that were read from ``path``, in evaluation mode.

    Raises:
        CheckpointError: the two do not fit together.
    """
    try:
        with torch.device("meta"):  # no random numbers are drawn, and a made-up size takes no memory
            head = build_head(config)
        fill(head, tensors)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        reason = one_line(error)
        raise CheckpointError(f"weights and configuration do not fit together ({reason}): {path}") from error
    return head.eval()


def open_store(
    made_with: Mapping[str, Any],
    path: str | os.PathLike,
    encoder: Mapping[str, Tensor],
    backbone: Backbone | str | None,
    weights: str | Path | None,
    text_weights: str | Path | None,
    frames: int | None,
    device: str | torch.device,
    store: str | Path | None,
) -> FeatureStore:
    """What takes and encodes videos as a file says that its own were, on the caller's backbone if that is the same one.

    Args:
        made_with: the file's ``name``, ``weights``, ``normalize_pixels``, ``fingerprint`` and ``visual_fingerprint`` of
            the backbone, ``frames`` and ``resize``; any of them may be missing.
        encoder: the weights of the visual encoder, empty if they are not in the file.

    Raises:
        CheckpointError: another backbone, other weights or another number of frames, or the file is damaged.
    """
    recorded = made_with.get("frames", DEFAULT_FRAMES)
    if frames is not None and frames != recorded:
        raise CheckpointError(
            f"frames: expected {recorded} frames per video, with which this was trained, found {frames}; leave frames "
            f"out, or train with {frames}: {path}"
        )
    weights = weights or (text_weights if encoder else None)
    if isinstance(backbone, Backbone):
        opened = copy.deepcopy(backbone) if encoder else backbone
    else:
        name = str(backbone or made_with.get("name"))
        if backbone is None and name != "tiny":  # a stranger's file chooses no folder and no file here
            tag = made_with.get("weights")
            weights = weights or (tag if tag in open_clip.list_pretrained_tags_by_model(name) else None)
            if name not in open_clip.list_models() or weights is None:
                raise CheckpointError(
                    f"made with the backbone {name[:80]!r} and weights {str(tag)[:80]!r}, which cannot be found from "
                    f"here: give backbone= and weights=: {path}"
                )
        opened = load_backbone(
            name,
            weights=weights,
            text_weights=text_weights,
            device=device,
            normalize_pixels=made_with.get("normalize_pixels", True),
        )
    try:
        if encoder:
            opened.clip.visual.load_state_dict(encoder)
        same = all(
            made_with.get(kind) is None or made_with[kind] == getattr(opened, kind)
            for kind in ("fingerprint", "visual_fingerprint")
        )
    except RuntimeError:
        same = False
    if not same:
        raise CheckpointError(
            f"made with another backbone or other weights than {opened.name} with weights {opened.weights}: give "
            f"backbone= and weights= that it was made with: {path}"
        )
    try:
        return FeatureStore(opened, store, frames=recorded, resize=made_with.get("resize"))
    except ValueError as error:
        raise CheckpointError(f"damaged ({one_line(error)}): {path}") from None


def _released_head(
    tensors: Mapping[str, Tensor],
    path: str | os.PathLike,
    dataset: str | None,
    prompt_weight: float | None,
    gate_slope: float | None,
) -> Head:
    """The head of a released checkpoint; widths are read off its shapes (SPEC section 6)."""
    width = {name: len(tensor) for name, tensor in tensors.items() if tensor.ndim}
    dim = width.get("mfe.conv1.weight", 0)
    gates = [width.get(f"fusion.{gate}_gate.fc1.weight", 0) for gate in ("visual", "prompt")]
    ratios = ("visual_gate_ratio", "prompt_gate_ratio")
    fitting = [k for k, v in DATASET_SETTINGS.items() if gates == [int(v[ratio] * dim) for ratio in ratios]]
    if dataset is None:
        numbers: dict[str, Any] = {"prompt_weight": prompt_weight, "gate_slope": gate_slope}
    else:
        check_known("dataset", dataset, DATASET_SETTINGS)
        numbers = {name: DATASET_SETTINGS[dataset][name] for name in ("prompt_weight", "gate_slope")}
    if None in numbers.values() or dataset not in (None, *fitting):
        raise ValueError(
            f"dataset: expected the one that this was trained on ({' or '.join(fitting) or 'none'} has such gates), or "
            f"prompt_weight and gate_slope, which are not in the file, found {dataset}: {path}"
        )
    config = dict(
        dim=dim,
        heads=RELEASED_HEADS,
        head_dim=width.get("fusion.transformer.to_q.weight", 0) // RELEASED_HEADS,
        mlp_dim=width.get("fusion.transformer.ff1.weight", 0),
        **{ratio: gate / max(dim, 1) for ratio, gate in zip(ratios, gates, strict=True)},
        **numbers,
        preset="released",
    )
    return restore_head(config, tensors, path)
