"""HSMR, Hierarchical Synergistic Motion Refinement: shallow and deep motion must agree (SPEC sections 2 and 3)."""

from typing import Literal, NamedTuple

from torch import Tensor, nn

from clipspm_lite.model.fusion import SemanticFusion
from clipspm_lite.model.presets import Motion
from clipspm_lite.model.transformer import squared_distance


class MotionFeatureExtraction(nn.Module):
    """MFE: one motion feature for a video, from differences between Φ(frames) and their neighbours.

        forward_t = Φ(f)[t+1] − f[t]        backward_t = Φ(f)[t] − f[t+1]        Φ: two Conv1d over time

    ``symmetric`` is the method's: ½(forward + backward). It does not change sign when the video runs backwards and
    is not zero for a video that stands still. ``antisymmetric`` is ½(forward − backward): its convolutions repeat
    the first and last frame instead of padding with zeros, so that a still video gives exactly zero.
    ``reduction`` "mean" over time is the released code's; the paper's sum of both directions is 2(T − 1) times it.
    """

    def __init__(self, dim: int, *, motion: Motion = "symmetric", reduction: str = "mean"):
        super().__init__()
        self.motion, self.reduction = motion, reduction
        padding: Literal["zeros", "replicate"] = "zeros" if motion == "symmetric" else "replicate"
        self.conv1 = nn.Conv1d(dim, dim, kernel_size=3, padding=1, padding_mode=padding)
        self.conv2 = nn.Conv1d(dim, dim, kernel_size=3, padding=1, padding_mode=padding)

    def forward(self, video: Tensor) -> Tensor:
        """video ``[..., T, C]`` with T ≥ 2 → motion ``[..., C]``."""
        steps = self.steps(video)
        return steps.mean(-2) if self.reduction == "mean" else 2 * steps.sum(-2)

    def steps(self, video: Tensor) -> Tensor:
        """½(forward_t ± backward_t) of each step, video ``[..., T, C]`` → ``[..., T − 1, C]``; motion is their mean."""
        if video.shape[-2] < 2:
            raise ValueError(f"video: motion needs at least 2 frames, found shape {tuple(video.shape)}")
        channels_first = video.flatten(0, -3).transpose(-1, -2) if video.ndim > 2 else video.T[None]
        filtered = self.conv2(self.conv1(channels_first)).transpose(-1, -2).reshape(video.shape)
        forward = filtered[..., 1:, :] - video[..., :-1, :]
        backward = filtered[..., :-1, :] - video[..., 1:, :]
        return (forward + backward if self.motion == "symmetric" else forward - backward) / 2


class HSMROutput(NamedTuple):
    """What HSMR computes for videos ``[..., T, C]``."""

    shallow: Tensor  # m_shallow [..., C]: motion of the frames as the encoder gave them
    fused: Tensor  # f̂ [..., T, C]: frames after fusion with the shallow motion
    motion_token: Tensor  # m̂ [..., 1, C]: the motion token after fusion
    deep: Tensor  # m_deep [..., C]: motion of the fused frames

    def disagreement(self) -> Tensor:
        """‖m_deep − m̂‖² of each video ``[...]``; L_HSMR is its mean over supports plus its mean over queries."""
        return squared_distance(self.deep, self.motion_token.squeeze(-2), sample_axes=1)


def hsmr(video: Tensor, mfe: MotionFeatureExtraction, fusion: SemanticFusion) -> HSMROutput:
    """Motion before and after fusion, of videos ``[..., T, C]`` (paper: HSMR; used by a training loss only)."""
    shallow = mfe(video)
    fused, motion_token = fusion(video, shallow.unsqueeze(-2))
    return HSMROutput(shallow, fused, motion_token, mfe(fused))
