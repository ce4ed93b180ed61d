"""TRX, Temporal-Relational CrossTransformers (Perrett et al., CVPR 2021), a baseline: sub-sequences are compared."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from clipspm_lite.model.checks import check_config, check_episode, check_labels
from clipspm_lite.model.clipspm import (
    Losses,
    cross_entropy_losses,
    prepare_episode,
)


class TRXOutput(NamedTuple):
    """The answer of `TRX` and what it was made of."""

    logits: Tensor  # −mean over ω of the distances  [..., Q, N]
    distances: Tensor  # [..., Q, N, number of ω]


class TRX(nn.Module):
    """TRX's few-shot head: every tuple of query frames looks for its like in all shots of a class.

    For ω in {2, 3}, a tuple p of a video f is ω of its T frames in their order, p_1 < … < p_ω, of which there are
    P = T! / (ω! (T − ω)!), 28 and 56 for T = 8:

        x_p = [f_{p_1} + PE(p_1); …; f_{p_ω} + PE(p_ω)]           K_p = LN(W_K x_p)        V_p = W_V x_p
        a_{p,kj} = softmax over all shots k and tuples j of class n of  K_p(query) · K_j(shot k) / √d
        prototype of class n for p = Σ_{k,j} a_{p,kj} V_j(shot k)
        D_ω(query, n) = mean_p ‖V_p(query) − prototype of n for p‖²
        logits = −mean_ω D_ω                                        L = mean over queries of cross-entropy

    W_K and W_V have biases and are shared by queries and supports; each ω has its own. PE is the sinusoidal encoding:
    PE(t)_{2i} = sin(t / 10000^{2i/C}), PE(t)_{2i+1} = cos of the same, t = 0 … T − 1. No text enters.

    Here and not in the paper: features are given, there is no ResNet; PE is added to features of about one unit an
    entry if ``normalize_features`` is on, and to CLIP's own lengths if not; the paper sums over ω, which is this times
    the number of ω.

    Args:
        dim: C, the width of the frame features.
        tuple_sizes: the ω, each at least 1 and at most T.
        width: d, of keys and of values.
        dropout: on the frames after PE was added.
        normalize_features: scale frame features to norm √C, as preset "lite" does.

    Raises:
        ValueError: a size below 1, or tuple_sizes that are none or not different.
    """

    loss_form: Literal["mean", "summed"] = "mean"

    def __init__(
        self,
        dim: int,
        *,
        tuple_sizes: Sequence[int] = (2, 3),
        width: int = 1152,
        dropout: float = 0.1,
        normalize_features: bool = False,
    ):
        super().__init__()
        self.config: dict[str, Any] = dict(
            model="trx",
            dim=dim,
            tuple_sizes=list(tuple_sizes),  # as JSON gives it back
            width=width,
            dropout=dropout,
            normalize_features=normalize_features,
        )
        check_config(self.config, ("dim", "width"))
        if (
            not tuple_sizes
            or len(set(tuple_sizes)) < len(tuple_sizes)
            or not all(isinstance(size, int) and size > 0 for size in tuple_sizes)
        ):
            raise ValueError(f"tuple_sizes: expected different sizes of at least 1, found {tuple_sizes}")
        self.dim = dim
        self.normalize_features = normalize_features
        self.dropout = nn.Dropout(dropout)
        self.attentions = nn.ModuleList(TupleAttention(dim, size, width) for size in tuple_sizes)

    def forward(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Tensor | None = None,
        *,
        inductive: bool | None = None,
    ) -> TRXOutput:
        """Score every query against every class. No label of a query enters.

        Args:
            support: frame features ``[..., N, K, T, C]``, class-major.
            query: frame features ``[..., Q, T, C]``.
            class_text: text features of the class names ``[..., N, C]``, which are not looked at.
            support_mask: bool ``[..., N, K]``, False where a class has fewer than K shots.
            inductive: changes nothing: each query is always answered by itself.

        Raises:
            TypeError, ValueError: tensors that are no episode (`check_episode`), or fewer frames than a tuple has.
        """
        check_episode(support, query, class_text, support_mask, self)
        frames, largest = query.shape[-2], max(self.config["tuple_sizes"])
        if frames < largest:
            raise ValueError(f"query: tuples of {largest} frames need as many, found videos of {frames}")
        support, query, _ = prepare_episode(
            support, query, class_text, support_mask, normalize=self.normalize_features
        )
        positions = positional_encoding(frames, self.dim).to(query)
        support, query = self.dropout(support + positions), self.dropout(query + positions)
        distances = torch.stack(
            [attention(support, query, support_mask) for attention in self.attentions], dim=-1
        )
        return TRXOutput(-distances.mean(-1), distances)

    def losses(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        query_labels: Tensor,
        support_mask: Tensor | None = None,
    ) -> Losses:
        """Training losses; query_labels: int64 ``[..., Q]`` in 0 … N − 1, the rest as in `forward`.

        Raises:
            TypeError, ValueError: as `forward`, or labels that are not one class of the episode for each query.
        """
        check_episode(support, query, class_text, support_mask, self)
        check_labels(query_labels, query, class_text)
        return cross_entropy_losses(self(support, query, class_text, support_mask).logits, query_labels)


class TupleAttention(nn.Module):
    """D_ω of `TRX` for one ω, ``size``."""

    def __init__(self, dim: int, size: int, width: int):
        super().__init__()
        self.size = size
        self.to_key = nn.Linear(size * dim, width)
        self.to_value = nn.Linear(size * dim, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, support: Tensor, query: Tensor, support_mask: Tensor | None = None) -> Tensor:
        """support ``[..., N, K, T, C]``, query ``[..., Q, T, C]``, support_mask ``[..., N, K]`` → ``[..., Q, N]``."""
        shots, asked = frame_tuples(support, self.size), frame_tuples(query, self.size)
        keys = self.norm(self.to_key(shots)).flatten(-3, -2).unsqueeze(-4)  # [..., 1, N, K·P, d]
        values = self.to_value(shots).flatten(-3, -2).unsqueeze(-4)
        query_keys = self.norm(self.to_key(asked)).unsqueeze(-3)  # [..., Q, 1, P, d]
        query_values = self.to_value(asked).unsqueeze(-3)

        likeness = query_keys @ keys.transpose(-1, -2) / math.sqrt(keys.shape[-1])  # [..., Q, N, P, K·P]
        if support_mask is not None:
            of_tuples = support_mask.repeat_interleave(shots.shape[-2], dim=-1)
            likeness = likeness.masked_fill(~of_tuples[..., None, :, None, :], -torch.inf)
        prototypes = likeness.softmax(-1) @ values  # [..., Q, N, P, d]
        return torch.square(query_values - prototypes).sum(-1).mean(-1)


def frame_tuples(video: Tensor, size: int) -> Tensor:
    """All tuples of ``size`` frames in their order, joined: ``[..., T, C]`` → ``[..., P, size · C]``."""
    places = torch.tensor(list(combinations(range(video.shape[-2]), size)), device=video.device)
    return video[..., places, :].flatten(-2)


def positional_encoding(frames: int, dim: int) -> Tensor:
    """PE of `TRX`, ``[T, C]``."""
    channels = torch.arange(dim)
    rates = 10000.0 ** (-2 * (channels // 2) / dim)
    angles = torch.arange(frames)[:, None] * rates
    return torch.where(channels % 2 == 0, angles.sin(), angles.cos())
