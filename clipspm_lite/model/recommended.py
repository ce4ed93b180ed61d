"""The recommended model: a weighted sum of distances between mapped frames, and names as far as supports agree."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.arguments import Checked
from clipspm_lite.model.head import Head, Losses, Prepared, cross_entropy_losses
from clipspm_lite.model.otam import align, centred, frame_distances
from clipspm_lite.model.transformer import shot_mean

VIEWS = {"whole": lambda v: v, "centred": centred, "steps": lambda v: v.diff(dim=-2) if v.shape[-2] > 1 else centred(v)}
TERMS = (*(f"{view}, {how}" for view in VIEWS for how in ("as a set", "in order")), "what moves", "name")
PACE = 20  # ln w_e = PACE · θ_e, so that the usual learning rates, which move θ_e by some tenths, reach any w_e
WIDTH = 128  # Δ = (WIDTH / C) M: Adam moves each number of M alike, and so Δ as a whole by about as much at any C
PULL = 0.02  # λ, chosen on the sample world's validation classes and on features of UCF101 (weights/README.md)


@dataclass(frozen=True)
class RecommendedConfig(Checked):
    """Everything that `Recommended` is built from."""

    model: ClassVar[str] = "recommended"

    dim: int  # C, the width of the frame features
    normalize_features: bool = True  # scale frame and text features to norm √C
    wrong_names: float = 0.25  # share of the training episodes in which the classes get one another's names

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.wrong_names <= 1:
            raise ValueError(f"wrong_names: expected a number from 0 to 1, found {self.wrong_names!r}")


class RecommendedOutput(NamedTuple):
    """The answer of `Recommended` and what it was made of."""

    logits: Tensor  # [..., Q, N]
    terms: dict[str, Tensor]  # the weighted distances w_e D_e of `TERMS`, each [..., Q, N]; they add up to −logits


class Recommended(Head):
    """The recommended few-shot head, ``Recommended(dim)`` with any field of `RecommendedConfig` as a keyword argument.

        logits(w, Δ) = −Σ_e w_e D_e(q, n) − w_name g D_name(q, n)       L = CE(w, 0) + CE(w*, Δ) + λ ‖Δ‖²

    It learns eight weights, w > 0, and a map of frames, f_t → f_t + f_t Δ with Δ `[C, C]`, from Δ = 0 on. The distances
    D_e between a query and the mean of a class's shots are those of bi-MHM ("as a set") and OTAM ("in order"), each
    between mapped frames, whole, less their clip's mean ("centred") and as steps from frame to frame; and "what moves",
    1 − cos of mean_t |f_t − mean_t f_t|, of frames as they are. None is scaled to its spread in the episode, on
    purpose: where the scene tells the action, distances of whole frames differ by much and decide; where it does not,
    they differ by little, and movement decides.

    CE is the mean over queries of cross-entropy, and w* are the weights held fixed. So w are learnt without the map,
    and a distance that it makes too good on the training classes gets no more weight. λ keeps Δ small where they are
    few: once they are told apart, it pulls Δ back to zero.

        D_name = 1 − cos(mean_t q_t / ‖q_t‖, text_n)
        g = max(0, (N p̄ − 1) / (N − 1)),        p̄ = mean_n softmax_m( −w_name D_name(support n, m) ) at m = n

    g is 1 where the names tell all supports apart and 0 where they do no better than chance, or where there are none
    (class_text NaN). Names of training classes fit too well if the encoder was trained on them, so ``wrong_names`` of
    the training episodes have theirs shuffled. Each query is answered by itself.
    """

    def __init__(self, dim: int, **fields: Any):
        super().__init__(RecommendedConfig(dim, **fields))
        self.log_weights = nn.Parameter(torch.zeros(len(TERMS)))
        self.metric = nn.Parameter(torch.zeros(dim, dim))  # M

    @property
    def weights(self) -> dict[str, float]:
        """w of each of `TERMS`."""
        return dict(zip(TERMS, (PACE * self.log_weights).exp().tolist(), strict=True))

    @property
    def change(self) -> Tensor:
        """Δ, ``[C, C]``: what the map of frames adds to the identity."""
        return WIDTH / self.dim * self.metric

    def _score(self, prepared: Prepared, *_: Any) -> RecommendedOutput:
        return self._sum(prepared, (PACE * self.log_weights).exp(), self.change)

    def _sum(self, prepared: Prepared, weights: Tensor, change: Tensor | None) -> RecommendedOutput:
        support, query, class_text, support_mask = prepared
        shots, asked = (support, query) if change is None else (x + x @ change for x in (support, query))
        distances = []
        for view in VIEWS.values():
            prototypes = shot_mean(view(shots), support_mask)
            between = frame_distances(view(asked).unsqueeze(-3), prototypes.unsqueeze(-4))  # [..., Q, N, T, T]
            distances += [between.amin(-1).mean(-1) + between.amin(-2).mean(-1), align(between)]
        prototypes = shot_mean(support, support_mask)
        distances.append(frame_distances(*(centred(video).abs().mean(-2) for video in (query, prototypes))))
        means = F.normalize(F.normalize(torch.cat([query, prototypes], dim=-3), dim=-1).mean(-2), dim=-1)
        to_names = 1 - means @ F.normalize(class_text, dim=-1).nan_to_num().transpose(-1, -2)
        of_queries, of_supports = to_names.split([query.shape[-3], way := class_text.shape[-2]], dim=-2)
        right = (-weights[-1] * of_supports).softmax(-1).diagonal(dim1=-2, dim2=-1).mean(-1)  # p̄
        agreement = F.relu((way * right - 1) / max(1, way - 1))[..., None, None]
        weighted = [weight * d for weight, d in zip(weights, [*distances, agreement * of_queries], strict=True)]
        return RecommendedOutput(-torch.stack(weighted).sum(0), dict(zip(TERMS, weighted, strict=True)))

    def _losses(self, prepared: Prepared, query_labels: Tensor) -> Losses:
        support, query, class_text, support_mask = prepared
        if self.training:
            order = torch.rand(class_text.shape[:-1], device=class_text.device).argsort(-1)[..., None]
            wrong = torch.rand(class_text.shape[:-2], device=class_text.device) < self.config.wrong_names
            shuffled = class_text.gather(-2, order.expand_as(class_text))
            class_text = torch.where(wrong[..., None, None], shuffled, class_text)
        prepared, weights = (support, query, class_text, support_mask), (PACE * self.log_weights).exp()
        mapped = cross_entropy_losses(self._sum(prepared, weights.detach(), self.change).logits, query_labels)
        as_they_are = cross_entropy_losses(self._sum(prepared, weights, None).logits, query_labels)
        return mapped._replace(total=mapped.total + as_they_are.total + PULL * self.change.square().sum())
