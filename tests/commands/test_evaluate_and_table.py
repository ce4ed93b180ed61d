"""The commands that score: `evaluate` and `table`."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL, LITE_MODEL, open_checkpoint, save_model
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.evaluation.benchmark_table import markdown
from clipspm_lite.evaluation.published import made_of_markdown
from clipspm_lite.model.heads import build_head
from clipspm_lite.model.variants import TRAINED_BASELINES

NOVEL = sample_world("novel").classes


@pytest.mark.parametrize(("method", "episodes"), [("zero-shot", 50), ("otam", 1), ("clip-spm", 50)])
def test_evaluate_ends_with_one_json_object(method, episodes, run):
    printed = run("evaluate", "--method", method, "--episodes", episodes, "--shot", 3, "--json").out
    result = json.loads(printed.splitlines()[-1], parse_constant=pytest.fail)
    keys = {"method", "data", "way", "shot", "queries", "episodes", "seed", "accuracy", "interval", "seconds"}
    assert keys | {"classes", "asked_inductive", "unreadable"} == set(result)
    together = method == "clip-spm"
    assert ("all queries of an episode together" if together else "each query alone") in printed
    assert result["classes"] == list(NOVEL) and result["asked_inductive"] != together and not result["unreadable"]
    assert f"{len(NOVEL)} classes: " in printed
    assert (result["method"], result["way"], result["shot"], result["episodes"]) == (method, 5, 3, episodes)
    assert 20 < result["accuracy"] <= 100
    assert result["interval"] is None if episodes == 1 else 0 < result["interval"] < 20, "JSON has no NaN"


def test_the_lite_profile_computes_on_one_thread_unless_asked(run, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for options, expected in ([], 3), (["--threads", 2], 2), ([], 1):
        torch.set_num_threads(3)
        if expected == 1:
            monkeypatch.delenv("OMP_NUM_THREADS")
        run("evaluate", "--method", "otam", "--episodes", 2, *options)
        assert torch.get_num_threads() == expected


def test_a_benchmark_is_evaluated_from_its_official_download_at_256_pixels(small, tmp_path, run):
    printed = run("evaluate", *small, "--method", "otam", "--episodes", 4, "--store", tmp_path / "store")
    assert "shorter side 73" in printed.out, "256 of 224, in proportion for the tiny CLIP's 64"
    assert "published are" not in printed.err and "warning: the tiny CLIP" in printed.err
    from small_benchmarks import SSV2_SMALL

    sentences = {name: ["a start", "a middle", "an end"] for name in SSV2_SMALL["novel"]}
    (tmp_path / "mine.yaml").write_text(json.dumps(sentences))
    staged = ["--stages", tmp_path / "mine.yaml", "--method", "sub-actions", "--episodes", 4]
    assert "sub-actions on" in run("evaluate", *small, *staged, "--store", tmp_path / "store").out
    assert "mine.yaml" in run("evaluate", *small, *staged, "--part", "validation", status=1).err


def test_a_table_is_printed_kept_and_drawn_and_its_command_makes_it_again(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    shutil.copy(LITE_MODEL, tmp_path / "mine.safetensors")
    arguments = ["--shots", 1, 5, "--episodes", 8, "--seed", 3, "--checkpoint", tmp_path / "mine.safetensors"]
    printed = run("table", *arguments, "--results", "first.json", "--figure", "table.png").out
    results = json.loads(Path("first.json").read_text())
    assert printed == markdown(results) + "\n"
    assert Path("table.png").read_bytes().startswith(b"\x89PNG")
    assert {row["method"] for row in results["rows"]} == {"zero-shot", "otam", "clip-spm"}
    assert results["commit"] and str(tmp_path) not in Path("first.json").read_text()
    run(*shlex.split(results["command"])[3:], "--results", "again.json")
    for row, repeated in zip(results["rows"], json.loads(Path("again.json").read_text())["rows"], strict=True):
        assert row | {"seconds": 0} == repeated | {"seconds": 0}


def test_a_table_says_what_published_numbers_are_made_of_and_needs_no_data(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    assert run("table", "--published").out == made_of_markdown() + "\n"
    assert not list(tmp_path.iterdir())


def test_a_table_holds_heads_of_several_methods_each_with_its_own_checkpoints(tmp_path, run):
    file, trx = tmp_path / "results.json", tmp_path / "trx.safetensors"
    save_model(trx, build_head({"dim": 128, **TRAINED_BASELINES["trx"]}), backbone_name="tiny")
    heads = [LITE_INDUCTIVE_MODEL, trx, LITE_MODEL]
    run("table", "--shots", 5, 1, "--episodes", 4, "--inductive", "--checkpoint", *heads, "--results", file)
    rows = json.loads(file.read_text())["rows"]
    used = {(row["method"], row["shot"]): row["head"]["file"] for row in rows if row["head"]}
    clip_spm = {("clip-spm", 5): LITE_INDUCTIVE_MODEL.name, ("clip-spm", 1): LITE_MODEL.name}
    assert used == clip_spm | {("trx", 5): trx.name, ("trx", 1): trx.name}


@pytest.mark.parametrize("command", [["evaluate"], ["table"], ["predict", "--save", "x", "--support"]])
def test_a_head_of_another_backbone_is_refused(command, support, tmp_path, run):
    path = tmp_path / "other.safetensors"
    save_model(path, build_head(dict(dim=128, heads=1, head_dim=4, mlp_dim=4)), backbone="another")
    arguments = [*command, *([support] if "predict" in command else []), "--backbone", "tiny"]
    assert "other.safetensors" in run(*arguments, "--checkpoint", path, status=1).err.splitlines()[-1]


def test_a_released_checkpoint_is_opened_with_data_set_and_text_encoder(tmp_path, monkeypatch, run):
    (tmp_path / "best.pt").write_bytes(b"PK, as torch writes it")
    asked = {"dataset": "ucf101", "weights": "openai"}
    stand_in = lambda file, **how: open_checkpoint(LITE_MODEL) if asked.items() <= how.items() else None  # noqa: E731
    monkeypatch.setattr("clipspm_lite.commands.options.open_checkpoint", stand_in)
    released = ("--checkpoint", tmp_path / "best.pt", "--dataset-settings", "ucf101", "--weights", "openai")
    assert "clip-spm on " in run("evaluate", *released, "--episodes", 4).out
