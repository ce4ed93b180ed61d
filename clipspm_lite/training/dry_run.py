"""The dry run: what training will take, from a few measured steps."""

import math
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import torch
from lightning_fabric import Fabric

from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.model.heads import Head
from clipspm_lite.training.loop import training_step
from clipspm_lite.training.settings import TrainingSettings
from clipspm_lite.training.sources import FineTuning, TrainingData, training_source
from clipspm_lite.training.state import TrainingState, check_run, launch


@dataclass(frozen=True)
class Plan:
    """What a run will take, estimated from a few episodes that were trained on and not kept."""

    episodes: int
    steps: int
    trained: dict[str, int]  # numbers of weights, by part
    seconds_per_step: float
    seconds_per_validation: float
    validations: int
    peak_memory: int | None  # bytes per process: of its CUDA GPU, or on the CPU all that it ever held; else None

    @property
    def seconds(self) -> float:
        return self.steps * self.seconds_per_step + self.validations * self.seconds_per_validation

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {count:,}" for name, count in self.trained.items())
        memory = "not on this device" if self.peak_memory is None else f"{self.peak_memory / 2**30:.1f} GiB per process"
        return (
            f"episodes: {self.episodes:,} in {self.steps:,} steps, {self.validations} validations\n"
            f"trained weights: {sum(self.trained.values()):,} ({parts})\n"
            f"peak memory, measured: {memory}\n"
            f"a step, measured: {self.seconds_per_step:.3g} s; a validation: {self.seconds_per_validation:.3g} s\n"
            f"in all, estimated: {timedelta(seconds=math.ceil(self.seconds))} (hours:minutes:seconds)"
        )


def plan(
    model: Head,
    training_data: TrainingData,
    validation_data: TrainingData,
    settings: TrainingSettings,
    *,
    finetuning: FineTuning | None = None,
    device: str | torch.device = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: Any = "32-true",
    measured: int = 3,
) -> Plan:
    """What `train` would take with these arguments, without writing anything; raises what `train` raises.

    Each process trains ``measured`` times, after once to warm up, on what it computes at once: an episode of videos, or
    its share of a step's features. ``model`` and the encoder are changed by it: build them anew for the run.
    """
    check_run(training_data, validation_data, settings)
    source = training_source(training_data, validation_data, finetuning)
    fabric = launch(device, devices, nodes, precision, settings, source)
    at_once = fabric.world_size if source.one_by_one else settings.episodes_per_step
    short = replace(settings, steps=1 + measured, episodes_per_step=at_once)
    state = TrainingState(model, source, short, fabric)
    for group in state.optimizer.param_groups:
        group["initial_lr"] = 0.0  # nothing is learnt: a rate that would diverge takes as long as any other
    batches = state.batches(range(short.steps))
    training_step(state, 0, batches)
    before_steps = _now(fabric)
    for step in range(1, short.steps):
        training_step(state, step, batches)
    before_encoding = _now(fabric)
    videos = sum(validation_data.videos_per_class)
    few_videos, few = min(videos, 16 * fabric.world_size), min(settings.validation_episodes, 20)
    data = source.validation_features(fabric, few_videos)
    before_scoring = _now(fabric)
    evaluate(model, data, way=settings.way, shot=settings.shot, episodes=few, device=fabric.device)
    encoding = (before_scoring - before_encoding) * videos / few_videos
    scoring = (_now(fabric) - before_scoring) * settings.validation_episodes / few
    trained = Counter[str]()
    for name, module in state.modules.items():
        for path, weight in module.named_parameters():
            part = path.split(".")[0] if name == "model" else "visual encoder"
            trained[part] += weight.numel() * weight.requires_grad
    return Plan(
        episodes=settings.steps * settings.episodes_per_step,
        steps=settings.steps,
        trained=dict(+trained),
        seconds_per_step=(before_encoding - before_steps) / measured * math.ceil(settings.episodes_per_step / at_once),
        seconds_per_validation=encoding + scoring,
        validations=math.ceil(settings.steps / settings.validate_every),
        peak_memory=_peak_memory(fabric.device),
    )


def _peak_memory(device: torch.device) -> int | None:
    if device.type == "cpu" and sys.platform != "win32":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def _now(fabric: Fabric) -> float:
    """When all that was asked of every device is done."""
    if fabric.device.type != "cpu":
        torch.accelerator.synchronize()
    fabric.barrier()
    return time.perf_counter()
