"""Killed at any moment, what is written is afterwards as it was before or completely new."""

import os
import random
import signal
import time

import pytest
import torch
from killing import KILLS, age, ended, killed_in_between, start

from clipspm_lite import CLIPSPM, FeatureStore
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.storage.files import check_writable, file_sha256, replace_file, replacing
from clipspm_lite.storage.tensors import read_tensors
from clipspm_lite.training import TrainingSettings, train

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")


def test_an_unfinished_file_has_a_name_that_no_reader_takes_and_goes_when_it_is_old(tmp_path):
    def die():
        with replacing(tmp_path / "model.safetensors") as name:
            with open(name, "w") as file:
                file.write("half")
            os.kill(os.getpid(), signal.SIGKILL)

    assert ended(start(die)) == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".") and not list(tmp_path.glob("*.safetensors"))
    replace_file(tmp_path / "model.safetensors", b"new")
    assert left.exists(), "a living process may still write to it"
    age(tmp_path)
    replace_file(tmp_path / "other.safetensors", b"another file's")
    assert left.exists()
    replace_file(tmp_path / "model.safetensors", b"newer")
    assert not left.exists()


class Backbone(torch.nn.Module):
    image_size, dim, fingerprint = 4, 5_000, "made up"

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def encode_frames(self, frames):
        return frames[..., :1, 0, 0].expand(*frames.shape[:2], self.dim).contiguous()


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """Twelve files that hold a number, of which frames are made."""
    monkeypatch.setattr(
        "clipspm_lite.clip.feature_store.load_videos",
        lambda paths, frames, size, **_: (
            torch.full((frames, 3, size, size), float(p.read_text())) for p in paths
        ),
    )
    paths = [tmp_path / f"{number}.mp4" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_text(str(number / 12))
    return paths


def right_rows(folder, videos):
    """The files of a store, all of which hold the features of their video."""
    number_of = {file_sha256(path): float(path.read_text()) for path in videos}
    files = [file for file in folder.rglob("*.safetensors") if file.parent.suffix != ".partial"]
    for file in files:
        row = read_tensors(file, "features of a video")[0]["features"]
        assert row.shape[1:] == (5_000,) and bool((row == torch.tensor(number_of[file.stem])).all())
    return files


@pytest.mark.parametrize("processes", [1, 2])
def test_a_feature_store_holds_whole_and_right_rows_only(videos, tmp_path, processes):
    folder = tmp_path / "store"

    def fill():
        store = FeatureStore(Backbone(), folder, frames=2)
        store.encode(videos)
        for file in random.sample(sorted(store.path.glob("??/*.safetensors")), 4):
            file.unlink(missing_ok=True)  # so that there is always something to write

    killed_in_between(fill, lambda: right_rows(folder, videos), processes=processes)
    FeatureStore(Backbone(), folder, frames=2).encode(videos)
    assert len(right_rows(folder, videos)) == len(videos)


def data(prefix, seed):
    generator = torch.Generator().manual_seed(seed)
    features, text = torch.randn(16, 4, 16, generator=generator), torch.randn(4, 16, generator=generator)
    return EncodedDataset(tuple(f"{prefix} {i}" for i in range(4)), (4,) * 4, features, text)


def run(folder):
    torch.manual_seed(0)
    model = CLIPSPM(16, heads=2, head_dim=4, mlp_dim=16, preset="lite")
    settings = TrainingSettings(
        way=3, queries=2, steps=16, episodes_per_step=2, validate_every=1, validation_episodes=5
    )
    training, validation = data("a", 0), data("b", 1)
    return train(model, training, validation, settings, folder, device="cpu", resume=True, progress=False)


def test_training_continues_to_the_bitwise_same_curve_and_weights(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert ended(start(lambda: run(whole))) == 0
    moments, last = random.Random(0), killed / "last.safetensors"
    for _ in range(KILLS):
        before, child = last.stat().st_mtime_ns if last.exists() else None, start(lambda: run(killed))
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if last.exists() and last.stat().st_mtime_ns != before:
                time.sleep(moments.uniform(0, 0.05))
                os.kill(child, signal.SIGKILL)
                ended(child)
                break
            time.sleep(0.001)
    assert ended(start(lambda: run(killed))) == 0
    for name in ("best.safetensors", "last.safetensors"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert run(killed).history == run(whole).history


def test_a_second_training_into_one_folder_is_refused_and_the_first_unharmed(tmp_path):
    def stop_at_the_first_file():
        replace = os.replace

        def stopping(source, target):
            replace(source, target)
            os.replace = replace
            os.kill(os.getpid(), signal.SIGSTOP)

        os.replace = stopping
        run(tmp_path)

    first = start(stop_at_the_first_file)
    os.waitpid(first, os.WUNTRACED)
    with pytest.raises(FileExistsError, match=str(tmp_path)):
        run(tmp_path)
    os.kill(first, signal.SIGCONT)
    assert ended(first) == 0
    assert len(run(tmp_path).history) == 16, "the folder is free again"


def test_what_cannot_be_written_is_refused_before_any_work(videos, tmp_path, monkeypatch):
    monkeypatch.setattr("clipspm_lite.clip.feature_store.load_videos", lambda *_, **__: pytest.fail("work"))
    (tmp_path / "file").write_text("not a folder")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            FeatureStore(Backbone(), place).encode(videos)
        with pytest.raises(OSError, match="file"):
            run(place)
    for path in ("/dev/null", tmp_path):
        with pytest.raises(OSError, match="cannot be written"):
            replace_file(path, b"content")
        with pytest.raises(OSError, match="cannot be written"):
            check_writable(path)
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real.json")
    replace_file(link, b"content")
    assert link.is_symlink() and (tmp_path / "real.json").read_bytes() == b"content"
