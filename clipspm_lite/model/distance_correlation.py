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

    It is 1 for y = α x + β, α ≠ 0; of many channels it is near 0 only if they are independent. A frame whose channels
    are all equal has dCor 0. Rows of A and B are made a few at a time, so memory does not grow with C².
    """
    # Mean 0 and deviation 1 change no dCor.
    frames = F.layer_norm(torch.cat([x, y], dim=-2), x.shape[-1:], eps=torch.finfo(x.dtype).tiny)
    ordered, places = frames.sort(-1)  # mean_j a_ij needs no pairs where the channels are sorted
    below, ranks = ordered.cumsum(-1), 2 * torch.arange(x.shape[-1]).to(x) + 2 - x.shape[-1]
    sums = ordered * ranks + below[..., -1:] - 2 * below
    row_means = torch.empty_like(sums).scatter(-1, places, sums / x.shape[-1])
    less = row_means - row_means.mean(-1, keepdim=True)
    together, of_each = x.new_zeros(*x.shape[:-1], y.shape[-2]), x.new_zeros(frames.shape[:-1])
    for rows in torch.arange(x.shape[-1], device=x.device).split(max(1, AT_ONCE // max(1, frames.numel()))):
        block = (frames[..., rows, None] - frames[..., None, :]).abs_()  # [..., Tx + Ty, rows, C]
        block = block.sub_(row_means[..., rows, None]).sub_(less[..., None, :]).flatten(-2) / x.shape[-1]
        together += block[..., : x.shape[-2], :] @ block[..., x.shape[-2] :, :].transpose(-1, -2)
        of_each += block.square().sum(-1)
    of_x, of_y = of_each.sqrt().clamp(min=torch.finfo(x.dtype).tiny).split([x.shape[-2], y.shape[-2]], dim=-1)
    return F.relu(together / of_x[..., None] / of_y[..., None, :]).sqrt()
