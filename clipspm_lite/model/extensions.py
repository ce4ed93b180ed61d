"""Changes to CLIP-SPM that are not in the paper, each off unless asked for (notebook 08 tells how each one fared)."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from clipspm_lite.arguments import check_known
from clipspm_lite.model.checks import check_config
from clipspm_lite.model.clipspm import CLIPSPM, CLIPSPMOutput
from clipspm_lite.model.otam import centred, otam
from clipspm_lite.model.padm import PADM, PADMOutput
from clipspm_lite.model.spm import FusedSupport, generate_prompt, support_prompt
from clipspm_lite.model.transformer import shot_mean
from clipspm_lite.model.trx import positional_encoding

Frames = Literal["whole", "centred", "steps"]
Names = Literal["given", "dropped", "mixed"]
Anchor = Literal["episode", "query"]


class ExtendedCLIPSPM(CLIPSPM):
    """CLIP-SPM with changes that are ours. With none of them it is `CLIPSPM`, weight for weight.

    Args:
        dim: C, the joint width of CLIP.
        frames: what enters the model: "whole" frames; "centred", f_t − mean over t of f_t, blind to what stands still;
            or "steps", f_{t+1} − f_t, T − 1 of them. Both are scaled back to norm √C where the preset scales frames.
        motion_kept: every frame becomes f_t + MFE(f), so that motion is matched, at test too, and not only trained on.
            HSMR sees these frames.
        position_weight: of the sinusoidal encoding of a frame's place, PE of TRX, which is added to every frame.
        names: while training, "dropped" gives every second class, by chance, a generated prompt in place of its name;
            "mixed" gives every class w · name + (1 − w) · generated prompt with w uniform in 0 … 1. At test names are
            given as always.
        anchor: "query" takes each refined query for its own anchor, D_anchor(q, n) = OTAM(û_n, f_q'), instead of one
            anchor for the whole episode.
        centred_distance: also subtract the OTAM distance of the centred frames that entered, which has no weights.
        temperature: logits are divided by it.
        clip_spm: the arguments of `CLIPSPM`.

    Raises:
        ValueError: a word that is none of these, or a temperature that is not positive.
    """

    def __init__(
        self,
        dim: int,
        *,
        frames: Frames = "whole",
        motion_kept: bool = False,
        position_weight: float = 0.0,
        names: Names = "given",
        anchor: Anchor = "episode",
        centred_distance: bool = False,
        temperature: float = 1.0,
        **clip_spm: Any,
    ):
        super().__init__(dim, **clip_spm)
        for argument, value, words in (
            ("frames", frames, get_args(Frames)),
            ("names", names, get_args(Names)),
            ("anchor", anchor, get_args(Anchor)),
        ):
            check_known(argument, value, words)
        if not temperature > 0:
            raise ValueError(f"temperature: expected a number above 0, found {temperature}")
        self.config |= dict(
            model="clip-spm-extended",
            frames=frames,
            motion_kept=motion_kept,
            position_weight=position_weight,
            names=names,
            anchor=anchor,
            centred_distance=centred_distance,
            temperature=temperature,
        )
        check_config(self.config, (), ("position_weight", "temperature"))
        self.frames, self.motion_kept, self.position_weight = frames, motion_kept, position_weight
        self.names, self.centred_distance, self.temperature = names, centred_distance, temperature
        if anchor == "query":
            self.padm = QueryAnchorPADM(self.padm.transformer)

    def prepare(
        self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `CLIPSPM.prepare`, and then frames, motion and positions as asked for. Missing shots stay of no effect."""
        support, query, class_text = super().prepare(support, query, class_text, support_mask)
        return self._changed(support), self._changed(query), class_text

    def _changed(self, video: Tensor) -> Tensor:
        if self.frames != "whole":
            video = centred(video) if self.frames == "centred" else video[..., 1:, :] - video[..., :-1, :]
            if self.convention.normalize_features:
                video = self.dim**0.5 * torch.nn.functional.normalize(video, dim=-1)
        if self.motion_kept:
            video = video + self.mfe(video).unsqueeze(-2)
        if self.position_weight:
            video = video + self.position_weight * positional_encoding(video.shape[-2], self.dim).to(video)
        return video

    def _score(
        self,
        support: Tensor,
        query: Tensor,
        class_text: Tensor,
        support_mask: Tensor | None,
        inductive: bool,
        fused: FusedSupport | None = None,
    ) -> CLIPSPMOutput:
        if self.training and self.names != "given":
            share = torch.rand(
                *support.shape[:-3], 1, 1, 1, device=support.device
            )  # one a class  [..., N, 1, 1, 1]
            if self.names == "dropped":
                share = (share < 0.5).to(share)
            generated = generate_prompt(support, class_text, self.prompt_generator)
            prompt = share * support_prompt(support, class_text) + (1 - share) * generated
            fused = FusedSupport(*self.fusion(support, prompt))
        scored = super()._score(support, query, class_text, support_mask, inductive, fused)
        logits = scored.logits
        if self.centred_distance:
            logits = logits - otam(centred(query), shot_mean(centred(support), support_mask))
        return scored._replace(logits=logits / self.temperature)


class QueryAnchorPADM(PADM):
    """PADM in which every query is its own anchor: D_anchor(q, n) = OTAM(û_n, f_q'), ``[..., Q, N]``."""

    def forward(self, support: Tensor, query: Tensor, support_mask: Tensor | None = None) -> PADMOutput:
        refined = super().forward(support, query, support_mask)
        return refined._replace(anchor_distance=otam(refined.query, refined.class_tokens))
