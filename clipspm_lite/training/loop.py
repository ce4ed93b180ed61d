"""Episodic training, of the head on stored features or end to end from videos: validation, best checkpoint, early
stop, exact resume, several processes, and a dry run that says what a run will take.

Devices, processes and precision come from Lightning Fabric. It was chosen over Accelerate because it leaves the loop
below ours to read and adds one small package; both would do. Gradients are added up over processes here and not by
DistributedDataParallel: once a step, however many episodes it has and whichever of the weights they reach, and so that
processes may have different numbers of episodes.
"""

import hashlib
import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock, Timeout
from lightning_fabric import Fabric
from tqdm.auto import tqdm

from clipspm_lite.arguments import check_known, whole_number
from clipspm_lite.clip.checkpoints import CheckpointError, save_finetuned, save_model
from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import EpisodeBatch, EpisodeSampler
from clipspm_lite.data.names import readable
from clipspm_lite.evaluation.scoring import Evaluation, evaluate
from clipspm_lite.model.heads import Head, describe_head
from clipspm_lite.model.presets import EPISODES_PER_STEP
from clipspm_lite.storage.files import check_writable, one_line
from clipspm_lite.storage.tensors import read_tensors, write_tensors
from clipspm_lite.training.sources import FeatureSource, FineTuning, Listed, VideoSource

BEST, LAST = "best.safetensors", "last.safetensors"
LOCK = ".lock"  # an empty file
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
VALIDATION_SEED = 1_000_003  # validation during training uses a list of episodes of its own


@dataclass(frozen=True)
class TrainingSettings:
    """How training goes; the defaults are the paper's (SPEC section 4), for 20,000 episodes.

    Attributes:
        queries: query videos a class in a training episode.
        steps: optimizer steps; each uses ``episodes_per_step`` episodes.
        schedule: learning rate "constant", or "cosine" down to zero over all steps.
        validate_every: steps between two validations.
        validation_episodes: episodes of each validation (same way and shot, one query a class).
        patience: stop after so many validations without a better one; None never stops early.
        seed: of initial weights (see `train`), of the list of episodes, of how their videos are cut, and of dropout in
            every step.
    """

    way: int = 5
    shot: int = 1
    queries: int = 4
    steps: int = 1250
    episodes_per_step: int = EPISODES_PER_STEP
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = 1e-5
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 5e-5 / 20
    schedule: Literal["constant", "cosine"] = "constant"
    validate_every: int = 62
    validation_episodes: int = 500
    patience: int | None = None
    seed: int = 6

    def __post_init__(self) -> None:
        counts = (
            "way",
            "shot",
            "queries",
            "steps",
            "episodes_per_step",
            "validate_every",
            "validation_episodes",
        )
        for name in counts if self.patience is None else (*counts, "patience"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name)))
        for name in ("learning_rate", "weight_decay"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
                raise ValueError(f"{name}: expected a finite number from 0 on, found {value!r}")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas: expected two numbers in 0 … 1, found {self.betas}")
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0, 2**63 - 1))
        if self.optimizer not in ("adam", "adamw"):
            raise ValueError(f'optimizer: expected "adam" or "adamw", found {self.optimizer!r}')
        if self.schedule not in ("constant", "cosine"):
            raise ValueError(f'schedule: expected "constant" or "cosine", found {self.schedule!r}')
        object.__setattr__(self, "betas", tuple(self.betas))


TRAINING_PRESETS = {
    "paper": TrainingSettings(),
    # The released loss is a sum where the default is a mean, so its coupled decay is 20 times larger.
    "released": TrainingSettings(weight_decay=5e-5),
    "lite": TrainingSettings(
        queries=2,
        steps=400,
        episodes_per_step=8,
        optimizer="adamw",
        learning_rate=1e-3,
        betas=(0.9, 0.999),
        weight_decay=1e-2,
        schedule="cosine",
        validate_every=100,
        seed=0,
    ),
}


