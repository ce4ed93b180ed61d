"""The commands that train: `train` and `compare`."""

import argparse
import json

import pytest

from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL, LITE_MODEL, load_model, open_checkpoint
from clipspm_lite.commands import train as train_command
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.heads import describe_head
from clipspm_lite.model.presets import DATASET_SETTINGS, LITE_SIZES
from clipspm_lite.model.variants import FULL, INDUCTIVE, TRAINED_BASELINES
from clipspm_lite.storage.files import file_sha256

MODELS = (FULL, *TRAINED_BASELINES)
FINETUNE = ("--finetune", "--preset", "paper", "--frames", 3)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_trained_and_then_scored_as_it_was_trained(model, brief, small, tmp_path, run):
    store = ("--store", tmp_path / "store")
    printed = run("train", "--model", model, "--out", tmp_path / "run", *small, *store, "--frames", 4).out
    assert f"head: model {model}, " in printed and "best on validation" in printed
    path = tmp_path / "run" / "best.safetensors"
    head, description = load_model(path)
    expected = dict(preset="lite", **LITE_SIZES) if model == FULL else TRAINED_BASELINES[model]
    assert expected.items() <= describe_head(head).items()
    assert (description["frames"], description["resize"]) == (4, 73)
    rest = [*small, *store, "--episodes", 4, "--checkpoint", path]
    printed = run("evaluate", *rest, "--inductive", "--json").out
    assert "4 frames, shorter side 73" in printed and json.loads(printed.splitlines()[-1])["method"] == model
    run("table", *rest, "--frames", 4, "--shots", 1, "--results", tmp_path / "results.json")
    rows = {row["method"]: row["head"] for row in json.loads((tmp_path / "results.json").read_text())["rows"]}
    assert list(rows) == ["zero-shot", "otam", model] and rows[model]["training"]["steps"] == 2


@pytest.mark.parametrize("model", MODELS)
def test_what_finetuning_leaves_is_opened_with_its_own_encoder_everywhere(model, brief, small, support, tmp_path, run):
    run("train", "--model", model, "--out", tmp_path / "run", *small, *FINETUNE)
    rest = ["--checkpoint", tmp_path / "run" / "best.safetensors", "--store", tmp_path / "store"]
    assert "tiny, 3 frames, shorter side 73" in run("evaluate", *small, *rest, "--episodes", 4).out
    run("table", *small, *rest, "--episodes", 4, "--methods", model, "--shots", 1)
    predict = ("predict", *rest, next(support.glob("*/*.mp4")), "--json")
    first = json.loads(run(*predict, "--support", support, "--save", tmp_path / "mine").out.splitlines()[-1])
    again = json.loads(run(*predict, "--recogniser", tmp_path / "mine").out.splitlines()[-1])
    assert first["method"] == model and again["predictions"] == first["predictions"]


def test_released_conventions_take_pixels_as_they_are(brief, small, tmp_path, run):
    run("train", "--preset", "released", "--out", tmp_path / "run", *small, "--store", tmp_path / "store")
    assert not open_checkpoint(tmp_path / "run" / "best.safetensors").store.backbone.normalize_pixels


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("model", MODELS)
def test_the_conventions_of_the_released_code_leave_another_models_decay_as_the_papers(model):
    options = [parsed("--model", model, "--preset", preset) for preset in ("paper", "released")]
    paper, released = (train_command.resolve_settings(one).weight_decay for one in options)
    assert released == (20 if model == FULL else 1) * paper


def test_a_preset_resolves_to_the_benchmarks_settings_and_single_options_override(brief, small, tmp_path, run):
    given = ("--learning-rate", 0.5, "--episodes-per-step", 1, "--dry-run", "--json")
    printed = run("train", "--out", tmp_path / "run", *small, *FINETUNE, *given).out
    for name, value in (DATASET_SETTINGS["ssv2_small"] | {"learning_rate": 0.5, "seed": 6, "flip": False}).items():
        assert f"{name} {value}" in printed
    planned = json.loads(printed.splitlines()[-1])
    assert (planned["episodes"], planned["steps"]) == (4, 4), "as many episodes, in other steps"
    assert planned["trained"]["visual encoder"] > 0
    assert not (tmp_path / "run").exists()


def test_videos_are_mirrored_on_benchmarks_without_left_and_right():
    store = open_checkpoint(LITE_MODEL).store
    hmdb51 = ["--data", "x", "--benchmark", "hmdb51"]
    ssv2 = ["--data", "x", "--benchmark", "ssv2_full"]
    for options, flips in ((hmdb51, True), ([*hmdb51, "--no-flip"], False), (ssv2, False), ([], False)):
        assert train_command.finetuning_of(parsed(*options), store).flip == flips


def test_a_dry_run_of_the_head_encodes_a_few_videos_and_keeps_nothing(brief, small, tmp_path, run):
    before = set(tmp_path.rglob("*"))
    printed = run("train", *small, "--store", tmp_path / "store", "--preset", "paper", "--dry-run").out
    assert "to encode once, where the feature store lacks them: 4 videos" in printed
    assert set(tmp_path.rglob("*")) == before


def test_compare_trains_scores_and_says_where_its_numbers_come_from(brief, tmp_path, monkeypatch, run):
    pairs = "clipspm_lite.evaluation.comparison.pairs_by_kind"
    monkeypatch.setattr(pairs, lambda data: {"reversed": [data.classes[:2]]})
    monkeypatch.setattr("clipspm_lite.commands.compare.ABLATIONS", ABLATION := {"without PADM": {"with_padm": False}})
    file, figure = tmp_path / "results.json", tmp_path / "table.png"
    files = ("--out", tmp_path, "--results", file, "--figure", figure)
    rows = ("--ablations", "--baselines", "--extensions", "motion kept", "--seeds", 3, "--episodes", 4)
    printed = run("compare", *rows, *files).out.splitlines()
    results = json.loads(file.read_text(), parse_constant=pytest.fail)
    expected = {*TRAINING_FREE, FULL, *INDUCTIVE, *ABLATION, *TRAINED_BASELINES, "motion kept"}
    expected |= set(results["chosen_weights"])  # of rows that read sentences
    assert set(results["rows"]) == expected
    assert sum(line.startswith("| ") for line in printed) == 2 * (1 + len(expected)), "two tables with a head each"
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert (
        "--ablations --baselines --extensions 'motion kept'" in results["command"] and "--seeds 3" in results["command"]
    )
    assert results["sha256"]["heads"][FULL] == [file_sha256(tmp_path / FULL / "seed3" / "best.safetensors")]


def test_compare_takes_the_committed_heads_for_training_seed_0(tmp_path, monkeypatch, run):
    monkeypatch.setattr("clipspm_lite.training.loop.train", lambda *a, **k: pytest.fail("trains"))
    nothing = {"rows": {}, "shot": 1, "asked": []}
    monkeypatch.setattr("clipspm_lite.commands.compare.compare", lambda *a, **k: nothing)
    file = tmp_path / "results.json"
    run("compare", "--out", tmp_path, "--committed", "--seeds", 0, "--results", file)
    committed = {FULL: [file_sha256(LITE_MODEL)], "clip-spm inductive": [file_sha256(LITE_INDUCTIVE_MODEL)]}
    assert json.loads(file.read_text())["sha256"]["heads"] == committed
