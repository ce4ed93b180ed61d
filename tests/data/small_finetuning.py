"""A small run of fine-tuning on sample clips, for tests: called, or run as a script that can be killed."""

import json
import sys
from pathlib import Path

import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.backbones import load_backbone
from clipspm_lite.data.datasets import SAMPLES, VideoDataset
from clipspm_lite.sources import FineTuning
from clipspm_lite.training import TrainingResult, TrainingSettings, train

SETTINGS = TrainingSettings(
    way=2,
    queries=1,
    steps=6,
    episodes_per_step=2,
    learning_rate=1e-4,
    validate_every=2,
    validation_episodes=10,
    seed=0,
)


def clips(*classes: str, videos: int = 3) -> VideoDataset:
    return VideoDataset(
        SAMPLES / "clips",
        classes,
        tuple(tuple(f"{c}/{c}_{i:02d}.mp4" for i in range(videos)) for c in classes),
    )


TRAINING = clips("squatting", "swaying", "waving_both_arms")
VALIDATION = clips("standing_up", "sitting_down")


def small_model() -> CLIPSPM:
    torch.manual_seed(0)
    return CLIPSPM(128, heads=2, head_dim=4, mlp_dim=16)


def run(folder: str | Path, settings: TrainingSettings = SETTINGS, **arguments) -> TrainingResult:
    finetuning = arguments.pop("finetuning", None) or FineTuning(load_backbone("tiny"), frames=2)
    return train(
        small_model(),
        TRAINING,
        VALIDATION,
        settings,
        folder,
        finetuning=finetuning,
        device="cpu",
        progress=False,
        **arguments,
    )


if __name__ == "__main__":
    folder, processes = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    result = run(folder, resume=True, devices=processes)
    Path(folder, f"history{torch.distributed.get_rank() if processes > 1 else 0}.json").write_text(
        json.dumps(result.history)
    )
