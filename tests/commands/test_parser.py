"""What all commands share: quick help, the version, one line for an error and its exit status."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

import clipspm_lite
from clipspm_lite.arguments import whole_number
from clipspm_lite.clip.checkpoints import LITE_MODEL
from clipspm_lite.commands.main import COMMANDS, main


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_no_torch(option):
    command = [sys.executable, "-X", "importtime", "-m", "clipspm_lite", option]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not re.search(r"\b(torch|open_clip|numpy)\b", done.stderr)
    assert all(word in done.stdout for word in (COMMANDS if option == "--help" else [clipspm_lite.__version__]))


def test_whole_numbers_are_ints_of_python_or_numpy_that_json_can_hold():
    assert json.dumps(whole_number("frames", np.int64(3), 1, 3)) == "3"
    for value in (0, 4, True, 3.0, float("nan"), "3", None):
        with pytest.raises(ValueError, match="frames"):
            whole_number("frames", value, 1, 3)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command, capsys):
    with pytest.raises(SystemExit, match="^0$"):
        main([command, "--help"])
    assert f"usage: python -m clipspm_lite {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["evalute"], "evalute"),
        (["evaluate", "--methd", "otam"], "--methd"),
        (["evaluate", "--way", "two"], "--way"),
        (["evaluate", "--method", "otm"], "--method.*otam"),
        (["predict", "clip.mp4"], "--support.*--recogniser"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_status_2(arguments, named, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    [line] = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and line.startswith("error: ") and re.search(named, line)
    advised = re.search(r"all options: python -m clipspm_lite (.*)\)$", line)[1].split()
    assert advised == [*(word for word in arguments[:1] if word in COMMANDS), "--help"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["evaluate", "--way", "99"], "way"),
        (["evaluate", "--way", "0"], "way"),
        (["evaluate", "--device", "tpu"], "tpu"),
        (["evaluate", "--frames", "0", "--method", "otam"], "frames"),
        (["train"], "--out"),
        (["train", "--out", "x", "--episodes-per-step", "0"], "episodes_per_step"),
        (["evaluate", "--backbone", "ViT-B-61", "--method", "otam"], "ViT-B-61"),
        (["train", "--dry-run", "--learning-rate", "0"], "learning_rate"),
        (["train", "--dry-run", "--lora", "2", "--lora-learning-rate", "nan"], "learning_rate"),
        (["train", "--dry-run", "--preset", "recommended", "--model", "trx"], "--model.*recommended.*trx"),
        (["compare", "--out", "x", "--base-classes", "1"], "--base-classes"),
        (["compare", "--out", "x", "--shot", "99"], "shot"),
        (["evaluate", "--frames", "4"], "frames.*lite.safetensors.*--method otam.*train"),
        (["evaluate", "--method", "trx"], "--checkpoint.*trx.*lite.safetensors"),
        (["evaluate", "--method", "otam", "--checkpoint", str(LITE_MODEL)], "--checkpoint.*otam.*clip-spm"),
        (["evaluate", "--data", "nowhere", "--part", "base"], "--split"),
        (["evaluate", "--benchmark", "ucf101"], "--data"),
        (["table", "--methods", "otam", "--checkpoint", str(LITE_MODEL)], "--checkpoint.*clip-spm"),
        (["table", "--methods", "otm"], "--methods.*otam.*otm"),
        (["table", "--results", "."], "cannot be written"),
        (["predict", "--support", "nowhere", "x.mp4"], "nowhere"),
        (["predict", "--recogniser", str(LITE_MODEL), "x.mp4"], "lite.safetensors"),
        (["check", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_1(arguments, named, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("clipspm_lite.clip.feature_store.load_videos", lambda *a, **k: pytest.fail("reads"))
    error = run(*arguments, status=1).err.strip().splitlines()[-1]
    assert error.startswith("error: ") and re.search(named, error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "--dry-run", "--lora-protect", "4"], "--lora-protect.*--lora"),
        (["train", "--dry-run", "--lora-learning-rate", "0"], "--lora-learning-rate.*--lora"),
        (["train", "--dry-run", "--gradient-checkpointing"], "--gradient-checkpointing.*--finetune"),
        (["train", "--dry-run", "--no-flip"], "--no-flip.*--finetune"),
        (["evaluate", "--video-list", "x"], "--video-list.*--benchmark"),
        (["evaluate", "--head", "mine:Head"], "--head.*--checkpoint"),
        (["table", "--dataset-settings", "hmdb51"], "--dataset-settings.*--checkpoint"),
        (["check", "x", "--no-decode"], "--no-decode.*--benchmark"),
        (["predict", "--support", "x", "--stride", "1"], "--stride.*--window"),
        (["predict", "--support", "x", "--fps", "12"], "--fps.*--window"),
        (["predict", "--recogniser", str(LITE_MODEL), "--method", "otam"], "--recogniser.*--method"),
        (["evaluate", "--benchmark", "ucf101", "--data", "x", "--split", "y"], "--benchmark.*--split"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused_with_its_partner_named(arguments, named, run):
    assert re.search(f"^error: {named}", run(*arguments, status=1).err.splitlines()[-1])
