"""What decoding and encoding cost, and what the feature store saves: python tests/benchmarks/videos.py"""

import tempfile

import torch
from timing import seconds

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.episodes import EpisodeSampler

import decord  # isort: skip  (its shared libraries load after torch's)

CLIPS, EPISODES = 100, 40


def bare(path):
    """Every frame of a video, as decord gives them."""
    reader = decord.VideoReader(str(path))
    return [reader.next() for _ in range(len(reader))]


def main():
    dataset = sample_world("validation")
    paths = dataset.paths[:CLIPS]
    ours = seconds(lambda: [load_video(path) for path in paths], 3)
    theirs = seconds(lambda: [bare(path) for path in paths], 3)
    print(f"load_video reaches {100 * theirs / ours:.0f} % of decord's bare rate ({1000 * ours / CLIPS:.1f} ms a clip)")

    backbone = load_backbone("tiny")
    sampler = EpisodeSampler(dataset.videos_per_class, 5)
    episodes = [sampler[index] for index in range(EPISODES)]

    def encode_each():
        for episode in episodes:
            wanted = [*(video for videos in episode.support for video in videos), *episode.query]
            frames = [load_video(dataset.paths[v], size=backbone.image_size) for v in wanted]
            with torch.inference_mode():
                backbone.encode_frames(torch.stack(frames))

    each = seconds(encode_each) / EPISODES
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(backbone, folder)
        once = seconds(lambda: store.encode(dataset.paths))
        again = seconds(lambda: store.encode(dataset.paths))
    print(f"an episode encoded anew {1000 * each:.0f} ms; all clips once {once:.1f} s, read again {again:.2f} s")
    gain = 2000 * each / torch.tensor([once, again])
    print(f"for 2,000 episodes the store is {gain[0]:.0f} times as fast, on its second use {gain[1]:.0f} times")


if __name__ == "__main__":
    main()
