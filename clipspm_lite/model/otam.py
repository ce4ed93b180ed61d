"""OTAM: the distance between two videos that respects the order of their frames (SPEC section 2)."""

import torch
from torch import Tensor

SMOOTHING = 0.5  # lambda of the soft minimum
NORM_OFFSET = 0.01  # keeps the cosine of an all-zero frame finite


def softmin(*terms: Tensor) -> Tensor:
    """-λ log Σ exp(-term / λ): a minimum over the terms that lets every one of them have a gradient."""
    return -SMOOTHING * torch.logsumexp(-torch.stack(terms) / SMOOTHING, dim=0)


def frame_distances(x: Tensor, y: Tensor) -> Tensor:
    """1 − cosine of every frame of x ``[..., Tx, C]`` with every one of y ``[..., Ty, C]`` → ``[..., Tx, Ty]``."""
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
    """OTAM distance, both directions added, of every query and every support video; the smaller, the more alike.

    Shapes: query ``[..., Q, Tq, C]``, support ``[..., N, Ts, C]`` → ``[..., Q, N]``. Raises ValueError.
    """
    shapes = tuple(query.shape), tuple(support.shape)
    if min(map(len, shapes)) < 3 or 0 in (query.shape[-2], support.shape[-2]) or query.shape[-1] != support.shape[-1]:
        raise ValueError(f"query, support: expected [..., videos, frames >= 1, C] of one width C, found {shapes}")
    return align(frame_distances(query.unsqueeze(-3), support.unsqueeze(-4)))


def centred(video: Tensor) -> Tensor:
    """``[..., T, C]`` without each clip's own mean frame, which is what stands still in it."""
    return video - video.mean(-2, keepdim=True)
