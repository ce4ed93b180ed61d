"""Results of a table that nobody measured, to try how published numbers are put beside measured ones."""

from clipspm_lite.data.benchmarks import BENCHMARKS

HEAD = {"preset": "paper", "file": "best.safetensors", "sha256": "0" * 64}
HEAD |= {"trained_inductive": False, "asked_inductive": False}
BACKBONE = {"fingerprint": "1" * 64, "normalize_pixels": True, "frames": 8, "resize": 256}
EPISODES = {"part": "novel", "way": 5, "queries": 1, "episodes": 10_000, "seed": 0}
VIT, RN50 = ("ViT-B-16-quickgelu", "openai"), ("RN50-quickgelu", "rn50.safetensors")


def made_up_table(
    benchmark="hmdb51", backbone=VIT, methods=("zero-shot", "otam", "clip-spm"), shots=(1, 3, 5), head=None, **changes
):
    """What `measure` would give; ``head`` are changes to what is said of the head, ``changes`` to the rest."""
    about_backbone = dict(zip(("name", "weights"), backbone, strict=True)) | BACKBONE
    rows = [
        {
            "method": method,
            "shot": shot,
            "accuracy": 10.0 * place + shot,
            "interval": 0.5,
            "difference": {"points": 10.0 * place, "interval": 0.25} if place else None,
            "backbone": about_backbone,
            "head": HEAD | {"training": {"shot": shot, "seed": 6}} | (head or {}) if method == "clip-spm" else None,
        }
        for shot in shots
        for place, method in enumerate(methods)
    ]
    videos = [BENCHMARKS[benchmark].videos["novel"] if benchmark else 100]
    about = {"data": "made-up data", "benchmark": benchmark, "shots": list(shots), "reference": methods[0]}
    return about | EPISODES | {"videos_per_class": videos, "rows": rows} | changes
