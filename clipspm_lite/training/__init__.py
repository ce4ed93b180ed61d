"""Episodic training of a head, alone or with the visual encoder."""

from clipspm_lite.clip.lora import LoRA as LoRA
from clipspm_lite.training.dry_run import plan as plan
from clipspm_lite.training.loop import train as train
from clipspm_lite.training.loop import train_variants as train_variants
from clipspm_lite.training.settings import TRAINING_PRESETS as TRAINING_PRESETS
from clipspm_lite.training.settings import TrainingSettings as TrainingSettings
from clipspm_lite.training.settings import preset_settings as preset_settings
from clipspm_lite.training.sources import FineTuning as FineTuning
from clipspm_lite.training.state import PRECISIONS as PRECISIONS
from clipspm_lite.training.state import check_run as check_run
from clipspm_lite.training.state import pick_precision as pick_precision
