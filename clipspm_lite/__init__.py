"""CLIP-SPM (arXiv 2512.19036) to learn from and to build on: few-shot action recognition with CLIP."""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["CLIPSPM", "load", "load_video", "otam"]

if TYPE_CHECKING:
    from clipspm_lite.data.video import load_video
    from clipspm_lite.loading import load
    from clipspm_lite.model.clipspm import CLIPSPM
    from clipspm_lite.model.otam import otam
else:
    HOMES = {
        "CLIPSPM": "clipspm_lite.model.clipspm",
        "load": "clipspm_lite.loading",
        "load_video": "clipspm_lite.data.video",
        "otam": "clipspm_lite.model.otam",
    }

    def __getattr__(name):
        # Imported when first asked for: clipspm_lite.colab has to run before torch and decord are installed.
        if name not in HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(HOMES[name]), name)

    def __dir__():
        return sorted({*globals(), *__all__})
