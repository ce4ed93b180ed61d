"""Checkpoints: a trained head and its configuration in one safetensors file, and the one way to open all kinds."""

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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


@dataclass(frozen=True)
class OpenedCheckpoint:
    """A trained head and what makes its features.

    Attributes:
        head: in evaluation mode.
        store: encodes videos and class names as when the head was trained.
        description: what the file says beside its weights.
    """

    head: Head
    store: FeatureStore
    description: dict[str, Any]


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
    settings: dict[str, Any] = dict(dataset=dataset, prompt_weight=prompt_weight, gate_slope=gate_slope)
    if checkpoint_kind(path) == "released":
        released = read_released(path)
        head = _released_head(released.head, path, **settings)
        name = backbone.name if isinstance(backbone, Backbone) else backbone or released.architecture
        text = text_weights or weights
        clip = load_backbone(name, weights=path, text_weights=text, device=device, normalize_pixels=False)
        description: dict[str, Any] = {"config": describe_head(head), "backbone_name": name}
        sampling = {"frames": DEFAULT_FRAMES if frames is None else frames, "resize": RELEASED_RESIZE}
    else:
        refuse_released_settings(path, settings)
        tensors, description = read_tensors(path, "model")
        encoder = {k.removeprefix(VISUAL): v for k, v in tensors.items() if k.startswith(VISUAL)}
        of_head = {k: v for k, v in tensors.items() if not k.startswith(VISUAL)}
        head = restore_head(description.get("config"), of_head, path)
        sampling = description
        made_with: Any = {
            "name": description.get("backbone_name"),
            "fingerprint": description.get("backbone"),
            "normalize_pixels": description.get("normalize_pixels", True),
        }
        if encoder:
            made_with = description.get("backbone")
            if not isinstance(made_with, dict) or not made_with.get("fingerprint"):
                raise CheckpointError(f"damaged (it does not say what its visual encoder is): {path}")
            sampling = made_with
            weights, text_weights = weights or text_weights, None
        clip = open_backbone(made_with, path, backbone, weights, text_weights, device, encoder)
    return OpenedCheckpoint(head.to(device), open_store(clip, sampling, path, frames, store), description)


def checkpoint_kind(path: str | os.PathLike) -> Literal["head", "fine-tuned", "released", "recogniser"]:
    """What a file holds, from its first bytes or its header alone; raises CheckpointError for none of these."""
    if os.path.isfile(path) and not is_safetensors(Path(path)):
        return "released"
    description = read_description(path, "model", "recogniser")
    if description["kind"] == "recogniser":
        return "recogniser"
    return "fine-tuned" if isinstance(description.get("backbone"), dict) else "head"


