"""TRX, Temporal-Relational CrossTransformers (Perrett et al., CVPR 2021), a baseline that compares sub-sequences."""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.arguments import Checked
from clipspm_lite.model.baselines import Scores
from clipspm_lite.model.head import Head, Prepared
from clipspm_lite.model.transformer import Mask


@dataclass(frozen=True)
class TRXConfig(Checked):
    """Everything that `TRX` is built from."""

    model: ClassVar[str] = "trx"

    dim: int  # C, the width of the frame features
    tuple_sizes: tuple[int, ...] = (2, 3)  # the ω, each at least 1 and at most T
    width: int = 1152  # d, of keys and of values
    dropout: float = 0.1  # on the frames after PE was added
    normalize_features: bool = False  # scale frame features to norm √C, as preset "lite" does
    position_weight: float = 1.0  # before PE; the authors: 0.1


class TRX(Head):
    """TRX's few-shot head, ``TRX(dim)`` with any field of `TRXConfig` as a keyword argument.

    Every tuple of query frames attends to the tuples of all shots of a class. For ω in {2, 3}, a tuple p of a video f
    is ω of its T frames in their order, p_1 < … < p_ω. There are P = T! / (ω! (T − ω)!) of them, 28 and 56 for T = 8:

        x_p = [f_{p_1} + PE(p_1); …; f_{p_ω} + PE(p_ω)]           K_p = LN(W_K x_p)        V_p = W_V x_p
        a_{p,kj} = softmax over all shots k and tuples j of class n of  K_p(query) · K_j(shot k) / √d
        prototype of class n for p = Σ_{k,j} a_{p,kj} V_j(shot k)
        D_ω(query, n) = mean_p ‖V_p(query) − prototype of n for p‖²
        logits = −mean_ω D_ω                                        L = mean over queries of cross-entropy

    W_K and W_V have biases and are shared by queries and supports; each ω has its own. The text is not used.

    Differences from the paper: features are given, there is no ResNet; PE is added to features of about one unit per
    entry if ``normalize_features`` is on, and to features of CLIP's own length if not; the paper sums over ω, which
    multiplies the logits by the number of ω. The authors' code multiplies PE by 0.1 (``position_weight=0.1``), we by 1.
    """

    def __init__(self, dim: int, **fields: Any):
        config = TRXConfig(dim, **fields)
        super().__init__(config)
        self.dropout = nn.Dropout(config.dropout)
        self.attentions = nn.ModuleList(TupleAttention(dim, size, config.width) for size in config.tuple_sizes)

    def _score(self, prepared: Prepared, *_: Any) -> Scores:
        support, query, _text, support_mask = prepared
        frames, largest = query.shape[-2], max(self.config.tuple_sizes)
        if frames < largest:
            raise ValueError(f"frames: tuples of {largest} frames need as many, found videos of {frames}")
        positions = self.config.position_weight * positional_encoding(frames, self.dim).to(query)
        support, query = self.dropout(support + positions), self.dropout(query + positions)
        distances = torch.stack([attention(support, query, support_mask) for attention in self.attentions], dim=-1)
        return Scores(-distances.mean(-1))


class TupleAttention(nn.Module):
    """D_ω of `TRX` for the ω ``size``."""

    def __init__(self, dim: int, size: int, width: int):
        super().__init__()
        self.to_key = nn.Linear(size * dim, width)
        self.to_value = nn.Linear(size * dim, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, support: Tensor, query: Tensor, support_mask: Mask = None) -> Tensor:
        """support ``[..., N, K, T, C]``, query ``[..., Q, T, C]``, support_mask ``[..., N, K]`` → ``[..., Q, N]``."""
        keys = self.norm(of_tuples(self.to_key, support)).flatten(-3, -2)  # [..., N, K·P, d]
        values = of_tuples(self.to_value, support).flatten(-3, -2)
        query_keys = self.norm(of_tuples(self.to_key, query)).flatten(-3, -2)  # [..., Q·P, d]
        query_values = of_tuples(self.to_value, query)
        queries, tuples = query_values.shape[-3:-1]
        query_values = query_values.flatten(-3, -2)
        distances = []
        # Class by class: all prototypes at once would take far more memory.
        for number in range(keys.shape[-3]):
            likeness = query_keys @ keys[..., number, :, :].transpose(-1, -2) / math.sqrt(keys.shape[-1])
            if support_mask is not None:
                there = support_mask[..., number, :].repeat_interleave(tuples, dim=-1)
                likeness = likeness.masked_fill(~there.unsqueeze(-2), -torch.inf)  # [..., Q·P, K·P]
            prototypes = likeness.softmax(-1) @ values[..., number, :, :]  # [..., Q·P, d]
            distance = torch.square(query_values - prototypes).sum(-1)
            distances.append(distance.unflatten(-1, (queries, tuples)).mean(-1))
        return torch.stack(distances, dim=-1)


def of_tuples(layer: nn.Linear, video: Tensor) -> Tensor:
    """A layer applied to the joined frames x_p of every tuple p, ``[..., T, C]`` → ``[..., P, d]``.

    Each place in a tuple has its own columns of the layer, applied to every frame once: cheaper than joining frames.
    """
    parts = layer.weight.split(video.shape[-1], dim=-1)  # one per place in the tuple, [d, C]
    places = torch.tensor(list(combinations(range(video.shape[-2]), len(parts))), device=video.device)  # [P, ω]
    return layer.bias + sum(F.linear(video, part)[..., places[:, place], :] for place, part in enumerate(parts))


def positional_encoding(frames: int, dim: int) -> Tensor:
    """PE of `TRX`, ``[T, C]``: PE(t)_{2i} = sin(t / 10000^{2i/C}), PE(t)_{2i+1} = cos of the same, t = 0 … T − 1."""
    channels = torch.arange(dim)
    angles = torch.arange(frames)[:, None] * 10000.0 ** (-2 * (channels // 2) / dim)
    return torch.where(channels % 2 == 0, angles.sin(), angles.cos())
