"""Opening a recogniser: `clipspm_lite.load`."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipspm_lite.clip.backbone import Backbone
from clipspm_lite.clip.checkpoints import checkpoint_kind, open_checkpoint, open_store, restore_head
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.recognition.recogniser import HEAD, KIND, Recogniser, Support
from clipspm_lite.storage.files import CheckpointError, one_line
from clipspm_lite.storage.tensors import read_tensors


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
    """Open a recogniser, or a trained head as one: ours, a fine-tuned one, or the authors' released checkpoint.

    A saved recogniser knows its actions, a head knows none until `Recogniser.with_support`. Printing the result says
    what was opened. No kind of file runs code.

    Args:
        path: what `Recogniser.save` wrote, or what `open_checkpoint` opens; the other arguments are as there.

    Raises:
        CheckpointError, ValueError, FileNotFoundError, RuntimeError: as `open_checkpoint`.
    """
    if checkpoint_kind(path) != KIND:
        opened = open_checkpoint(
            path,
            backbone=backbone,
            weights=weights,
            text_weights=text_weights,
            dataset=dataset,
            prompt_weight=prompt_weight,
            gate_slope=gate_slope,
            frames=frames,
            device=device,
            store=store,
        )
        return Recogniser(opened.head, opened.store)
    tensors, description = read_tensors(path, KIND)
    support = _read_support(tensors, description, path)
    method = description["method"]
    if method not in TRAINING_FREE:
        of_head = {name.removeprefix(HEAD): t for name, t in tensors.items() if name.startswith(HEAD)}
        method = restore_head(description.get("head"), of_head, path).to(device)
    made_with = description | description["backbone"]
    kept = open_store(made_with, path, {}, backbone, weights, text_weights, frames, device, store)
    return Recogniser(method, kept, support)


def _read_support(
    tensors: dict[str, Tensor], description: dict[str, Any], path: str | os.PathLike
) -> Support:
    """What a saved recogniser knows, after a look at the rest of its header."""
    try:
        support = Support(
            tuple(description["classes"]),
            tensors["support"].float(),
            tensors["support_mask"],
            tensors["class_text"].float(),
        )
        known = (
            description["backbone"]["visual_fingerprint"] and description["method"] and description["resize"]
        )
        if not known or description["frames"] != support.features.shape[-2]:
            raise ValueError("its description contradicts itself")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise CheckpointError(f"a damaged recogniser ({one_line(error)}): {path}") from None
    return support
