"""Opening a recogniser: `clipspm_lite.load`."""

import os
from pathlib import Path
from typing import Any

import torch

from clipspm_lite.clip.backbone import Backbone
from clipspm_lite.clip.checkpoints import checkpoint_kind, open_checkpoint, open_store, restore_head
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.recognition.recogniser import HEAD, RECOGNISER, Recogniser, Support
from clipspm_lite.storage.files import CheckpointError, one_line
from clipspm_lite.storage.tensors import read_tensors
from clipspm_lite.threads import pick_device


def load(
    path: str | os.PathLike,
    *,
    head: Any = None,
    backbone: Backbone | str | None = None,
    weights: str | Path | None = None,
    text_weights: str | Path | None = None,
    dataset: str | None = None,
    prompt_weight: float | None = None,
    gate_slope: float | None = None,
    frames: int | None = None,
    device: str | torch.device = "auto",
    store: str | Path | None = None,
) -> Recogniser:
    """Open a recogniser, or a trained head as one: ours, a fine-tuned one, or the authors' released checkpoint.

    A saved recogniser knows its actions, a head knows none until `Recogniser.with_support`. ``path`` is what
    `Recogniser.save` wrote, or what `open_checkpoint` opens; the other arguments and the errors are as there.
    """
    encoder: Any = dict(backbone=backbone, weights=weights, text_weights=text_weights, device=device, store=store)
    if checkpoint_kind(path) != RECOGNISER:
        released: Any = dict(dataset=dataset, prompt_weight=prompt_weight, gate_slope=gate_slope)
        opened = open_checkpoint(path, head=head, frames=frames, **encoder, **released)
        return Recogniser(opened.head, opened.store)
    tensors, description = read_tensors(path, RECOGNISER)
    try:
        features, class_text = tensors["support"].float(), tensors["class_text"].float()
        support = Support(tuple(description["classes"]), features, tensors["support_mask"], class_text)
        method: Any = str(description["method"])
        made_with = {key: description[key] for key in ("frames", "resize")} | description["backbone"]
        made_with["visual_fingerprint"] = str(made_with["visual_fingerprint"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise CheckpointError(f"a damaged recogniser ({one_line(error)}): {path}") from None
    if method not in TRAINING_FREE or description.get("head"):
        of_head = {name.removeprefix(HEAD): t for name, t in tensors.items() if name.startswith(HEAD)}
        method = restore_head(description.get("head"), of_head, path, head).to(pick_device(device))
    frames = features.shape[-2] if frames is None else frames
    return Recogniser(method, open_store(made_with, path, {}, frames=frames, **encoder), support)
