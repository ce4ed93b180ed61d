"""TRX, Temporal-Relational CrossTransformers (Perrett et al., CVPR 2021), a baseline: sub-sequences are compared."""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.arguments import whole_number
from clipspm_lite.model.checks import check_episode, check_fields, check_labels
from clipspm_lite.model.clipspm import Losses, cross_entropy_losses, prepare_episode
from clipspm_lite.model.presets import LossForm
from clipspm_lite.model.transformer import Mask


@dataclass(frozen=True)
class TRXConfig:
    """Everything that `TRX` is built from."""

    model: ClassVar[str] = "trx"

    dim: int  # C, the width of the frame features
    tuple_sizes: tuple[int, ...] = (2, 3)  # the ω, each at least 1 and at most T
    width: int = 1152  # d, of keys and of values
    dropout: float = 0.1  # on the frames after PE was added
    normalize_features: bool = False  # scale frame features to norm √C, as preset "lite" does
    position_weight: float = 1.0  # before PE; the authors: 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "tuple_sizes", tuple(self.tuple_sizes))  # a list from JSON
        check_fields(self)
        if not self.tuple_sizes or len(set(self.tuple_sizes)) < len(self.tuple_sizes):
            raise ValueError(f"tuple_sizes: expected different sizes, found {self.tuple_sizes}")
        for size in self.tuple_sizes:
            whole_number("tuple_sizes", size)


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

    ``TRX(dim)`` takes every field of `TRXConfig` as a keyword argument and keeps them as ``.config``.

    Differences from the paper: features are given, there is no ResNet; PE is added to features of about one unit per
    entry if ``normalize_features`` is on, and to features of CLIP's own length if not; the paper sums over ω, which
    multiplies the logits by the number of ω. The authors' code multiplies PE by 0.1 (``position_weight=0.1``), we by 1.

    Raises:
        TypeError: an argument that the configuration does not have.
        ValueError: a size below 1, or tuple_sizes that are missing or not different.
    """

    loss_form: LossForm = "mean"

    def __init__(self, dim: int, **fields: Any):
        super().__init__()
        self.config = config = TRXConfig(dim, **fields)
        self.dim = dim
        self.dropout = nn.Dropout(config.dropout)
        self.attentions = nn.ModuleList(
            TupleAttention(dim, size, config.width) for size in config.tuple_sizes
        )

    def forward(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Mask = None,
        *,
        inductive: bool | None = None,
    ) -> TRXOutput:
        """Score every query against every class; arguments and errors as those of `CLIPSPM.forward`.

        class_text is not looked at. ``inductive`` changes nothing: each query is always answered by itself.

        Raises:
            ValueError: also for fewer frames than a tuple has.
        """
        check_episode(support, query, class_text, support_mask, self.dim)
        frames = query.shape[-2]
        self.check_frames(frames)
        normalize = self.config.normalize_features
        support, query, _ = prepare_episode(support, query, class_text, support_mask, normalize=normalize)
        positions = self.config.position_weight * positional_encoding(frames, self.dim).to(query)
        support, query = self.dropout(support + positions), self.dropout(query + positions)
        distances = torch.stack(
            [attention(support, query, support_mask) for attention in self.attentions], dim=-1
        )
        return TRXOutput(-distances.mean(-1), distances)

    def check_frames(self, frames: int) -> None:
        """Refuse videos of too few frames, also before any is encoded; raises ValueError."""
        largest = max(self.config.tuple_sizes)
        if frames < largest:
            raise ValueError(f"frames: tuples of {largest} frames need as many, found videos of {frames}")

    def losses(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        query_labels: Tensor,
        support_mask: Mask = None,
    ) -> Losses:
        """Training losses, arguments and errors as those of `CLIPSPM.losses`."""
        logits = self(support, query, class_text, support_mask).logits
        check_labels(query_labels, query, class_text)
        return cross_entropy_losses(logits, query_labels)


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
