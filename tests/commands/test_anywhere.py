"""The commands where a video cannot be read, a stream lacks characters, or a file system has no locks."""

import io
import json
import shutil
import sys

import pytest

from clipspm_lite.commands.main import main
from clipspm_lite.data.datasets import SAMPLES
from clipspm_lite.training import state

GOOD = sorted((SAMPLES / "clips" / "raising_a_box").glob("*.mp4"))


def make_folder(root, classes, videos=3):
    for name in classes:
        (root / name).mkdir(parents=True)
        for clip in GOOD[:videos]:
            shutil.copy(clip, root / name)
    return root


@pytest.fixture
def damaged(tmp_path):
    """The options for a folder in which two classes hold a file that is not a video."""
    root = make_folder(tmp_path / "data", "abcd")
    for name in "bd":
        (root / name / "broken.mp4").write_text("no video")
    (tmp_path / "split.json").write_text(
        json.dumps({"format_version": 1, "base": ["a", "b"], "validation": ["c", "d"]})
    )
    return ["--data", root, "--store", tmp_path / "store", "--way", 2, "--skip-unreadable"]


def last_json(printed):
    return json.loads(printed.out.splitlines()[-1])


def test_scoring_goes_on_without_unreadable_videos_and_names_them(damaged, tmp_path, run):
    scored = [*damaged, "--episodes", 4]
    assert "--skip-unreadable" in run("evaluate", *scored[:-3], "--method", "otam", status=1).err
    printed = run("evaluate", *scored, "--method", "otam", "--json")
    assert last_json(printed)["unreadable"] == ["b/broken.mp4", "d/broken.mp4"]
    assert "2 of 14 videos" in printed.err and "broken.mp4" in printed.err
    run("table", *scored, "--methods", "otam", "--shots", 1, "--results", tmp_path / "table.json")
    results = json.loads((tmp_path / "table.json").read_text())
    assert results["unreadable"] == ["b/broken.mp4", "d/broken.mp4"] and results["videos_per_class"] == [3] * 4


@pytest.mark.parametrize("how", [[], ["--finetune"], ["--dry-run"]])
def test_training_goes_on_without_unreadable_videos(how, damaged, brief, tmp_path, run):
    printed = run("train", *damaged, "--split", tmp_path / "split.json", "--out", tmp_path / "run", *how, "--json")
    assert last_json(printed)["unreadable"] == ["b/broken.mp4", "d/broken.mp4"]


def test_predict_goes_on_without_them_unless_an_action_has_no_other(damaged, tmp_path, run):
    asked = ["predict", "--support", damaged[1], *damaged[2:4], "--skip-unreadable", GOOD[4], "--json"]
    assert last_json(run(*asked))["unreadable"] == ["b/broken.mp4", "d/broken.mp4"]
    for clip in (damaged[1] / "b").glob("raising*"):
        clip.unlink()
    assert "'b'" in run(*asked, status=1).err


@pytest.mark.parametrize("encoding", ["cp1252", "cp932", "ascii"])
def test_nothing_is_lost_to_a_character_that_a_stream_lacks(encoding, tmp_path, monkeypatch):
    make_folder(tmp_path / "data", ["挥手", "żonglowanie", "跳绳"], videos=2)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    options = ["--data", tmp_path / "data", "--store", tmp_path / "store", "--way", 3, "--method", "otam"]
    assert main(list(map(str, ["evaluate", *options, "--episodes", 3, "--json"]))) == 0
    assert main(["check", "挥手"]) == 1
    for stream in (out, err):
        stream.flush()
    printed, error = (stream.buffer.getvalue().decode(encoding) for stream in (out, err))
    assert json.loads(printed.splitlines()[-1])["classes"] == ["żonglowanie", "挥手", "跳绳"]
    assert "\\u017conglowanie" in printed and ("\\u6325" in error or encoding == "cp932")


@pytest.mark.parametrize("error", [NotImplementedError("no flock"), OSError(37, "No locks available")])
def test_a_file_system_without_locks_only_warns(error, brief, small, tmp_path, monkeypatch, run):
    def acquire(*_, **__):
        raise error

    monkeypatch.setattr(state.FileLock, "acquire", acquire)
    with pytest.warns(UserWarning, match="no .*lock"):
        run("train", "--out", tmp_path / "run", *small, "--store", tmp_path / "store")
