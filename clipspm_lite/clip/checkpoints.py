"""Checkpoints: a trained head and its configuration in one safetensors file, and the one way to open all kinds."""

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
import torch
from torch import Tensor

from clipspm_lite.clip.backbone import Backbone, load_backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.clip.lora import merged_state
from clipspm_lite.clip.released_format import read_released
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.model.heads import HEADS, Head, build_head, describe_head
from clipspm_lite.model.presets import DATASET_SETTINGS
from clipspm_lite.storage.files import CheckpointError, fill, is_safetensors, one_line
from clipspm_lite.storage.tensors import read_description, read_tensors, write_tensors
from clipspm_lite.threads import pick_device

VISUAL = "visual."  # before the names of a fine-tuned visual encoder's entries
DEFAULT_HEAD = "clip-spm"  # what a configuration without "model" is of
DEFAULT_FRAMES = 8  # of the files that do not say it, among them the released ones (SPEC section 1)
RELEASED_RESIZE = 256  # the released code's shorter side, before its crop of 224 pixels (SPEC section 4)
RELEASED_HEADS = 8  # attention heads of a released checkpoint, which its shapes do not tell
LITE_MODEL = Path(__file__).parents[1] / "weights" / "lite.safetensors"
LITE_INDUCTIVE_MODEL = Path(__file__).parents[1] / "weights" / "lite-inductive.safetensors"
RECOMMENDED_MODEL = Path(__file__).parents[1] / "weights" / "recommended.safetensors"


class OpenedCheckpoint(NamedTuple):
    """A trained head and what makes its features."""

    head: Head  # in evaluation mode
    store: FeatureStore  # takes and encodes videos as when the head was trained; None with features
    description: dict[str, Any]  # what the file says beside its weights


def open_checkpoint(
    path: str | os.PathLike,
    *,
    head: Any = None,
    backbone: Backbone | str | None = None,
    weights: str | Path | None = None,
    text_weights: str | Path | None = None,
    dataset: str | Mapping[str, float] | None = None,
    frames: int | None = None,
    device: str | torch.device = "auto",
    store: str | Path | None = None,
    features: EncodedDataset | None = None,
) -> OpenedCheckpoint:
    """Open a trained head, alone or with the encoder that was fine-tuned with it, or the authors' released checkpoint.

    Args:
        path: what `train` or `save_model` wrote, or a released `checkpoint_best.pt` (SPEC section 6).
        head: the class of a head that is none of `HEADS`; the file's configuration becomes its keyword arguments.
        backbone, weights: as for `load_backbone`, or a `Backbone`; by default what the file says. A fine-tuned or
            released checkpoint brings its visual encoder; ``weights`` are then of the CLIP that training started from.
        text_weights: another name for ``weights`` where the file lacks only the text encoder.
        dataset: of a released checkpoint, a name of `DATASET_SETTINGS`, or its ``prompt_weight`` and ``gate_slope``.
        frames: T. What the head was trained with, and by default that. Only a released file does not say it: 8.
        features: what the head shall be asked about; no encoder is opened then.

    Raises CheckpointError for another or damaged file, backbone or number of frames, or as `load_backbone`.
    """
    encoder: dict[str, Tensor] = {}
    if checkpoint_kind(path) == "released":
        architecture, _, tensors = read_released(path)
        opened = _released_head(tensors, path, dataset)
        backbone = backbone.name if isinstance(backbone, Backbone) else backbone or architecture
        weights, text_weights = Path(path), text_weights or weights
        frames = DEFAULT_FRAMES if frames is None else frames
        made_with: dict[str, Any] = {"normalize_pixels": False, "frames": frames, "resize": RELEASED_RESIZE}
        description: dict[str, Any] = {"config": describe_head(opened), "backbone_name": backbone}
    else:
        tensors, description = read_tensors(path, "model")
        name = description.get("backbone_name", f"(features= of {description.get('encoder') or 'a nameless encoder'})")
        made_with = {"name": name, "fingerprint": description.get("backbone")}
        made_with |= {key: description[key] for key in ("frames", "resize", "normalize_pixels") if key in description}
        if isinstance(description.get("backbone"), dict):  # fine-tuned; a head alone has a fingerprint there
            encoder = {k.removeprefix(VISUAL): tensors.pop(k) for k in list(tensors) if k.startswith(VISUAL)}
            made_with |= description["backbone"]
        opened = restore_head(description.get("config"), tensors, path, head)
    opened = opened.to(pick_device(device))
    if features is not None:
        _check_features(opened, description | made_with, features, path)
        return OpenedCheckpoint(opened, None, description)  # type: ignore[arg-type]
    given = dict(backbone=backbone, weights=weights, text_weights=text_weights, device=device)
    kept = open_store(made_with, path, encoder, given | {"frames": frames, "store": store})
    return OpenedCheckpoint(opened, kept, description)