def preset_settings(preset: str, benchmark: str | None = None) -> TrainingSettings:
    """A preset's settings for a benchmark (SPEC section 4), or for other data. They are the same for every backbone.

    The paper's 20,000 episodes are 1,250 steps of 16, and a validation every 1,000 of them is one every 62 steps.
    SSv2-Full has 100,000 episodes and a learning rate and weight decay of its own.

    Raises:
        ValueError: no such preset or benchmark.
    """
    check_known("preset", preset, TRAINING_PRESETS)
    if benchmark is not None:
        check_known("benchmark", benchmark, BENCHMARKS)
    settings = TRAINING_PRESETS[preset]
    if benchmark != "ssv2_full" or preset == "lite":
        return settings
    ratio = settings.weight_decay / TRAINING_PRESETS["released"].weight_decay
    return replace(settings, steps=6250, learning_rate=1.6e-5, weight_decay=9.7e-4 * ratio)


@dataclass(frozen=True)
class TrainingResult:
    """What `train` leaves: the learning curve, and where the best weights on validation lie."""

    history: list[dict[str, float]]
    best_step: int
    best_accuracy: float  # on validation episodes, in per cent
    best_path: Path


@dataclass(frozen=True)
class Plan:
    """What a run will take, estimated from a few episodes that were trained on and not kept.

    Attributes:
        trained: numbers of trained weights, by part.
        peak_memory: bytes, of each process: of its GPU, or all of its memory on a CPU; None where it is not known.
    """

    episodes: int
    steps: int
    processes: int
    trained: dict[str, int]
    seconds_per_step: float
    seconds_per_validation: float
    validations: int
    peak_memory: int | None

    @property
    def seconds(self) -> float:
        return self.steps * self.seconds_per_step + self.validations * self.seconds_per_validation

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {count:,}" for name, count in self.trained.items())
        memory = (
            "not known here" if self.peak_memory is None else f"{self.peak_memory / 2**30:.1f} GiB a process"
        )
        return (
            f"episodes: {self.episodes:,} in {self.steps:,} steps, {self.validations} validations\n"
            f"trained weights: {sum(self.trained.values()):,} ({parts})\n"
            f"peak memory, measured: {memory}\n"
            f"a step, measured: {self.seconds_per_step:.3g} s on {self.processes} process(es); "
            f"a validation: {self.seconds_per_validation:.3g} s\n"
            f"in all, estimated: {_duration(self.seconds)}"
        )


