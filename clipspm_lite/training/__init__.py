"""Episodic training of a head, alone or with the visual encoder."""

from clipspm_lite.training.loop import TRAINING_PRESETS, TrainingSettings, plan, preset_settings, train
from clipspm_lite.training.sources import FineTuning

__all__ = ["TRAINING_PRESETS", "FineTuning", "TrainingSettings", "plan", "preset_settings", "train"]
