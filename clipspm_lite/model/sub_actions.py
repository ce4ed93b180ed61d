"""Sub-action text (ours): three sentences per class, for its start, middle and end, beside frames and name."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.arguments import Checked
from clipspm_lite.model.baselines import Scores, otam, otam_centred, zero_shot
from clipspm_lite.model.otam import centred
from clipspm_lite.model.transformer import Mask

# By weight, the sentences that each stretch is matched with: its own, start and end swapped, or the mean of all.
ORDERS = {"right": torch.eye(3), "reversed": torch.eye(3).flip(0), "none": torch.full((3, 3), 1 / 3)}
LEAST_CHANGE = 0.01  # a shorter difference of unit vectors may be rounding, so it isn't scaled to length 1
Weights = tuple[float, float, float, float, float]  # w_1 … w_5


@dataclass(frozen=True)
class SubActions(Checked):
    """A weighted sum of five terms, of which the last two read the sentences; nothing is trained.

        score(q, n) = − w_1 D(q, n) / 2T − w_2 D_centred(q, n) / 2T + w_3 cos(mean_t q_t / ‖q_t‖, a_n)
                      + w_4 mean_s cos(g_s, b_ns) + w_5 mean_s cos(g_s − ḡ, b_ns − b̄_n)

    D is OTAM's distance, a sum over about 2T frames. a_n is the text of the name of class n, b_ns that of its sentence
    s of 3. g_s is the mean of q_t / ‖q_t‖ over stretch s of the query. In w_5's term g_s and b_ns have length 1, and ḡ
    and b̄_n are means over s. So w_4 weighs what a stretch shows, and w_5 what changes from one to the next.
    """

    reads_stages: ClassVar[bool] = True  # tells `evaluate` what class_text has to hold
    weights: Weights = (0.5, 4.0, 4.0, 2.0, 0.0)  # `choose_weights`, on the validation classes of the sample world
    order: Literal["right", "reversed", "none"] = "right"  # see `ORDERS`

    def __call__(self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask = None) -> Scores:
        """As `baselines`, but with class_text ``[..., N, 4, C]``: the name of each class, then its sentences."""
        terms = self.terms(support, query, class_text, support_mask)
        return Scores(terms @ terms.new_tensor(self.weights))

    def terms(self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask = None) -> Tensor:
        """The five terms before their weights, ``[..., Q, N, 5]``."""
        if class_text.ndim < 3 or class_text.shape[-2] != 4:
            wanted = "[..., N, 4, C], the name of each class and three sentences"
            raise ValueError(f"class_text: expected {wanted}, found {tuple(class_text.shape)}")
        name, sentences = class_text[..., 0, :], F.normalize(class_text[..., 1:, :], dim=-1)
        seen, moved, named = (m(support, query, name, support_mask).logits for m in (otam, otam_centred, zero_shot))
        sentences = ORDERS[self.order].to(sentences) @ sentences
        parts, twice = F.normalize(stretches(F.normalize(query, dim=-1)), dim=-1), 2 * query.shape[-2]
        read = [matched(parts, sentences), matched(centred(parts), centred(sentences))]
        return torch.stack([seen / twice, moved / twice, named, *read], dim=-1)


def stretches(video: Tensor) -> Tensor:
    """Mean frames of start, middle and end, ``[..., T, C]`` → ``[..., 3, C]``: s is of ⌊sT/3⌋ … ⌈(s + 1)T/3⌉ − 1.

    Neighbours share a frame where 3 does not divide T, so that a reversed clip has the same stretches, reversed.
    """
    spans = [slice(s * video.shape[-2] // 3, -(-(s + 1) * video.shape[-2] // 3)) for s in range(3)]
    return torch.stack([video[..., span, :].mean(-2) for span in spans], dim=-2)


def matched(parts: Tensor, texts: Tensor) -> Tensor:
    """mean_s cos(parts_s, texts_s): ``[..., Q, 3, C]`` and ``[..., N, 3, C]`` → ``[..., Q, N]``."""
    parts, texts = (F.normalize(x, dim=-1, eps=LEAST_CHANGE).flatten(-2) for x in (parts, texts))
    return parts @ texts.transpose(-1, -2) / 3


def stage_rows(full: Weights, no_stages: Weights, text_only: Weights) -> dict[str, SubActions]:
    """The rows of a table, by name."""
    rows = {"sub-actions": SubActions(full), "sub-actions without stages": SubActions(no_stages)}
    orders: Any = {"stage text only": "right", "stage text, no order": "none", "stage text, wrong order": "reversed"}
    return rows | {name: SubActions(text_only, order) for name, order in orders.items()}


STAGE_METHODS = stage_rows(SubActions.weights, (0.5, 2.0, 2.0, 0.0, 0.0), (0.0, 0.0, 0.0, 2.0, 0.5))