def train(
    model: Head,
    training_data: EncodedDataset | VideoDataset,
    validation_data: EncodedDataset | VideoDataset,
    settings: TrainingSettings,
    folder: str | Path,
    *,
    finetuning: FineTuning | None = None,
    resume: bool = False,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: Any = "32-true",
    description: dict[str, Any] | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train ``model`` in place and keep the best weights on validation in ``folder``.

    An episode is a function of (seed, index), how its videos are cut one of (seed, index, place in it), and dropout one
    of (seed, step, place in the step), so a run that was killed continues to the same curve with ``resume=True``,
    bitwise on the CPU. Seed torch before building ``model``: its initial weights are the caller's.

    Several processes share the episodes of a step and add up their gradients, so the result is one process's up to
    rounding: with ``finetuning`` always, as its episodes are computed one by one; on stored features with dropout 0,
    because there a process draws dropout for all its episodes of a step at once. Fabric starts the processes on this
    machine by running the script again (so guard nothing but this call), and takes part in what torchrun or SLURM
    started. ``folder`` must be one that all of them see.

    Args:
        training_data, validation_data: features for the head alone, or videos with ``finetuning``.
        folder: gets ``best.safetensors`` (opened by `open_checkpoint`) and ``last.safetensors`` (to
            resume from).
        finetuning: trains the visual encoder too.
        device: "cpu", "cuda", "mps" or "auto".
        devices, nodes: processes on each machine, one a GPU, and machines.
        precision: of the visual encoder that is trained, "32-true", "bf16-mixed" or "16-mixed". The head computes in
            full precision always: its distances are small differences of large numbers.
        description: kept in the checkpoints beside the configuration.

    Raises:
        FileExistsError: ``folder`` holds a run and ``resume`` is False, as nothing is ever deleted; or another process
            is training into it.
        OSError: ``folder`` cannot be written.
        CheckpointError: ``resume`` with other settings, other data or another model than the run's.
        VideoError: a video cannot be read. What the last validation saved is kept.
        ValueError: data sets that share a class, or cannot make such episodes; an engine that cannot be had.
        RuntimeError: training diverged.
    """
    folder = Path(folder)
    _check_head(model)
    check_run(training_data, validation_data, settings, folder, resume=resume)
    engine: dict[str, Any] = dict(device=device, devices=devices, nodes=nodes, precision=precision)
    check_engine(settings, finetuning is not None, **engine)
    source = _source(training_data, validation_data, finetuning)
    fabric = _launch(**engine)
    with _alone_in(folder, fabric):
        check_run(training_data, validation_data, settings, folder, resume=resume)  # another may have ended
        run = _Run(model, source, settings, fabric)
        identity: dict[str, Any] = {
            "settings": asdict(settings) | {"betas": list(settings.betas)},
            "config": describe_head(model),
            "data": source.fingerprints,
        }
        if source.encoding is not None:
            identity["encoding"] = source.encoding | {"precision": precision}
        history: list[dict[str, float]] = []
        if resume and (folder / LAST).exists():
            history = run.restore(folder / LAST, identity)
        if len(history) != fabric.broadcast(len(history)):
            raise ValueError(
                f"resume: process {fabric.global_rank} sees another {LAST}; share the folder: {folder}"
            )
        run.synchronize()

        start = int(history[-1]["step"]) if history else 0
        window: list[torch.Tensor] = []
        steps = range(start, settings.steps)
        if history and _out_of_patience(history, settings.patience):
            steps = range(0)
        batches = run.batches(steps)
        hidden = None if progress and fabric.is_global_zero else True
        for step in tqdm(steps, initial=start, total=settings.steps, disable=hidden, desc="steps"):
            window.append(run.step(step, batches))

            if (step + 1) % settings.validate_every == 0 or step + 1 == settings.steps:
                mean = torch.stack(window).mean(0)
                fabric.all_reduce(mean, reduce_op="sum")
                loss, accuracy = mean.tolist()
                if not math.isfinite(loss):
                    raise RuntimeError(
                        f"training diverged, its loss is {loss} before step {step + 1}: use a smaller learning rate; "
                        f"what was best before that is kept: {folder}"
                    )
                window = []
                scored = run.validate()
                entry = {
                    "step": step + 1,
                    "loss": loss,
                    "accuracy": 100 * accuracy,
                    "validation_accuracy": scored.accuracy,
                    "validation_interval": scored.interval,
                }
                history.append(fabric.broadcast(entry))  # one process's, so that all stop at the same step
                if fabric.is_global_zero:
                    if _best(history) is history[-1]:
                        kept: dict[str, Any] = {
                            **(description or {}),
                            "training": identity["settings"],
                            "validation": {
                                "step": step + 1,
                                "accuracy": scored.accuracy,
                                "interval": scored.interval,
                            },
                        }
                        _save_best(folder / BEST, model, finetuning, kept)
                    run.save(folder / LAST, identity, history)
                if _out_of_patience(history, settings.patience):
                    break
        fabric.barrier()  # no process goes on before the files are there
    best = _best(history)
    return TrainingResult(history, int(best["step"]), best["validation_accuracy"], folder / BEST)


def _check_head(model: object) -> None:
    """Raises TypeError or ValueError where a module of one's own lacks what `train` asks of a head."""
    kind = model.__name__ if isinstance(model, type) else type(model).__name__
    if not isinstance(model, torch.nn.Module):
        made = f"; make one of the class: {kind}(…)" if isinstance(model, type) else ""
        raise TypeError(
            f"model: expected a torch.nn.Module, found {'the class ' if made else ''}{kind}{made}"
        )
    lacking = [name for name in ("losses", "loss_form", "config") if not hasattr(model, name)]
    if lacking:
        raise TypeError(
            f"model: {kind} has no {', no '.join(lacking)}; to be trained a module needs losses(support, query, "
            'class_text, query_labels), loss_form = "mean" and a config for its checkpoint'
        )
    if model.loss_form not in ("mean", "summed"):
        raise ValueError(f'loss_form: expected "mean" or "summed", found {model.loss_form!r}')
    try:
        json.dumps(describe_head(model))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"config: expected numbers, strings, lists and dicts, which go into a checkpoint: {error}"
        ) from None
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(
            f"model: {kind} has no weights to train; set them in __init__ as modules or nn.Parameters, not frozen"
        )