def _check_features(head: Head, about: dict[str, Any], features: EncodedDataset, path: str | os.PathLike) -> None:
    """CheckpointError where a head was trained on other features than these."""
    trained = {"width": getattr(head, "dim", None), "frames": about.get("frames", DEFAULT_FRAMES)}
    trained["encoder"] = about.get("encoder", about.get("fingerprint"))
    for (name, known), found in zip(trained.items(), (*features.features.shape[:0:-1], features.encoder), strict=True):
        if known != found and None not in (known, found):
            wanted = f"the {known} of this head's training, or a head trained on such features"
            raise CheckpointError(f"{name} of the features: expected {wanted}, found {found}: {path}")


def checkpoint_kind(path: str | os.PathLike) -> str:
    """A file's kind from its header: "model" (a head), "released" or "recogniser"; CheckpointError for another."""
    if os.path.isfile(path) and not is_safetensors(Path(path)):
        return "released"
    return read_description(path, "model", "recogniser")["kind"]


def head_name(path: str | os.PathLike, own: object = None) -> str:
    """What a checkpoint's head is called, from its header alone; CheckpointError if not one of `HEADS`, or ``own``."""
    config = {} if checkpoint_kind(path) == "released" else read_description(path, "model").get("config")
    name = config.get("model", DEFAULT_HEAD) if isinstance(config, dict) else None
    if name not in tuple(HEADS) and not (own and isinstance(name, str)):
        known = f"{', '.join(HEADS)}, or your own class with --head"
        raise CheckpointError(f"model: expected one of {known}, found {repr(name)[:80]}: {path}")
    return name


def save_model(path: str | os.PathLike, model: Head, *, finetuned: Backbone | None = None, **description: Any) -> None:
    """Write a head's weights and configuration, and the visual encoder of a backbone that was finetuned with it.

    Of ``description`` `open_checkpoint` reads ``backbone_name``, ``backbone`` (a fingerprint), ``frames``, ``resize``.
    """
    tensors = model.state_dict()
    if finetuned is not None:
        tensors |= {VISUAL + name: tensor for name, tensor in merged_state(finetuned.clip.visual).items()}
        description["backbone"] = {k: getattr(finetuned, k) for k in ("name", "normalize_pixels", "fingerprint")}
    write_tensors(path, tensors, {"kind": "model", "config": describe_head(model), **description})


def load_model(path: str | os.PathLike) -> tuple[Head, dict[str, Any]]:
    """The head alone of `save_model`'s file, in evaluation mode, and its description; CheckpointError for another."""
    tensors, description = read_tensors(path, "model")
    if isinstance(description.get("backbone"), dict):
        raise CheckpointError(f"this head needs the encoder in its file: open both with open_checkpoint: {path}")
    return restore_head(description.get("config"), tensors, path), description


def restore_head(config: Any, tensors: Mapping[str, Tensor], path: str | os.PathLike, own: Any = None) -> Head:
    """The head, in evaluation mode, of a configuration and weights from ``path``; CheckpointError if they don't fit."""
    try:
        # No random numbers are drawn, and a made-up size takes no memory; your own class may compute what it keeps.
        with torch.device("meta") if own is None else torch.random.fork_rng(devices=[]):
            head = build_head(config, own)
        fill(head, tensors)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"weights and configuration do not fit ({one_line(error)}): {path}") from error
    return head.eval()


