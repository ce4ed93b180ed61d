"""Several variants of a head, each trained with several seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from clipspm_lite.clip.checkpoints import load_model
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.model.heads import build_head, describe_head
from clipspm_lite.training.loop import train
from clipspm_lite.training.settings import TrainingSettings


def train_variants(
    variants: Mapping[str, Mapping[str, Any]],
    base: EncodedDataset,
    validation: EncodedDataset,
    *,
    seeds: Sequence[int],
    settings: TrainingSettings,
    folder: str | Path,
    description: dict[str, Any] | None = None,
    committed: Mapping[str, Path] | None = None,
) -> dict[str, list[Path]]:
    """Train every variant with every seed, on the CPU; for each name its checkpoints, one per seed.

    A run is kept in ``folder/NAME/seedSEED``, hyphens for spaces, and continued where it is there already.

    Args:
        variants: for each name the arguments of `build_head` beside ``dim``.
        seeds: of the initial weights, each in place of the one in ``settings``.
        description: kept in every checkpoint, as by `train`.
        committed: for some names a checkpoint that is taken for seed 0 instead of a run; raises ValueError where it is
            of another head or other settings.
    """
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds: expected different ones, found {seeds}")
    checkpoints: dict[str, list[Path]] = {name: [] for name in variants}
    for name, config in variants.items():
        for seed in seeds:
            torch.manual_seed(seed)
            head = build_head({"dim": base.features.shape[-1], **config})
            of_seed = replace(settings, seed=seed)
            if seed == 0 and committed is not None and name in committed:
                path = committed[name]
                kept, about = load_model(path)
                if describe_head(kept) != describe_head(head) or about.get("training") != of_seed.as_json():
                    raise ValueError(f"committed: {name} would be trained otherwise than this was: {path}")
            else:
                run = Path(folder) / name.replace(" ", "-") / f"seed{seed}"
                how: dict[str, Any] = dict(resume=True, device="cpu", description=description)
                path = train(head, base, validation, of_seed, run, **how).best_path
            checkpoints[name].append(path)
    return checkpoints
