"""What a training run changes, how that is saved and resumed bitwise, and its processes, by Lightning Fabric."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from lightning_fabric import Fabric
from torch import Tensor, nn

from clipspm_lite.arguments import check_known, whole_number
from clipspm_lite.data.episodes import EpisodeBatch, EpisodeSampler
from clipspm_lite.data.names import readable
from clipspm_lite.model.heads import Head, describe_head
from clipspm_lite.storage.files import CheckpointError, check_writable, one_line
from clipspm_lite.storage.tensors import read_tensors, write_tensors
from clipspm_lite.threads import pick_device
from clipspm_lite.training.settings import TrainingSettings
from clipspm_lite.training.sources import Source, TrainingData

LAST = "last.safetensors"  # the state after the last validation
LOCK = ".lock"  # an empty file
PRECISIONS = ("32-true", "mixed", "bf16-mixed", "16-mixed")
History = list[dict[str, float]]  # an entry for each validation


def check_run(
    training_data: TrainingData,
    validation_data: TrainingData,
    settings: TrainingSettings,
    folder: str | Path | None = None,
    *,
    resume: bool = False,
) -> None:
    """Refuse what `train` would refuse, before videos are encoded for it; raises what it raises."""
    known = set(map(readable, training_data.classes))
    if shared := [name for name in validation_data.classes if readable(name) in known]:
        raise ValueError(f"validation_data: expected no class of training_data, they share {', '.join(shared)}")
    for data, queries in ((training_data, settings.queries), (validation_data, 1)):
        EpisodeSampler(data.videos_per_class, settings.way, settings.shot, queries, class_names=data.classes)
    if folder is not None:
        last = Path(folder) / LAST
        check_writable(last)
        if last.exists() and not resume:  # nothing is ever deleted
            raise FileExistsError(f"a run is there: choose another folder, or resume it (--resume): {last}")


class TrainingState:
    """The trained modules, their optimizer and the episodes they are trained on, on the engine's device."""

    def __init__(self, model: Head, source: Source, settings: TrainingSettings, fabric: Fabric) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model: expected a torch.nn.Module, found {model!r}")
        check_known("loss_form", model.loss_form, ("mean", "summed"))
        self.model, self.source, self.settings, self.fabric = model, source, settings, fabric
        fabric.to_device(model)
        self.modules: dict[str, nn.Module] = {"model": model, **source.prepare(fabric, settings.seed)}
        self.parameters = [p for module in self.modules.values() for p in module.parameters()]
        optimizer_class = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
        rate = settings.learning_rate
        groups = [{"params": list(module.parameters()), "initial_lr": rate} for module in self.modules.values()]
        if source.lora:
            groups[1]["initial_lr"] = source.lora.learning_rate
        self.optimizer = optimizer_class(groups, rate, settings.betas, weight_decay=settings.weight_decay)
        self.optimizer.zero_grad()  # a backward() of the caller's may have left gradients
        self.engine_optimizer: Any = fabric.setup_optimizers(self.optimizer)
        places = range(fabric.global_rank, settings.episodes_per_step, fabric.world_size)
        # Which of a step's episodes, 0 … episodes_per_step − 1, this process computes; those of one list at once.
        self.passes = [[place] for place in places] if source.one_by_one else [list(places)]
        # What must be the same to continue a run.
        identity = {"settings": settings.as_json(), "config": describe_head(model), **source.identity}
        self.identity = json.loads(json.dumps(identity))

    def batches(self, steps: range) -> Iterator[EpisodeBatch]:
        """The episodes of every pass of these steps."""
        settings, videos = self.settings, self.source.training.videos_per_class
        sampler = EpisodeSampler(videos, settings.way, settings.shot, settings.queries, settings.seed)
        listed = (
            [(index, sampler[index]) for index in (step * settings.episodes_per_step + place for place in places)]
            for step in steps
            for places in self.passes
        )
        return self.source.batches(listed, settings.seed, self.fabric)

    def share_weights(self) -> None:
        """Every process gets the first one's weights."""
        for module in self.modules.values():
            on_cpu = {name: tensor.cpu() for name, tensor in module.state_dict().items()}
            module.load_state_dict(self.fabric.broadcast(on_cpu))

    def add_up_gradients(self) -> None:
        """Every process gets the sum of all: once per step, however many episodes a process has in it."""
        if self.fabric.world_size == 1:
            return
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        sums = torch.cat([g.flatten() for g in gradients])
        self.fabric.all_reduce(sums, reduce_op="sum")
        for gradient, part in zip(gradients, sums.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def save(self, path: Path, history: History) -> None:
        """Write everything that `restore` needs to continue as if nothing had happened."""
        states = {name: module.state_dict() for name, module in self.modules.items()}
        states |= {f"optimizer.{index}": moments for index, moments in self.optimizer.state_dict()["state"].items()}
        tensors = {f"{part}.{name}": tensor for part, state in states.items() for name, tensor in state.items()}
        scaler = self.fabric.strategy.precision.state_dict()  # of fp16's loss
        description = {"kind": "training state", "run": self.identity, "history": history, "scaler": scaler}
        write_tensors(path, tensors, description)

    def restore(self, path: Path) -> History:
        """Take over what `save` wrote and return its history; raises CheckpointError for another run's, or damage."""
        tensors, description = read_tensors(path, "training state")
        saved = description.get("run") or {}
        if differ := [name for name, value in self.identity.items() if saved.get(name) != value]:
            raise CheckpointError(f"resume: {' and '.join(differ)} differ from those of the run there: {path}")
        parts: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = tensor
        try:
            for name, module in self.modules.items():
                module.load_state_dict(parts[name])
            state = self.optimizer.state_dict()
            for key, tensor in parts.get("optimizer", {}).items():
                index, _, name = key.partition(".")
                state["state"].setdefault(int(index), {})[name] = tensor
            self.optimizer.load_state_dict(state)
            self.fabric.strategy.precision.load_state_dict(description.get("scaler", {}))
            return description["history"]
        except (KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"resume: damaged ({one_line(error)}); start in another folder: {path}") from None


def pick_precision(precision: str, device: str | torch.device) -> str:
    """A precision; "mixed" is bf16, but fp16 on a CUDA card that only emulates bf16, such as a T4."""
    no_bf16 = pick_device(device).type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return ("16-mixed" if no_bf16 else "bf16-mixed") if precision == "mixed" else precision


def launch(device: Any, devices: Any, nodes: int, precision: Any, settings: TrainingSettings, source: Source) -> Fabric:
    """The engine with its processes running; raises ValueError where it cannot be had."""
    check_known("precision", precision, PRECISIONS if source.one_by_one else PRECISIONS[:1])
    whole_number("devices times nodes, which share a step's episodes", devices * nodes, 1, settings.episodes_per_step)
    precision, device = pick_precision(precision, device), pick_device(device)
    devices = devices if device.index is None else [device.index]
    fabric = Fabric(accelerator=device.type, devices=devices, num_nodes=nodes, precision=precision)
    fabric.launch()
    if device.type == "cuda":  # so that `plan` measures its own
        torch.cuda.reset_peak_memory_stats(fabric.device)
    return fabric


@contextmanager
def alone_in(folder: Path, fabric: Fabric) -> Iterator[None]:
    """The folder is this run's until the block or the process ends; raises FileExistsError where it is another's."""
    folder.mkdir(parents=True, exist_ok=True)
    lock, free = FileLock(folder / LOCK), True
    try:
        if fabric.is_global_zero:
            lock.acquire(blocking=False)
    except Timeout:
        free = False
    except (OSError, NotImplementedError) as error:  # Timeout is an OSError too
        warnings.warn(f"no locks here ({error}): start no second training into this folder: {folder}", stacklevel=3)
    if not fabric.broadcast(free):
        raise FileExistsError(f"another process trains into this folder (if not, delete {LOCK} in it): {folder}")
    try:
        yield
    finally:
        lock.release()