def open_store(
    made_with: Mapping[str, Any], path: str | os.PathLike, encoder: Mapping[str, Tensor], given: Mapping[str, Any]
) -> FeatureStore:
    """What encodes videos as a file says that its own were; CheckpointError for another backbone or number of frames.

    ``made_with`` is what the file says, ``encoder`` its visual encoder's weights, ``given`` as for `open_checkpoint`.
    """
    recorded = made_with.get("frames", DEFAULT_FRAMES)
    backbone, weights, text_weights, frames = (given[k] for k in ("backbone", "weights", "text_weights", "frames"))
    if frames not in (None, recorded):
        raise CheckpointError(f"frames: expected {recorded}, with which this was trained, found {frames}: {path}")
    if isinstance(backbone, Backbone):
        opened = copy.deepcopy(backbone) if encoder else backbone
    else:
        name, tag = str(backbone or made_with.get("name")), made_with.get("weights")
        weights = weights or (text_weights if encoder else None)
        if backbone is None and name != "tiny":  # a stranger's file chooses no folder and no file here
            weights = weights or (tag if tag in open_clip.list_pretrained_tags_by_model(name) else None)
            if name not in open_clip.list_models() or weights is None:
                made = f"the backbone {name[:80]!r} and weights {str(tag)[:80]!r}"
                advice = "give backbone and weights, or the checkpoint that has them"
                raise CheckpointError(f"made with {made}, not found here: {advice}: {path}")
        about = {"device": given["device"], "normalize_pixels": made_with.get("normalize_pixels", True)}
        opened = load_backbone(name, weights=weights, text_weights=text_weights, **about)
    try:
        if encoder:
            opened.clip.visual.load_state_dict(encoder)
        for kind in ("fingerprint", "visual_fingerprint"):
            if made_with.get(kind) is not None and made_with[kind] != getattr(opened, kind):
                raise ValueError("made with other weights")
        return FeatureStore(opened, given["store"], frames=recorded, resize=made_with.get("resize"))
    except (RuntimeError, ValueError) as error:
        found = f"{opened.name} with weights {opened.weights} ({one_line(error)})"
        raise CheckpointError(f"does not fit {found}: give the backbone and weights of its training: {path}") from None


def _released_head(tensors: Mapping[str, Tensor], path: str | os.PathLike, dataset: Any) -> Head:
    """The head of a released checkpoint; widths are read off its shapes (SPEC section 6)."""
    width = {name: len(tensor) for name, tensor in tensors.items() if tensor.ndim}
    dim = width.get("mfe.conv1.weight", 0)
    gates = {f"{gate}_gate_ratio": width.get(f"fusion.{gate}_gate.fc1.weight", 0) for gate in ("visual", "prompt")}
    fitting = [k for k, known in DATASET_SETTINGS.items() if gates == {r: int(known[r] * dim) for r in gates}]
    known = DATASET_SETTINGS[dataset] if dataset in fitting else dataset
    if not isinstance(known, Mapping) or not {"prompt_weight", "gate_slope"} <= known.keys():
        wanted = f"the one of its training (such gates have: {', '.join(fitting)}), or its prompt_weight and gate_slope"
        raise ValueError(f"dataset: expected {wanted}, which are not in the file, found {dataset}: {path}")
    settings = {name: known[name] for name in ("prompt_weight", "gate_slope")}
    sizes = {"dim": dim, "heads": RELEASED_HEADS, "mlp_dim": width.get("fusion.transformer.ff1.weight", 0)}
    sizes["head_dim"] = width.get("fusion.transformer.to_q.weight", 0) // RELEASED_HEADS
    ratios = {ratio: hidden / max(dim, 1) for ratio, hidden in gates.items()}
    return restore_head({"preset": "released", **settings, **sizes, **ratios}, tensors, path)
