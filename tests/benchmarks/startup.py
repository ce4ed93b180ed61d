"""From nothing to a first answer, each in a fresh process: python tests/benchmarks/startup.py"""

import subprocess
import sys

from timing import seconds

STEPS = {
    "python itself": "pass",
    "import torch": "import torch",
    "import clipspm_lite": "import clipspm_lite",
    "and its model": "from clipspm_lite import CLIPSPM",
    "and the tiny CLIP, loaded": "from clipspm_lite.clip.backbone import load_backbone; load_backbone('tiny')",
    "a first answer, as in 00": """
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_MODEL, load_model
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.clip.feature_store import FeatureStore
store, model, world = FeatureStore(load_backbone('tiny')), load_model(LITE_MODEL)[0], sample_world('novel')
episode = EpisodeSampler(world.videos_per_class)[0]
clips = [video for videos in episode.support for video in videos] + list(episode.query)
features = store.encode([world.paths[clip] for clip in clips])
text = store.backbone.encode_class_names([world.classes[number] for number in episode.classes])
model(features[:5, None], features[5:], text).logits.argmax(-1)
""",
}


def main():
    took = {}
    for name, code in STEPS.items():
        took[name] = seconds(lambda code=code: subprocess.run([sys.executable, "-c", code], check=True), 3)
        torch_import = took.get("import torch", took[name])
        print(f"{name:28s} {took[name]:5.2f} s   {took[name] / torch_import:4.1f} × import torch")


if __name__ == "__main__":
    main()
