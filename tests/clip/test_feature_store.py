"""The feature store, with a backbone that only counts how often it is asked."""

import subprocess
import sys

import pytest
import torch

from clipspm_lite.clip.checkpoints import CheckpointError
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.decoding.video import VideoError


class CountingBackbone(torch.nn.Module):
    image_size, dim, fingerprint = 8, 3, "first"

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.encoded = 0

    def encode_frames(self, frames):
        self.encoded += len(frames)
        return frames.mean((-1, -2)) * self.weight

    def encode_class_names(self, names):
        return torch.tensor([[float(len(name))] * 3 for name in names])


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """Files whose content is a number; `load_video` is replaced by one that makes grey frames of it."""

    def read(path, frames, size, resize):
        text = path.read_text()
        if text == "broken":
            raise VideoError(f"not a video: {path}")
        return torch.full((frames, 3, size, size), float(text))

    monkeypatch.setattr("clipspm_lite.clip.feature_store.load_video", read)

    def write(*numbers):
        paths = [tmp_path / f"{i}.mp4" for i in range(len(numbers))]
        for path, number in zip(paths, numbers, strict=True):
            path.write_text(str(number))
        return paths

    return write


def test_each_video_is_encoded_once_and_equal_files_share_a_row(videos, tmp_path):
    backbone, folder = CountingBackbone(), tmp_path / "store"
    paths = videos(0.1, 0.2, 0.1)
    features = FeatureStore(backbone, folder).encode(paths)
    assert features.shape == (3, 8, 3) and backbone.encoded == 2
    assert torch.equal(features[0], features[2])
    again = FeatureStore(backbone, folder).encode(list(reversed(paths)))
    assert backbone.encoded == 2 and torch.equal(again, features.flip(0))
    assert features.requires_grad is False and not features.is_inference()


def test_processes_that_fill_a_store_together_keep_each_others_rows(videos, tmp_path, monkeypatch):
    backbone, folder = CountingBackbone(), tmp_path / "store"
    paths = videos(0.1, 0.2)
    ours, theirs = FeatureStore(backbone, folder), FeatureStore(backbone, folder)
    encode = ours.encode_anew
    monkeypatch.setattr(ours, "encode_anew", lambda batch: (theirs.encode(paths[:1]), encode(batch))[1])
    ours.encode(paths[1:])
    FeatureStore(backbone, folder).encode(paths)
    assert backbone.encoded == 2


def test_a_changed_file_other_sampling_or_other_weights_never_meet_an_old_row(videos, tmp_path):
    backbone, folder = CountingBackbone(), tmp_path / "store"
    (path,) = videos(0.1)
    FeatureStore(backbone, folder).encode([path])
    path.write_text("0.7")
    assert FeatureStore(backbone, folder).encode([path])[0, 0, 0] == pytest.approx(0.7)
    assert FeatureStore(backbone, folder, frames=4).encode([path]).shape == (1, 4, 3)
    FeatureStore(backbone, folder, resize=16).encode([path])
    backbone.fingerprint = "second"
    FeatureStore(backbone, folder).encode([path])
    assert backbone.encoded == 5


def test_all_broken_videos_are_named_at_the_end_and_the_others_are_encoded_and_kept(
    videos, tmp_path, monkeypatch
):
    monkeypatch.setattr("clipspm_lite.clip.feature_store.VIDEOS_PER_BATCH", 1)
    backbone, folder = CountingBackbone(), tmp_path / "store"
    paths = videos(0.1, "broken", 0.3, "broken", 0.5)
    with pytest.raises(VideoError, match="1.mp4") as error:
        FeatureStore(backbone, folder).encode(paths[:3])
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(VideoError, match="3 of 6 videos cannot be read") as error:
        FeatureStore(backbone, folder).encode([tmp_path / "none.mp4", *paths])
    names = [line.rsplit("/")[-1] for line in str(error.value).splitlines()[1:]]
    assert names == ["none.mp4", "1.mp4", "3.mp4"]
    FeatureStore(backbone, folder).encode([paths[0], paths[2], paths[4]])
    assert backbone.encoded == 3


KILLED = """
    import os, signal, sys, torch
    import clipspm_lite.storage.tensors as checkpoints
    save = checkpoints.save_file

    def save_half(tensors, name, header):
        save(tensors, name, header)
        with open(name, "rb+") as file:
            file.truncate(os.path.getsize(name) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

    checkpoints.save_file = save_half
    checkpoints.write_tensors(sys.argv[1], {"features": torch.ones(9, 8, 3)}, {"kind": "feature store"})
"""


def test_a_store_killed_while_writing_is_never_read_half_written(videos, tmp_path):
    import textwrap

    backbone, folder = CountingBackbone(), tmp_path / "store"
    paths = videos(0.1, 0.2)
    store = FeatureStore(backbone, folder)
    features = store.encode(paths)
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(store.path)])
    assert killed.returncode == -9 and len(list(folder.iterdir())) == 2
    assert torch.equal(FeatureStore(backbone, folder).encode(paths), features)
    assert backbone.encoded == 2


def test_a_damaged_store_is_refused_by_name(videos, tmp_path):
    store = FeatureStore(CountingBackbone(), tmp_path / "store")
    paths = videos(0.1)
    store.encode(paths)
    store.path.write_bytes(store.path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=store.path.name):
        store.encode(paths)


def test_subset_keeps_features_and_text_of_the_named_classes(encoded):
    data = encoded(classes=4, videos=3)
    part = data.subset(["action 3", "action 1"])
    assert part.classes == ("action 3", "action 1") and part.videos_per_class == (3, 3)
    assert torch.equal(part.features, torch.cat([data.features[9:], data.features[3:6]]))
    assert torch.equal(part.class_text, data.class_text[[3, 1]])
    assert part.fingerprint != data.fingerprint and part.fingerprint == data.subset(part.classes).fingerprint
