"""Models as small as the tiny CLIP gain nothing from several threads; beside busy processes they lose much."""

import os

import torch


def use_one_thread() -> None:
    """Let torch compute on one thread in this process, unless OMP_NUM_THREADS is set."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
