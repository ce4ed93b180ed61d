"""CLIP-SPM (arXiv 2512.19036) to learn from and to build on: few-shot action recognition with CLIP."""

from clipspm_lite.data.video import load_video
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.otam import otam

__all__ = ["CLIPSPM", "load_video", "otam"]