def _check_losses(losses: Any, batch: EpisodeBatch, model: object) -> None:
    kind = type(model).__name__
    if not all(isinstance(getattr(losses, name, None), torch.Tensor) for name in ("total", "logits")):
        raise TypeError(
            f"{kind}.losses: expected something with .total [B] and .logits [B, Q, N] back, for example "
            f"cross_entropy_losses(logits, query_labels), found {type(losses).__name__}"
        )
    expected = (*batch.query_labels.shape, batch.class_text.shape[-2])
    if tuple(losses.logits.shape) != expected:
        raise ValueError(
            f"{kind}.losses: expected logits [B, Q, N] = {expected}, found {tuple(losses.logits.shape)}"
        )
    if not losses.total.requires_grad:
        raise ValueError(
            f"{kind}.losses: no gradient reaches a weight from .total: is there a detach, no_grad or argmax on the way?"
        )


def plan(
    model: Head,
    training_data: EncodedDataset | VideoDataset,
    validation_data: EncodedDataset | VideoDataset,
    settings: TrainingSettings,
    *,
    finetuning: FineTuning | None = None,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: Any = "32-true",
    measured: int = 3,
) -> Plan:
    """What `train` would take with these arguments, without writing anything.

    ``measured`` times, after once to warm up, each process computes what it computes at once (one episode of videos, or
    its share of a step's features) and updates the weights; a few validation videos are encoded. ``model`` and the
    encoder are changed by it: build them anew for the run.

    Raises:
        ValueError, VideoError: as `train`.
    """
    _check_head(model)
    check_run(training_data, validation_data, settings)
    engine: dict[str, Any] = dict(device=device, devices=devices, nodes=nodes, precision=precision)
    check_engine(settings, finetuning is not None, **engine)
    source = _source(training_data, validation_data, finetuning)
    fabric = _launch(**engine)
    at_once = fabric.world_size if source.one_by_one else settings.episodes_per_step
    # Nothing is learnt: a learning rate that would diverge takes as long as any other.
    short = replace(settings, steps=1 + measured, episodes_per_step=at_once, learning_rate=0.0)
    run = _Run(model, source, short, fabric)
    run.synchronize()
    batches = run.batches(range(short.steps))
    run.step(0, batches)
    _finish(fabric)
    started = time.perf_counter()
    for step in range(1, short.steps):
        run.step(step, batches)
    _finish(fabric)
    passes = math.ceil(settings.episodes_per_step / at_once)
    seconds_per_step = passes * (time.perf_counter() - started) / measured

    videos = sum(validation_data.videos_per_class)
    encoded = min(videos, 16 * fabric.world_size)
    started = time.perf_counter()
    data = source.validation_features(fabric, encoded)
    _finish(fabric)
    encoding = (time.perf_counter() - started) * videos / encoded
    episodes = min(settings.validation_episodes, 20)
    started = time.perf_counter()
    evaluate(model, data, way=settings.way, shot=settings.shot, episodes=episodes, device=fabric.device)
    scoring = (time.perf_counter() - started) * settings.validation_episodes / episodes

    trained = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    trained["motion loss weight"] = sum(p.numel() for p in model.parameters(recurse=False))
    if finetuning is not None:
        trained["visual encoder"] = sum(p.numel() for p in finetuning.backbone.clip.visual.parameters())
    return Plan(
        episodes=settings.steps * settings.episodes_per_step,
        steps=settings.steps,
        processes=fabric.world_size,
        trained={name: count for name, count in trained.items() if count},
        seconds_per_step=seconds_per_step,
        seconds_per_validation=encoding + scoring,
        validations=math.ceil(settings.steps / settings.validate_every),
        peak_memory=_peak_memory(fabric.device),
    )


