"""CLIP-SPM assembled: HSMR, SPM and PADM into one score and one loss (SPEC section 4)."""

from functools import reduce
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.arguments import check_known
from clipspm_lite.model.checks import check_episode, check_labels
from clipspm_lite.model.fusion import SemanticFusion
from clipspm_lite.model.hsmr import MotionFeatureExtraction, hsmr
from clipspm_lite.model.otam import otam
from clipspm_lite.model.padm import PADM, PADMOutput
from clipspm_lite.model.presets import EPISODES_PER_STEP, PRESETS, CLIPSPMConfig
from clipspm_lite.model.spm import (
    FusedSupport,
    PromptGenerator,
    SPMOutput,
    generate_prompt,
    spm,
    support_prompt,
)
from clipspm_lite.model.transformer import (
    Mask,
    TransformerBlock,
    masked_mean,
    shot_mean,
    squared_distance,
    without_missing,
)


class CLIPSPMOutput(NamedTuple):
    """The answer of `CLIPSPM` and what it was made of.

    ``terms`` are the weighted distances "½ D_SPM", "D_PADM" and "D_anchor", as far as the model has them. They add up
    to −logits. Each is ``[..., Q, N]``, but D_anchor is ``[..., 1, N]`` where all queries are asked together. Where
    each query is asked alone, the tensors of ``padm`` have an axis more, for the query whose episode it is.
    """

    logits: Tensor  # −(½ D_SPM + D_PADM + D_anchor)  [..., Q, N]
    spm: SPMOutput | None  # None without SPM
    padm: PADMOutput | None  # None without PADM
    terms: dict[str, Tensor]


class Losses(NamedTuple):
    """Loss terms of SPEC section 4, one value per episode (shape: the leading axes), before their weights.

    ``total`` is what is trained, by the preset's formula. Terms that the preset leaves out, or that another model does
    not have, are zero.
    """

    total: Tensor
    cross_entropy: Tensor  # mean over queries, in every preset
    hsmr: Tensor  # L_HSMR
    consistency: Tensor  # L_cons
    text: Tensor  # L_text
    logits: Tensor  # [..., Q, N]


