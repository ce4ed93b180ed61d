"""CLIP-SPM's configuration, and the presets: what differs between the paper, the released code and our lite model."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from clipspm_lite.arguments import Checked

Motion = Literal["symmetric", "antisymmetric"]
EPISODES_PER_STEP = 16  # gradients of this many episodes make one optimizer step


@dataclass(frozen=True)
class Preset(Checked):
    """Conventions that a preset stands for (SPEC section 4). Arguments of `CLIPSPM` with these names override them."""

    consistency: bool  # train with L_cons and L_text
    loss_form: Literal["mean", "summed"]  # cross-entropy: mean over queries, or the released sum / 16
    regularizer_weight: float  # λ before all losses that are not cross-entropy
    train_motion_loss_weight: bool  # w_m: a parameter, or a constant
    prompt_condition: Literal["scalar", "pooled"]  # see PromptGenerator
    normalize_features: bool  # scale frame and text features to norm √C


PRESETS = {  # consistency, form, λ, w_m trained, prompt, normalised
    "paper": Preset(True, "mean", 8e-4, False, "scalar", False),
    "released": Preset(False, "summed", 1e-3, True, "scalar", False),
    "lite": Preset(True, "mean", 2e-3, False, "pooled", True),
}


@dataclass(frozen=True)
class CLIPSPMConfig(Preset):
    """Everything that `CLIPSPM` is built from: what a preset stands for, and the sizes, which belong to a data set."""

    model: ClassVar[str] = "clip-spm"

    dim: int  # C, the joint width of the CLIP that encoded frames and class names (512 for ViT-B/16)
    heads: int = 8  # attention heads of both transformer blocks
    head_dim: int = 256  # width of each
    mlp_dim: int = 2048  # H, hidden width of the blocks' feed-forward parts and of the prompt generator
    dropout: float = 0.2  # after W_o
    feedforward_dropout: float = 0.05  # after each feed-forward layer
    visual_gate_ratio: float = 0.5  # r_v, hidden width of the gate on the video, relative to C
    prompt_gate_ratio: float = 1.5  # r_p, the same for the gate on the prompt
    gate_slope: float = 0.0025  # LeakyReLU slope inside the gates
    prompt_weight: float = 0.2  # α, how much of the gated prompt is added to every frame
    preset: str = "paper"
    motion: Motion = "symmetric"  # see MotionFeatureExtraction
    motion_reduction: Literal["mean", "sum"] = "mean"
    motion_loss_weight: float = 1.0  # w_m, the weight of L_HSMR (where it starts, if it is trained)
    feature_consistency_weight: float = 0.54  # w_c
    text_consistency_weight: float = 0.07  # w_t
    inductive: bool = False  # score each query as an episode of its own; otherwise queries meet in PADM
    with_spm: bool = True  # without: frames go on as they came, and D_SPM is their plain OTAM distance
    with_padm: bool = True  # without: no anchor either
    with_anchor: bool = True
    support_text: Literal["class", "generated"] = "class"  # "generated": supports get a generated prompt, as queries do


# Sizes of the committed lite model, the arguments of `CLIPSPM` beside preset="lite".
LITE_SIZES: dict[str, Any] = dict(heads=4, head_dim=32, mlp_dim=256, prompt_weight=0.3, motion_loss_weight=0.5)

# What the released code sets for each data set (SPEC sections 2 and 3), as arguments of `CLIPSPM`: r_v, r_p, LeakyReLU
# slope, α, w_c and w_t. The same for every backbone; the names are those of `clipspm_lite.data.benchmarks`.
DATASET_SETTINGS: dict[str, dict[str, float]] = {
    name: dict(visual_gate_ratio=r_v, prompt_gate_ratio=r_p, gate_slope=slope, prompt_weight=alpha)
    | dict(feature_consistency_weight=w_c, text_consistency_weight=w_t)
    for name, r_v, r_p, slope, alpha, w_c, w_t in (
        ("hmdb51", 0.5, 1.5, 0.0025, 0.2, 0.54, 0.07),
        ("ucf101", 2.0, 2.0, 0.054, 0.228, 0.221, 0.0295),
        ("kinetics100", 0.5, 1.5, 0.042, 0.86, 0.62, 0.041),
        ("ssv2_full", 0.5, 0.75, 0.052, 0.353, 0.579, 0.49),
        ("ssv2_small", 0.5, 1.5, 0.0025, 0.2, 0.54, 0.07),
    )
}
