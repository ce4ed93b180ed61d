"""What every trained head has: arguments that are checked once, prepared features, an answer, and losses."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.model.transformer import Mask

Features = tuple[Tensor, Tensor, Tensor]  # support, query and class_text
Prepared = tuple[Tensor, Tensor, Tensor, Mask]  # support, query and class_text as `Head.prepare` gives them, the mask


class Losses(NamedTuple):
    """Loss terms of SPEC section 4, one value per episode (shape: the leading axes), unweighted; zero if not there."""

    total: Tensor  # what is trained
    cross_entropy: Tensor  # mean over queries, in every preset
    hsmr: Tensor  # L_HSMR
    consistency: Tensor  # L_cons
    text: Tensor  # L_text
    logits: Tensor  # [..., Q, N]


class Head(nn.Module):
    """A few-shot head: frame features of an episode in, logits out. Each kind of head defines its ``_score``.

    ``config`` is the frozen dataclass it was built from. It has ``dim``, C, and ``normalize_features``.
    """

    loss_form: str = "mean"  # whether a step divides its episodes' losses ("mean") or they already are ("summed")
    inductive: bool = True  # whether each query is answered by itself
    _score: Callable[..., Any]  # (prepared, inductive) → the answer

    def __init__(self, config: Any):
        super().__init__()
        self.config = config
        self.dim: int = config.dim

    def forward(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Mask = None,
        *,
        inductive: bool | None = None,
    ) -> Any:
        """Score every query against every class; the result has ``.logits`` ``[..., Q, N]``. No query's label enters.

        Shapes: support ``[..., N, K, T, C]``, class-major; query ``[..., Q, T, C]``; class_text ``[..., N, C]``;
        support_mask bool ``[..., N, K]``, False where a class has fewer than K shots. ``inductive`` overrides the
        head's setting, if it knows another way. Raises what `check_episode` does.
        """
        prepared = self._prepared(support, query, class_text, support_mask)
        return self._score(prepared, self.inductive if inductive is None else inductive)

    def losses(
        self, support: Tensor, query: Tensor, class_text: Tensor, query_labels: Tensor, support_mask: Mask = None
    ) -> Losses:
        """Training losses; query_labels: int64 ``[..., Q]`` in 0 … N − 1, else ValueError; the rest as in `forward`."""
        prepared = self._prepared(support, query, class_text, support_mask)
        check_labels(query_labels, query, class_text)
        return self._losses(prepared, query_labels)

    def _prepared(self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask) -> Prepared:
        check_episode(support, query, class_text, support_mask, self.dim)
        return *self.prepare(support, query, class_text, support_mask), support_mask

    def prepare(self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask) -> Features:
        """Support, query and class_text with missing shots zero, and lengths √C if the configuration says so."""
        if support_mask is not None:
            support = support.masked_fill(~support_mask[..., None, None], 0)
        if self.config.normalize_features:
            support, query, class_text = (self.dim**0.5 * F.normalize(x, dim=-1) for x in (support, query, class_text))
        return support, query, class_text

    def _losses(self, prepared: Prepared, query_labels: Tensor) -> Losses:
        return cross_entropy_losses(self._score(prepared, self.inductive).logits, query_labels)


def query_cross_entropy(logits: Tensor, query_labels: Tensor) -> Tensor:
    """Cross-entropy of each query: logits ``[..., Q, N]``, query_labels ``[..., Q]`` → ``[..., Q]``."""
    per_query = F.cross_entropy(logits.flatten(0, -2), query_labels.flatten(), reduction="none")
    return per_query.view(query_labels.shape)


def cross_entropy_losses(logits: Tensor, query_labels: Tensor) -> Losses:
    """`Losses` of cross-entropy alone; shapes as in `query_cross_entropy`."""
    cross_entropy = query_cross_entropy(logits, query_labels).mean(-1)
    zero = torch.zeros_like(cross_entropy)
    return Losses(cross_entropy, cross_entropy, zero, zero, zero, logits)


def check_episode(
    support: Tensor, query: Tensor, class_text: Tensor, support_mask: Tensor | None, dim: int | None = None
) -> None:
    """Refuse tensors that do not form a class-major episode of features of width ``dim``; None takes any width.

    Raises TypeError or ValueError. Values are not looked at, as a GPU would wait: NaN features give NaN logits.
    """
    given = {"support": support, "query": query, "class_text": class_text}
    if support_mask is not None:
        given["support_mask"] = support_mask
    for name, tensor in given.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, found {type(tensor).__name__}")
    if support.ndim < 4 or 0 in support.shape:
        raise ValueError(f"support: expected [..., N, K, T, C], at least one of each, found {tuple(support.shape)}")
    *leading, way, shot, frames, width = support.shape
    expected = {
        "support": support.shape,
        "query": (*leading, max((1, *query.shape[-3:-2])), frames, width),
        "class_text": (*leading, way, width),
        "support_mask": (*leading, way, shot),
    }
    for name, tensor in given.items():
        if tensor.shape != expected[name]:
            found, beside = tuple(tensor.shape), tuple(support.shape)
            raise ValueError(f"{name}: expected shape {expected[name]} beside a support of {beside}, found {found}")
    if dim is not None and width != dim:
        raise ValueError(f"support: expected width {dim}, found {width}: features of another backbone than the model's")
    if support_mask is not None and not support_mask.any(-1).all():
        raise ValueError("support_mask: every class needs at least one shot, found a class with none")


def check_labels(query_labels: Tensor, query: Tensor, class_text: Tensor) -> None:
    """Refuse labels that are not one class index of the episode for each query; raises ValueError."""
    shape, way = tuple(query.shape[:-2]), class_text.shape[-2]
    if query_labels.shape != shape or query_labels.dtype != torch.long:
        found = f"{query_labels.dtype} of shape {tuple(query_labels.shape)}"
        raise ValueError(f"query_labels: expected an int64 for each query, shape {shape}, found {found}")
    if ((query_labels < 0) | (query_labels >= way)).any():
        found = f"{int(query_labels.min())} … {int(query_labels.max())}"
        raise ValueError(f"query_labels: expected class indices 0 … {way - 1} of the episode, found {found}")
