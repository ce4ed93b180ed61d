"""Changes to CLIP-SPM that are not in the paper, each off unless asked for (notebook 08 compares them)."""

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
from clipspm_lite.model.spm import generate_prompt, support_prompt
from clipspm_lite.model.transformer import Mask, shot_mean
from clipspm_lite.model.trx import positional_encoding


@dataclass(frozen=True)
class ExtendedCLIPSPMConfig(CLIPSPMConfig):
    """Everything that `ExtendedCLIPSPM` is built from. With the defaults it is `CLIPSPM`, weight for weight."""

    model: ClassVar[str] = "clip-spm-extended"

    # What enters the model: whole frames; "centred", f_t − mean over t of f_t, blind to what stands still; or "steps",
    # f_{t+1} − f_t, T − 1 of them. Both are scaled back to norm √C where the preset scales frames.
    frames: Literal["whole", "centred", "steps"] = "whole"
    # Every frame becomes f_t + MFE(f), so motion is matched, at test too, and not only trained on. HSMR sees these.
    motion_kept: bool = False
    position_weight: float = 0.0  # of PE of TRX, added to every frame
    # While training, "dropped" gives every second class, by chance, a generated prompt in place of its name; "mixed"
    # gives every class w · name + (1 − w) · generated prompt with w uniform in 0 … 1. At test all names are given.
    names: Literal["given", "dropped", "mixed"] = "given"
    anchor: Literal["episode", "query"] = "episode"  # "query": each query is its own anchor, see QueryAnchorPADM
    centred_distance: bool = False  # also subtract the OTAM distance of the centred frames that entered: no weights
    temperature: float = 1.0  # logits are divided by it


class ExtendedCLIPSPM(CLIPSPM):
    """CLIP-SPM with changes that are ours; takes any field of `ExtendedCLIPSPMConfig` as a keyword argument."""

    config_class = ExtendedCLIPSPMConfig

    def __init__(self, dim: int, **fields: Any):
        super().__init__(dim, **fields)
        if self.config.anchor == "query":
            self.padm = QueryAnchorPADM(self.padm.transformer)

    def prepare(self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Mask) -> Features:
        """As `CLIPSPM.prepare`, and then frames, motion and positions as the configuration says."""
        support, query, class_text = super().prepare(support, query, class_text, support_mask)
        return self._changed(support), self._changed(query), class_text

    def _changed(self, video: Tensor) -> Tensor:
        config = self.config
        if config.frames != "whole":
            video = centred(video) if config.frames == "centred" else video[..., 1:, :] - video[..., :-1, :]
            if config.normalize_features:
                video = self.dim**0.5 * F.normalize(video, dim=-1)
        if config.motion_kept:
            video = video + self.mfe(video).unsqueeze(-2)
        if config.position_weight:
            video = video + config.position_weight * positional_encoding(video.shape[-2], self.dim).to(video)
        return video

    def _support_prompt(self, support: Tensor, class_text: Tensor) -> Tensor:
        if not self.training or self.config.names == "given":
            return super()._support_prompt(support, class_text)
        share = torch.rand(*support.shape[:-3], 1, 1, 1, device=support.device)  # one per class
        if self.config.names == "dropped":
            share = (share < 0.5).to(share)
        generated = generate_prompt(support, class_text, self.prompt_generator)
        return share * support_prompt(support, class_text) + (1 - share) * generated

    def _score(self, prepared: Prepared, inductive: bool) -> CLIPSPMOutput:
        support, query, _, support_mask = prepared
        scored = super()._score(prepared, inductive)
        terms = dict(scored.terms)
        if self.config.centred_distance:
            terms["D_centred"] = otam(centred(query), shot_mean(centred(support), support_mask))
        terms = {name: term / self.config.temperature for name, term in terms.items()}
        return scored._replace(logits=-reduce(torch.add, terms.values()), terms=terms)


class QueryAnchorPADM(PADM):
    """PADM in which every query is its own anchor: D_anchor(q, n) = OTAM(û_n, f_q'), ``[..., Q, N]``."""

    def forward(self, support: Tensor, query: Tensor, support_mask: Mask = None) -> PADMOutput:
        refined = super().forward(support, query, support_mask)
        return refined._replace(anchor_distance=otam(refined.query, refined.class_tokens))
