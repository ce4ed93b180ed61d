"""The feature store, with a backbone that only counts how often it is asked."""

import os
import time
from dataclasses import replace

import pytest
import torch

from clipspm_lite.clip import feature_store
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.clips import VideoFile
from clipspm_lite.data.datasets import VideoDataset, sample_world
from clipspm_lite.data.decoding.video import VideoError
from clipspm_lite.storage import files


class CountingBackbone(torch.nn.Module):
    image_size, dim = 8, 3

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.batches, self.hashed = [], 0

    @property
    def fingerprint(self):
        self.hashed += 1
        return str(self.weight.item())

    @property
    def encoded(self):
        return sum(map(len, self.batches))

    def encode_frames(self, frames):
        self.batches.append(frames[:, 0, 0, 0, 0].tolist())
        return torch.nn.functional.dropout(frames.mean((-1, -2)) * self.weight, 0.5, self.training)


def decoded(paths, frames, size, *, resize, workers, ahead):
    """Grey frames from files whose content is a number, in place of `load_videos`."""
    for path in paths:
        text = path.read_text()
        broken = text == "broken"
        yield VideoError(f"not a video: {path}") if broken else torch.full((frames, 3, size, size), float(text))


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """Writes files that `decoded` reads."""
    monkeypatch.setattr(feature_store, "load_videos", decoded)

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
    assert backbone.encoded == backbone.hashed == 2 and torch.equal(again, features.flip(0))
    assert features.requires_grad is False and not features.is_inference()


def test_videos_go_to_the_encoder_in_their_order_and_sixteen_at_once(videos, tmp_path):
    backbone, numbers = CountingBackbone(), [number / 64 for number in range(40)]
    assert FeatureStore(backbone, tmp_path / "store").encode(videos(*numbers))[:, 0, 0].tolist() == numbers
    assert backbone.batches == [numbers[:16], numbers[16:32], numbers[32:]]


def test_real_videos_have_the_features_of_their_frames(tmp_path):
    store, paths = FeatureStore(load_backbone("tiny"), tmp_path, workers=2), sample_world().paths[:5]
    features = store.encode(paths)
    assert torch.equal(features, store.encode_anew(paths)) and torch.equal(features, store.encode(paths))


def test_sentences_are_encoded_as_they_stand_and_names_in_templates(tmp_path):
    store, novel = FeatureStore(load_backbone("tiny"), tmp_path), sample_world()
    small = VideoDataset(novel.root, novel.classes[:2], tuple(videos[:1] for videos in novel.videos[:2]))
    sentences = (("both arms are up", "both arms are down", "the knees are bent"), ("a", "b", "a"))
    plain, data = store.encode_dataset(small), store.encode_dataset(replace(small, stages=sentences))
    assert plain.stage_text is None and data.stage_text.shape == (2, 3, store.backbone.dim)
    assert torch.equal(data.class_text, plain.class_text) and torch.equal(data.features, plain.features)
    assert torch.equal(data.stage_text[0], store.backbone.encode_class_names(sentences[0], ["{}"]))
    assert torch.equal(data.stage_text[1, 0], data.stage_text[1, 2])


def test_a_changed_file_other_sampling_or_another_backbone_never_meet_an_old_row(videos, tmp_path):
    backbone, folder = CountingBackbone(), tmp_path / "store"
    (path,) = videos(0.1)
    FeatureStore(backbone, folder).encode([path])
    path.write_text("0.7")
    assert FeatureStore(backbone, folder).encode([path])[0, 0, 0] == pytest.approx(0.7)
    assert FeatureStore(backbone, folder, frames=4).encode([path]).shape == (1, 4, 3)
    FeatureStore(backbone, folder, resize=16).encode([path])
    assert backbone.encoded == 4


def test_a_backbone_that_is_changed_afterwards_is_noticed(videos, tmp_path):
    backbone, folder = CountingBackbone(), tmp_path / "store"
    first, second = videos(0.1, 0.2)
    store = FeatureStore(backbone, folder)
    untouched = store.encode([first]), store.backbone.fingerprint
    backbone.weight.data.mul_(2)  # no version counter notices this
    assert torch.equal(store.encode([first]), 2 * untouched[0]) and store.backbone.fingerprint != untouched[1]
    store.encode([second])
    original = FeatureStore(CountingBackbone(), folder)
    assert torch.equal(original.encode([first]), untouched[0])
    assert original.encode([second])[0, 0, 0] == pytest.approx(0.2), "not the changed backbone's"


