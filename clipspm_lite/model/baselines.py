"""Training-free baselines behind the model's own call: features of an episode in, logits out.

Shapes are the model's: support ``[..., N, K, T, C]``, query ``[..., Q, T, C]``, class_text ``[..., N, C]``,
support_mask ``[..., N, K]`` → logits ``[..., Q, N]``. Trained baselines are in `clip_fsar` and `trx`.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.model.distance_correlation import distance_correlation
from clipspm_lite.model.head import check_episode
from clipspm_lite.model.otam import align, centred, frame_distances
from clipspm_lite.model.otam import otam as otam_distance
from clipspm_lite.model.transformer import Mask, masked_mean, shot_mean


class Scores(NamedTuple):
    """The answer of a baseline."""

    logits: Tensor  # [..., Q, N]


def zero_shot(support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask = None) -> Scores:
    """cos(mean over frames of q_t / ‖q_t‖, class text): CLIP alone, without the support videos."""
    check_episode(support, query, class_text, support_mask)
    video = F.normalize(F.normalize(query, dim=-1).mean(-2), dim=-1)
    return Scores(video @ F.normalize(class_text, dim=-1).transpose(-1, -2))


def prototype(support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask = None) -> Scores:
    """cos(mean frame of the query, mean frame of the class): blind to the order of frames."""
    check_episode(support, query, class_text, support_mask)
    mean_support = shot_mean(support, support_mask).mean(-2)
    return Scores(F.normalize(query.mean(-2), dim=-1) @ F.normalize(mean_support, dim=-1).transpose(-1, -2))


def otam(support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask = None) -> Scores:
    """−OTAM(query, mean over shots of the class): alignment in time of the frames as CLIP gave them."""
    check_episode(support, query, class_text, support_mask)
    return Scores(-otam_distance(query, shot_mean(support, support_mask)))


def otam_centred(support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask = None) -> Scores:
    """OTAM after each clip's own mean frame is subtracted, which leaves what changes in it (our addition)."""
    check_episode(support, query, class_text, support_mask)
    return Scores(-otam_distance(centred(query), shot_mean(centred(support), support_mask)))


def bi_mhm(support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask = None) -> Scores:
    """−mean over shots of D(query, shot): frames matched as sets (bidirectional mean Hausdorff, HyRSM, CVPR 2022).

        D(x, y) = mean_i min_j d(x_i, y_j) + mean_j min_i d(x_i, y_j),   d as in OTAM, SPEC section 2

    Every frame meets its nearest in the other video, so a clip equals its reverse. The distances of the shots are
    averaged, not their frames: a mean of the shots' first frames would bring an order back.
    """
    check_episode(support, query, class_text, support_mask)
    distances = frame_distances(query[..., None, None, :, :], support.unsqueeze(-5))  # [..., Q, N, K, T, T]
    hausdorff = distances.amin(-1).mean(-1) + distances.amin(-2).mean(-1)
    mask = None if support_mask is None else support_mask.unsqueeze(-3)
    return Scores(-masked_mean(hausdorff, mask, dim=-1))


def prototype_dcor(support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask = None) -> Scores:
    """dCor(mean frame of the query, mean frame of the class): `prototype` with distance correlation for the cosine."""
    check_episode(support, query, class_text, support_mask)
    return Scores(distance_correlation(query.mean(-2), shot_mean(support, support_mask).mean(-2)))


def otam_dcor(support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask = None) -> Scores:
    """`otam` with 1 − dCor of two frames as their distance."""
    check_episode(support, query, class_text, support_mask)
    alike = distance_correlation(query.flatten(-3, -2), shot_mean(support, support_mask).flatten(-3, -2))
    alike = alike.unflatten(-1, class_text.shape[-2:-1] + query.shape[-2:-1])  # [..., Q·T, N, T]
    return Scores(-align(1 - alike.unflatten(-3, query.shape[-3:-1]).transpose(-2, -3)))


TRAINING_FREE: dict[str, Callable[..., Scores]] = {
    "zero-shot": zero_shot,
    "prototype": prototype,
    "otam": otam,
    "otam centred": otam_centred,
    "bi-mhm": bi_mhm,
    "prototype dcor": prototype_dcor,
    "otam dcor": otam_dcor,
}
