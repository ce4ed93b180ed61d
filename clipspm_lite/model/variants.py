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
# Changes to the method that are not the paper's: arguments of `ExtendedCLIPSPM`.
_EXTENSIONS: dict[str, dict[str, Any]] = {
    "motion kept": dict(motion_kept=True),
    "query's own anchor": dict(anchor="query"),
    "centred frames": dict(frames="centred"),
    "centred distance added": dict(centred_distance=True),
}
EXTENSIONS = {name: {"model": "clip-spm-extended", **changes} for name, changes in _EXTENSIONS.items()}
# Other trained methods, as arguments of `build_head` beside ``dim``, of about the lite head's size.
TRAINED_BASELINES: dict[str, dict[str, Any]] = {
    "clip-fsar": dict(model="clip-fsar", heads=4, head_dim=32, mlp_dim=256, normalize_features=True),
    "trx": dict(model="trx", width=128, normalize_features=True),
    "recommended": dict(model="recommended", normalize_features=True),
}
