"""What tests/kills has no time for: `CLIPSPM_KILLS=1000 python -m pytest tests/kills tests/nightly/kills.py`.

Samples of the world that are killed while they are written, workers whose parent is killed, and full file systems. The
last need root, who may mount them, and are skipped elsewhere.
"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "kills"))

from killing import KILLS, age, ended, killed_in_between, start
from test_kills import Backbone, right_rows, run, videos  # noqa: F401 (a fixture)

from clipspm_lite import FeatureStore, load_video
from clipspm_lite.storage.tensors import read_tensors, write_tensors
from clipspm_lite.world import write as world


def test_a_checkpoint_is_the_old_or_the_new_one(tmp_path):
    path = tmp_path / "model.safetensors"
    seen = 0

    def write_next():
        number = read_tensors(path, "model")[1]["number"] + 1
        write_tensors(path, {"x": torch.full((500_000,), number)}, {"kind": "model", "number": number})

    def check():
        nonlocal seen
        tensors, description = read_tensors(path, "model")
        assert tensors["x"].shape == (500_000,) and bool((tensors["x"] == description["number"]).all())
        assert description["number"] > seen
        seen = description["number"]

    write_tensors(path, {"x": torch.zeros(500_000)}, {"kind": "model", "number": 0})
    killed_in_between(write_next, check)
    assert age(tmp_path) <= KILLS
    write_next()
    assert list(tmp_path.iterdir()) == [path], "what killed processes left is gone"


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_generated_samples_are_whole_and_the_manifest_comes_last(tmp_path, monkeypatch):
    pytest.importorskip("av")
    monkeypatch.setattr(world, "CLASSES", world.CLASSES[:2])
    monkeypatch.setattr(world, "CLIPS_PER_CLASS", 2)
    monkeypatch.setattr(world, "ProcessPoolExecutor", lambda *_, **__: nullcontext(SimpleNamespace(map=map)))
    world.write_samples(tmp_path / "whole")
    whole = {p.relative_to(tmp_path / "whole"): p.read_bytes() for p in files(tmp_path / "whole")}
    out = tmp_path / "killed"

    def check():
        found = {p.relative_to(out) for p in files(out) if p.parent.suffix != ".partial"}
        assert all((out / path).read_bytes() == whole[path] for path in found)
        assert (out / "manifest.json").exists() == (found == set(whole))

    def again():
        (out / "manifest.json").unlink(missing_ok=True)  # first, as this too may be killed
        shutil.rmtree(out, ignore_errors=True)
        world.write_samples(out)

    killed_in_between(again, check)
    age(out)
    world.write_samples(out)
    assert {p.relative_to(out): p.read_bytes() for p in files(out)} == whole
    video = next(path for path in files(out) if path.suffix == ".mp4")
    assert load_video(video, 8, 32).shape == (8, 3, 32, 32)


def test_no_worker_process_is_left_where_the_first_process_was_killed(tmp_path):
    pytest.importorskip("av")
    command = [sys.executable, "-m", "clipspm_lite.world.write", "--out", str(tmp_path)]
    first = subprocess.Popen(command)
    while not list(tmp_path.rglob("*.mp4")):
        time.sleep(0.05)
    processes = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()
    assert len(processes) >= 2 and not psutil.wait_procs(processes, timeout=60)[1]


def fails(work, *expected):
    """In a child: the error that `work` raises says all of this."""

    def child():
        try:
            work()
        except OSError as error:
            assert all(text in str(error) for text in expected) and "\n" not in str(error), error
        else:
            raise AssertionError("it was written")

    assert ended(start(child)) == 0


def test_without_room_the_old_files_stay(videos, tmp_path):  # noqa: F811
    resource = pytest.importorskip("resource")
    path, store = tmp_path / "model.safetensors", FeatureStore(Backbone(), tmp_path / "store", frames=16)
    write_tensors(path, {"x": torch.zeros(10)}, {"kind": "model"})
    store.encode(videos[:1])  # 320 kB
    before = path.read_bytes()

    def write():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        write_tensors(path, {"x": torch.zeros(1_000_000)}, {"kind": "model"})

    def encode():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        store.encode(videos)

    fails(write, "cannot be written (", str(path))
    fails(encode, "cannot be written (", str(store.path))
    assert path.read_bytes() == before and len(right_rows(store.path, videos)) == 1
    assert not list(tmp_path.rglob("*.partial"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system, and not everywhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_training_that_ran_out_of_room_continues_to_the_bitwise_same_files(small_disk, tmp_path):
    assert ended(start(lambda: run(tmp_path / "whole"))) == 0
    needed = (tmp_path / "whole" / "last.safetensors").stat().st_size
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - needed))  # none for best.safetensors beside it
    fails(lambda: run(small_disk / "run"), "cannot be written (", ".safetensors")
    filler.unlink()
    assert ended(start(lambda: run(small_disk / "run"))) == 0
    for name in ("best.safetensors", "last.safetensors"):
        assert (small_disk / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
