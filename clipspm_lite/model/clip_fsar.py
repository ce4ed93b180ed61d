"""CLIP-FSAR (Wang et al., IJCV 2023, arXiv 2303.02982), a baseline: prototypes that their class text modulates."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.arguments import Checked
from clipspm_lite.model.head import Head, Losses, Prepared, cross_entropy_losses, query_cross_entropy
from clipspm_lite.model.otam import otam
from clipspm_lite.model.spm import support_prompt
from clipspm_lite.model.transformer import TransformerBlock, masked_mean, shot_mean


@dataclass(frozen=True)
class CLIPFSARConfig(Checked):
    """Everything that `CLIPFSAR` is built from."""

    model: ClassVar[str] = "clip-fsar"

    dim: int  # C, the joint width of the CLIP that encoded frames and class names
    heads: int = 8  # of the transformer, as in CLIPSPMConfig
    head_dim: int = 64
    mlp_dim: int = 2048
    dropout: float = 0.2
    feedforward_dropout: float = 0.05
    text_loss_weight: float = 1.0  # w; the authors: 1.2 (HMDB51), 1.5 (UCF101, Kinetics), 3 (SSv2)
    temperature: float = 0.07  # τ; the authors: 1, trained
    normalize_features: bool = False  # scale frame and text features to norm √C, as preset "lite" does
    train_temperature: bool = False  # train the scale 1/τ, as the authors do
    shots_averaged: Literal["after", "before"] = "after"  # the transformer; the authors at 5 shots: "before"


class CLIPFSAROutput(NamedTuple):
    """The answer of `CLIPFSAR` and what it was made of."""

    logits: Tensor  # −OTAM(query, prototype)  [..., Q, N]
    support: Tensor  # s' [..., N, K, T, C]: supports after the transformer; K = 1 where shots are averaged before it
    query: Tensor  # q' [..., Q, T, C]: queries after it, without a text
    prototypes: Tensor  # [..., N, T, C]: mean of s' over the shots


class CLIPFSAR(Head):
    """CLIP-FSAR's few-shot head, ``CLIPFSAR(dim)`` with any field of `CLIPFSARConfig` as a keyword argument.

        [t' ; s'] = TB([class text ; s])        q' = TB(q)
        logits = −OTAM(q', mean over shots of s')

        L = mean over queries of cross-entropy + w · L_text
        L_text = mean over all videos f of −log softmax_n( cos(mean_t f_t, text_n) / τ ) at the video's class

    Differences from the paper: features are given, so L_text, which looks at them before the transformer, teaches only
    an encoder that is trained; it contrasts the classes of the episode, not all training classes; TB is SPEC section
    2's, one layer with a shared norm on its input; zero-shot scores are not mixed into the answer.

    Differences from the authors' code are the fields that name the authors. Their five 5-shot configurations average
    the shots before the transformer: logits differ by up to 2.4.
    """

    def __init__(self, dim: int, **fields: Any):
        config = CLIPFSARConfig(dim, **fields)
        super().__init__(config)
        self.transformer = TransformerBlock(config)
        if config.train_temperature:
            self.scale = nn.Parameter(torch.tensor(1 / config.temperature))

    def _score(self, prepared: Prepared, *_: Any) -> CLIPFSAROutput:
        support, query, class_text, support_mask = prepared
        if self.config.shots_averaged == "before":
            support, support_mask = shot_mean(support, support_mask).unsqueeze(-3), None
        tokens = torch.cat([support_prompt(support, class_text), support], dim=-2)
        modulated = self.transformer(tokens)[..., 1:, :]
        related = self.transformer(query)
        prototypes = shot_mean(modulated, support_mask)
        return CLIPFSAROutput(-otam(related, prototypes), modulated, related, prototypes)

    def _losses(self, prepared: Prepared, query_labels: Tensor) -> Losses:
        losses = cross_entropy_losses(self._score(prepared).logits, query_labels)
        text = self._text_loss(prepared, query_labels)
        return losses._replace(total=losses.total + self.config.text_loss_weight * text, text=text)

    def _text_loss(self, prepared: Prepared, query_labels: Tensor) -> Tensor:
        support, query, class_text, support_mask = prepared
        *leading, way, shot = support.shape[:-2]
        videos = torch.cat([support.flatten(-4, -3), query], dim=-3).mean(-2)  # [..., N·K + Q, C]
        cosines = F.normalize(videos, dim=-1) @ F.normalize(class_text, dim=-1).transpose(-1, -2)
        scaled = cosines * self.scale if self.config.train_temperature else cosines / self.config.temperature
        own = torch.arange(way, device=query_labels.device).repeat_interleave(shot)
        labels = torch.cat([own.expand(*leading, -1), query_labels], dim=-1)
        queries = query_labels.shape[-1]
        mask = None if support_mask is None else F.pad(support_mask.flatten(-2), (0, queries), value=True)
        return masked_mean(query_cross_entropy(scaled, labels), mask, dim=-1)
