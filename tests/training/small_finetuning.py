"""A small run of fine-tuning on sample clips, for tests: called, or run as a script by two processes."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.data.datasets import SAMPLES, VideoDataset
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.training import FineTuning, TrainingSettings, train

SETTINGS = TrainingSettings(
    way=2, queries=1, steps=6, episodes_per_step=2, learning_rate=1e-4, validate_every=2, validation_episodes=10, seed=0
)  # fmt: skip
SHORT = replace(SETTINGS, steps=2)
QUIET = dict(device="cpu", progress=False)


class Killed(BaseException):
    pass


def kill_at(call, patch, owner, name):
    """The process ends at a call of `owner.name`."""
    original, calls = getattr(owner, name), []

    def dying(*args, **kwargs):
        calls.append(None)
        if len(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    patch.setattr(owner, name, dying)


def clips(*classes, videos=3):
    names = tuple(tuple(f"{c}/{c}_{i:02d}.mp4" for i in range(videos)) for c in classes)
    return VideoDataset(SAMPLES / "clips", classes, names)


TRAINING = clips("squatting", "swaying", "waving_both_arms")
VALIDATION = clips("standing_up", "sitting_down")


def small_model(**sizes):
    torch.manual_seed(0)
    return CLIPSPM(128, heads=2, head_dim=4, mlp_dim=16, **sizes)


def run(folder, settings=SETTINGS, *, data=TRAINING, finetuning=None, **arguments):
    finetuning = finetuning or FineTuning(load_backbone("tiny"), frames=2)
    return train(small_model(), data, VALIDATION, settings, folder, finetuning=finetuning, **QUIET | arguments)


def run_head(folder, **arguments):
    """The head alone, without dropout, on made-up features."""

    def features(name):
        classes = tuple(f"{name} {i}" for i in range(3))
        return EncodedDataset(classes, (3,) * 3, torch.randn(9, 2, 128), torch.randn(3, 128))

    model = small_model(dropout=0, feedforward_dropout=0)
    return train(model, features("base"), features("held out"), SHORT, folder, **QUIET | arguments)


if __name__ == "__main__":
    folder = sys.argv[1]
    torch.set_num_threads(1)
    result, head = run(folder, SHORT, devices=2), run_head(Path(folder, "head"), devices=2)
    history = Path(folder, f"history{torch.distributed.get_rank()}.json")
    history.write_text(json.dumps([result.history, head.history]))
