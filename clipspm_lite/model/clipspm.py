"""CLIP-SPM assembled: HSMR, SPM and PADM into one score and one loss (SPEC section 4)."""

from functools import reduce
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from clipspm_lite.arguments import check_known
from clipspm_lite.model.fusion import SemanticFusion
from clipspm_lite.model.head import Head, Losses, Prepared, cross_entropy_losses, query_cross_entropy
from clipspm_lite.model.hsmr import MotionFeatureExtraction, hsmr
from clipspm_lite.model.otam import otam
from clipspm_lite.model.padm import PADM, PADMOutput
from clipspm_lite.model.presets import EPISODES_PER_STEP, PRESETS, CLIPSPMConfig
from clipspm_lite.model.spm import PromptGenerator, SPMOutput, generate_prompt, spm, support_prompt
from clipspm_lite.model.transformer import Mask, TransformerBlock, masked_mean, shot_mean, squared_distance


class CLIPSPMOutput(NamedTuple):
    """The answer of `CLIPSPM` and what it was made of.

    ``terms`` are the weighted distances "½ D_SPM", "D_PADM" and "D_anchor" that the model has; they add up to −logits.
    Each is ``[..., Q, N]``, but D_anchor is ``[..., 1, N]`` where all queries are asked together. Where each is asked
    alone, the tensors of ``padm`` have one more axis, ``[..., Q, ...]``, for the queries' episodes.
    """

    logits: Tensor  # −(½ D_SPM + D_PADM + D_anchor)  [..., Q, N]
    spm: SPMOutput | None  # None without SPM
    padm: PADMOutput | None  # None without PADM
    terms: dict[str, Tensor]


class CLIPSPM(Head):
    """CLIP-SPM's few-shot head: frame features of an episode in, logits out.

    ``CLIPSPM(dim, preset="paper")`` takes any field of `CLIPSPMConfig` as a keyword argument and keeps them as
    ``.config``. ``preset`` is "paper", "released" or "lite": conventions of losses, prompt and scaling (`PRESETS`),
    which arguments of the same names override. It does not touch the sizes. Raises TypeError for an unknown argument,
    and ValueError for an unknown preset or word or a size below 1.
    """

    config_class: ClassVar[type[CLIPSPMConfig]] = CLIPSPMConfig

    def __init__(self, dim: int, *, preset: str = "paper", **fields: Any):
        check_known("preset", preset, PRESETS)
        config = self.config_class(**vars(PRESETS[preset]) | fields, dim=dim, preset=preset)
        super().__init__(config)
        self.loss_form, self.inductive = config.loss_form, config.inductive
        self.mfe = MotionFeatureExtraction(dim, motion=config.motion, reduction=config.motion_reduction)
        self.fusion = SemanticFusion(config)
        condition, dropout = config.prompt_condition, config.feedforward_dropout
        self.prompt_generator = PromptGenerator(dim, config.mlp_dim, condition=condition, dropout=dropout)
        self.padm = PADM(TransformerBlock(config))
        weight = torch.tensor(float(config.motion_loss_weight))
        self.motion_loss_weight = nn.Parameter(weight) if config.train_motion_loss_weight else nn.Buffer(weight)

    def _score(self, prepared: Prepared, inductive: bool) -> CLIPSPMOutput:
        support, query, class_text, support_mask = prepared
        modulated = refined = None
        if self.config.with_spm:
            named = self.config.support_text == "class"
            prompt = None if named else generate_prompt(support, class_text, self.prompt_generator)
            modulated = spm(*prepared, self.fusion, self.prompt_generator, prompt)
            support, query = modulated.support, modulated.query
            terms = {"½ D_SPM": modulated.distance / 2}
        else:
            terms = {"½ D_SPM": otam(query, shot_mean(support, support_mask)) / 2}
        if self.config.with_padm:
            videos = support, query, support_mask
            refined = self.padm(*(queries_alone(*videos) if inductive else videos))
            distances = refined.distance, refined.anchor_distance
            terms["D_PADM"], anchor_distance = (d.squeeze(-2) for d in distances) if inductive else distances
            if self.config.with_anchor:
                terms["D_anchor"] = anchor_distance
        return CLIPSPMOutput(-reduce(torch.add, terms.values()), modulated, refined, terms)

    def _losses(self, prepared: Prepared, query_labels: Tensor) -> Losses:
        support, query, _, support_mask = prepared
        scored = self._score(prepared, self.inductive)
        of_support, of_query = (hsmr(videos, self.mfe, self.fusion).disagreement() for videos in (support, query))
        hsmr_loss = mean_over_supports(of_support, support_mask) + of_query.mean(-1)
        consistency = text = torch.zeros_like(hsmr_loss)
        if self.config.consistency and scored.spm is not None:
            consistency, text = self._consistency_losses(prepared, query_labels, scored.spm)
        losses = cross_entropy_losses(scored.logits, query_labels)
        supervised = losses.cross_entropy
        if self.loss_form == "summed":
            supervised = query_cross_entropy(scored.logits, query_labels).sum(-1) / EPISODES_PER_STEP
        regularizer = consistency + text + self.motion_loss_weight * hsmr_loss
        total = supervised + self.config.regularizer_weight * regularizer
        return losses._replace(total=total, hsmr=hsmr_loss, consistency=consistency, text=text)

    def _consistency_losses(self, prepared: Prepared, query_labels: Tensor, named: SPMOutput) -> tuple[Tensor, Tensor]:
        """L_cons and L_text: a generated prompt should do to a video what its true class name does."""
        support, query, class_text, support_mask = prepared
        support_text = support_prompt(support, class_text)
        generated = generate_prompt(support, class_text, self.prompt_generator)
        support_features, support_token = self.fusion(support, generated)
        index = query_labels[..., None].expand(*query_labels.shape, class_text.shape[-1])
        query_text = class_text.gather(-2, index).unsqueeze(-2)
        query_features, query_token = self.fusion(query, query_text)
        pairs = (query_text, named.query_prompt), (query_token, named.query_token), (query_features, named.query)
        prompt_query, token_query, features_query = (squared_distance(x, y, 2).mean(-1) for x, y in pairs)
        pairs = (support_text, generated), (named.support_token, support_token), (named.support, support_features)
        prompt_support, token_support, features_support = (
            mean_over_supports(squared_distance(x, y, 2), support_mask) for x, y in pairs
        )
        w_c, w_t = self.config.feature_consistency_weight, self.config.text_consistency_weight
        consistency = w_c * (token_query + features_query) + (1 - w_c) * (token_support + features_support)
        text = w_t * (prompt_query + token_query) + (0.5 - w_t) * (prompt_support + token_support)
        return consistency, text


def queries_alone(support: Tensor, query: Tensor, support_mask: Mask) -> tuple[Tensor, Tensor, Mask]:
    """Each query as an episode of its own: supports ``[..., Q, N, K, T, C]``, queries ``[..., Q, 1, T, C]``, masks."""
    supports = support.unsqueeze(-5).expand(*query.shape[:-2], *support.shape[-4:])
    mask = None if support_mask is None else support_mask.unsqueeze(-3).expand(supports.shape[:-2])
    return supports, query.unsqueeze(-3), mask


def mean_over_supports(per_video: Tensor, support_mask: Mask) -> Tensor:
    """``[..., N, K]`` → ``[...]``, over the shots that are there."""
    return masked_mean(per_video.flatten(-2), None if support_mask is None else support_mask.flatten(-2), dim=-1)
