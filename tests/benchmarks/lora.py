"""What LoRA costs and gains beside an encoder frozen or trained whole: python tests/benchmarks/lora.py

The encoder is trained end to end on base classes, for few steps, and scored on validation classes after the last of
them, so no step is chosen. The head is OTAM with a temperature, one weight: what changes is the encoder's doing.
`--head clip-spm` starts from the committed head and trains it too. Each run is a process of its own, for its memory.
"""

import argparse
import copy
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from clipspm_lite import load_backbone
from clipspm_lite.clip.checkpoints import LITE_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.clip.lora import adapt
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.evaluation import evaluate
from clipspm_lite.evaluation.results import half_width, markdown_table, with_interval
from clipspm_lite.model.baselines import otam
from clipspm_lite.model.head import cross_entropy_losses
from clipspm_lite.training import FineTuning, LoRA, TrainingSettings, train

# What is trained of the encoder, and the learning rate of the head and of "all". LoRA's is 10 and 100 times as large.
WAYS = {
    "frozen": (None, 1e-4),
    "all": ("all", 1e-4),
    "LoRA, × 10": (LoRA(8, 1e-3), 1e-4),
    "LoRA, × 10, 16 directions protected": (LoRA(8, 1e-3, protect=16), 1e-4),
    "LoRA, × 100": (LoRA(8, 1e-2), 1e-4),
    "LoRA, × 100, 16 directions protected": (LoRA(8, 1e-2, protect=16), 1e-4),
}


class TemperedOTAM(nn.Module):
    """OTAM's distances times one learned number; the accuracy without training is OTAM's."""

    loss_form = "mean"

    def __init__(self) -> None:
        super().__init__()
        self.config = {"model": "tempered otam"}
        self.log_scale = nn.Parameter(torch.tensor(5.0).log())

    def forward(self, support, query, class_text, support_mask=None):
        scores = otam(support, query, class_text, support_mask)
        return scores._replace(logits=self.log_scale.exp() * scores.logits)

    def losses(self, support, query, class_text, query_labels, support_mask=None):
        return cross_entropy_losses(self(support, query, class_text).logits, query_labels)


def one_run(way: str, seed: int, options: argparse.Namespace) -> dict:
    """Train and score in this process; peak memory in MB, seconds of this process's CPU, decoding apart."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    encoder, rate = WAYS[way]
    if isinstance(encoder, LoRA):
        encoder = replace(encoder, learning_rate=encoder.learning_rate * options.faster)
    elif encoder:
        rate *= options.faster
    backbone = load_backbone("tiny", device="cpu")
    model = TemperedOTAM() if options.head == "otam" else load_model(LITE_MODEL)[0]
    base, validation = sample_world("base"), sample_world("validation")
    few = replace(validation, videos=tuple(videos[:2] for videos in validation.videos))
    schedule = dict(steps=options.steps, validate_every=options.steps, validation_episodes=2, episodes_per_step=4)
    settings = TrainingSettings(
        queries=1, optimizer="adamw", learning_rate=rate, betas=(0.9, 0.999), schedule="cosine", seed=seed, **schedule
    )
    trained = 0
    with tempfile.TemporaryDirectory() as folder:
        how = dict(device="cpu", progress=False)
        if encoder is None:
            data = [FeatureStore(backbone, folder).encode_dataset(part) for part in (base, few)]
        else:
            lora = encoder if isinstance(encoder, LoRA) else None
            data = [base, few]
            how["finetuning"] = FineTuning(backbone, flip=False, chunk=80, lora=lora)
            visual = copy.deepcopy(backbone.set_trainable(True).clip.visual)
            if lora:
                adapt(visual, lora, 0)
            trained = sum(weight.numel() for weight in visual.parameters() if weight.requires_grad)
        result = train(model, *data, settings, f"{folder}/run", **how)
        used = time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        scored = evaluate(model, FeatureStore(backbone.eval(), folder).encode_dataset(validation), device="cpu")
    update = result.history[-1].get("encoder_update")
    return dict(trained=trained, peak=peak, seconds=used, update=update, per_episode=scored.per_episode.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=40, help="of four episodes")
    parser.add_argument("--head", choices=("otam", "clip-spm"), default="otam")
    parser.add_argument("--faster", type=float, default=1, help="times the encoder's learning rates")
    parser.add_argument("--one", action="store_true", help="one run in this process, as JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run(options.ways[0], options.seeds[0], options)))
        return
    rows, frozen = [], None
    for way in options.ways:
        runs = []
        for seed in options.seeds:
            command = [sys.executable, __file__, "--one", "--ways", way, "--seeds", str(seed)]
            command += ["--steps", str(options.steps), "--head", options.head, "--faster", str(options.faster)]
            runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        right = np.array([run["per_episode"] for run in runs])  # [seeds, episodes], the same episodes for all
        mean = right.mean(0)
        frozen = mean if way == "frozen" else frozen
        against = [] if frozen is None or way == "frozen" else [mean - frozen]
        rows.append(
            [
                way,
                f"{runs[0]['trained']:,}",
                f"{max(run['peak'] for run in runs):.0f}",
                f"{np.mean([run['seconds'] for run in runs]):.0f}",
                with_interval(100 * mean.mean(), half_width(mean)),
                " ".join(f"{100 * share:.1f}" for share in right.mean(1)),
                "".join(with_interval(100 * d.mean(), half_width(d), sign="+") for d in against),
                "" if runs[0]["update"] is None else f"{100 * np.mean([run['update'] for run in runs]):.1f} %",
            ]
        )
    heads = [
        "trained of the encoder",
        "weights",
        "peak MB",
        "CPU s",
        "validation, %",
        "seeds",
        "minus frozen",
        "update",
    ]
    print(markdown_table(heads, rows))


if __name__ == "__main__":
    main()
