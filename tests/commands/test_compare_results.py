"""The command `compare-results`, and what `compare` does beside its table: fewer base classes, choosing on test."""

import base64
import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from clipspm_lite.data import datasets
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.evaluation import evaluate, paired_difference
from clipspm_lite.evaluation.results import holm, read_answers
from clipspm_lite.model import baselines
from clipspm_lite.model.variants import FULL, INDUCTIVE
from clipspm_lite.training import TRAINING_PRESETS

NAMES = [f"action {number}" for number in range(24)]


@pytest.fixture
def features(tmp_path):
    """Options of made-up features: ten base classes, six of validation, eight novel ones."""
    torch.manual_seed(0)
    centres = torch.randn(24, 1, 1, 16)
    videos = (centres + 2 * torch.randn(24, 6, 4, 16)).flatten(0, 1)
    EncodedDataset(tuple(NAMES), (6,) * 24, videos, centres[:, 0, 0]).save(tmp_path / "f.safetensors")
    parts = {"base": NAMES[:10], "validation": NAMES[10:16], "novel": NAMES[16:]}
    (tmp_path / "split.json").write_text(json.dumps({"format_version": 1, **parts}))
    return ["--features", tmp_path / "f.safetensors", "--split", tmp_path / "split.json"]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_files_of_evaluate_and_table_are_paired_episode_by_episode(features, tmp_path, run):
    mine, theirs = tmp_path / "mine.json", tmp_path / "theirs.json"
    run("evaluate", *features, "--method", "prototype", "--episodes", 40, "--results", mine)
    run("table", *features, "--methods", "otam", "prototype", "--shots", 1, 3, "--episodes", 40, "--results", theirs)
    data = EncodedDataset.load(features[1]).subset(NAMES[16:])
    ours, other = (evaluate(method, data, episodes=40) for method in (baselines.prototype, baselines.otam))
    assert np.array_equal(read_answers(mine)["prototype"]["5-way, 1-shot"][1], (ours.answers == 0)[None])
    lines = run("compare-results", mine, theirs, "--against", "otam").out.splitlines()
    points, interval = paired_difference(ours, other)
    expected = ["prototype", "otam", "5-way, 1-shot", f"{ours.accuracy:.1f}", f"{other.accuracy:.1f}"]
    assert len(lines) == 3 and cells(lines[2])[:6] == [*expected, f"{points:+.1f} ± {interval:.1f}"]
    same = run("compare-results", theirs, theirs).out.splitlines()  # every row against its namesake
    assert len(same) == 2 + 4 and all("+0.0 ± 0.0 | +0.0 to +0.0 | 1.0000" in line for line in same[2:])
    run("evaluate", *features, "--method", "otam", "--episodes", 40, "--seed", 3, "--results", mine)
    assert "seed" in run("compare-results", mine, theirs, status=1).err  # what differs
    assert "--against" in run("compare-results", mine, theirs, "--against", "otm", status=1).err


def test_another_file_is_refused_by_its_name(tmp_path, run):
    kept = {"classes": ["a"], "episodes": 2, "way": 2, "queries": 1, "answers": "eJwDAAAAAAE="}
    for number, content in enumerate(
        ("", "[]", {"rows": {}}, {"rows": {"a": {}}}, {"rows": {"a": {"answers": {"m": kept}}}})
    ):
        file = tmp_path / f"{number}.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        assert file.name in run("compare-results", file, file, status=1).err


CUT = base64.b64encode(zlib.compress(bytes(200))[:-6]).decode()
NOTHING = base64.b64encode(zlib.compress(b"")).decode()


@pytest.mark.parametrize(
    "changes",
    [{"answers": value} for value in ("!!!!", "", CUT, NOTHING)]
    + [{"videos_per_class": [1] * 8}, {"videos_per_class": [6] * 7}, {"videos_per_class": 6}, {"seed": "zero"}],
)
def test_a_damaged_file_is_named_even_where_the_other_is_damaged_alike(changes, features, tmp_path, run):
    file, other = tmp_path / "mine.json", tmp_path / "damaged.json"
    run("evaluate", *features, "--method", "otam", "--episodes", 40, "--results", file)
    results = json.loads(file.read_text())
    results["answers"]["5-way, 1-shot"] |= changes
    other.write_text(json.dumps(results))
    error = run("compare-results", other, other, status=1).err
    assert error.startswith("error: ") and error.strip().endswith(other.name)


def test_a_file_of_another_version_is_refused(features, tmp_path, run):
    file = tmp_path / "mine.json"
    run("evaluate", *features, "--method", "otam", "--episodes", 40, "--results", file)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format_version": 99}))
    assert "format_version" in run("compare-results", file, file, status=1).err


def test_holm_multiplies_and_never_falls_below_the_one_before():
    assert holm(np.array([0.03, 0.01, 0.5, 0.011])).tolist() == pytest.approx([0.06, 0.04, 0.5, 0.04])


def test_fewer_base_classes_and_choosing_on_the_scored_ones_are_rows(features, brief, tmp_path, run, monkeypatch):
    monkeypatch.setitem(TRAINING_PRESETS, "lite", replace(TRAINING_PRESETS["lite"], steps=3, way=5))
    file, figure = tmp_path / "r.json", tmp_path / "r.png"
    more = ("--base-classes", 4, 6, 4, "--choose-on-scored", "--validate-every", 1, "--episodes", 20)
    more += ("--seeds", 0, 1, 0)  # what is there twice counts once
    common = ("compare", *features, "--out", tmp_path, "--part", "novel")
    printed = run(*common, *more, "--results", file, "--figure", figure).out
    results = json.loads(file.read_text())
    trained = [FULL, *INDUCTIVE]
    titles = ("", ", 4 base classes", ", 6 base classes", ", chosen on the scored classes")
    rows = {f"{name}{title}" for name in trained for title in titles}
    assert rows == set(results["rows"]) - set(baselines.TRAINING_FREE) and results["base_classes"] == [4, 6, 10]
    assert all(len(results["rows"][row]["right"]["5-way"]) == 2 for row in rows) and list(results["asked"]) == ["5-way"]
    assert f"{FULL}, chosen on the scored classes" in printed and figure.read_bytes().startswith(b"\x89PNG")
    assert "--base-classes" in run(*common, "--base-classes", 10, status=1).err


def test_few_classes_are_among_more_hold_both_kinds_and_change_with_the_seed(monkeypatch, tmp_path):
    (tmp_path / "pairs.json").write_text(json.dumps({"reversed": [], "context": NAMES[3:9]}))
    monkeypatch.setattr(datasets, "SAMPLES", tmp_path)
    order = datasets.nested_classes(NAMES, seed=1)
    assert sorted(order) == sorted(NAMES) and len(set(order[:4]) & set(NAMES[3:9])) == 2
    assert order == datasets.nested_classes(NAMES, seed=1) != datasets.nested_classes(NAMES, seed=2)
