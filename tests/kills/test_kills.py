"""Killed at any moment, everything that is written is afterwards as it was before or completely new."""

import base64
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
import torch
from killing import KILLS, age, ended, killed_in_between, seconds_of, start
from nbformat import v4

from clipspm_lite import CLIPSPM, notebooks
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.storage.files import file_sha256, replace_file
from clipspm_lite.storage.tensors import read_tensors, write_tensors
from clipspm_lite.training.loop import BEST, LAST, TrainingSettings, train
from clipspm_lite.world import write as world

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")


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
        assert description["number"] >= seen
        seen = description["number"]

    write_tensors(path, {"x": torch.zeros(500_000)}, {"kind": "model", "number": 0})
    killed_in_between(write_next, 3 * seconds_of(write_next), check)
    assert seen > 1 and age(tmp_path) <= KILLS
    write_next()
    assert list(tmp_path.iterdir()) == [path], "what killed processes left is gone"


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
        "clipspm_lite.clip.feature_store.load_video",
        lambda path, frames, size, resize: torch.full((frames, 3, size, size), float(path.read_text())),
    )
    monkeypatch.setattr("clipspm_lite.clip.feature_store.VIDEOS_PER_SAVE", 1)
    monkeypatch.setattr("clipspm_lite.clip.feature_store.VIDEOS_PER_BATCH", 1)
    paths = [tmp_path / f"{number}.mp4" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_text(str(number / 12))
    return paths


@pytest.mark.parametrize("processes", [1, 2])
def test_a_feature_store_holds_right_rows_only_and_loses_none_that_one_process_wrote(
    videos, tmp_path, processes
):
    folder = tmp_path / "store"
    number_of = {file_sha256(path): float(path.read_text()) for path in videos}
    seen = set()

    def fill():
        store = FeatureStore(Backbone(), folder, frames=2)
        store.encode(random.sample(videos, 4))
        store._write(store._read())  # so that there is always something to write

    def check():
        nonlocal seen
        store = FeatureStore(Backbone(), folder, frames=2)
        rows = store._read()
        for content, row in rows.items():
            assert row.shape == (2, 5_000) and bool((row == torch.tensor(number_of[content])).all())
        if processes == 1:  # of two that write in the same moment, one's rows are encoded again
            assert seen <= set(rows)
        seen = set(rows)
        if len(rows) == len(videos):
            store.path.unlink()
            seen = set()

    longest = 2 * seconds_of(fill)
    killed_in_between(fill, longest, check, processes=processes)
    age(folder)
    FeatureStore(Backbone(), folder, frames=2).encode(videos)
    store = FeatureStore(Backbone(), folder, frames=2)
    assert set(store._read()) == set(number_of)
    replace_file(store.path, store.path.read_bytes())
    assert list(folder.iterdir()) == [store.path]


def data(prefix, seed):
    generator = torch.Generator().manual_seed(seed)
    return EncodedDataset(
        tuple(f"{prefix} {i}" for i in range(4)),
        (4,) * 4,
        torch.randn(16, 4, 16, generator=generator),
        torch.randn(4, 16, generator=generator),
    )


SETTINGS = TrainingSettings(
    way=3,
    queries=2,
    steps=16,
    episodes_per_step=2,
    validate_every=1,
    validation_episodes=5,
    learning_rate=1e-3,
)


def run(folder, settings=SETTINGS, resume=True):
    torch.manual_seed(0)
    model = CLIPSPM(16, heads=2, head_dim=4, mlp_dim=16, preset="lite")
    return train(
        model, data("a", 0), data("b", 1), settings, folder, device="cpu", resume=resume, progress=False
    )


def test_training_continues_to_the_bitwise_same_curve_and_weights(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    longest = seconds_of(lambda: run(whole))
    moments = random.Random(0)
    kills = 0
    while True:
        child = start(lambda: run(killed))
        if kills == KILLS:
            assert ended(child) == 0
            break
        time.sleep(moments.uniform(0, longest / 5))
        os.kill(child, signal.SIGKILL)  # no harm to one that is over
        status = ended(child)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        kills += 1
        if (killed / LAST).exists():
            state = read_tensors(killed / LAST, "training state")[1]
            best = read_tensors(killed / BEST, "model")[1]["validation"]
            # The best may be one validation ahead of what is resumed from, which finds it again.
            assert best["step"] <= state["history"][-1]["step"] + 1
    assert kills > 2, "it was over before it was killed"
    for name in (BEST, LAST):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert run(killed).history == run(whole).history


def test_a_second_training_into_one_folder_is_refused_and_the_first_unharmed(tmp_path):
    first = start(lambda: run(tmp_path))
    while not (tmp_path / LAST).exists():
        time.sleep(0.01)
    os.kill(first, signal.SIGSTOP)  # so that it is not over too early
    for resume in (True, False):
        with pytest.raises(FileExistsError, match="another process is training|a training run is already"):
            run(tmp_path, resume=resume)
    os.kill(first, signal.SIGCONT)
    assert ended(first) == 0
    assert len(run(tmp_path).history) == 16, "the folder is free again"


def test_a_regenerated_notebook_and_its_pictures_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr(notebooks, "PICTURES", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["notebooks", "lesson"])
    path, picture = tmp_path / "lesson.ipynb", tmp_path / "results" / "lesson.png"

    def execute(path):
        """The executed notebook, whose picture and output have the next number; what is written is real."""
        notebook = nbformat.read(path, as_version=4)
        number = notebook.cells[1].outputs[0].data["text/plain"]
        output = made_up(str(int(number) + 1))
        notebook.cells[1].outputs = [output]
        return notebook, 1.0

    def made_up(number):
        image = base64.b64encode(number.encode() * 1_000_000).decode()
        return v4.new_output("display_data", {"text/plain": number, "image/png": image})

    cells = [v4.new_markdown_cell("A lesson"), v4.new_code_cell("1", outputs=[made_up("1000")])]
    cells[1].metadata["tags"] = ["picture:lesson"]
    path.write_text(nbformat.writes(v4.new_notebook(cells=cells)))
    monkeypatch.setattr(notebooks, "execute", execute)

    def check():
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        number = notebook.cells[1].outputs[0].data["text/plain"].encode()
        if picture.exists():
            shown = picture.read_bytes()
            assert shown == shown[:4] * 1_000_000 and int(shown[:4]) - int(number) in (0, 1)

    killed_in_between(notebooks.main, 2 * seconds_of(notebooks.main), check)
    age(tmp_path)
    notebooks.main()
    check()
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["lesson.ipynb", "lesson.png", "results"]


class Here:
    """In place of a pool of processes: the work is done in this one."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    map = staticmethod(map)


def test_generated_samples_are_whole_and_the_manifest_comes_last(tmp_path, monkeypatch):
    pytest.importorskip("av")
    monkeypatch.setattr(world, "CLASSES", world.CLASSES[:2])
    monkeypatch.setattr(world, "CLIPS_PER_CLASS", 2)
    with monkeypatch.context() as patch:
        patch.setattr(world, "ProcessPoolExecutor", Here)
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

        killed_in_between(again, 1.2 * seconds_of(again), check, kills=KILLS // 2)
        age(out)
        world.write_samples(out)
    assert {p.relative_to(out): p.read_bytes() for p in files(out)} == whole
    video = next(path for path in files(out) if path.suffix == ".mp4")
    assert load_video(video, 8, 32).shape == (8, 3, 32, 32)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


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
    (tmp_path / "workers.py").write_text(WORKERS)
    first = subprocess.Popen([sys.executable, str(tmp_path / "workers.py"), str(tmp_path / "worker")])
    while len(workers := list(tmp_path.glob("worker.*"))) < 2:
        time.sleep(0.05)
    first.kill()
    first.wait()
    numbers = [int(path.suffix[1:]) for path in workers]
    until = time.monotonic() + 20
    while any(map(running, numbers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(running, numbers))


def running(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        if os.path.isdir("/proc"):
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_files_of_a_kill_are_named_so_that_no_reader_takes_them(tmp_path):
    """A hidden name with another ending: no glob for models, notebooks or videos finds it."""

    def die():
        from clipspm_lite.storage.files import replacing

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
