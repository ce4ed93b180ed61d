"""What tests/kills has no time for: `CLIPSPM_KILLS=1000 python -m pytest tests/kills tests/nightly/kills.py`.

Samples of the world that are killed while they are written, workers whose parent is killed, and file systems that are
full or only read. The last need root, who may mount them, and are skipped elsewhere.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "kills"))

from killing import KILLS, age, ended, killed_in_between, start
from test_kills import Backbone, right_rows, run, videos  # noqa: F401 (a fixture)

from clipspm_lite import FeatureStore, load_video
from clipspm_lite.storage.files import replace_file
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


class Here:
    """In place of a pool of processes: the work is done in this one."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    map = staticmethod(map)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_generated_samples_are_whole_and_the_manifest_comes_last(tmp_path, monkeypatch):
    pytest.importorskip("av")
    monkeypatch.setattr(world, "CLASSES", world.CLASSES[:2])
    monkeypatch.setattr(world, "CLIPS_PER_CLASS", 2)
    monkeypatch.setattr(world, "ProcessPoolExecutor", Here)
    world.write(tmp_path / "whole")
    whole = {p.relative_to(tmp_path / "whole"): p.read_bytes() for p in files(tmp_path / "whole")}
    out = tmp_path / "killed"

    def check():
        found = {p.relative_to(out) for p in files(out) if p.parent.suffix != ".partial"}
        assert all((out / path).read_bytes() == whole[path] for path in found)
        assert (out / "manifest.json").exists() == (found == set(whole))

    def again():
        (out / "manifest.json").unlink(missing_ok=True)  # first, as this too may be killed
        shutil.rmtree(out, ignore_errors=True)
        world.write(out)

    killed_in_between(again, check)
    age(out)
    world.write(out)
    assert {p.relative_to(out): p.read_bytes() for p in files(out)} == whole
    video = next(path for path in files(out) if path.suffix == ".mp4")
    assert load_video(video, 8, 32).shape == (8, 3, 32, 32)


WORKERS = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from clipspm_lite.storage.files import end_with_parent

def tell(name):
    open(f"{name}.{os.getpid()}", "w").close()
    time.sleep(3)

if __name__ == "__main__":
    with ProcessPoolExecutor(2, initializer=end_with_parent) as pool:
        list(pool.map(tell, [sys.argv[1]] * 100))
"""


def test_no_worker_process_is_left_where_the_first_process_was_killed(tmp_path):
    psutil = pytest.importorskip("psutil")
    (tmp_path / "workers.py").write_text(WORKERS)
    first = subprocess.Popen([sys.executable, str(tmp_path / "workers.py"), str(tmp_path / "worker")])
    while len(workers := list(tmp_path.glob("worker.*"))) < 2:
        time.sleep(0.05)
    processes = [psutil.Process(int(path.suffix[1:])) for path in workers]
    first.kill()
    first.wait()
    alive = [process for process in processes if process.is_running() and process.status() != "zombie"]
    assert not psutil.wait_procs(alive, timeout=60)[1]


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


def mounted(*arguments, folder):
    """Whether root was allowed to mount this here, as in a container it may not."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    return subprocess.run(["mount", *arguments, str(folder)], capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", folder=folder):
        pytest.skip("only root can mount a small file system, and not everywhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_file(small_disk):
    path = small_disk / "model.safetensors"
    write_tensors(path, {"x": torch.zeros(10)}, {"kind": "model"})
    before = path.read_bytes()
    for write in (
        lambda: write_tensors(path, {"x": torch.zeros(1_000_000)}, {"kind": "model"}),
        lambda: replace_file(path, bytes(4_000_000)),
    ):
        fails(write, "cannot be written (", str(path))
        assert list(small_disk.iterdir()) == [path] and path.read_bytes() == before


def test_a_full_disk_keeps_the_features_that_are_stored(small_disk, videos):  # noqa: F811
    store = FeatureStore(Backbone(), small_disk, frames=16)  # 320 kB per video
    store.encode(videos[:1])
    fails(lambda: store.encode(videos), "cannot be written (", str(store.path))
    assert 1 <= len(right_rows(small_disk, videos)) < len(videos)


def test_training_that_ran_out_of_room_continues_to_the_bitwise_same_files(small_disk, tmp_path):
    assert ended(start(lambda: run(tmp_path / "whole"))) == 0
    needed = (tmp_path / "whole" / "last.safetensors").stat().st_size
    filler = small_disk / "filler"
    filler.write_bytes(
        bytes(shutil.disk_usage(small_disk).free - needed)
    )  # none for best.safetensors beside it
    fails(lambda: run(small_disk / "run"), "cannot be written (", ".safetensors")
    filler.unlink()
    assert ended(start(lambda: run(small_disk / "run"))) == 0
    for name in ("best.safetensors", "last.safetensors"):
        assert (small_disk / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_file_system_that_is_only_read_is_refused_before_any_work(tmp_path, videos, monkeypatch):  # noqa: F811
    folder = tmp_path / "read only"
    folder.mkdir()
    if not mounted("--bind", str(folder), folder=folder):
        pytest.skip("only root can mount a file system, and not everywhere")
    try:
        if not mounted("-o", "remount,ro,bind", folder=folder):
            pytest.skip("this file system cannot be mounted to be only read")
        monkeypatch.setattr(
            "clipspm_lite.clip.feature_store.load_videos", lambda *_, **__: pytest.fail("work")
        )
        with pytest.raises(OSError, match="cannot be written"):
            FeatureStore(Backbone(), folder / "store").encode(videos)
        with pytest.raises(OSError, match="cannot be written"):
            run(folder / "run")
        assert not list(folder.iterdir())
    finally:
        subprocess.run(["umount", str(folder)], check=True)
