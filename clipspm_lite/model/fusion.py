"""Semantic fusion, SF: a prompt token tells a video what to look at (SPEC section 2)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.model.presets import CLIPSPMConfig
from clipspm_lite.model.transformer import TransformerBlock


class Gate(nn.Module):
    """σ(W2 · LeakyReLU(W1 x)), ``[..., C]`` → ``[..., C]``: how much of each channel passes, 0 … 1."""

    def __init__(self, dim: int, ratio: float, slope: float):
        super().__init__()
        hidden = int(ratio * dim)
        self.slope = slope
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.fc2(F.leaky_relu(self.fc1(x), self.slope)))


class SemanticFusion(nn.Module):
    """Fuse a video with a prompt token, which is a class text, a generated prompt or a motion feature.

        f̃ = g_v(f) ⊙ f + α · g_p(p) ⊙ p            [p' ; f'] = TB([p ; f̃])

    One set of weights serves HSMR and SPM. It has no frame positions: permuting frames permutes its output.
    """

    def __init__(self, config: CLIPSPMConfig):
        super().__init__()
        transformer = TransformerBlock(config)
        self.prompt_weight = config.prompt_weight
        self.visual_gate = Gate(config.dim, config.visual_gate_ratio, config.gate_slope)
        self.prompt_gate = Gate(config.dim, config.prompt_gate_ratio, config.gate_slope)
        self.transformer = transformer

    def forward(self, video: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """video ``[..., T, C]``, prompt ``[..., 1, C]`` → fused video ``[..., T, C]``, fused prompt ``[..., 1, C]``."""
        gated = self.visual_gate(video) * video + self.prompt_weight * self.prompt_gate(prompt) * prompt
        tokens = self.transformer(torch.cat([prompt, gated], dim=-2))
        return tokens[..., 1:, :], tokens[..., :1, :]
