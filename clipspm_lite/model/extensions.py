"""Changes to CLIP-SPM that are not in the paper, each off unless asked for (notebook 09 compares them)."""

from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.model.clipspm import CLIPSPM, CLIPSPMOutput
from clipspm_lite.model.head import Features, Prepared
from clipspm_lite.model.otam import centred, otam
from clipspm_lite.model.padm import PADM, PADMOutput
from clipspm_lite.model.presets import CLIPSPMConfig
from clipspm_lite.model.transformer import Mask, shot_mean


@dataclass(frozen=True)
class ExtendedCLIPSPMConfig(CLIPSPMConfig):
    """Everything that `ExtendedCLIPSPM` is built from. With the defaults it is `CLIPSPM`, weight for weight."""

    model: ClassVar[str] = "clip-spm-extended"

    # What enters the model: whole frames, or "centred", f_t − mean over t of f_t, blind to what stands still. Both are
    # scaled to norm √C where the preset scales frames.
    frames: Literal["whole", "centred"] = "whole"
    # Every frame becomes f_t + MFE(f), so motion is matched, at test too, and not only trained on. HSMR sees these.
    motion_kept: bool = False
    anchor: Literal["episode", "query"] = "episode"  # "query": each query is its own anchor, see QueryAnchorPADM
    centred_distance: bool = False  # also subtract the OTAM distance of the centred frames that entered: no weights


class ExtendedCLIPSPM(CLIPSPM):
    """CLIP-SPM with changes that are ours; takes any field of `ExtendedCLIPSPMConfig` as a keyword argument."""

    config_class = ExtendedCLIPSPMConfig

    def __init__(self, dim: int, **fields: Any):
        super().__init__(dim, **fields)
        if self.config.anchor == "query":
            self.padm = QueryAnchorPADM(self.padm.transformer)

    def prepare(self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask) -> Features:
        """As `CLIPSPM.prepare`, and then frames and motion as the configuration says."""
        support, query, class_text = super().prepare(support, query, class_text, support_mask)
        return self._changed(support), self._changed(query), class_text

    def _changed(self, video: Tensor) -> Tensor:
        config = self.config
        if config.frames == "centred":
            video = centred(video)
            if config.normalize_features:
                video = self.dim**0.5 * F.normalize(video, dim=-1)
        return video + self.mfe(video).unsqueeze(-2) if config.motion_kept else video

    def _score(self, prepared: Prepared, inductive: bool) -> CLIPSPMOutput:
        scored = super()._score(prepared, inductive)
        if not self.config.centred_distance:
            return scored
        support, query, _, support_mask = prepared
        terms = scored.terms | {"D_centred": otam(centred(query), shot_mean(centred(support), support_mask))}
        return scored._replace(logits=-reduce(torch.add, terms.values()), terms=terms)


class QueryAnchorPADM(PADM):
    """PADM in which every query is its own anchor: D_anchor(q, n) = OTAM(û_n, f_q'), ``[..., Q, N]``."""

    def forward(self, support: Tensor, query: Tensor, support_mask: Mask = None) -> PADMOutput:
        refined = super().forward(support, query, support_mask)
        return refined._replace(anchor_distance=otam(refined.query, refined.class_tokens))
