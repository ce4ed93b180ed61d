"""SPM, Semantic Prototype Modulation: a support has its class name, a query gets a generated one (SPEC section 3)."""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.model.fusion import SemanticFusion
from clipspm_lite.model.otam import otam
from clipspm_lite.model.transformer import Mask, shot_mean


class PromptGenerator(nn.Module):
    """p̂(f) = FF_g(t̄ · s(f)): the prompt of a video whose class is unknown, from the episode's mean class text t̄.

    ``condition`` "scalar" is the released code's: s(f) is the mean of f over frames and channels, one number per video,
    so the prompts of different videos hardly differ. "pooled" takes the mean over frames only, a vector.
    """

    def __init__(self, dim: int, mlp_dim: int, *, condition: str, dropout: float):
        super().__init__()
        self.condition = condition
        self.fc1 = nn.Linear(dim, mlp_dim)
        self.fc2 = nn.Linear(mlp_dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, video: Tensor, mean_text: Tensor) -> Tensor:
        """video ``[..., T, C]``, mean_text (broadcastable to) ``[..., C]`` → prompt ``[..., 1, C]``."""
        pooled = video.mean(-2)
        summary = pooled.mean(-1, keepdim=True) if self.condition == "scalar" else pooled
        hidden = self.dropout(F.gelu(self.fc1(mean_text * summary)))
        return self.dropout(self.fc2(hidden)).unsqueeze(-2)


class SPMOutput(NamedTuple):
    """What SPM computes for an episode; all with the episode's leading axes."""

    support: Tensor  # f_s [..., N, K, T, C]: supports fused with their class text
    support_token: Tensor  # t_s [..., N, K, 1, C]: the class text after fusion
    query: Tensor  # f_q [..., Q, T, C]: queries fused with their generated prompt
    query_token: Tensor  # t_q [..., Q, 1, C]: the generated prompt after fusion
    query_prompt: Tensor  # p̂ [..., Q, 1, C]: the generated prompt
    prototypes: Tensor  # [..., N, T, C]: mean of f_s over the shots
    distance: Tensor  # D_SPM [..., Q, N]


def generate_prompt(videos: Tensor, class_text: Tensor, generator: PromptGenerator) -> Tensor:
    """Prompts ``[..., V…, 1, C]`` for videos ``[..., V…, T, C]`` of an episode with class_text ``[..., N, C]``."""
    video_axes = videos.ndim - class_text.ndim
    mean_text = class_text.mean(-2)
    return generator(videos, mean_text[(..., *([None] * video_axes), slice(None))])


def spm(
    support: Tensor,
    query: Tensor,
    class_text: Tensor,
    support_mask: Mask,
    fusion: SemanticFusion,
    generator: PromptGenerator,
    prompt: Tensor | None = None,
) -> SPMOutput:
    """Fuse supports with their class text and queries with a generated prompt, then match them in time.

    Shapes: those of `Head.forward`. A ``prompt`` ``[..., N, K, 1, C]`` of the supports replaces their class text.
    """
    fused_support, support_token = fusion(support, support_prompt(support, class_text) if prompt is None else prompt)
    query_prompt = generate_prompt(query, class_text, generator)
    fused_query, query_token = fusion(query, query_prompt)
    prototypes = shot_mean(fused_support, support_mask)
    distance = otam(fused_query, prototypes)
    return SPMOutput(fused_support, support_token, fused_query, query_token, query_prompt, prototypes, distance)


def support_prompt(support: Tensor, class_text: Tensor) -> Tensor:
    """The class text of every support video: class_text ``[..., N, C]`` → ``[..., N, K, 1, C]``."""
    return class_text[..., :, None, None, :].expand(*support.shape[:-2], 1, -1)
