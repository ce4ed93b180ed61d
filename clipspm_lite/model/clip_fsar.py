"""CLIP-FSAR (Wang et al., IJCV 2023, arXiv 2303.02982), a baseline: prototypes that their class text modulates."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.model.checks import check_episode, check_fields, check_labels
from clipspm_lite.model.clipspm import Losses, prepare_episode, query_cross_entropy
from clipspm_lite.model.otam import otam
from clipspm_lite.model.presets import LossForm
from clipspm_lite.model.spm import support_prompt
from clipspm_lite.model.transformer import Mask, TransformerBlock, masked_mean, shot_mean


@dataclass(frozen=True)
class CLIPFSARConfig:
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

    def __post_init__(self) -> None:
        check_fields(self)


class CLIPFSAROutput(NamedTuple):
    """The answer of `CLIPFSAR` and what it was made of."""

    logits: Tensor  # −OTAM(query, prototype)  [..., Q, N]
    support: Tensor  # s' [..., N, K, T, C]: supports after the transformer; K = 1 where shots are averaged before it
    query: Tensor  # q' [..., Q, T, C]: queries after it, without a text
    prototypes: Tensor  # [..., N, T, C]: mean of s' over the shots


class CLIPFSAR(nn.Module):
    """CLIP-FSAR's few-shot head: one transformer over a video's frames, and over the class text where it is known.

        [t' ; s'] = TB([class text ; s])        q' = TB(q)
        logits = −OTAM(q', mean over shots of s')

        L = mean over queries of cross-entropy + w · L_text
        L_text = mean over all videos f of −log softmax_n( cos(mean_t f_t, text_n) / τ ) at the video's class

    ``CLIPFSAR(dim)`` takes every field of `CLIPFSARConfig` as a keyword argument and keeps them as ``.config``.

    Differences from the paper: features are given, so L_text, which looks at them before the transformer, teaches only
    an encoder that is trained; it contrasts the classes of the episode, not all training classes; TB is SPEC section
    2's, one layer with a shared norm on its input; zero-shot scores are not mixed into the answer.

    Differences from the authors' code, each an option: their five 5-shot configurations average the shots before the
    transformer (``shots_averaged="before"``: logits differ by up to 2.4), ours always after it; w is 1.2 to 3 there, 1
    here; their scale 1/τ starts at 1 and is trained, our τ is the constant 0.07.

    Raises:
        TypeError: an argument that the configuration does not have.
        ValueError: a size below 1, or an unknown word.
    """

    loss_form: LossForm = "mean"

    def __init__(self, dim: int, **fields: Any):
        super().__init__()
        self.config = config = CLIPFSARConfig(dim, **fields)
        self.dim = dim
        self.transformer = TransformerBlock.of(config)
        if config.train_temperature:
            self.scale = nn.Parameter(torch.tensor(1 / config.temperature))

    def forward(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Mask = None,
        *,
        inductive: bool | None = None,
    ) -> CLIPFSAROutput:
        """Score every query against every class; arguments and errors as those of `CLIPSPM.forward`.

        ``inductive`` changes nothing: each query is always answered by itself.
        """
        check_episode(support, query, class_text, support_mask, self.dim)
        return self._score(*self.prepare(support, query, class_text, support_mask), support_mask)

    def losses(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        query_labels: Tensor,
        support_mask: Mask = None,
    ) -> Losses:
        """Training losses, arguments and errors as those of `CLIPSPM.losses`. ``text`` is L_text."""
        check_episode(support, query, class_text, support_mask, self.dim)
        check_labels(query_labels, query, class_text)
        support, query, class_text = self.prepare(support, query, class_text, support_mask)
        logits = self._score(support, query, class_text, support_mask).logits
        cross_entropy = query_cross_entropy(logits, query_labels).mean(-1)
        text = self._text_loss(support, query, class_text, query_labels, support_mask)
        zero = torch.zeros_like(cross_entropy)
        total = cross_entropy + self.config.text_loss_weight * text
        return Losses(total, cross_entropy, zero, zero, text, logits)

    def prepare(
        self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Support, query and class_text with missing shots zero, and lengths √C if the configuration says so."""
        normalize = self.config.normalize_features
        return prepare_episode(support, query, class_text, support_mask, normalize=normalize)

    def _score(
        self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask
    ) -> CLIPFSAROutput:
        if self.config.shots_averaged == "before":
            support, support_mask = shot_mean(support, support_mask).unsqueeze(-3), None
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
        support_mask: Mask,
    ) -> Tensor:
        """L_text, ``[...]``, over the supports that are there and the queries."""
        *leading, way, shot = support.shape[:-2]
        videos = torch.cat([support.flatten(-4, -3), query], dim=-3).mean(-2)  # [..., N·K + Q, C]
        cosines = F.normalize(videos, dim=-1) @ F.normalize(class_text, dim=-1).transpose(-1, -2)
        scaled = cosines * self.scale if self.config.train_temperature else cosines / self.config.temperature
        own = torch.arange(way, device=query_labels.device).repeat_interleave(shot)
        labels = torch.cat([own.expand(*leading, -1), query_labels], dim=-1)
        mask = None
        if support_mask is not None:
            mask = torch.cat([support_mask.flatten(-2), torch.ones_like(query_labels, dtype=torch.bool)], -1)
        return masked_mean(query_cross_entropy(scaled, labels), mask, dim=-1)
