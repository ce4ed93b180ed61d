"""PADM, Prototype-Anchor Dual Modulation: refine the prototypes, pull the queries to one anchor (SPEC section 3)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.model.otam import otam
from clipspm_lite.model.transformer import Mask, TransformerBlock, shot_mean


class PADMOutput(NamedTuple):
    """What PADM computes for an episode; all with the episode's leading axes."""

    class_tokens: Tensor  # û [..., N, T, C]
    anchor: Tensor  # â [..., 1, T, C]
    support: Tensor  # f_s' [..., N, K, T, C]
    query: Tensor  # f_q' [..., Q, T, C]
    prototypes: Tensor  # [..., N, T, C]: mean of f_s' over the shots
    distance: Tensor  # D_PADM [..., Q, N]
    anchor_distance: Tensor  # D_anchor [..., 1, N]: the same for every query, a bias per class


class PADM(nn.Module):
    """Attention over the videos of an episode, at each frame position on its own.

        u_n = mean of class n's supports and all queries        a = mean over n of u_n
        [û ; f_s'] = TB([u ; f_s])                              [â ; f_q'] = TB([a ; f_q])

    It is transductive: u_n and the second block look at all queries of the episode.
    """

    def __init__(self, transformer: TransformerBlock):
        super().__init__()
        self.transformer = transformer

    def forward(self, support: Tensor, query: Tensor, support_mask: Mask = None) -> PADMOutput:
        """Shapes: support ``[..., N, K, T, C]``, query ``[..., Q, T, C]``, support_mask ``[..., N, K]``."""
        way, shot = support.shape[-4:-2]
        present = support.new_ones(support.shape[:-2]) if support_mask is None else support_mask.to(support.dtype)
        support_sum = (support * present[..., None, None]).sum(-3)
        members = present.sum(-1)[..., None, None] + query.shape[-3]
        class_tokens = (support_sum + query.sum(-3, keepdim=True)) / members
        anchor = class_tokens.mean(-3, keepdim=True)

        token_mask = None if support_mask is None else F.pad(support_mask.flatten(-2), (way, 0), value=True)
        class_tokens, refined_support = self._attend(class_tokens, support.flatten(-4, -3), token_mask)
        refined_support = refined_support.unflatten(-3, (way, shot))
        anchor, refined_query = self._attend(anchor, query, None)
        prototypes = shot_mean(refined_support, support_mask)
        distances = otam(refined_query, prototypes), otam(anchor, class_tokens)
        return PADMOutput(class_tokens, anchor, refined_support, refined_query, prototypes, *distances)

    def _attend(self, tokens: Tensor, videos: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        """tokens ``[..., M, T, C]``, videos ``[..., V, T, C]``: attend among the M + V at each frame position."""
        by_position = torch.cat([tokens, videos], dim=-3).transpose(-2, -3)
        mask_by_position = None if mask is None else mask.unsqueeze(-2)
        attended = self.transformer(by_position, mask_by_position).transpose(-2, -3)
        return attended[..., : tokens.shape[-3], :, :], attended[..., tokens.shape[-3] :, :, :]
