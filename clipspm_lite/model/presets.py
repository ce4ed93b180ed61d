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

# What the released code sets by data set (SPEC sections 2 and 3), as arguments of `CLIPSPM`: r_v, r_p, LeakyReLU slope,
# α, w_c and w_t. The same for every backbone; the names are those of `clipspm_lite.data.benchmarks`.
DATASET_SETTINGS: dict[str, dict[str, float]] = {
    name: dict(
        visual_gate_ratio=visual,
        prompt_gate_ratio=prompt,
        gate_slope=slope,
        prompt_weight=alpha,
        feature_consistency_weight=feature,
        text_consistency_weight=text,
    )
    for name, visual, prompt, slope, alpha, feature, text in (
        ("hmdb51", 0.5, 1.5, 0.0025, 0.2, 0.54, 0.07),
        ("ucf101", 2.0, 2.0, 0.054, 0.228, 0.221, 0.0295),
        ("kinetics100", 0.5, 1.5, 0.042, 0.86, 0.62, 0.041),
        ("ssv2_full", 0.5, 0.75, 0.052, 0.353, 0.579, 0.49),
        ("ssv2_small", 0.5, 1.5, 0.0025, 0.2, 0.54, 0.07),
    )
}
