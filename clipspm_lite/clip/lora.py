"""LoRA: an encoder is adapted by updates of low rank, and its own weights stay as they are.

It is not peft's, whose layers take the place of the encoder's: open_clip's ResNet hands the weights of its attention
pool to a function and never calls the layers, so their updates would train nothing. Here each weight itself is W'.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from clipspm_lite.arguments import Checked


@dataclass(frozen=True)
class LoRA(Checked):
    """What is trained in place of a weight W `[out, in]`: A `[rank, in]` and B `[out, rank]` (Hu et al., ICLR 2022).

        W' = W + ΔW,    ΔW = (alpha / rank) · B A,    or with `protect`:    ΔW = (alpha / rank) · (I − U_k U_kᵀ) B A

    A is random and B zero at the start, so training starts from the encoder as it is. A convolution's W is
    `[out, in · height · width]`; an attention's packed weights of queries, keys and values are one W.
    U_k `[out, k]` are the k = ``protect`` left singular vectors of W with the largest singular values. So U_kᵀ ΔW = 0:
    what W mainly writes stays as pre-training left it. The idea is that of Comp-LoRA (Wang et al., arXiv 2501.15040)
    and, for few-shot actions, of Orthogonal Subspace Control in Protect to Adapt (CVPR 2026).
    """

    rank: int = 8  # but of each weight at most its smaller side
    learning_rate: float = 1e-3  # of A and B, 100 times what the paper trains the whole encoder with
    protect: int | None = None  # k, but of each weight at most half of its directions
    alpha: float = 8.0
    places: tuple[str, ...] = ("attn", "mlp", "layer")  # parts of the names of weights; "layer": stages of a ResNet


class Update(nn.Module):
    """W ↦ W', as torch's parametrisation of a weight, which may have any shape `[out, …]`."""

    main: Tensor

    def __init__(self, weight: Tensor, lora: LoRA, generator: torch.Generator) -> None:
        super().__init__()
        flat = weight.detach().flatten(1)
        rank = min(lora.rank, *flat.shape)
        start = 2 * torch.rand(rank, flat.shape[1], generator=generator) - 1
        self.a = nn.Parameter((start / flat.shape[1] ** 0.5).to(flat))
        self.b = nn.Parameter(flat.new_zeros(len(flat), rank))
        self.scale, k = lora.alpha / rank, min(lora.protect or 0, min(flat.shape) // 2)
        self.register_buffer("main", torch.linalg.svd(flat, full_matrices=False).U[:, :k].clone() if k else flat[:, :0])

    def forward(self, weight: Tensor) -> Tensor:
        b = self.b - self.main @ (self.main.T @ self.b)
        return weight + (self.scale * (b @ self.a)).view_as(weight)


def adapt(encoder: nn.Module, lora: LoRA, seed: int) -> None:
    """Freeze the encoder and put an update, A drawn from ``seed``, on weights named with a place; none: ValueError."""
    merge(encoder)
    generator = torch.Generator().manual_seed(seed)
    weights = {name: w for name, w in encoder.requires_grad_(False).named_parameters() if name.endswith("weight")}
    chosen = [name for name, w in weights.items() if w.ndim > 1 and any(place in name for place in lora.places)]
    if not chosen:
        raise ValueError(f"places: expected parts of names such as {list(weights)[-1]}, found {lora.places}")
    for path, _, kind in (name.rpartition(".") for name in chosen):
        update = Update(weights[f"{path}.{kind}"], lora, generator)
        parametrize.register_parametrization(encoder.get_submodule(path), kind, update)


def merge(encoder: nn.Module) -> None:
    """Turn every W' into a plain weight: afterwards the encoder is an ordinary one that computes the same."""
    for module in list(encoder.modules()):
        for kind in list(getattr(module, "parametrizations", ())):
            parametrize.remove_parametrizations(module, kind)


def merged_state(module: nn.Module) -> dict[str, Tensor]:
    """The state dict that ``module`` has after `merge`, which is not done."""
    adapted = [(name, part) for name, part in module.named_modules() if parametrize.is_parametrized(part)]
    merged = {f"{name}.{kind}": getattr(part, kind) for name, part in adapted for kind in part.parametrizations}
    return {name: own for name, own in module.state_dict().items() if ".parametrizations." not in name} | merged


@torch.no_grad()
def update_size(encoder: nn.Module) -> float:
    """‖ΔW‖ / ‖W‖ over all adapted weights together: zero at the start, and later if B has not moved."""
    both = [(p(), p.original) for p in encoder.modules() if isinstance(p, parametrize.ParametrizationList)]
    return float((sum((new - w).square().sum() for new, w in both) / sum(w.square().sum() for _, w in both)) ** 0.5)
