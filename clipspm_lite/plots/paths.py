"""The paths of an alignment, as the pictures show them: the soft path, and the most probable one with its share."""

from collections.abc import Callable

import torch
from torch import Tensor

from clipspm_lite.model.otam import SMOOTHING, align_one_way

Align = Callable[[Tensor], Tensor]  # frame distances [Tx, Ty] of query and support → a cost
Pairs = list[tuple[int, int]]  # (query frame, support frame)
DIRECTIONS: dict[str, Align] = {
    "every support frame is met": align_one_way,
    "every query frame is met": lambda distances: align_one_way(distances.transpose(-1, -2)),
}


def smoothed(align: Align, distances: Tensor, smoothing: float) -> Tensor:
    """``align`` with another λ than the library's: λ only scales costs, D(d; λ) = s · D(d / s) with s = λ / 0.5."""
    scale = smoothing / SMOOTHING
    return scale * align(distances.cpu().double() / scale)  # mps has no float64


def soft_path(distances: Tensor, align: Align, smoothing: float) -> Tensor:
    """The share of path weight in every cell: the distance's derivative with respect to that cell's cost."""
    with torch.enable_grad():
        leaf = distances.detach().clone().requires_grad_()
        return torch.autograd.grad(smoothed(align, leaf, smoothing).sum(), leaf)[0]


def most_probable_path(distances: Tensor, align: Align) -> Pairs:
    """The cheapest path's cells in order of time: where the soft path goes when λ → 0.

    A path's weight is exp(−cost / λ), so the cheapest is the most probable for any λ. Of paths that cost the same one
    is taken, always the same.
    """
    hint = torch.rand(distances.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = soft_path(distances.cpu().double().clamp_min(0) + 1e-8 * hint, align, 1e-11)
    return [(int(i), int(j)) for i, j in (weights > 0.5).nonzero()]


def share_of_path(distances: Tensor, path: Pairs, align: Align, smoothing: float) -> float:
    """How much of the weight of all paths one path carries, 0 … 1: the weight left when all other cells cost a lot."""
    on_path = torch.zeros(distances.shape, dtype=torch.bool)
    on_path[tuple(zip(*path, strict=True))] = True
    alone = smoothed(align, distances.cpu().masked_fill(~on_path, 1e4), smoothing)
    return float(torch.exp((smoothed(align, distances, smoothing) - alone) / smoothing))
