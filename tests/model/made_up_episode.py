"""Every method that answers an episode, at a small size, and random episodes for it."""

import torch

from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.heads import build_head

DIM, WAY, SHOT, QUERIES, FRAMES = 8, 3, 2, 5, 4
SIZES = dict(heads=2, head_dim=4, mlp_dim=24)
EXTENDED = dict(model="clip-spm-extended", motion_kept=True, centred_distance=True, anchor="query")
DESCRIPTIONS = {
    **{preset: dict(preset=preset, **SIZES) for preset in ("paper", "released", "lite")},
    "inductive": dict(inductive=True, **SIZES),
    "without SPM": dict(with_spm=False, **SIZES),
    "without PADM": dict(with_padm=False, support_text="generated", **SIZES),
    "extended": EXTENDED | SIZES,
    "extended, centred": dict(
        model="clip-spm-extended", frames="centred", motion="antisymmetric", preset="lite", **SIZES
    ),
    "clip-fsar": dict(model="clip-fsar", **SIZES),
    "clip-fsar of the authors": dict(
        model="clip-fsar", shots_averaged="before", temperature=1.0, train_temperature=True, **SIZES
    ),
    "trx": dict(model="trx", width=6),
    "recommended": dict(preset="recommended"),
}


def build(name, **changes):
    torch.manual_seed(0)
    return build_head({"dim": DIM, **DESCRIPTIONS[name], **changes}).eval()


METHODS = TRAINING_FREE | {name: build(name) for name in DESCRIPTIONS}


def random_episode(*leading, seed=0, shot=SHOT):
    """Support, query, class_text and query_labels."""
    generator = torch.Generator().manual_seed(seed)
    support = torch.randn(*leading, WAY, shot, FRAMES, DIM, generator=generator)
    query = torch.randn(*leading, QUERIES, FRAMES, DIM, generator=generator)
    class_text = torch.randn(*leading, WAY, DIM, generator=generator)
    labels = torch.randint(WAY, (*leading, QUERIES), generator=generator)
    return support, query, class_text, labels


def close(actual, expected, tolerance=1e-5):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
