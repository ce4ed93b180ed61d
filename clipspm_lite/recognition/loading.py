"""Opening what holds a recogniser, or the part of one that was trained: `clipspm_lite.load`, `load_head`."""

import os
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor

from clipspm_lite.clip.backbone import LOCAL_DIR, Backbone, load_backbone
from clipspm_lite.clip.checkpoints import (
    LARGEST_FRAMES,
    LARGEST_RESIZE,
    build_model,
    clip_spm_only,
    is_count,
    is_finetuned,
    load_finetuned,
    load_model,
    released_head,
)
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.clip.released_format import read_released
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.heads import Head
from clipspm_lite.recognition.recogniser import CLIP_SPM, HEAD, KIND, Recogniser, Support
from clipspm_lite.storage.files import CheckpointError, is_safetensors, one_line
from clipspm_lite.storage.tensors import read_description, read_tensors

RELEASED_RESIZE = 256  # the released code's shorter side, before its crop of 224 pixels (SPEC section 4)


def load(
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
) -> Recogniser:
    """Open a recogniser, a trained head, with its encoder if it was fine-tuned too, or a checkpoint of the authors'
    released code (SPEC section 6).

    What the file is, is seen from its content; printing the result says it. A saved recogniser knows its actions, the
    other two know none until `Recogniser.with_support`. No kind of file runs code.

    Args:
        path: what `Recogniser.save`, `save_model` or `train` wrote, or a released `checkpoint_best.pt`.
        backbone, weights: as for `load_backbone`, or a `Backbone`. By default what a recogniser or a head was made
            with, where that is the tiny CLIP or (for a recogniser) has an open_clip tag. A released checkpoint
            brings its own visual encoder, which takes raw [0, 1] frames.
        text_weights: an open_clip tag or a file for the text encoder that a released or a fine-tuned checkpoint lacks.
            The first does not need it until class names are encoded.
        dataset, prompt_weight, gate_slope: for a released checkpoint, which does not hold the last two: both, or the
            data set that has them ("hmdb51", "ucf101", "kinetics100", "ssv2_full", "ssv2_small"; SPEC section 2).
        frames: T for a head or a released checkpoint (default 8); a recogniser has its own.
        device: where backbone and head go.
        store: folder of the feature store; default: this user's cache folder.

    Raises:
        CheckpointError: no such file, none of the three, newer, damaged, made with other backbone weights, or a head of
            another method than CLIP-SPM.
        ValueError: a setting that is missing or belongs to another kind of file, or an unknown backbone or weights.
    """
    path = Path(path)
    settings: dict[str, Any] = dict(dataset=dataset, prompt_weight=prompt_weight, gate_slope=gate_slope)
    released = path.is_file() and not is_safetensors(path)
    if released or read_description(path, "model", KIND)["kind"] == "model":
        head, kept = load_head(
            path,
            backbone=backbone,
            weights=weights,
            text_weights=text_weights,
            **settings,
            frames=frames,
            device=device,
            store=store,
        )
        return Recogniser(clip_spm_only(head, path), kept)

    _refuse("a recogniser has its own", path, frames=frames)
    _refuse("only a released checkpoint needs them", path, **settings)
    tensors, description = read_tensors(path, KIND)
    support = _read_support(tensors, description, path)
    method: str | CLIPSPM = description["method"]
    if method == CLIP_SPM:
        of_head = {name.removeprefix(HEAD): t for name, t in tensors.items() if name.startswith(HEAD)}
        method = clip_spm_only(build_model(description.get("head"), of_head, path), path).to(device)
    made_with = description["backbone"]
    opened = _open_backbone(made_with, path, backbone, weights, text_weights, device)
    _check_weights(made_with["visual_fingerprint"], opened.visual_fingerprint, opened, path)
    kept = FeatureStore(opened, store, frames=description["frames"], resize=description["resize"])
    return Recogniser(method, kept, support)


