"""CLIP-SPM assembled: HSMR, SPM and PADM into one score and one loss (SPEC section 4)."""

from dataclasses import asdict, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.model.checks import check_config, check_episode, check_labels
from clipspm_lite.model.fusion import SemanticFusion
from clipspm_lite.model.hsmr import Motion, MotionFeatureExtraction, MotionReduction, hsmr
from clipspm_lite.model.otam import otam
from clipspm_lite.model.padm import PADM, PADMOutput
from clipspm_lite.model.presets import EPISODES_PER_STEP, PRESETS
from clipspm_lite.model.spm import (
    FusedSupport,
    PromptCondition,
    PromptGenerator,
    SPMOutput,
    SupportText,
    generate_prompt,
    spm,
    support_prompt,
)
from clipspm_lite.model.transformer import TransformerBlock, masked_mean, shot_mean, squared_distance


class CLIPSPMOutput(NamedTuple):
    """The answer of `CLIPSPM` and what it was made of."""

    logits: Tensor  # −(½ D_SPM + D_PADM + D_anchor)  [..., Q, N]
    spm: SPMOutput | None  # None without SPM
    padm: PADMOutput | None  # None without PADM


class Losses(NamedTuple):
    """Loss terms of SPEC section 4, one value an episode (shape: the leading axes), before their weights.

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

    Args:
        dim: C, the joint width of the CLIP that encoded frames and class names (512 for ViT-B/16).
        heads, head_dim: attention heads and their width, in both transformer blocks.
        mlp_dim: H, hidden width of the blocks' feed-forward parts and of the prompt generator.
        visual_gate_ratio, prompt_gate_ratio: r_v and r_p, hidden widths of the gates relative to C.
        gate_slope: LeakyReLU slope inside the gates.
        prompt_weight: α, how much of the gated prompt is added to every frame.
        preset: "paper", "released" or "lite": conventions of losses, prompt and scaling (`PRESETS`). It leaves the
            sizes above alone, which belong to a data set.
        dropout, feedforward_dropout: after W_o, and after each feed-forward layer.
        motion, motion_reduction: see `MotionFeatureExtraction`.
        motion_loss_weight: w_m, the weight of L_HSMR (where it starts, if the preset trains it).
        feature_consistency_weight, text_consistency_weight: w_c and w_t.
        inductive: score each query as an episode of its own, instead of letting queries see each other in PADM.
        with_spm, with_padm, with_anchor: False removes the part, for ablations. Without SPM the frames go on as they
            came and D_SPM is their plain OTAM distance; without PADM there is no anchor either. A model without SPM and
            PADM answers as OTAM does.
        support_text: "class", or "generated" to give supports a generated prompt as queries have (an ablation).
        consistency, loss_form, regularizer_weight, train_motion_loss_weight, prompt_condition, normalize_features:
            override the preset's convention of that name.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 8,
        head_dim: int = 256,
        mlp_dim: int = 2048,
        visual_gate_ratio: float = 0.5,
        prompt_gate_ratio: float = 1.5,
        gate_slope: float = 0.0025,
        prompt_weight: float = 0.2,
        preset: str = "paper",
        dropout: float = 0.2,
        feedforward_dropout: float = 0.05,
        motion: Motion = "symmetric",
        motion_reduction: MotionReduction = "mean",
        motion_loss_weight: float = 1.0,
        feature_consistency_weight: float = 0.54,
        text_consistency_weight: float = 0.07,
        inductive: bool = False,
        with_spm: bool = True,
        with_padm: bool = True,
        with_anchor: bool = True,
        support_text: SupportText = "class",
        consistency: bool | None = None,
        loss_form: Literal["mean", "summed"] | None = None,
        regularizer_weight: float | None = None,
        train_motion_loss_weight: bool | None = None,
        prompt_condition: PromptCondition | None = None,
        normalize_features: bool | None = None,
    ):
        super().__init__()
        if preset not in PRESETS:
            raise ValueError(f"preset: expected one of {', '.join(map(repr, PRESETS))}, found {preset!r}")
        overrides: dict[str, Any] = dict(
            consistency=consistency,
            loss_form=loss_form,
            regularizer_weight=regularizer_weight,
            train_motion_loss_weight=train_motion_loss_weight,
            prompt_condition=prompt_condition,
            normalize_features=normalize_features,
        )
        convention = replace(PRESETS[preset], **{k: v for k, v in overrides.items() if v is not None})
        block: dict[str, Any] = dict(
            heads=heads,
            head_dim=head_dim,
            mlp_dim=mlp_dim,
            dropout=dropout,
            feedforward_dropout=feedforward_dropout,
        )
        self.config: dict[str, Any] = dict(
            dim=dim,
            **block,
            visual_gate_ratio=visual_gate_ratio,
            prompt_gate_ratio=prompt_gate_ratio,
            gate_slope=gate_slope,
            prompt_weight=prompt_weight,
            preset=preset,
            motion=motion,
            motion_reduction=motion_reduction,
            motion_loss_weight=motion_loss_weight,
            feature_consistency_weight=feature_consistency_weight,
            text_consistency_weight=text_consistency_weight,
            inductive=inductive,
            with_spm=with_spm,
            with_padm=with_padm,
            with_anchor=with_anchor,
            support_text=support_text,
            **asdict(convention),
        )
        numbers = (
            "visual_gate_ratio", "prompt_gate_ratio", "gate_slope", "prompt_weight", "motion_loss_weight",
            "feature_consistency_weight", "text_consistency_weight", "regularizer_weight", "dropout",
            "feedforward_dropout",
        )  # fmt: skip
        check_config(self.config, ("dim", "heads", "head_dim", "mlp_dim"), numbers)
        self.dim = dim
        self.convention = convention
        self.feature_consistency_weight = feature_consistency_weight
        self.text_consistency_weight = text_consistency_weight
        self.inductive = inductive
        self.with_spm, self.with_padm, self.with_anchor = with_spm, with_padm, with_anchor
        if support_text not in ("class", "generated"):
            raise ValueError(f'support_text: expected "class" or "generated", found {support_text!r}')
        self.support_text: SupportText = support_text

        self.mfe = MotionFeatureExtraction(dim, motion=motion, reduction=motion_reduction)
        self.fusion = SemanticFusion(
            dim,
            visual_gate_ratio=visual_gate_ratio,
            prompt_gate_ratio=prompt_gate_ratio,
            gate_slope=gate_slope,
            prompt_weight=prompt_weight,
            transformer=TransformerBlock(dim, **block),
        )
        self.prompt_generator = PromptGenerator(
            dim, mlp_dim, condition=convention.prompt_condition, dropout=feedforward_dropout
        )
        self.padm = PADM(TransformerBlock(dim, **block))
        weight = torch.tensor(float(motion_loss_weight))
        if convention.train_motion_loss_weight:
            self.motion_loss_weight = nn.Parameter(weight)
        else:
            self.register_buffer("motion_loss_weight", weight)

    @property
    def loss_form(self) -> Literal["mean", "summed"]:
        """Whether an episode's loss is divided by the episodes of a step ("mean") or already is ("summed")."""
        return self.convention.loss_form

    def forward(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Tensor | None = None,
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
            fused: what `fuse_known` gave for the supports, if it was asked before.

        Raises:
            TypeError, ValueError: tensors that are no episode (`check_episode`).
        """
        check_episode(support, query, class_text, support_mask, self)
        support, query, class_text = self.prepare(support, query, class_text, support_mask)
        inductive = self.inductive if inductive is None else inductive
        return self._score(support, query, class_text, support_mask, inductive, fused)

    def fuse_known(self, support: Tensor, class_text: Tensor) -> FusedSupport | None:
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
        support_mask: Tensor | None = None,
    ) -> Losses:
        """Training losses (SPEC section 4); query_labels: int64 ``[..., Q]`` in 0 … N − 1, the rest as in `forward`.

        Raises:
            TypeError, ValueError: as `forward`, labels that are not one class of the episode for each query, or videos
                of a single frame, which have no motion.
        """
        check_episode(support, query, class_text, support_mask, self)
        check_labels(query_labels, query, class_text)
        support, query, class_text = self.prepare(support, query, class_text, support_mask)
        scored = self._score(support, query, class_text, support_mask, self.inductive)

        cross_entropy = query_cross_entropy(scored.logits, query_labels)
        hsmr_loss = self._hsmr_loss(support, query, support_mask)
        consistency = text = torch.zeros_like(hsmr_loss)
        if self.convention.consistency and scored.spm is not None:
            consistency, text = self._consistency_losses(
                support, query, class_text, query_labels, support_mask, scored.spm
            )

        regularizer = consistency + text + self.motion_loss_weight * hsmr_loss
        supervised = (
            cross_entropy.mean(-1) if self.loss_form == "mean" else cross_entropy.sum(-1) / EPISODES_PER_STEP
        )
        total = supervised + self.convention.regularizer_weight * regularizer
        return Losses(total, cross_entropy.mean(-1), hsmr_loss, consistency, text, scored.logits)

    def prepare(
        self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Support, query and class_text as the preset wants them: missing shots zero, lengths √C if it says so."""
        return prepare_episode(
            support, query, class_text, support_mask, normalize=self.convention.normalize_features
        )

    def _score(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Tensor | None,
        inductive: bool,
        fused: FusedSupport | None = None,
    ) -> CLIPSPMOutput:
        modulated = None
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
            spm_distance = modulated.distance
        else:
            spm_distance = otam(query, shot_mean(support, support_mask))
        if not self.with_padm:
            return CLIPSPMOutput(-spm_distance / 2, modulated, None)
        if inductive:
            # Each query becomes an episode of one query; SPM treats videos one by one and needs no such step.
            per_query = support.unsqueeze(-5).expand(*query.shape[:-2], *support.shape[-4:])
            mask = None if support_mask is None else support_mask.unsqueeze(-3).expand(per_query.shape[:-2])
            refined = self.padm(per_query, query.unsqueeze(-3), mask)
            padm_distance = refined.distance.squeeze(-2)
            anchor_distance = refined.anchor_distance.squeeze(-2)
        else:
            refined = self.padm(support, query, support_mask)
            padm_distance, anchor_distance = refined.distance, refined.anchor_distance
        distance = spm_distance / 2 + padm_distance
        if self.with_anchor:
            distance = distance + anchor_distance
        return CLIPSPMOutput(-distance, modulated, refined)

    def _hsmr_loss(self, support: Tensor, query: Tensor, support_mask: Tensor | None) -> Tensor:
        of_support = hsmr(support, self.mfe, self.fusion).disagreement()
        of_query = hsmr(query, self.mfe, self.fusion).disagreement()
        return mean_over_supports(of_support, support_mask) + of_query.mean(-1)

    def _consistency_losses(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        query_labels: Tensor,
        support_mask: Tensor | None,
        named: SPMOutput,
    ) -> tuple[Tensor, Tensor]:
        """L_cons and L_text: a generated prompt should do to a video what its true class name does."""
        support_text = support_prompt(support, class_text)
        generated = generate_prompt(support, class_text, self.prompt_generator)
        support_features, support_token = self.fusion(support, generated)
        index = query_labels[..., None].expand(*query_labels.shape, class_text.shape[-1])
        query_text = class_text.gather(-2, index).unsqueeze(-2)
        query_features, query_token = self.fusion(query, query_text)

        prompt_query = squared_distance(query_text, named.query_prompt, 2).mean(-1)
        token_query = squared_distance(query_token, named.query_token, 2).mean(-1)
        feature_query = token_query + squared_distance(query_features, named.query, 2).mean(-1)
        prompt_support = mean_over_supports(squared_distance(support_text, generated, 2), support_mask)
        token_support = mean_over_supports(
            squared_distance(named.support_token, support_token, 2), support_mask
        )
        feature_support = token_support + mean_over_supports(
            squared_distance(named.support, support_features, 2), support_mask
        )

        w_c, w_t = self.feature_consistency_weight, self.text_consistency_weight
        consistency = w_c * feature_query + (1 - w_c) * feature_support
        text = w_t * (prompt_query + token_query) + (0.5 - w_t) * (prompt_support + token_support)
        return consistency, text


def mean_over_supports(per_video: Tensor, support_mask: Tensor | None) -> Tensor:
    """``[..., N, K]`` → ``[...]``, over the shots that are there."""
    return masked_mean(
        per_video.flatten(-2), None if support_mask is None else support_mask.flatten(-2), dim=-1
    )


def prepare_episode(
    support: Tensor, query: Tensor, class_text: Tensor, support_mask: Tensor | None, *, normalize: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Support, query and class_text with missing shots zero and, if ``normalize``, every feature of length √C."""
    if support_mask is not None:
        # What stands in a missing shot's place, NaN included, must reach no sum and no gradient.
        support = support.masked_fill(~support_mask[..., None, None], 0)
    if normalize:
        length = support.shape[-1] ** 0.5
        support, query, class_text = (
            length * F.normalize(features, dim=-1) for features in (support, query, class_text)
        )
    return support, query, class_text


def query_cross_entropy(logits: Tensor, query_labels: Tensor) -> Tensor:
    """Cross-entropy of each query: logits ``[..., Q, N]``, query_labels ``[..., Q]`` → ``[..., Q]``."""
    if logits.shape[:-1] != query_labels.shape:
        raise ValueError(
            f"logits: expected the shape ({', '.join(map(str, query_labels.shape))}, N) beside the queries' labels, "
            f"found {tuple(logits.shape)}"
        )
    per_query = F.cross_entropy(logits.flatten(0, -2), query_labels.flatten(), reduction="none")
    return per_query.view(query_labels.shape)


def cross_entropy_losses(logits: Tensor, query_labels: Tensor) -> Losses:
    """`Losses` of a model that is trained on cross-entropy alone; shapes as in `query_cross_entropy`."""
    cross_entropy = query_cross_entropy(logits, query_labels).mean(-1)
    zero = torch.zeros_like(cross_entropy)
    return Losses(cross_entropy, cross_entropy, zero, zero, zero, logits)