def test_a_backbone_in_training_mode_encodes_without_dropout_and_stays_in_it(videos, tmp_path):
    store = FeatureStore(CountingBackbone().train(), tmp_path / "store")
    assert store.encode(videos(0.5))[0].unique().tolist() == [0.5] and store.backbone.training


def test_a_file_that_is_exchanged_before_it_is_decoded_is_refused_by_name(videos, tmp_path, monkeypatch):
    paths = videos(0.1, 0.2)

    def exchanged(*arguments, **options):
        videos(0.1, 0.8)
        yield from decoded(*arguments, **options)

    monkeypatch.setattr(feature_store, "load_videos", exchanged)
    os.utime(paths[0], (0, 0))
    store = FeatureStore(CountingBackbone(), tmp_path / "store")
    with pytest.raises(VideoError, match=r"1\.mp4"):
        store.encode(paths)
    monkeypatch.setattr(feature_store, "load_videos", decoded)
    assert store.encode(videos(0.1, 0.2))[1, 0, 0] == pytest.approx(0.2)


def test_a_file_is_hashed_once_until_it_changes(videos, tmp_path, monkeypatch):
    hashed = []
    monkeypatch.setattr(VideoFile, "sha256", lambda clip: hashed.append(clip.path) or clip.path.read_text() * 16)
    store, paths = FeatureStore(CountingBackbone(), tmp_path / "store"), videos(0.25, 0.5)
    time.sleep(0.2)  # of a file that changed just now the times do not tell whether it changes again
    store.encode(paths)
    store.encode(paths)
    assert hashed == paths
    paths[0].write_text("0.75")
    assert store.encode(paths)[0, 0, 0] == 0.75 and hashed == [*paths, paths[0]]
    hashes = store.folder / "hashes.jsonl"
    hashes.write_bytes(hashes.read_bytes()[:-9] + b"\n\xff\n[]\n5")
    store.encode(paths)
    assert len(hashed) > 3, "a damaged line is passed over"


def test_all_broken_videos_are_named_at_the_end_and_the_others_are_encoded_and_kept(videos, tmp_path):
    backbone, folder = CountingBackbone(), tmp_path / "store"
    paths = videos(0.1, "broken", 0.3, "broken", 0.5)
    with pytest.raises(VideoError, match="1.mp4") as error:
        FeatureStore(backbone, folder).encode(paths[:3])
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(VideoError, match="3 of 6") as error:
        FeatureStore(backbone, folder).encode([tmp_path / "none.mp4", *paths])
    names = [line.rsplit("/")[-1] for line in str(error.value).splitlines()[1:]]
    assert names == ["none.mp4", "1.mp4", "3.mp4"]
    FeatureStore(backbone, folder).encode([paths[0], paths[2], paths[4]])
    assert backbone.encoded == 3


@pytest.mark.parametrize("damage", [lambda b: b[:-10], lambda b: b[:-1] + b"\1", lambda b: b"", lambda b: b"{}" * 9])
def test_a_damaged_row_is_encoded_again(damage, videos, tmp_path):
    backbone = CountingBackbone()
    store, paths = FeatureStore(backbone, tmp_path / "store"), videos(0.1, 0.2)
    features = store.encode(paths)
    row = next(store.path.rglob("*.safetensors"))
    row.write_bytes(damage(row.read_bytes()))
    assert torch.equal(store.encode(paths), features) and backbone.encoded == 3
    assert torch.equal(store.encode(paths), features) and backbone.encoded == 3


def test_what_is_written_grows_linearly(videos, tmp_path, monkeypatch):
    written, replace = [0], os.replace
    monkeypatch.setattr(files.os, "replace", lambda s, t: (written.append(os.path.getsize(s)), replace(s, t)))
    store, sizes = FeatureStore(CountingBackbone(), tmp_path / "store"), [0]
    paths = videos(*(number / 64 for number in range(32)))
    time.sleep(0.2)
    for path in paths:
        store.encode([path])
        sizes.append(sum(written) + (store.folder / "hashes.jsonl").stat().st_size)
    steps = [after - before for before, after in zip(sizes, sizes[1:], strict=False)]
    assert max(steps) < 1.2 * min(steps)
