"""The sample world: a marionette whose actions have compositional names. Numpy only; writing mp4 needs PyAV."""

from clipspm_lite.world.captions import captions
from clipspm_lite.world.randomness import WORLD_VERSION
from clipspm_lite.world.render import render
from clipspm_lite.world.scene import FRAMES, FRAMES_PER_SECOND, Scene, make_scene
from clipspm_lite.world.taxonomy import CLASSES, CONTEXT_CLASSES, REVERSED_PAIRS, SIMILAR_PAIRS, SPLITS

__all__ = [
    "CLASSES",
    "CONTEXT_CLASSES",
    "FRAMES",
    "FRAMES_PER_SECOND",
    "REVERSED_PAIRS",
    "SIMILAR_PAIRS",
    "SPLITS",
    "WORLD_VERSION",
    "Scene",
    "captions",
    "make_scene",
    "render",
]