def head_name(path: str | os.PathLike) -> str:
    """Which of `HEADS` a checkpoint holds; only its header is read.

    Raises:
        CheckpointError: not a checkpoint, or a head that is unknown here.
    """
    if checkpoint_kind(path) == "released":
        return DEFAULT_HEAD
    config = read_description(path, "model").get("config")
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
    if path is None:
        raise TypeError(
            "path: expected a model's file, for example LITE_MODEL or what train left, found None"
        )
    tensors, description = read_tensors(path, "model")
    if isinstance(description.get("backbone"), dict):
        raise CheckpointError(
            f"this head belongs to its own fine-tuned encoder: open both with open_checkpoint: {path}"
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
        raise CheckpointError(
            f"weights and configuration do not fit together ({one_line(error)}): {path}"
        ) from error
    return head.eval()


def open_backbone(
    made_with: dict[str, Any],
    path: str | os.PathLike,
    backbone: Backbone | str | None,
    weights: str | Path | None,
    text_weights: str | Path | None,
    device: str | torch.device,
    encoder: Mapping[str, Tensor] | None = None,
) -> Backbone:
    """The backbone that the caller gives, or else the one that the file was made with, after comparing the two.

    Args:
        made_with: what the file says of it: ``name``, ``weights``, ``normalize_pixels``, ``fingerprint`` or
            ``visual_fingerprint``, any of which may be missing.
        encoder: the weights of its visual encoder, if they are in the file.
    """
    if isinstance(backbone, Backbone):
        opened = copy.deepcopy(backbone) if encoder else backbone
    else:
        name = str(backbone or made_with.get("name"))
        if backbone is None and name != "tiny":  # a stranger's file chooses no folder and no file here
            if made_with.get("weights") in open_clip.list_pretrained_tags_by_model(name):
                weights = weights or made_with["weights"]
            if name not in open_clip.list_models() or weights is None:
                raise CheckpointError(
                    f"made with the backbone {name[:80]!r} and weights {str(made_with.get('weights'))[:80]!r}, which "
                    f"cannot be found from here: give backbone= and weights=: {path}"
                )
        opened = load_backbone(
            name,
            weights=weights,
            text_weights=text_weights,
            device=device,
            normalize_pixels=made_with.get("normalize_pixels", True),
        )
    if encoder:
        try:
            opened.clip.visual.load_state_dict(encoder)
        except RuntimeError as error:
            raise CheckpointError(f"not the encoder of {opened.name} ({one_line(error)}): {path}") from None
    for kind in ("fingerprint", "visual_fingerprint"):
        if made_with.get(kind) not in (None, found := getattr(opened, kind)):
            raise CheckpointError(
                f"made with another backbone or other weights than {opened.name} with weights {opened.weights} "
                f"(fingerprints {str(made_with[kind])[:12]} and {found[:12]}): give backbone= and weights= that it was "
                f"made with: {path}"
            )
    return opened


def open_store(
    backbone: Backbone,
    sampling: Mapping[str, Any],
    path: str | os.PathLike,
    frames: int | None,
    folder: str | Path | None,
) -> FeatureStore:
    """A feature store that takes videos as a file says, in ``sampling["frames"]`` and ``["resize"]``.

    Raises:
        CheckpointError: the caller wants another number of frames, or the file's are damaged.
    """
    recorded = sampling.get("frames", DEFAULT_FRAMES)
    if frames is not None and frames != recorded:
        raise CheckpointError(
            f"frames: expected {recorded} frames per video, with which this was trained, found {frames}; leave frames "
            f"out, or train with {frames}: {path}"
        )
    try:
        return FeatureStore(backbone, folder, frames=recorded, resize=sampling.get("resize"))
    except ValueError as error:
        raise CheckpointError(f"damaged ({one_line(error)}): {path}") from None


def refuse_released_settings(path: str | os.PathLike, settings: Mapping[str, Any]) -> None:
    """A setting that does not go with the file is a mistake, not something to pass over."""
    if given := [name for name, value in settings.items() if value is not None]:
        raise ValueError(f"{' and '.join(given)}: leave out, only a released checkpoint needs them: {path}")


def _released_head(
    tensors: Mapping[str, Tensor],
    path: str | os.PathLike,
    dataset: str | None,
    prompt_weight: float | None,
    gate_slope: float | None,
) -> Head:
    """The head of a released checkpoint; widths are read off its shapes (SPEC section 6)."""
    width = {name: len(tensor) if tensor.ndim else 0 for name, tensor in tensors.items()}
    dim = width["mfe.conv1.weight"]
    gates = width["fusion.visual_gate.fc1.weight"], width["fusion.prompt_gate.fc1.weight"]
    fitting = [
        name
        for name, known in DATASET_SETTINGS.items()
        if gates == (int(known["visual_gate_ratio"] * dim), int(known["prompt_gate_ratio"] * dim))
    ]
    fits = f"its gates, {gates[0]} and {gates[1]} wide, fit {', '.join(fitting) or 'no published settings'}"
    if dataset is not None:
        check_known("dataset", dataset, DATASET_SETTINGS)
        if dataset not in fitting:
            raise CheckpointError(f"dataset: not a checkpoint of {dataset}, {fits}: {path}")
        settings = DATASET_SETTINGS[dataset]
        prompt_weight = settings["prompt_weight"] if prompt_weight is None else prompt_weight
        gate_slope = settings["gate_slope"] if gate_slope is None else gate_slope
    if prompt_weight is None or gate_slope is None:
        raise ValueError(
            f"dataset: needed, or prompt_weight and gate_slope, which a released file does not hold; {fits}: {path}"
        )
    config = dict(
        dim=dim,
        heads=RELEASED_HEADS,
        head_dim=width["fusion.transformer.to_q.weight"] // RELEASED_HEADS,
        mlp_dim=width["fusion.transformer.ff1.weight"],
        visual_gate_ratio=gates[0] / max(dim, 1),
        prompt_gate_ratio=gates[1] / max(dim, 1),
        gate_slope=gate_slope,
        prompt_weight=prompt_weight,
        preset="released",
    )
    return restore_head(config, tensors, path)
