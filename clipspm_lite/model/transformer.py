"""The transformer block that semantic fusion and PADM share (SPEC section 2), and means over the shots of a class."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Mask = Tensor | None  # bool [..., N, K], False where a shot is missing; None where none is


class TransformerBlock(nn.Module):
    """One layer of self-attention over a set of tokens; without positions, so permuting them permutes the output.

        a = W_o · MultiHead(LN(x) W_q, LN(x) W_k, LN(x) W_v) + x        out = FF(a) + a

    Unlike most blocks it has no norm before the feed-forward part.
    """

    def __init__(self, config: Any):
        """``config``: a head's, with ``dim``, ``heads``, ``head_dim``, ``mlp_dim`` and the two kinds of dropout."""
        super().__init__()
        self.heads = config.heads
        dim, inner = config.dim, config.heads * config.head_dim
        self.norm = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, inner, bias=False)
        self.to_k = nn.Linear(dim, inner, bias=False)
        self.to_v = nn.Linear(dim, inner, bias=False)
        self.to_out = nn.Linear(inner, dim)
        self.ff1 = nn.Linear(dim, config.mlp_dim)
        self.ff2 = nn.Linear(config.mlp_dim, dim)
        self.dropout = nn.Dropout(config.dropout)
        self.feedforward_dropout = nn.Dropout(config.feedforward_dropout)

    def forward(self, tokens: Tensor, mask: Mask = None) -> Tensor:
        """tokens ``[..., M, C]`` → ``[..., M, C]``; ``mask`` ``[..., M]`` is False at tokens nobody may look at."""
        x = self.norm(tokens)
        q, k, v = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(-2, -3)  # [..., heads, M, d]
            for project in (self.to_q, self.to_k, self.to_v)
        )
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else mask[..., None, None, :])
        attended = self.dropout(self.to_out(heads.transpose(-2, -3).flatten(-2))) + tokens
        hidden = self.feedforward_dropout(F.gelu(self.ff1(attended)))
        return self.feedforward_dropout(self.ff2(hidden)) + attended


def masked_mean(x: Tensor, mask: Mask, dim: int) -> Tensor:
    """Mean of x over ``dim`` where ``mask`` (broadcastable to x) is True; a plain mean without a mask."""
    return x.mean(dim) if mask is None else x.masked_fill(~mask, 0).sum(dim) / mask.sum(dim)


def shot_mean(support: Tensor, support_mask: Mask) -> Tensor:
    """``[..., N, K, T, C]`` → prototypes ``[..., N, T, C]``: the mean over the shots that are there, frame by frame."""
    return masked_mean(support, None if support_mask is None else support_mask[..., None, None], dim=-3)


def squared_distance(x: Tensor, y: Tensor, sample_axes: int) -> Tensor:
    """‖x − y‖² summed over a sample's entries, the last ``sample_axes`` axes: SPEC's norm of every loss term."""
    return torch.square(x - y).flatten(-sample_axes).sum(-1)