def check_run(
    training_data: EncodedDataset | VideoDataset,
    validation_data: EncodedDataset | VideoDataset,
    settings: TrainingSettings,
    folder: str | Path | None = None,
    *,
    resume: bool = False,
) -> None:
    """Refuse, before any long work, what `train` would refuse; raises what it raises."""
    known = set(map(readable, training_data.classes))
    if shared := [name for name in validation_data.classes if readable(name) in known]:
        raise ValueError(
            f"training and validation share classes, which no few-shot result survives: {', '.join(sorted(shared))}"
        )
    if folder is not None and (Path(folder) / LAST).exists() and not resume:
        raise FileExistsError(
            "a training run is already there: choose another folder, or resume it (resume=True; --resume): "
            f"{Path(folder) / LAST}"
        )
    if folder is not None:
        check_writable(Path(folder) / LAST)
    for data, queries in ((training_data, settings.queries), (validation_data, 1)):
        EpisodeSampler(data.videos_per_class, settings.way, settings.shot, queries, class_names=data.classes)


def _source(
    training_data: EncodedDataset | VideoDataset,
    validation_data: EncodedDataset | VideoDataset,
    finetuning: FineTuning | None,
) -> FeatureSource | VideoSource:
    if isinstance(training_data, EncodedDataset) and isinstance(validation_data, EncodedDataset):
        if finetuning is None:
            return FeatureSource(training_data, validation_data)
        raise ValueError("finetuning trains from videos: give two VideoDatasets, not their features")
    if isinstance(training_data, VideoDataset) and isinstance(validation_data, VideoDataset):
        if finetuning is not None:
            return VideoSource(training_data, validation_data, finetuning)
        raise ValueError("a head alone trains on features: encode the videos first, or give finetuning=")
    raise ValueError("training_data and validation_data: give two EncodedDatasets, or two VideoDatasets")


def check_engine(
    settings: TrainingSettings,
    finetuning: bool,
    *,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: Any = "32-true",
) -> None:
    """Refuse, before any long work, an engine that `train` cannot have; raises ValueError."""
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise ValueError(f'device: expected "auto", "cpu", "cuda" or "mps", found {device!r}')
    check_known("precision", precision, PRECISIONS)
    if not finetuning and precision != "32-true":
        raise ValueError(
            f"precision: the head trains in 32-true; {precision!r} is for fine-tuning an encoder"
        )
    devices, nodes = whole_number("devices", devices), whole_number("nodes", nodes)
    if devices * nodes > settings.episodes_per_step:
        raise ValueError(
            f"{devices * nodes} processes share the {settings.episodes_per_step} episodes of a step, and each needs "
            "one: use fewer devices, or more episodes a step"
        )
    if precision == "16-mixed" and (device == "cpu" or (device == "auto" and not torch.cuda.is_available())):
        raise ValueError('precision: "16-mixed" needs a GPU; use "bf16-mixed" or "32-true" on a CPU')
    if device == "cuda" and devices > torch.cuda.device_count():
        raise ValueError(f"devices: {devices} GPUs asked for, found {torch.cuda.device_count()}")


