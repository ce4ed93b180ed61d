"""How training goes: one dataclass, and the presets of SPEC section 4."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from clipspm_lite.arguments import Checked, check_known
from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.model.presets import EPISODES_PER_STEP


@dataclass(frozen=True)
class TrainingSettings(Checked):
    """How training goes; the defaults are the paper's: 20,000 episodes, a validation every 1,000 (SPEC section 4)."""

    way: int = 5
    shot: int = 1
    queries: int = 4  # videos per class in a training episode
    steps: int = 1250  # of the optimizer, each with the gradients of `episodes_per_step` episodes
    episodes_per_step: int = EPISODES_PER_STEP
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = 1e-5
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 5e-5 / 20
    schedule: Literal["constant", "cosine"] = "constant"  # or down to zero over all steps
    validate_every: int = 62  # steps
    validation_episodes: int = 500  # in each validation: same way and shot, one query per class
    patience: int | None = None  # stop after so many validations without a better one
    seed: int = 6  # of the episodes, of how their videos are cut, and of dropout in every step

    def learning_rate_at(self, step: int, first: float) -> float:
        """Of step 0, 1, …, from that of step 0."""
        return first if self.schedule == "constant" else first * ((1 + math.cos(math.pi * step / self.steps)) / 2)

    def as_json(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return asdict(self) | {"betas": list(self.betas)}


TRAINING_PRESETS = {
    "paper": TrainingSettings(),
    # The released loss is a sum where the default is a mean, so its coupled decay is 20 times larger.
    "released": TrainingSettings(weight_decay=5e-5),
    "lite": TrainingSettings(
        queries=2,
        steps=400,
        episodes_per_step=8,
        optimizer="adamw",
        learning_rate=1e-3,
        betas=(0.9, 0.999),
        weight_decay=1e-2,
        schedule="cosine",
        validate_every=100,
        seed=0,
    ),
}


def preset_settings(preset: str, benchmark: str | None = None) -> TrainingSettings:
    """A preset's settings for a benchmark (SPEC section 4), or for other data; raises ValueError for unknown names."""
    check_known("preset", preset, TRAINING_PRESETS)
    check_known("benchmark", benchmark, [*BENCHMARKS, None])
    settings = TRAINING_PRESETS[preset]
    if benchmark != "ssv2_full" or preset == "lite":
        return settings
    ratio = settings.weight_decay / TRAINING_PRESETS["released"].weight_decay
    return replace(settings, steps=6250, learning_rate=1.6e-5, weight_decay=9.7e-4 * ratio)
