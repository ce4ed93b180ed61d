"""TRX, Temporal-Relational CrossTransformers (Perrett et al., CVPR 2021), a baseline: sub-sequences are compared."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
        check_config(self.config, ("dim", "width"), ("dropout",))
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
        frames = query.shape[-2]
        self.check_frames(frames)
        support, query, _ = prepare_episode(
            support, query, class_text, support_mask, normalize=self.normalize_features
        )
        positions = positional_encoding(frames, self.dim).to(query)
        support, query = self.dropout(support + positions), self.dropout(query + positions)
        distances = torch.stack(
            [attention(support, query, support_mask) for attention in self.attentions], dim=-1
        )
        return TRXOutput(-distances.mean(-1), distances)

    def check_frames(self, frames: int) -> None:
        """Refuse videos of too few frames, also before any is encoded; raises ValueError."""
        largest = max(self.config["tuple_sizes"])
        if frames < largest:
            raise ValueError(f"frames: tuples of {largest} frames need as many, found videos of {frames}")

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
    """D_ω of `TRX` for the ω ``size``."""

    def __init__(self, dim: int, size: int, width: int):
        super().__init__()
        self.to_key = nn.Linear(size * dim, width)
        self.to_value = nn.Linear(size * dim, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, support: Tensor, query: Tensor, support_mask: Tensor | None = None) -> Tensor:
        """support ``[..., N, K, T, C]``, query ``[..., Q, T, C]``, support_mask ``[..., N, K]`` → ``[..., Q, N]``."""
        keys = self.norm(of_tuples(self.to_key, support)).flatten(-3, -2)  # [..., N, K·P, d]
        values = of_tuples(self.to_value, support).flatten(-3, -2)
        query_keys = self.norm(of_tuples(self.to_key, query)).flatten(-3, -2)  # [..., Q·P, d]
        query_values = of_tuples(self.to_value, query)
        queries, tuples = query_values.shape[-3:-1]
        query_values = query_values.flatten(-3, -2)

        distances = []
        # Class by class, because all prototypes at once would take far more memory.
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
    """A layer of the joined frames x_p of every tuple p, ``[..., T, C]`` → ``[..., P, d]``.

    The layer's columns for each place in a tuple meet every frame once, and a tuple is the sum over its frames.
    """
    parts = layer.weight.split(video.shape[-1], dim=-1)  # one a place in the tuple, [d, C]
    places = tuple_places(video.shape[-2], len(parts), video.device)
    return layer.bias + sum(
        F.linear(video, part)[..., places[:, place], :] for place, part in enumerate(parts)
    )


def tuple_places(frames: int, size: int, device: torch.device | None = None) -> Tensor:
    """Which frames each tuple of ``size`` frames has, in their order: ``[P, size]``."""
    return torch.tensor(list(combinations(range(frames), size)), device=device)


def positional_encoding(frames: int, dim: int) -> Tensor:
    """PE of `TRX`, ``[T, C]``."""
    channels = torch.arange(dim)
    rates = 10000.0 ** (-2 * (channels // 2) / dim)
    angles = torch.arange(frames)[:, None] * rates
    return torch.where(channels % 2 == 0, angles.sin(), angles.cos())
