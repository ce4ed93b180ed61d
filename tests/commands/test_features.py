"""The commands on features that any encoder made: `--features` in place of `--data`."""

import json
import re
from dataclasses import replace

import pytest
import torch

from clipspm_lite.clip.checkpoints import load_model
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.evaluation import accuracy
from clipspm_lite.model.sub_actions import STAGE_METHODS

PARTS = ("base", "validation", "novel")


@pytest.fixture
def given(encoded, tmp_path):
    """The options that name a file of six classes in each part; its encoder has a name."""
    data = replace(encoded(classes=18, videos=8), encoder="DINO")
    data.save(tmp_path / "mine.safetensors")
    parts = {part: data.classes[6 * n : 6 * n + 6] for n, part in enumerate(PARTS)}
    (tmp_path / "split.json").write_text(json.dumps({"format_version": 1, **parts}))
    return ["--features", tmp_path / "mine.safetensors", "--split", tmp_path / "split.json"]


def test_a_head_is_trained_and_scored_on_features_without_any_encoder(given, brief, tmp_path, monkeypatch, run):
    for place in ("commands.options", "commands.train", "commands.compare", "clip.checkpoints"):
        monkeypatch.setattr(f"clipspm_lite.{place}.load_backbone", lambda *a, **k: pytest.fail("loads a CLIP"))
    head = tmp_path / "run" / "best.safetensors"
    assert "queries 3" in run("train", *given, "--way", 2, "--queries", 3, "--out", tmp_path / "run").out
    assert load_model(head)[1]["encoder"] == "DINO"
    rest = [*given, "--way", 2, "--episodes", 5, "--checkpoint", head]
    printed = run("evaluate", *rest, "--json").out
    about = json.loads(printed.splitlines()[-1])
    assert about["classes"] == [f"action {number}" for number in range(12, 18)] and about["method"] == "clip-spm"
    file = tmp_path / "table.json"
    printed = run("table", *rest, "--shots", 1, "--results", file, "--figure", tmp_path / "t.png").out
    results = json.loads(file.read_text())
    assert [row["method"] for row in results["rows"]] == ["prototype", "otam", "clip-spm"]
    assert "features of DINO, 4 frames" in printed and "--features mine.safetensors" in results["command"]
    assert "DINO" in run("evaluate", "--checkpoint", head, status=1).err


def test_compare_trains_and_scores_on_features(given, brief, tmp_path, run):
    file = tmp_path / "results.json"
    rows = ("--baselines", "--seeds", 0, "--part", "novel", "--episodes", 5)
    run("compare", *given, *rows, "--out", tmp_path / "runs", "--results", file, "--figure", tmp_path / "f.png")
    results = json.loads(file.read_text())
    assert len(results["classes"]) == 6 and {"otam", "trx", "clip-spm"} <= set(results["rows"])


@pytest.mark.parametrize(
    ("changes", "named"), [({"encoder": "SigLIP"}, "DINO.*SigLIP"), ({"features": 3}, "frames"), ({"dim": 8}, "width")]
)
def test_other_features_than_a_head_was_trained_on_are_refused(changes, named, given, brief, encoded, tmp_path, run):
    run("train", *given, "--way", 2, "--out", tmp_path / "run")
    other = encoded(classes=18, videos=8, dim=changes.get("dim", 16), frames=changes.get("features", 4))
    replace(other, encoder=changes.get("encoder", "DINO")).save(given[1])
    error = run("evaluate", *given, "--way", 2, "--checkpoint", tmp_path / "run" / "best.safetensors", status=1).err
    assert re.search(named, error) and "best.safetensors" in error


@pytest.mark.parametrize(
    ("command", "reads", "reads_none"),
    [
        (["train", "--out", "run", "--model"], "clip-fsar", "trx"),
        (["train", "--dry-run", "--model"], "clip-spm", "trx"),
        (["evaluate", "--episodes", 5, "--method"], "zero-shot", "bi-mhm"),
        (["table", "--episodes", 5, "--shots", 1, "--methods"], "zero-shot", "otam"),
    ],
)
def test_features_without_class_text_serve_methods_that_read_none(
    command, reads, reads_none, given, brief, tmp_path, monkeypatch, run
):
    monkeypatch.chdir(tmp_path)
    replace(EncodedDataset.load(given[1]), class_text=None).save(given[1])
    assert "class_text" in run(*command, reads, *given, "--way", 2, status=1).err
    run(*command, reads_none, *given, "--way", 2)


def test_features_with_stage_text_serve_methods_that_read_it(given, brief, tmp_path, run):
    for command in (["evaluate", "--method"], ["table", "--shots", 1, "--methods"]):
        assert "--stages" in run(*command, "sub-actions", *given, "--episodes", 5, status=1).err
    data, file = EncodedDataset.load(given[1]), tmp_path / "results.json"
    stage_text = torch.stack([f.mean((0, 1)) for f in data.features.split(data.videos_per_class)])
    replace(data, stage_text=stage_text.unsqueeze(1).repeat(1, 3, 1)).save(given[1])
    run("evaluate", "--method", "stage text only", *given, "--episodes", 5)
    run("table", "--shots", 1, "--methods", "otam", *STAGE_METHODS, *given, "--episodes", 5)
    rows = ("--seeds", 0, "--episodes", 20)
    run("compare", *given, *rows, "--out", tmp_path / "runs", "--results", file, "--figure", tmp_path / "f.png")
    results = json.loads(file.read_text())
    assert {*STAGE_METHODS} <= {*results["rows"]} and {*STAGE_METHODS} == {*results["chosen_weights"]}
    assert accuracy(results, "stage text only") > accuracy(results, "zero-shot")


BESIDE = [["--data", "x"], ["--backbone", "tiny"], ["--frames", 4], ["--skip-unreadable"], ["--stages", "x"]]


@pytest.mark.parametrize("beside", BESIDE)
def test_an_option_for_videos_is_refused_beside_features(beside, given, run):
    assert beside[0] in run("evaluate", *given, *beside, status=1).err
