"""CLIP-FSAR (Wang et al., IJCV 2023, arXiv 2303.02982), a baseline: prototypes that their class text modulates."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.model.checks import check_config, check_episode, check_labels
from clipspm_lite.model.clipspm import (
    Losses,
    prepare_episode,
    query_cross_entropy,
)
from clipspm_lite.model.otam import otam
from clipspm_lite.model.spm import support_prompt
from clipspm_lite.model.transformer import TransformerBlock, masked_mean, shot_mean


class CLIPFSAROutput(NamedTuple):
    """The answer of `CLIPFSAR` and what it was made of."""

    logits: Tensor  # −OTAM(query, prototype)  [..., Q, N]
    support: Tensor  # s' [..., N, K, T, C]: supports after the transformer, beside their class text
    query: Tensor  # q' [..., Q, T, C]: queries after it, without a text
    prototypes: Tensor  # [..., N, T, C]: mean of s' over the shots


class CLIPFSAR(nn.Module):
    """CLIP-FSAR's few-shot head: one transformer over a video's frames, and over the class text where it is known.

        [t' ; s'] = TB([class text ; s])        q' = TB(q)
        logits = −OTAM(q', mean over shots of s')

        L = mean over queries of cross-entropy + w · L_text
        L_text = mean over all videos f of −log softmax_n( cos(mean_t f_t, text_n) / τ ) at the video's class

    Here and not in the paper: features are given, so L_text, which looks at them before the transformer, teaches only
    an encoder that is trained; it contrasts the classes of the episode, not all training classes, and τ is a constant;
    TB is SPEC section 2's, one layer with a shared norm on its input; zero-shot scores are not mixed into the answer.

    Args:
        dim: C, the joint width of the CLIP that encoded frames and class names.
        heads, head_dim, mlp_dim, dropout, feedforward_dropout: of the transformer, as in `CLIPSPM`.
        text_loss_weight: w.
        temperature: τ.
        normalize_features: scale frame and text features to norm √C, as preset "lite" does.

    Raises:
        ValueError: a size below 1, or a temperature that is not positive.
    """

    loss_form: Literal["mean", "summed"] = "mean"

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 8,
        head_dim: int = 64,
        mlp_dim: int = 2048,
        dropout: float = 0.2,
        feedforward_dropout: float = 0.05,
        text_loss_weight: float = 1.0,
        temperature: float = 0.07,
        normalize_features: bool = False,
    ):
        super().__init__()
        block: dict[str, Any] = dict(
            heads=heads,
            head_dim=head_dim,
            mlp_dim=mlp_dim,
            dropout=dropout,
            feedforward_dropout=feedforward_dropout,
        )
        self.config: dict[str, Any] = dict(
            model="clip-fsar",
            dim=dim,
            **block,
            text_loss_weight=text_loss_weight,
            temperature=temperature,
            normalize_features=normalize_features,
        )
        numbers = ("dropout", "feedforward_dropout", "text_loss_weight", "temperature")
        check_config(self.config, ("dim", "heads", "head_dim", "mlp_dim"), numbers)
        if temperature <= 0:
            raise ValueError(f"temperature: expected more than 0, found {temperature}")
        self.dim = dim
        self.text_loss_weight, self.temperature = text_loss_weight, temperature
        self.normalize_features = normalize_features
        self.transformer = TransformerBlock(dim, **block)

    def forward(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Tensor | None = None,
        *,
        inductive: bool | None = None,
    ) -> CLIPFSAROutput:
        """Score every query against every class. No label of a query enters.

        Args:
            support: frame features ``[..., N, K, T, C]``, class-major.
            query: frame features ``[..., Q, T, C]``.
            class_text: text features of the class names ``[..., N, C]``.
            support_mask: bool ``[..., N, K]``, False where a class has fewer than K shots.
            inductive: changes nothing: each query is always answered by itself.

        Raises:
            TypeError, ValueError: tensors that are no episode (`check_episode`).
        """
        check_episode(support, query, class_text, support_mask, self)
        support, query, class_text = prepare_episode(
            support, query, class_text, support_mask, normalize=self.normalize_features
        )
        return self._score(support, query, class_text, support_mask)

    def losses(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        query_labels: Tensor,
        support_mask: Tensor | None = None,
    ) -> Losses:
        """Training losses; query_labels: int64 ``[..., Q]`` in 0 … N − 1, the rest as in `forward`. ``text`` is L_text.

        Raises:
            TypeError, ValueError: as `forward`, or labels that are not one class of the episode for each query.
        """
        check_episode(support, query, class_text, support_mask, self)
        check_labels(query_labels, query, class_text)
        support, query, class_text = prepare_episode(
            support, query, class_text, support_mask, normalize=self.normalize_features
        )
        logits = self._score(support, query, class_text, support_mask).logits
        cross_entropy = query_cross_entropy(logits, query_labels).mean(-1)
        text = self._text_loss(support, query, class_text, query_labels, support_mask)
        zero = torch.zeros_like(cross_entropy)
        return Losses(cross_entropy + self.text_loss_weight * text, cross_entropy, zero, zero, text, logits)

    def _score(
        self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Tensor | None
    ) -> CLIPFSAROutput:
        tokens = torch.cat([support_prompt(support, class_text), support], dim=-2)
        modulated = self.transformer(tokens)[..., 1:, :]
        related = self.transformer(query)
        prototypes = shot_mean(modulated, support_mask)
        return CLIPFSAROutput(-otam(related, prototypes), modulated, related, prototypes)

    def _text_loss(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        query_labels: Tensor,
        support_mask: Tensor | None,
    ) -> Tensor:
        """L_text, ``[...]``, over the supports that are there and the queries."""
        *leading, way, shot = support.shape[:-2]
        videos = torch.cat([support.flatten(-4, -3), query], dim=-3).mean(-2)  # [..., N·K + Q, C]
        cosines = F.normalize(videos, dim=-1) @ F.normalize(class_text, dim=-1).transpose(-1, -2)
        own = torch.arange(way, device=query_labels.device).repeat_interleave(shot)
        labels = torch.cat([own.expand(*leading, -1), query_labels], dim=-1)
        mask = None
        if support_mask is not None:
            mask = torch.cat([support_mask.flatten(-2), torch.ones_like(query_labels, dtype=torch.bool)], -1)
        return masked_mean(query_cross_entropy(cosines / self.temperature, labels), mask, dim=-1)
