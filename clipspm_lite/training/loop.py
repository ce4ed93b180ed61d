"""Episodic training, of the head on stored features or end to end from videos: the loop, and one step of it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from clipspm_lite.clip.checkpoints import load_model, save_model
from clipspm_lite.clip.lora import merge, update_size
from clipspm_lite.data.encoded import NO_TEXT, EncodedDataset
from clipspm_lite.data.episodes import EpisodeBatch
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.model.heads import Head, build_head, describe_head
from clipspm_lite.training.settings import TrainingSettings
from clipspm_lite.training.sources import FineTuning, TrainingData, seed_of, training_source
from clipspm_lite.training.state import LAST, History, TrainingState, alone_in, check_run, launch

BEST = "best.safetensors"  # the checkpoint
VALIDATION_SEED = 1_000_003  # of the validation episodes, the same in every run


@dataclass(frozen=True)
class TrainingResult:
    """What `train` leaves: the learning curve, and where the best weights on validation lie."""

    history: History
    best_step: int
    best_accuracy: float  # on validation episodes, in per cent
    best_path: Path


def train(
    model: Head,
    training_data: TrainingData,
    validation_data: TrainingData,
    settings: TrainingSettings,
    folder: str | Path,
    *,
    finetuning: FineTuning | None = None,
    resume: bool = False,
    device: str | torch.device = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: Any = "32-true",
    description: dict[str, Any] | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train ``model`` in place and keep the best weights on validation in ``folder``.

    Seed torch before building ``model``: its first weights are the caller's. It is left in evaluation mode, with those
    of the last step. All chance depends on the seed and the place in the run, so a killed run continues to the same
    curve with ``resume=True``, bitwise on the CPU. Several processes differ by rounding, and in dropout on features.

    Args:
        training_data, validation_data: features for the head alone, or videos with ``finetuning``.
        folder: gets ``best.safetensors``, for `open_checkpoint`, and ``last.safetensors``, to resume from.
        device, devices, nodes: its name, processes on each machine, one per GPU, and machines; all must see ``folder``.
        precision: of the visual encoder that is trained, "32-true", "bf16-mixed", "16-mixed" or "mixed": bf16, but fp16
            on a card that only emulates it. The head's is full: its distances are small differences of large numbers.
        description: kept in the checkpoint beside the configuration, the settings and the number of frames.

    Raises:
        OSError: ``folder`` cannot be written, holds a run to ``resume``, or is another process's (FileExistsError).
        CheckpointError: ``resume`` with other settings, other data or another model than the run's.
        ValueError: data sets that share a class, or cannot make such episodes; an engine that cannot be had.
        VideoError, RuntimeError: a video cannot be read, training diverged; what was saved stays.
    """
    folder = Path(folder)
    check_run(training_data, validation_data, settings, folder, resume=resume)
    source = training_source(training_data, validation_data, finetuning)
    fabric = launch(device, devices, nodes, precision, settings, source)
    state = TrainingState(model, source, settings, fabric)
    with alone_in(folder, fabric):
        history = state.restore(folder / LAST) if (folder / LAST).exists() else []
        state.share_weights()
        _train(state, history, folder, description or {}, progress)
        fabric.barrier()  # no process goes on before the files are there
    if source.lora:
        merge(state.modules["visual"])
    model.eval()
    best = _best(history)
    return TrainingResult(history, int(best["step"]), best["validation_accuracy"], folder / BEST)


