"""How evaluation on stored features spends its time and memory: python tests/benchmarks/evaluation.py

The sample world's validation clips and the committed head, 5-way 1-shot. Takes half a minute.
"""

import resource
import sys

import torch
from timing import seconds

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.model import baselines


def peak():
    """Peak memory of this process so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main():
    data = FeatureStore(load_backbone("tiny")).encode_dataset(sample_world("validation"))
    model, _ = load_model(LITE_MODEL)
    evaluate(model, data, episodes=100)  # what is made once is made

    batched = seconds(lambda: evaluate(model, data, episodes=400))
    one_by_one = seconds(lambda: evaluate(model, data, episodes=400, batch_size=1))
    print(f"batched against one episode at a time: {one_by_one / batched:.1f} times as fast")

    sampler = EpisodeSampler(data.videos_per_class, 5)
    batch = gather(data.features, data.class_text, [sampler[index] for index in range(100)])
    arguments = batch.support, batch.query, batch.class_text
    with torch.inference_mode():
        scored = seconds(lambda: model(*arguments), 10)
        with_losses = seconds(lambda: model.losses(*arguments, batch.query_labels), 10)
    print(f"without the branches that only training needs: {with_losses / scored:.1f} times as fast")

    before = peak()
    full = seconds(lambda: evaluate(model, data, episodes=10_000))
    print(f"10,000 episodes of the full model: {full:.0f} s, {full / batched / 25:.2f} of 25 times 400 episodes")
    print(f"their peak memory: {peak() - before:+.0f} MB above that of 400 episodes")
    fast = seconds(lambda: evaluate(baselines.otam, data, episodes=2000)) * 5
    print(f"the full model takes {full / fast:.1f} times as long as otam ({fast:.0f} s, 5 times 2,000 episodes)")


if __name__ == "__main__":
    main()
