"""The presets: what differs between the paper, the released code and this project's lite model (SPEC section 4)."""

from dataclasses import dataclass
from typing import Any, Literal

from clipspm_lite.model.spm import PromptCondition

EPISODES_PER_STEP = 16  # gradients of this many episodes make one optimizer step


@dataclass(frozen=True)
class Preset:
    """Conventions that a preset stands for; `CLIPSPM`'s arguments of the same names override them."""

    consistency: bool  # train with L_cons and L_text
    loss_form: Literal["mean", "summed"]  # cross-entropy: mean over queries, or the released sum / 16
    regularizer_weight: float  # lambda before all losses that are not cross-entropy
    train_motion_loss_weight: bool  # w_m: a parameter, or a constant
    prompt_condition: PromptCondition
    normalize_features: bool  # scale frame and text features to norm √C

    def __post_init__(self) -> None:
        if self.loss_form not in ("mean", "summed"):
            raise ValueError(f'loss_form: expected "mean" or "summed", found {self.loss_form!r}')


PRESETS = {
    "paper": Preset(
        consistency=True,
        loss_form="mean",
        regularizer_weight=8e-4,
        train_motion_loss_weight=False,
        prompt_condition="scalar",
        normalize_features=False,
    ),
    "released": Preset(
        consistency=False,
        loss_form="summed",
        regularizer_weight=1e-3,
        train_motion_loss_weight=True,
        prompt_condition="scalar",
        normalize_features=False,
    ),
    "lite": Preset(
        consistency=True,
        loss_form="mean",
        regularizer_weight=2e-3,
        train_motion_loss_weight=False,
        prompt_condition="pooled",
        normalize_features=True,
    ),
}

# Sizes of the committed lite model, the arguments of `CLIPSPM` beside preset="lite".
LITE_SIZES: dict[str, Any] = dict(
    heads=4, head_dim=32, mlp_dim=256, prompt_weight=0.3, motion_loss_weight=0.5
)

# What the released code sets by data set (SPEC section 2), as arguments of `CLIPSPM`.
DATASET_SETTINGS: dict[str, dict[str, float]] = {
    "hmdb51": dict(visual_gate_ratio=0.5, prompt_gate_ratio=1.5, gate_slope=0.0025, prompt_weight=0.2),
    "ssv2-small": dict(visual_gate_ratio=0.5, prompt_gate_ratio=1.5, gate_slope=0.0025, prompt_weight=0.2),
    "ucf101": dict(visual_gate_ratio=2, prompt_gate_ratio=2, gate_slope=0.054, prompt_weight=0.228),
    "kinetics": dict(visual_gate_ratio=0.5, prompt_gate_ratio=1.5, gate_slope=0.042, prompt_weight=0.86),
    "ssv2-full": dict(visual_gate_ratio=0.5, prompt_gate_ratio=0.75, gate_slope=0.052, prompt_weight=0.353),
}
