"""How many threads torch computes with, for models as small as the tiny CLIP and the lite head."""

import os

import torch


def use_one_thread() -> None:
    """Let torch compute on one thread in this process, unless OMP_NUM_THREADS is set.

    Models this small gain nothing from more. Beside other busy processes, as on a shared JupyterHub, torch's default
    of one thread per core makes them many times slower.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
