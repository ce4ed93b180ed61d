"""Where torch computes. Models as small as the tiny CLIP gain nothing from several threads of a CPU, and lose much."""

import os

import torch


def pick_device(device: str | torch.device) -> torch.device:
    """The device of that name; "auto" is cuda where torch finds it, else Apple's mps, else the CPU."""
    found = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return torch.device(found if device == "auto" else device)


def use_one_thread() -> None:
    """Let torch compute on one thread in this process, unless OMP_NUM_THREADS is set."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