def load_head(
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
) -> tuple[Head, FeatureStore]:
    """A trained head of any method, in evaluation mode, and what encodes videos and class names for it.

    Args and errors are those of `load`, which opens a head of CLIP-SPM as a recogniser; a saved recogniser is refused.
    """
    path = Path(path)
    settings: dict[str, Any] = dict(dataset=dataset, prompt_weight=prompt_weight, gate_slope=gate_slope)
    if path.is_file() and not is_safetensors(path):
        _refuse(
            "a released checkpoint brings its own visual encoder", path, backbone=backbone, weights=weights
        )
        checkpoint = read_released(path)
        head: Head = released_head(checkpoint, path, **settings)
        own = load_backbone(
            checkpoint.architecture,
            weights=path,
            text_weights=text_weights,
            device=device,
            normalize_pixels=False,
        )
        kept = FeatureStore(own, store, frames=8 if frames is None else frames, resize=RELEASED_RESIZE)
        return head.to(device), kept

    _refuse("only a released checkpoint needs them", path, **settings)
    if is_finetuned(path):
        _refuse("it has its own visual encoder and frames", path, backbone=backbone, frames=frames)
        head, opened, description = load_finetuned(path, weights=weights or text_weights, device=device)
        made_with = description["backbone"]
        kept = FeatureStore(opened, store, frames=made_with["frames"], resize=made_with["resize"])
        return head, kept
    head, description = load_model(path)
    made_with = {"name": description.get("backbone_name")}
    opened = _open_backbone(made_with, path, backbone, weights, text_weights, device)
    _check_weights(description.get("backbone", opened.fingerprint), opened.fingerprint, opened, path)
    kept = FeatureStore(opened, store, frames=8 if frames is None else frames)
    return head.to(device), kept


def _read_support(tensors: dict[str, Tensor], description: dict[str, Any], path: Path) -> Support:
    """What a saved recogniser knows, after everything in its header was looked at."""
    try:
        support = Support(
            tuple(description["classes"]),
            tensors["support"].float(),
            tensors["support_mask"],
            tensors["class_text"].float(),
        )
        frames, resize, made_with = (description[name] for name in ("frames", "resize", "backbone"))
        sound = (
            all(isinstance(name, str) for name in support.classes)
            and description["method"] in (CLIP_SPM, *TRAINING_FREE)
            and is_count(frames, LARGEST_FRAMES)
            and frames == support.features.shape[-2]
            and is_count(resize, LARGEST_RESIZE)
            and support.mask.dtype == torch.bool
            and all(bool(t.isfinite().all()) for t in (support.features, support.class_text))
            and isinstance(made_with["visual_fingerprint"], str)
            and isinstance(made_with["normalize_pixels"], bool)
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError(f"a damaged recogniser ({one_line(error)}): {path}") from None
    if not sound:
        raise CheckpointError(f"a damaged recogniser (its description contradicts itself): {path}")
    return support


def _open_backbone(
    made_with: dict[str, Any],
    path: Path,
    backbone: Backbone | str | None,
    weights: str | Path | None,
    text_weights: str | Path | None,
    device: str | torch.device,
) -> Backbone:
    """The backbone that the caller gives, or what the file was made with where that can be had without a caller."""
    if isinstance(backbone, Backbone):
        _refuse("the Backbone that was given has its own", path, weights=weights, text_weights=text_weights)
        return backbone
    name = backbone
    if name is None:
        name, tag = made_with.get("name"), made_with.get("weights")
        if not isinstance(name, str) or name.startswith(LOCAL_DIR):
            found = f"{name[:80]!r}, a folder somewhere" if isinstance(name, str) else "not said"
            raise CheckpointError(f"give backbone=: the one that the file was made with is {found}: {path}")
        if name != "tiny" and weights is None:
            if tag not in open_clip.list_pretrained_tags_by_model(name):
                raise CheckpointError(
                    f"made with {name[:80]} and weights {repr(tag)[:80]}: give weights= the file they are in: {path}"
                )
            weights = tag
    return load_backbone(
        name,
        weights=weights,
        text_weights=text_weights,
        device=device,
        normalize_pixels=made_with.get("normalize_pixels", True),
    )


def _check_weights(expected: str, found: str, opened: Backbone, path: Path) -> None:
    if found != expected:
        weights = f" with weights {opened.weights}" if opened.weights else ""
        raise CheckpointError(
            f"made with another backbone or other weights than {opened.name}{weights} (fingerprints "
            f"{str(expected)[:12]} and {found[:12]}): give backbone= and weights= that it was made with: {path}"
        )


def _refuse(why: str, path: Path, **settings: Any) -> None:
    """Settings that do not go with the file are a mistake, not something to pass over."""
    given = [name for name, value in settings.items() if value is not None]
    if given:
        raise ValueError(f"{' and '.join(given)}: leave out, {why}: {path}")
