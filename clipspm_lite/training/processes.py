"""Devices and processes through Lightning Fabric, and a folder for one run at a time.

Fabric leaves the loop to us. Gradients are added up here and not by DistributedDataParallel: once per step, however
many episodes a process has in it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from lightning_fabric import Fabric

from clipspm_lite.arguments import check_known, whole_number
from clipspm_lite.training.settings import TrainingSettings

LOCK = ".lock"  # an empty file
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def launch(
    device: str, devices: int, nodes: int, precision: Any, settings: TrainingSettings, finetuning: bool
) -> Fabric:
    """The engine with its processes running; raises ValueError where it cannot be had."""
    check_known("precision", precision, PRECISIONS if finetuning else PRECISIONS[:1])
    whole_number("devices times nodes, which share a step's episodes", devices * nodes, 1, settings.episodes_per_step)
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=nodes, precision=precision)
    fabric.launch()
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
    if not fabric.broadcast(free):
        raise FileExistsError(f"another process trains into this folder (if not, delete {LOCK} in it): {folder}")
    try:
        yield
    finally:
        lock.release()


def share_weights(modules: Iterable[torch.nn.Module], fabric: Fabric) -> None:
    """Every process gets the first one's weights."""
    for module in modules:
        module.load_state_dict(fabric.broadcast({name: tensor.cpu() for name, tensor in module.state_dict().items()}))


def add_up_gradients(parameters: Iterable[torch.nn.Parameter], fabric: Fabric) -> None:
    """Every process gets the sum of all processes' gradients."""
    if fabric.world_size == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    sums = torch.cat([g.flatten() for g in gradients])
    fabric.all_reduce(sums, reduce_op="sum")
    for gradient, part in zip(gradients, sums.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
