"""CLIP-SPM (arXiv 2512.19036) to learn from and to build on: few-shot action recognition with CLIP."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from clipspm_lite.clip.backbone import load_backbone as load_backbone
    from clipspm_lite.clip.feature_store import FeatureStore as FeatureStore
    from clipspm_lite.data.decoding.video import load_video as load_video
    from clipspm_lite.data.encoded import EncodedDataset as EncodedDataset
    from clipspm_lite.evaluation.comparison import compare as compare
    from clipspm_lite.evaluation.scoring import evaluate as evaluate
    from clipspm_lite.model.clipspm import CLIPSPM as CLIPSPM
    from clipspm_lite.model.otam import otam as otam
    from clipspm_lite.recognition.recogniser import load as load
    from clipspm_lite.training.loop import train as train

_HOMES = {
    "CLIPSPM": "model.clipspm",
    "EncodedDataset": "data.encoded",
    "FeatureStore": "clip.feature_store",
    "compare": "evaluation.comparison",
    "evaluate": "evaluation.scoring",
    "load": "recognition.recogniser",
    "load_backbone": "clip.backbone",
    "load_video": "data.decoding.video",
    "otam": "model.otam",
    "train": "training.loop",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    # Imported when first used, so that `--help` is quick.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