def _launch(device: str, devices: int, nodes: int, precision: Any) -> Fabric:
    """The engine, with its processes running."""
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=nodes, precision=precision)
    fabric.launch()
    return fabric


@contextmanager
def _alone_in(folder: Path, fabric: Fabric) -> Iterator[None]:
    """The folder is this run's until the block or the process ends; raises FileExistsError where it is another's."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    free = True
    if fabric.is_global_zero:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            free = False
    if not fabric.broadcast(free):
        raise FileExistsError(
            f"another process is training into this folder: wait for it, or choose another; if there is none, delete "
            f"{folder / LOCK}"
        )
    try:
        yield
    finally:
        lock.release()


class _Run:
    """What is trained, on an engine: the same steps for a run and a dry run."""

    def __init__(
        self, model: Head, source: FeatureSource | VideoSource, settings: TrainingSettings, fabric: Fabric
    ) -> None:
        self.model, self.source, self.settings, self.fabric = model, source, settings, fabric
        fabric.to_device(model)
        self.modules: dict[str, torch.nn.Module] = {"model": model, **source.prepare(fabric)}
        self.parameters = [p for module in self.modules.values() for p in module.parameters()]
        optimizer_class = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = optimizer_class(
            self.parameters,
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )
        self.engine_optimizer: Any = fabric.setup_optimizers(self.optimizer)
        # The places in a step whose episodes this process takes, and which of them it computes at once.
        places = range(fabric.global_rank, settings.episodes_per_step, fabric.world_size)
        self.passes = [[place] for place in places] if source.one_by_one else [list(places)]
        self.sampler = EpisodeSampler(
            source.training.videos_per_class,
            way=settings.way,
            shot=settings.shot,
            queries=settings.queries,
            seed=settings.seed,
            class_names=source.training.classes,
        )

    def batches(self, steps: range) -> Iterator[EpisodeBatch]:
        """This process's episodes, pass after pass."""

        def listed() -> Iterator[Listed]:
            for step in steps:
                first = step * self.settings.episodes_per_step
                for places in self.passes:
                    yield [(first + place, self.sampler[first + place]) for place in places]

        return self.source.batches(listed(), self.settings.seed, self.fabric)

    def step(self, step: int, batches: Iterator[EpisodeBatch]) -> torch.Tensor:
        """One optimizer step; this process's share of its loss and accuracy (0 … 1), `[2]`."""
        episodes = self.settings.episodes_per_step
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * _schedule(step, self.settings)
        self.model.train()
        shares = torch.zeros(2, device=self.fabric.device)
        for places in self.passes:
            torch.manual_seed(_pass_seed(self.settings.seed, step, places[0]))
            batch = next(batches)
            losses = self.model.losses(batch.support, batch.query, batch.class_text, batch.query_labels)
            _check_losses(losses, batch, self.model)
            total = losses.total.sum()
            if self.model.loss_form == "mean":
                total = total / episodes
            self.fabric.backward(total)
            correct = (losses.logits.argmax(-1) == batch.query_labels).float().mean()
            shares += torch.stack([total.detach(), correct * (len(places) / episodes)])
        self._add_up_gradients()
        self.engine_optimizer.step()
        self.engine_optimizer.zero_grad()
        return shares

    def _add_up_gradients(self) -> None:
        if self.fabric.world_size == 1:
            return
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        sums = torch.cat([g.flatten() for g in gradients])
        self.fabric.all_reduce(sums, reduce_op="sum")
        for gradient, part in zip(gradients, sums.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def synchronize(self) -> None:
        """Every process goes on with the first one's weights."""
        if self.fabric.world_size == 1:
            return
        with torch.no_grad():
            for tensor in (t for module in self.modules.values() for t in module.state_dict().values()):
                if not self.fabric.is_global_zero:
                    tensor.zero_()
                first = tensor.contiguous()
                self.fabric.all_reduce(first, reduce_op="sum")
                tensor.copy_(first)

    def validate(self) -> Evaluation:
        """Accuracy of the weights of this moment on the validation episodes."""
        return evaluate(
            self.model,
            self.source.validation_features(self.fabric),
            way=self.settings.way,
            shot=self.settings.shot,
            episodes=self.settings.validation_episodes,
            seed=VALIDATION_SEED,
            device=self.fabric.device,
        )

    def save(self, path: Path, identity: dict[str, Any], history: list[dict[str, float]]) -> None:
        """Everything that `restore` needs to go on as if nothing had happened."""
        tensors = {
            f"{name}.{key}": tensor
            for name, module in self.modules.items()
            for key, tensor in module.state_dict().items()
        }
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
        description = {"kind": "training state", "run": identity, "history": history}
        if (
            scaler := self.fabric.strategy.precision.state_dict()
        ):  # of fp16's loss; nothing for other precisions
            description["scaler"] = scaler
        write_tensors(path, tensors, description)

    def restore(self, path: Path, identity: dict[str, Any]) -> list[dict[str, float]]:
        """Take up what `save` wrote, and give its history."""
        tensors, description = read_tensors(path, "training state")
        what = {
            "settings": "training settings",
            "config": "model",
            "encoding": "encoder, videos' frames or precision",
        }
        what["data"] = "videos" if self.source.one_by_one else "features"
        for name, meaning in what.items():
            if (description.get("run") or {}).get(name) != identity.get(name):
                raise CheckpointError(
                    f"resume: the {meaning} differ from those of the run to continue: {path}"
                )
        try:
            for name, module in self.modules.items():
                module.load_state_dict(
                    {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
                )
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, tensor in tensors.items():
                if key.startswith("optimizer."):
                    _, index, name = key.split(".")
                    state.setdefault(int(index), {})[name] = tensor
            groups = self.optimizer.state_dict()["param_groups"]
            self.optimizer.load_state_dict({"state": state, "param_groups": groups})
            self.fabric.strategy.precision.load_state_dict(description.get("scaler", {}))
            history: list[dict[str, float]] = description["history"]
            if not 1 <= history[-1]["step"] <= self.settings.steps or not all(
                isinstance(entry["validation_accuracy"], float) for entry in history
            ):
                raise ValueError("its history is none")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
            raise CheckpointError(
                f"resume: a damaged training state ({one_line(error)}); start anew in another folder: {path}"
            ) from None
        return history


def _save_best(path: Path, model: Head, finetuning: FineTuning | None, kept: dict[str, Any]) -> None:
    if finetuning is None:
        save_model(path, model, **kept)
    else:
        assert finetuning.resize is not None  # FineTuning fills it in
        save_finetuned(
            path, model, finetuning.backbone, frames=finetuning.frames, resize=finetuning.resize, **kept
        )


def _best(history: list[dict[str, float]]) -> dict[str, float]:
    """The first of the validations with the highest accuracy."""
    return max(history, key=lambda entry: entry["validation_accuracy"])


def _out_of_patience(history: list[dict[str, float]], patience: int | None) -> bool:
    return patience is not None and len(history) - 1 - history.index(_best(history)) >= patience


def _schedule(step: int, settings: TrainingSettings) -> float:
    if settings.schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * step / settings.steps)) / 2


def _pass_seed(seed: int, step: int, place: int) -> int:
    """What dropout is drawn from in a pass: its step and the place in it of the first of its episodes."""
    key = f"{seed}:{step}:{place}" if place else f"{seed}:{step}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 1


def _finish(fabric: Fabric) -> None:
    """Wait for all that was asked of every device."""
    if fabric.device.type == "cuda":
        torch.cuda.synchronize(fabric.device)
    fabric.barrier()


def _peak_memory(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type != "cpu" or sys.platform == "win32":
        return None
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
