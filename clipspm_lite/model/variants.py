"""Named variants of CLIP-SPM and the trained baselines, as arguments of `build_head` beside ``dim``."""

from typing import Any

# Arguments of `CLIPSPM` in which a variant differs from the full model.
FULL = "clip-spm"
ABLATIONS: dict[str, dict[str, Any]] = {
    "without HSMR": dict(motion_loss_weight=0.0),
    "without SPM": dict(with_spm=False),
    "without PADM": dict(with_padm=False),
    "without anchor": dict(with_anchor=False),
    "without consistency": dict(consistency=False),
    "without support names": dict(support_text="generated"),
}
INDUCTIVE = {"clip-spm inductive": dict(inductive=True)}
# Changes to the method that are not the paper's, and two that SPEC names beside it: arguments of `ExtendedCLIPSPM`.
_EXTENSIONS: dict[str, dict[str, Any]] = {
    "antisymmetric motion": dict(motion="antisymmetric"),
    "motion kept": dict(motion_kept=True),
    "antisymmetric motion kept": dict(motion="antisymmetric", motion_kept=True),
    "scalar prompt": dict(prompt_condition="scalar"),
    "names dropped": dict(names="dropped"),
    "names mixed": dict(names="mixed"),
    "frame positions": dict(position_weight=0.3),
    "query's own anchor": dict(anchor="query"),
    "temperature ½": dict(temperature=0.5),
    "centred frames": dict(frames="centred"),
    "frame steps": dict(frames="steps"),
    "centred distance added": dict(centred_distance=True),
}
EXTENSIONS = {name: {"model": "clip-spm-extended", **changes} for name, changes in _EXTENSIONS.items()}
# Other trained methods, as arguments of `build_head` beside ``dim``, of about the lite head's size.
TRAINED_BASELINES: dict[str, dict[str, Any]] = {
    "clip-fsar": dict(model="clip-fsar", heads=4, head_dim=32, mlp_dim=256, normalize_features=True),
    "trx": dict(model="trx", width=128, normalize_features=True),
    "recommended": dict(model="recommended", normalize_features=True),
}
