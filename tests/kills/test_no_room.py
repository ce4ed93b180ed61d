"""A disk that is full, a folder that cannot be written: one error that says so, the old files, and no half ones."""

import os
import resource
import shutil
import subprocess
import sys

import pytest
import torch
from killing import ended, start
from test_kills import Backbone, run, videos  # noqa: F401 (a fixture)

from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.commands.main import main
from clipspm_lite.storage.files import check_writable, replace_file
from clipspm_lite.storage.tensors import write_tensors
from clipspm_lite.training.loop import BEST, LAST

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="limits a forked process")
MOUNTED = sys.platform == "linux" and os.geteuid() == 0  # what only root can make


def mounted(*arguments, folder):
    """Whether root was allowed to mount this here, as in a container it may not."""
    return subprocess.run(["mount", *arguments, str(folder)], capture_output=True).returncode == 0


@pytest.fixture(params=["a file system of 2 MB", "files of at most 1 MB"])
def small_disk(request, tmp_path):
    """A folder with little room, and what a process does first to be bound by that."""
    folder = tmp_path / "small"
    folder.mkdir()
    if request.param == "files of at most 1 MB":
        yield folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        return
    if not MOUNTED or not mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", folder=folder):
        pytest.skip("only root can mount a small file system, and not everywhere")
    yield folder, lambda: None
    subprocess.run(["umount", str(folder)], check=True)


def fails(work, *expected):
    """In a child: the error that `work` raises says all of this."""

    def child():
        try:
            work()
        except OSError as error:
            message = str(error)
            print(message)
            assert all(text in message for text in expected) and "\n" not in message, message
        else:
            raise AssertionError("it was written")

    assert ended(start(child)) == 0


def test_no_room_for_a_file_leaves_the_old_one(small_disk):
    folder, bind = small_disk
    path = folder / "model.safetensors"
    write_tensors(path, {"x": torch.zeros(10)}, {"kind": "model"})
    before = path.read_bytes()

    def write():
        bind()
        write_tensors(path, {"x": torch.zeros(1_000_000)}, {"kind": "model"})

    def replace():
        bind()
        replace_file(path, bytes(4_000_000))

    for work in (write, replace):
        fails(work, "cannot be written (", "make room", str(path))
        assert list(folder.iterdir()) == [path] and path.read_bytes() == before


def test_no_room_for_more_features_keeps_those_that_are_stored(small_disk, videos):  # noqa: F811
    folder, bind = small_disk
    store = FeatureStore(Backbone(), folder, frames=16)  # 320 kB a video
    store.encode(videos[:1])
    before = store._read()

    def encode():
        bind()
        FeatureStore(Backbone(), folder, frames=16).encode(videos)

    fails(encode, "cannot be written (", "make room", str(store.path))
    rows = store._read()
    assert 1 <= len(rows) < len(videos) and all(torch.equal(rows[name], before[name]) for name in before)
    assert list(folder.iterdir()) == [store.path]


def test_training_that_ran_out_of_room_continues_to_the_bitwise_same_files(small_disk, tmp_path):
    folder, _ = small_disk
    assert ended(start(lambda: run(tmp_path / "whole"))) == 0

    needed = (tmp_path / "whole" / LAST).stat().st_size
    filler = folder / "filler"
    if os.path.ismount(folder):
        filler.write_bytes(
            bytes(shutil.disk_usage(folder).free - needed)
        )  # best.safetensors has no room beside it

    def train():
        if not filler.exists():
            resource.setrlimit(resource.RLIMIT_FSIZE, (needed - 1, needed - 1))
        run(folder / "run")

    fails(train, "cannot be written (", "make room", ".safetensors")
    filler.unlink(missing_ok=True)
    assert ended(start(lambda: run(folder / "run"))) == 0
    for name in (BEST, LAST):
        assert (folder / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.fixture(params=["a folder without permission", "a file system that is only read"])
def read_only(request, tmp_path):
    folder = tmp_path / "read only"
    folder.mkdir()
    if request.param == "a folder without permission":
        if os.geteuid() == 0:
            pytest.skip("root writes everywhere")
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    if (
        not MOUNTED
        or not mounted("--bind", str(folder), folder=folder)
        or not mounted("-o", "remount,ro,bind", folder=folder)
    ):
        pytest.skip("only root can mount a file system, and not everywhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(read_only, videos, monkeypatch, capsys):  # noqa: F811
    def work(*_, **__):
        raise AssertionError("work was begun")

    monkeypatch.setattr("clipspm_lite.clip.feature_store.load_video", work)
    with pytest.raises(OSError, match="cannot be written.*another place.*features-"):
        FeatureStore(Backbone(), read_only / "store").encode(videos)
    monkeypatch.setattr("clipspm_lite.training.loop._Run", work)
    with pytest.raises(OSError, match="cannot be written.*another place.*last.safetensors"):
        run(read_only / "run")
    assert main(["table", "--results", str(read_only / "r.json")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert not list(read_only.iterdir())


def test_a_file_in_the_place_of_a_folder_is_refused_before_any_work(videos, tmp_path):  # noqa: F811
    (tmp_path / "file").write_text("not a folder")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="cannot be written.*another place.*file"):
            FeatureStore(Backbone(), place).encode(videos)
        with pytest.raises(OSError, match="cannot be written.*another place.*file"):
            run(place)
        with pytest.raises(OSError, match="cannot be written.*another place.*file"):
            replace_file(place / "x.json", b"{}")
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_device_or_a_folder_is_not_replaced_and_a_link_is_followed(tmp_path):
    for path in ("/dev/null", tmp_path):
        with pytest.raises(OSError, match="cannot be written"):
            replace_file(path, b"content")
        with pytest.raises(OSError, match="cannot be written"):
            check_writable(path)
    assert not os.path.isfile("/dev/null")
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "elsewhere" / "real.json")
    replace_file(link, b"content")
    assert link.is_symlink() and (tmp_path / "elsewhere" / "real.json").read_bytes() == b"content"