class CLIPSPM(nn.Module):
    """CLIP-SPM's few-shot head: frame features of an episode in, logits out.

    ``CLIPSPM(dim, preset="paper")`` takes every field of `CLIPSPMConfig` as a keyword argument and keeps them as
    ``.config``. ``preset`` is "paper", "released" or "lite": conventions of losses, prompt and scaling (`PRESETS`),
    which arguments of the same names override. It does not touch the sizes.

    A subclass may make the features of a support depend on its episode. So it has no `fuse_supports` (it is None)
    unless it defines it itself: ``fuse_supports = CLIPSPM.fuse_supports`` says that they do not.

    Raises:
        TypeError: an argument that the configuration does not have.
        ValueError: an unknown preset or word, or a size below 1.
    """

    config_class: ClassVar[type[CLIPSPMConfig]] = CLIPSPMConfig

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "fuse_supports" not in vars(cls):
            cls.fuse_supports = None  # type: ignore[assignment, method-assign]

    def __init__(self, dim: int, *, preset: str = "paper", **fields: Any):
        super().__init__()
        check_known("preset", preset, PRESETS)
        config = self.config_class(**vars(PRESETS[preset]) | fields, dim=dim, preset=preset)
        self.config = config
        self.dim = config.dim
        self.loss_form = config.loss_form
        self.inductive = config.inductive
        self.with_spm, self.with_padm, self.with_anchor = (
            config.with_spm,
            config.with_padm,
            config.with_anchor,
        )
        self.support_text = config.support_text
        self.feature_consistency_weight = config.feature_consistency_weight
        self.text_consistency_weight = config.text_consistency_weight

        self.mfe = MotionFeatureExtraction(dim, motion=config.motion, reduction=config.motion_reduction)
        self.fusion = SemanticFusion(
            dim,
            visual_gate_ratio=config.visual_gate_ratio,
            prompt_gate_ratio=config.prompt_gate_ratio,
            gate_slope=config.gate_slope,
            prompt_weight=config.prompt_weight,
            transformer=TransformerBlock.of(config),
        )
        self.prompt_generator = PromptGenerator(
            dim, config.mlp_dim, condition=config.prompt_condition, dropout=config.feedforward_dropout
        )
        self.padm = PADM(TransformerBlock.of(config))
        weight = torch.tensor(float(config.motion_loss_weight))
        if config.train_motion_loss_weight:
            self.motion_loss_weight = nn.Parameter(weight)
        else:
            self.register_buffer("motion_loss_weight", weight)

    def forward(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Mask = None,
        *,
        inductive: bool | None = None,
        fused: FusedSupport | None = None,
    ) -> CLIPSPMOutput:
        """Score every query against every class. No label of a query enters.

        Args:
            support: frame features ``[..., N, K, T, C]``, class-major.
            query: frame features ``[..., Q, T, C]``.
            class_text: text features of the class names ``[..., N, C]``.
            support_mask: bool ``[..., N, K]``, False where a class has fewer than K shots.
            inductive: overrides the setting of the model for this call.
            fused: what `fuse_supports` gave for these supports, if it was asked before.

        Raises:
            TypeError, ValueError: tensors that do not form an episode (`check_episode`).
        """
        check_episode(support, query, class_text, support_mask, self.dim)
        support, query, class_text = self.prepare(support, query, class_text, support_mask)
        inductive = self.inductive if inductive is None else inductive
        return self._score(support, query, class_text, support_mask, inductive, fused)

    def fuse_supports(self, support: Tensor, class_text: Tensor) -> FusedSupport | None:
        """SF of supports ``[..., N, K, T, C]`` with class_text ``[..., N, C]``, for `forward` in many episodes.

        None where it depends on the episode: with generated prompts, or without SPM.
        """
        if not self.with_spm or self.support_text != "class":
            return None
        support, _, class_text = self.prepare(support, support.flatten(-4, -3), class_text, None)
        return FusedSupport(*self.fusion(support, support_prompt(support, class_text)))

    def losses(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        query_labels: Tensor,
        support_mask: Mask = None,
    ) -> Losses:
        """Training losses (SPEC section 4); query_labels: int64 ``[..., Q]`` in 0 … N − 1, the rest as in `forward`.

        Raises:
            TypeError, ValueError: as `forward`, labels that are not one class of the episode for each query, or videos
                of a single frame, which have no motion.
        """
        check_episode(support, query, class_text, support_mask, self.dim)
        check_labels(query_labels, query, class_text)
        support, query, class_text = self.prepare(support, query, class_text, support_mask)
        scored = self._score(support, query, class_text, support_mask, self.inductive)

        cross_entropy = query_cross_entropy(scored.logits, query_labels)
        hsmr_loss = self._hsmr_loss(support, query, support_mask)
        consistency = text = torch.zeros_like(hsmr_loss)
        if self.config.consistency and scored.spm is not None:
            consistency, text = self._consistency_losses(
                support, query, class_text, query_labels, support_mask, scored.spm
            )

        regularizer = consistency + text + self.motion_loss_weight * hsmr_loss
        supervised = (
            cross_entropy.mean(-1) if self.loss_form == "mean" else cross_entropy.sum(-1) / EPISODES_PER_STEP
        )
        total = supervised + self.config.regularizer_weight * regularizer
        return Losses(total, cross_entropy.mean(-1), hsmr_loss, consistency, text, scored.logits)

    def prepare(
        self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Support, query and class_text as the preset wants them: missing shots zero, lengths √C if it says so."""
        normalize = self.config.normalize_features
        return prepare_episode(support, query, class_text, support_mask, normalize=normalize)

    def _score(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Mask,
        inductive: bool,
        fused: FusedSupport | None = None,
    ) -> CLIPSPMOutput:
        modulated = refined = None
        if self.with_spm:
            modulated = spm(
                support,
                query,
                class_text,
                support_mask,
                self.fusion,
                self.prompt_generator,
                support_text=self.support_text,
                fused=fused,
            )
            support, query = modulated.support, modulated.query
            terms = {"½ D_SPM": modulated.distance / 2}
        else:
            terms = {"½ D_SPM": otam(query, shot_mean(support, support_mask)) / 2}
        if self.with_padm:
            refined, terms["D_PADM"], anchor_distance = self._refine(support, query, support_mask, inductive)
            if self.with_anchor:
                terms["D_anchor"] = anchor_distance
        return CLIPSPMOutput(-reduce(torch.add, terms.values()), modulated, refined, terms)

    def _refine(
        self, support: Tensor, query: Tensor, support_mask: Mask, inductive: bool
    ) -> tuple[PADMOutput, Tensor, Tensor]:
        """PADM and its two distances; if ``inductive``, each query becomes an episode of its own."""
        if not inductive:
            refined = self.padm(support, query, support_mask)
            return refined, refined.distance, refined.anchor_distance
        per_query = support.unsqueeze(-5).expand(*query.shape[:-2], *support.shape[-4:])
        mask = None if support_mask is None else support_mask.unsqueeze(-3).expand(per_query.shape[:-2])
        refined = self.padm(per_query, query.unsqueeze(-3), mask)
        return refined, refined.distance.squeeze(-2), refined.anchor_distance.squeeze(-2)

    def _hsmr_loss(self, support: Tensor, query: Tensor, support_mask: Mask) -> Tensor:
        of_support = hsmr(support, self.mfe, self.fusion).disagreement()
        of_query = hsmr(query, self.mfe, self.fusion).disagreement()
        return mean_over_supports(of_support, support_mask) + of_query.mean(-1)

    def _consistency_losses(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        query_labels: Tensor,
        support_mask: Mask,
        named: SPMOutput,
    ) -> tuple[Tensor, Tensor]:
        """L_cons and L_text: a generated prompt should do to a video what its true class name does."""
        support_text = support_prompt(support, class_text)
        generated = generate_prompt(support, class_text, self.prompt_generator)
        support_features, support_token = self.fusion(support, generated)
        index = query_labels[..., None].expand(*query_labels.shape, class_text.shape[-1])
        query_text = class_text.gather(-2, index).unsqueeze(-2)
        query_features, query_token = self.fusion(query, query_text)

        def over_supports(x: Tensor, y: Tensor) -> Tensor:
            return mean_over_supports(squared_distance(x, y, 2), support_mask)

        def over_queries(x: Tensor, y: Tensor) -> Tensor:
            return squared_distance(x, y, 2).mean(-1)

        prompt_query = over_queries(query_text, named.query_prompt)
        token_query = over_queries(query_token, named.query_token)
        feature_query = token_query + over_queries(query_features, named.query)
        prompt_support = over_supports(support_text, generated)
        token_support = over_supports(named.support_token, support_token)
        feature_support = token_support + over_supports(named.support, support_features)

        w_c, w_t = self.feature_consistency_weight, self.text_consistency_weight
        consistency = w_c * feature_query + (1 - w_c) * feature_support
        text = w_t * (prompt_query + token_query) + (0.5 - w_t) * (prompt_support + token_support)
        return consistency, text


def mean_over_supports(per_video: Tensor, support_mask: Mask) -> Tensor:
    """``[..., N, K]`` → ``[...]``, over the shots that are there."""
    return masked_mean(
        per_video.flatten(-2), None if support_mask is None else support_mask.flatten(-2), dim=-1
    )


def prepare_episode(
    support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask, *, normalize: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Support, query and class_text with missing shots zero and, if ``normalize``, every feature of length √C."""
    support = without_missing(support, support_mask)
    if normalize:
        length = support.shape[-1] ** 0.5
        support, query, class_text = (
            length * F.normalize(features, dim=-1) for features in (support, query, class_text)
        )
    return support, query, class_text


def query_cross_entropy(logits: Tensor, query_labels: Tensor) -> Tensor:
    """Cross-entropy of each query: logits ``[..., Q, N]``, query_labels ``[..., Q]`` → ``[..., Q]``."""
    per_query = F.cross_entropy(logits.flatten(0, -2), query_labels.flatten(), reduction="none")
    return per_query.view(query_labels.shape)


def cross_entropy_losses(logits: Tensor, query_labels: Tensor) -> Losses:
    """`Losses` of a model that is trained on cross-entropy alone; shapes as in `query_cross_entropy`."""
    cross_entropy = query_cross_entropy(logits, query_labels).mean(-1)
    zero = torch.zeros_like(cross_entropy)
    return Losses(cross_entropy, cross_entropy, zero, zero, zero, logits)
