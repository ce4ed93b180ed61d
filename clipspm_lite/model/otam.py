"""OTAM: the distance between two videos that respects the order of their frames, and its paths (SPEC section 2)."""

from collections.abc import Callable

import torch
from torch import Tensor

SMOOTHING = 0.5  # lambda of the soft minimum
NORM_OFFSET = 0.01  # keeps the cosine of an all-zero frame finite


def softmin(*terms: Tensor) -> Tensor:
    """-λ log Σ exp(-term / λ): a minimum over the terms that lets every one of them have a gradient."""
    return -SMOOTHING * torch.logsumexp(-torch.stack(terms) / SMOOTHING, dim=0)


def frame_distances(x: Tensor, y: Tensor) -> Tensor:
    """One minus the cosine of every frame of x with every frame of y.

    Shapes: x ``[..., Tx, C]``, y ``[..., Ty, C]`` with leading axes that broadcast → ``[..., Tx, Ty]``.
    """
    norms = torch.linalg.vector_norm(x, dim=-1)[..., :, None] * torch.linalg.vector_norm(y, dim=-1)[..., None, :]
    return 1 - x @ y.transpose(-1, -2) / (norms + NORM_OFFSET)


def align_one_way(distances: Tensor) -> Tensor:
    """The cost of the soft-minimal path that meets every frame of y, entering and leaving x anywhere.

    ``distances`` ``[..., Tx, Ty]`` are frame distances; the result has shape ``[...]``. SPEC writes a dynamic
    programme over the rows and over the columns 0 … M of y, padded with a zero column at each end. Three things
    about it let whole columns be computed at once, so that no Python loop runs over the cells:

    * a middle column looks only at the column to its left;
    * in column 1 everything to the left is zero, so only the cell above is left to look at;
    * in the last column d = 0, so its soft minima telescope into a single one over the column before.
    """
    first_row = distances[..., 0, :].cumsum(-1)

    cell = first_row[..., 0]
    zero = torch.zeros_like(cell)
    column_1 = [cell]
    for row in range(1, distances.shape[-2]):
        cell = distances[..., row, 0] + softmin(zero, cell, zero)
        column_1.append(cell)
    column = torch.stack(column_1, dim=-1)

    for m in range(1, distances.shape[-1]):
        below = distances[..., 1:, m] + softmin(column[..., :-1], column[..., 1:])
        column = torch.cat([first_row[..., m, None], below], dim=-1)

    into_padding = torch.cat([column[..., :1], column[..., :-1], column[..., 1:]], dim=-1)
    return -SMOOTHING * torch.logsumexp(-into_padding / SMOOTHING, dim=-1)


def align(distances: Tensor) -> Tensor:
    """Both directions added: frame distances ``[..., Tx, Ty]`` → ``[...]``."""
    return align_one_way(distances) + align_one_way(distances.transpose(-1, -2))


def otam(query: Tensor, support: Tensor) -> Tensor:
    """OTAM distance, both directions added, between every query and every support video.

    Shapes: query ``[..., Q, Tq, C]``, support ``[..., N, Ts, C]`` → ``[..., Q, N]``; the smaller, the more alike.
    Raises ValueError for other shapes.
    """
    for name, videos in (("query", query), ("support", support)):
        if videos.ndim < 3 or videos.shape[-2] == 0:
            raise ValueError(f"{name}: expected [..., videos, frames >= 1, C], found shape {tuple(videos.shape)}")
    if query.shape[-1] != support.shape[-1]:
        raise ValueError(f"query, support: expected one width C, found {query.shape[-1]} and {support.shape[-1]}")
    return align(frame_distances(query.unsqueeze(-3), support.unsqueeze(-4)))


def centred(video: Tensor) -> Tensor:
    """``[..., T, C]`` without each clip's own mean frame, which is what stands still in it."""
    return video - video.mean(-2, keepdim=True)


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
