"""Distance correlation (Székely, Rizzo, Bakirov, Annals of Statistics 2007) of frames, in place of their cosine."""

import torch
from torch import Tensor
from torch.nn import functional as F

AT_ONCE = 2**24  # numbers of the frames' distance matrices that are in memory together, 64 MB


def distance_correlation(x: Tensor, y: Tensor) -> Tensor:
    """dCor of every frame of x with every frame of y; the C channels of two frames are C samples of two variables.

    Shapes: x ``[..., Tx, C]``, y ``[..., Ty, C]`` with the same leading axes → ``[..., Tx, Ty]`` in 0 … 1.

        a_ij = |x_i − x_j|              A_ij = a_ij − mean_j a_ij − mean_i a_ij + mean_ij a_ij        B likewise from y
        dCov²(x, y) = mean_ij A_ij B_ij              dCor(x, y) = √( dCov²(x, y) / √( dCov²(x, x) dCov²(y, y) ) )

    It is 1 for y = α x + β, α ≠ 0, and in the limit of many channels 0 only if they are independent: it also sees
    relations that no cosine sees. A frame whose channels are all equal has dCor 0. Rows of A and B are made a few at a
    time, so memory grows with the frames and not with C².
    """
    frames = torch.cat([x, y], dim=-2)
    frames = frames - frames.mean(-1, keepdim=True)
    frames = frames / frames.abs().mean(-1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)  # changes no dCor
    row_means = _mean_distances(frames)
    less = row_means - row_means.mean(-1, keepdim=True)
    together, of_each = frames.new_zeros(*x.shape[:-1], y.shape[-2]), frames.new_zeros(frames.shape[:-1])
    for rows in torch.arange(x.shape[-1], device=x.device).split(max(1, AT_ONCE // max(1, frames.numel()))):
        block = (frames[..., rows, None] - frames[..., None, :]).abs_()  # [..., Tx + Ty, rows, C]
        block = block.sub_(row_means[..., rows, None]).sub_(less[..., None, :]).flatten(-2) / x.shape[-1]
        together += block[..., : x.shape[-2], :] @ block[..., x.shape[-2] :, :].transpose(-1, -2)
        of_each += block.square().sum(-1)
    of_x, of_y = of_each.sqrt().clamp(min=torch.finfo(x.dtype).tiny).split([x.shape[-2], y.shape[-2]], dim=-1)
    return F.relu(together / of_x[..., None] / of_y[..., None, :]).sqrt()


def _mean_distances(frames: Tensor) -> Tensor:
    """mean_j |x_i − x_j| for every channel i, ``[..., C]`` → ``[..., C]``: sorted, it needs no pairs."""
    ordered, places = frames.sort(-1)
    width, below = frames.shape[-1], ordered.cumsum(-1)
    rank = torch.arange(width, device=frames.device, dtype=frames.dtype)
    sums = ordered * (2 * rank + 2 - width) + below[..., -1:] - 2 * below
    return torch.empty_like(sums).scatter(-1, places, sums / width)
