"""The recommended model: a weighted sum of distances that need no training, and names as far as supports agree."""

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


@dataclass(frozen=True)
class RecommendedConfig(Checked):
    """Everything that `Recommended` is built from."""

    model: ClassVar[str] = "recommended"

    dim: int  # C, the width of the frame features
    normalize_features: bool = True  # scale frame and text features to norm √C
    wrong_names: float = 0.25  # share of the training episodes in which the classes get one another's names


class RecommendedOutput(NamedTuple):
    """The answer of `Recommended` and what it was made of."""

    logits: Tensor  # [..., Q, N]
    terms: dict[str, Tensor]  # the weighted distances w_e D_e of `TERMS`, each [..., Q, N]; they add up to −logits


class Recommended(Head):
    """The recommended few-shot head, ``Recommended(dim)`` with any field of `RecommendedConfig` as a keyword argument.

        logits = −Σ_e w_e D_e(q, n) − w_name g D_name(q, n)             L = mean over queries of cross-entropy

    It has eight weights, w > 0, and no other number. The distances D_e between a query and the mean of a class's shots
    are those of bi-MHM ("as a set") and OTAM ("in order"), each between whole frames, frames less their clip's mean
    ("centred") and steps from frame to frame; and "what moves", 1 − cos of mean_t |f_t − mean_t f_t|. None is scaled to
    its spread in the episode, on purpose: where the scene tells the action, distances of whole frames differ by much
    and decide; where it does not, they differ by little, and movement decides.

        D_name = 1 − cos(mean_t q_t / ‖q_t‖, text_n)
        g = max(0, (N p̄ − 1) / (N − 1)),        p̄ = mean_n softmax_m( −w_name D_name(support n, m) ) at m = n

    g is 1 where the names tell all supports apart and 0 where they do no better than chance, or where there are none
    (class_text NaN). Names of training classes fit too well if the encoder was trained on them, so ``wrong_names`` of
    the training episodes have theirs shuffled. Each query is answered by itself.
    """

    def __init__(self, dim: int, **fields: Any):
        super().__init__(RecommendedConfig(dim, **fields))
        self.log_weights = nn.Parameter(torch.zeros(len(TERMS)))

    @property
    def weights(self) -> dict[str, float]:
        """w of each of `TERMS`."""
        return dict(zip(TERMS, (PACE * self.log_weights).exp().tolist(), strict=True))

    def _score(self, prepared: Prepared, *_: Any) -> RecommendedOutput:
        support, query, class_text, support_mask = prepared
        distances = []
        for view in VIEWS.values():
            prototypes = shot_mean(view(support), support_mask)
            between = frame_distances(view(query).unsqueeze(-3), prototypes.unsqueeze(-4))  # [..., Q, N, T, T]
            distances += [between.amin(-1).mean(-1) + between.amin(-2).mean(-1), align(between)]
        prototypes = shot_mean(support, support_mask)
        distances.append(frame_distances(*(centred(video).abs().mean(-2) for video in (query, prototypes))))
        means = F.normalize(F.normalize(torch.cat([query, prototypes], dim=-3), dim=-1).mean(-2), dim=-1)
        to_names = 1 - means @ F.normalize(class_text, dim=-1).nan_to_num().transpose(-1, -2)
        of_queries, of_supports = to_names.split([query.shape[-3], way := class_text.shape[-2]], dim=-2)
        weights = (PACE * self.log_weights).exp()
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
        return cross_entropy_losses(self._score((support, query, class_text, support_mask)).logits, query_labels)