def _train(state: TrainingState, history: History, folder: Path, description: dict[str, Any], progress: bool) -> None:
    """The steps that are left, and after every ``validate_every`` of them an entry of ``history`` and the files."""
    settings, fabric = state.settings, state.fabric
    start = int(history[-1]["step"]) if history else 0
    if start != fabric.broadcast(start):
        raise ValueError(f"folder: expected the same for every process, they see different runs: {folder}")
    steps = range(start, start if _out_of_patience(history, settings) else settings.steps)
    batches = state.batches(steps)
    window: list[Tensor] = []  # what the steps since the last validation returned
    hidden = None if progress and fabric.is_global_zero else True
    for step in tqdm(steps, initial=start, total=settings.steps, disable=hidden, desc="steps"):
        window.append(training_step(state, step, batches))
        if step == start and getattr(state.source.training, "class_text", 0) is None and window[0].isnan().any():
            raise ValueError(f"model: {NO_TEXT}")
        if (step + 1) % settings.validate_every and step + 1 < settings.steps:
            continue
        mean = torch.stack(window).mean(0)
        fabric.all_reduce(mean, reduce_op="sum")
        window, (loss, accuracy) = [], mean.tolist()
        if not math.isfinite(loss):
            raise RuntimeError(f"training diverged, the loss is {loss} at step {step + 1}: use a smaller learning rate")
        data = state.source.validation_features(fabric)
        how: dict[str, Any] = dict(way=settings.way, shot=settings.shot, episodes=settings.validation_episodes)
        scored = evaluate(state.model, data, **how, seed=VALIDATION_SEED, device=fabric.device)
        entry = {"step": step + 1, "loss": loss, "accuracy": 100 * accuracy}
        entry |= {"validation_accuracy": scored.accuracy, "validation_interval": scored.interval}
        if state.source.lora:  # B starts at zero: has it moved?
            entry["encoder_update"] = update_size(state.modules["visual"])
        history.append(fabric.broadcast(entry))  # one process's, so that all stop at the same step
        if fabric.is_global_zero:
            if _best(history) is history[-1]:
                validation = {"step": step + 1, "accuracy": scored.accuracy, "interval": scored.interval}
                kept = {"training": settings.as_json(), "validation": validation, **state.source.kept}
                save_model(folder / BEST, state.model, **description | kept)
            state.save(folder / LAST, history)
        if _out_of_patience(history, settings):
            break


def training_step(state: TrainingState, step: int, batches: Iterator[EpisodeBatch]) -> Tensor:
    """One optimizer step; returns this process's share of the step's loss and accuracy (0 … 1), `[2]`."""
    model, settings, fabric = state.model, state.settings, state.fabric
    for group in state.optimizer.param_groups:
        group["lr"] = settings.learning_rate_at(step, group["initial_lr"])
    model.train()
    divisor = {"mean": settings.episodes_per_step, "summed": 1}[model.loss_form]  # a summed loss already has its own
    share = torch.zeros(2, device=fabric.device)
    for places in state.passes:
        of_step = f"{settings.seed}:{step}"  # dropout is drawn from the step and the first of its episodes in this pass
        torch.manual_seed(seed_of(f"{of_step}:{places[0]}" if places[0] else of_step))
        batch = next(batches)
        losses = model.losses(batch.support, batch.query, batch.class_text, batch.query_labels)
        total = losses.total.sum() / divisor
        fabric.backward(total)
        correct = (losses.logits.argmax(-1) == batch.query_labels).float().mean()
        share += torch.stack([total.detach(), correct * (len(places) / settings.episodes_per_step)])
    state.add_up_gradients()
    state.engine_optimizer.step()
    state.engine_optimizer.zero_grad()
    return share


def _best(history: History) -> dict[str, float]:
    """The first of the validations with the highest accuracy."""
    return max(history, key=lambda entry: entry["validation_accuracy"])


def _out_of_patience(history: History, settings: TrainingSettings) -> bool:
    return bool(history) and len(history) - 1 - history.index(_best(history)) >= (settings.patience or math.inf)


def train_variants(
    variants: Mapping[str, Mapping[str, Any]],
    base: EncodedDataset,
    validation: EncodedDataset,
    *,
    seeds: Sequence[int],
    settings: TrainingSettings,
    folder: str | Path,
    device: str | torch.device = "auto",
    description: dict[str, Any] | None = None,
    committed: Mapping[str, Path] | None = None,
) -> dict[str, list[Path]]:
    """Train every variant with every seed; for each name its checkpoints, one per seed.

    ``variants`` holds for each name the arguments of `build_head` beside ``dim``. A run is kept, and continued, in
    ``folder/NAME/seedSEED``. ``committed`` holds checkpoints for seed 0. Raises ValueError.
    """
    checkpoints: dict[str, list[Path]] = {name: [] for name in variants}
    for name, config in variants.items():
        for seed in seeds:
            torch.manual_seed(seed)
            head = build_head({"dim": base.features.shape[-1], **config})
            of_seed = replace(settings, seed=seed)
            path = (committed or {}).get(name) if seed == 0 else None
            if path is not None:
                kept, about = load_model(path)
                if describe_head(kept) != describe_head(head) or about.get("training") != of_seed.as_json():
                    raise ValueError(f"committed: {name} would be trained otherwise than this was: {path}")
            else:
                run = Path(folder) / name.replace(" ", "-") / f"seed{seed}"
                how: dict[str, Any] = dict(resume=True, device=device, description=description)
                path = train(head, base, validation, of_seed, run, **how).best_path
            checkpoints[name].append(path)
    return checkpoints
