"""Episodic training of the head on stored features: validation, best checkpoint, early stop, exact resume.

Device, precision and processes come from Lightning Fabric. It was chosen over Accelerate because it leaves the loop
below ours to read and adds one small package; both would do.
"""

import hashlib
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from tqdm.auto import tqdm

from clipspm_lite.checkpoints import CheckpointError, read_tensors, save_model, write_tensors
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.evaluation import evaluate
from clipspm_lite.features import EncodedDataset
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.presets import EPISODES_PER_STEP

BEST, LAST = "best.safetensors", "last.safetensors"
VALIDATION_SEED = 1_000_003  # validation during training uses a list of episodes of its own


@dataclass(frozen=True)
class TrainingSettings:
    """How a head is trained; the defaults are the paper's (SPEC section 4), for 20,000 episodes.

    Attributes:
        queries: query videos a class in a training episode.
        steps: optimizer steps; each uses ``episodes_per_step`` episodes.
        schedule: learning rate "constant", or "cosine" down to zero over all steps.
        validate_every: steps between two validations.
        validation_episodes: episodes of each validation (same way and shot, one query a class).
        patience: stop after so many validations without a better one; None never stops early.
        seed: of initial weights (see `train`), of the list of episodes, and of dropout in every step.
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
        for name in ("steps", "episodes_per_step", "validate_every", "validation_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, found {getattr(self, name)}")
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


@dataclass(frozen=True)
class TrainingResult:
    """What `train` leaves: the learning curve, and where the best weights on validation lie."""

    history: list[dict[str, float]]
    best_step: int
    best_accuracy: float  # on validation episodes, in per cent
    best_path: Path


def train(
    model: CLIPSPM,
    training_data: EncodedDataset,
    validation_data: EncodedDataset,
    settings: TrainingSettings,
    folder: str | Path,
    *,
    resume: bool = False,
    device: str = "auto",
    precision: Any = "32-true",
    description: dict[str, Any] | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train ``model`` in place and keep the best weights on validation in ``folder``.

    An episode is a function of (seed, index) and dropout one of (seed, step), so a run that was killed continues to
    the same curve with ``resume=True``, bitwise on the CPU. Seed torch before building ``model``: its initial
    weights are the caller's.

    Args:
        folder: gets ``best.safetensors`` (opened by `load_model`) and ``last.safetensors`` (to resume from).
        device: "cpu", "cuda", "mps" or "auto".
        precision: Fabric's, for example "32-true" or "bf16-mixed".
        description: kept in the checkpoints beside the configuration.

    Raises:
        FileExistsError: ``folder`` holds a run and ``resume`` is False; nothing is ever deleted.
        CheckpointError: ``resume`` with other settings, other data or another model than the run's.
        ValueError: data sets that share a class, or cannot make such episodes.
    """
    folder = Path(folder)
    shared = set(training_data.classes) & set(validation_data.classes)
    if shared:
        raise ValueError(
            f"training and validation share classes, which no few-shot result survives: {', '.join(sorted(shared))}"
        )
    if (folder / LAST).exists() and not resume:
        raise FileExistsError(
            f"a training run is already there: choose another folder, or resume it (--resume): {folder / LAST}"
        )
    sampler = EpisodeSampler(
        training_data.videos_per_class,
        way=settings.way,
        shot=settings.shot,
        queries=settings.queries,
        seed=settings.seed,
        class_names=training_data.classes,
    )

    fabric = Fabric(accelerator=device, devices=1, precision=precision)
    optimizer_class = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    bare_optimizer = optimizer_class(
        model.parameters(),
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
    )
    run = {
        "settings": asdict(settings) | {"betas": list(settings.betas)},
        "config": model.config,
        "data": [training_data.fingerprint, validation_data.fingerprint],
    }
    history: list[dict[str, float]] = []
    if resume and (folder / LAST).exists():
        history = _restore(folder / LAST, model, bare_optimizer, run)
    wrapped, optimizer = fabric.setup(model, bare_optimizer)
    wrapped.mark_forward_method("losses")
    features, class_text = (fabric.to_device(t) for t in (training_data.features, training_data.class_text))

    start = int(history[-1]["step"]) if history else 0
    window: list[torch.Tensor] = []
    steps = range(start, settings.steps)
    if history and _out_of_patience(history, settings.patience):
        steps = range(0)
    for step in tqdm(
        steps, initial=start, total=settings.steps, disable=None if progress else True, desc="steps"
    ):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step, settings)
        torch.manual_seed(_step_seed(settings.seed, step))
        first = step * settings.episodes_per_step
        listed = [sampler[first + i] for i in range(settings.episodes_per_step)]
        batch = gather(features, class_text, listed)
        wrapped.train()
        losses = wrapped.losses(batch.support, batch.query, batch.class_text, batch.query_labels)
        total = losses.total.mean() if model.convention.loss_form == "mean" else losses.total.sum()
        fabric.backward(total)
        optimizer.step()
        optimizer.zero_grad()
        correct = (losses.logits.argmax(-1) == batch.query_labels).float().mean()
        window.append(torch.stack([total.detach(), correct]))

        if (step + 1) % settings.validate_every == 0 or step + 1 == settings.steps:
            scored = evaluate(
                model,
                validation_data,
                way=settings.way,
                shot=settings.shot,
                episodes=settings.validation_episodes,
                seed=VALIDATION_SEED,
                device=fabric.device,
            )
            loss, accuracy = torch.stack(window).mean(0).tolist()
            window = []
            history.append(
                {
                    "step": step + 1,
                    "loss": loss,
                    "accuracy": 100 * accuracy,
                    "validation_accuracy": scored.accuracy,
                    "validation_interval": scored.interval,
                }
            )
            if _best(history) is history[-1]:
                save_model(
                    folder / BEST,
                    model,
                    **(description or {}),
                    training=run["settings"],
                    validation={"step": step + 1, "accuracy": scored.accuracy, "interval": scored.interval},
                )
            _save_state(folder / LAST, model, bare_optimizer, run, history)
            if _out_of_patience(history, settings.patience):
                break
    best = _best(history)
    return TrainingResult(history, int(best["step"]), best["validation_accuracy"], folder / BEST)


def _best(history: list[dict[str, float]]) -> dict[str, float]:
    """The first of the validations with the highest accuracy."""
    return max(history, key=lambda entry: entry["validation_accuracy"])


def _out_of_patience(history: list[dict[str, float]], patience: int | None) -> bool:
    return patience is not None and len(history) - 1 - history.index(_best(history)) >= patience


def _schedule(step: int, settings: TrainingSettings) -> float:
    if settings.schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * step / settings.steps)) / 2


def _step_seed(seed: int, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{step}".encode()).digest()[:8], "big") >> 1


def _save_state(
    path: Path,
    model: CLIPSPM,
    optimizer: torch.optim.Optimizer,
    run: dict[str, Any],
    history: list[dict[str, float]],
) -> None:
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    write_tensors(path, tensors, {"kind": "training state", "run": run, "history": history})


def _restore(
    path: Path, model: CLIPSPM, optimizer: torch.optim.Optimizer, run: dict[str, Any]
) -> list[dict[str, float]]:
    tensors, description = read_tensors(path, "training state")
    for name, what in (("settings", "training settings"), ("config", "model"), ("data", "features")):
        if description["run"][name] != run[name]:
            raise CheckpointError(f"resume: the {what} differ from those of the run to continue: {path}")
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return description["history"]
