"""The commands as a user runs them, on the sample clips and the committed weights."""

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from clipspm_lite.clip.backbone import LOCAL_DIR, TINY_CLIP_DIR, load_backbone
from clipspm_lite.clip.checkpoints import (
    LITE_INDUCTIVE_MODEL,
    LITE_MODEL,
    load_model,
    open_checkpoint,
    save_model,
)
from clipspm_lite.commands.app import METHODS, TRAINED, TRAINING_FREE, build_parser, main, resolve_settings
from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.evaluation.benchmark_table import markdown, read_results
from clipspm_lite.model.heads import build_head, describe_head
from clipspm_lite.model.presets import DATASET_SETTINGS, LITE_SIZES
from clipspm_lite.model.variants import ABLATIONS, FULL, INDUCTIVE, TRAINED_BASELINES
from clipspm_lite.recognition.loading import load
from clipspm_lite.storage.files import file_sha256
from clipspm_lite.training.loop import TRAINING_PRESETS

CLIPS = Path(__file__).parents[2] / "data_samples" / "clips"


def last_json(capsys):
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


@pytest.mark.parametrize("method", METHODS)
def test_evaluate_ends_with_one_json_object(method, capsys):
    assert main(["evaluate", "--method", method, "--episodes", "50", "--json"]) == 0
    result = last_json(capsys)
    assert {"method", "data", "way", "shot", "episodes", "seed", "accuracy", "interval", "seconds"} <= set(
        result
    )
    assert (result["method"], result["way"], result["shot"], result["episodes"]) == (method, 5, 1, 50)
    assert 20 < result["accuracy"] <= 100 and 0 < result["interval"] < 20


def test_evaluate_lists_the_same_episodes_again(capsys):
    accuracies = []
    for _ in range(2):
        main(["evaluate", "--method", "otam", "--episodes", "40", "--shot", "3", "--seed", "5", "--json"])
        accuracies.append(last_json(capsys)["accuracy"])
    assert accuracies[0] == accuracies[1]


@pytest.fixture
def support(tmp_path):
    """Three novel classes with 1, 2 and 3 clips."""
    names = sample_world("novel").classes[:3]
    for shots, name in enumerate(names, start=1):
        (tmp_path / "actions" / name).mkdir(parents=True)
        for index in range(shots):
            clip = sorted((CLIPS / name).glob("*.mp4"))[index]
            shutil.copy(clip, tmp_path / "actions" / name)
    return tmp_path / "actions"


def test_predict_names_each_video_whatever_else_is_asked(support, capsys):
    videos = [str(sorted((CLIPS / folder.name).glob("*.mp4"))[10]) for folder in sorted(support.iterdir())]
    assert main(["predict", "--support", str(support), *videos, "--json"]) == 0
    together = last_json(capsys)["predictions"]
    assert [answer["video"] for answer in together] == videos
    assert set(together[0]["logits"]) == {folder.name for folder in support.iterdir()}
    main(["predict", "--support", str(support), videos[1], "--json"])
    assert last_json(capsys)["predictions"] == [together[1]]


def test_predict_goes_on_past_a_broken_video_and_says_which(support, tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    good = str(sorted((CLIPS / next(support.iterdir()).name).glob("*.mp4"))[12])
    assert main(["predict", "--support", str(support), str(broken), good]) == 1
    captured = capsys.readouterr()
    assert good in captured.out and "broken.mp4" in captured.err.splitlines()[-1]


def test_the_tiny_clip_warns_on_videos_that_are_not_the_sample_world(support, capsys):
    video = str(sorted((CLIPS / next(support.iterdir()).name).glob("*.mp4"))[12])
    main(["predict", "--support", str(support), video])
    assert "warning: the tiny CLIP" in capsys.readouterr().err


def test_predict_prints_the_runner_up_and_scores(support, capsys):
    video = str(sorted((CLIPS / sorted(support.iterdir())[0].name).glob("*.mp4"))[10])
    assert main(["predict", "--support", str(support), video, "--json"]) == 0
    line, last = capsys.readouterr().out.strip().splitlines()
    answer = json.loads(last)["predictions"][0]
    ranked = sorted(answer["logits"], key=answer["logits"].get, reverse=True)
    assert [answer["action"], answer["runner_up"]] == ranked[:2]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert line.startswith(f"{video}: {ranked[0]}, ") and f"next {ranked[1]}, " in line


def test_a_saved_recogniser_answers_without_the_support(support, tmp_path, capsys):
    video = str(sorted((CLIPS / sorted(support.iterdir())[0].name).glob("*.mp4"))[10])
    file = str(tmp_path / "mine.safetensors")
    assert main(["predict", "--support", str(support), "--save", file, video, "--json"]) == 0
    first = last_json(capsys)
    shutil.rmtree(support)
    assert main(["predict", "--recogniser", file, video, "--json"]) == 0
    captured = capsys.readouterr()
    again = json.loads(captured.out.strip().splitlines()[-1])
    assert (again["method"], again["recogniser"], again["support"]) == ("clip-spm", file, None)
    assert again["predictions"][0]["probabilities"] == pytest.approx(
        first["predictions"][0]["probabilities"], abs=1e-4
    )
    assert "clip-spm on tiny" in captured.err and "warning" not in captured.err
    elsewhere = shutil.copy(video, tmp_path / "elsewhere.mp4")
    assert main(["predict", "--recogniser", file, str(elsewhere)]) == 0
    assert "warning: the tiny CLIP" in capsys.readouterr().err


def test_choose_shows_what_each_method_got_and_answers_with_the_best(support, tmp_path, capsys):
    file = str(tmp_path / "mine.safetensors")
    assert main(["predict", "--support", str(support), "--choose", "--save", file, "--json"]) == 0
    out = capsys.readouterr().out
    summary = json.loads(out.strip().splitlines()[-1])
    left_out = summary["leave_one_out"]
    alone = sorted(folder.name for folder in support.iterdir() if len(list(folder.iterdir())) == 1)
    assert (left_out["asked"], left_out["never_asked"]) == (5, alone)
    assert list(left_out["right"]) == ["zero-shot", "otam", "clip-spm"]
    assert left_out["right"][summary["method"]] == max(left_out["right"].values())
    assert out.startswith("leave-one-out: 5 clips of 2 actions could be asked") and "chosen: " in out
    assert load(file).method == summary["method"]


def test_choose_leaves_the_committed_head_out_on_another_backbone(support, capsys):
    other = f"{LOCAL_DIR}{TINY_CLIP_DIR}"
    assert main(["predict", "--support", str(support), "--choose", "--json", "--backbone", other]) == 0
    captured = capsys.readouterr()
    assert "clip-spm is not among the choices" in captured.err
    assert list(json.loads(captured.out.strip().splitlines()[-1])["leave_one_out"]["right"]) == [
        "zero-shot",
        "otam",
    ]


def test_check_passes_a_good_folder_and_fails_a_bad_one(support, capsys):
    assert main(["check", str(support), "--minimum", "1"]) == 0
    first = next(iter(sorted(support.iterdir())))
    (first / "broken.mp4").write_text("no video")
    assert main(["check", str(support), "--minimum", "1"]) == 1
    assert "broken.mp4" in capsys.readouterr().out


@pytest.fixture
def ssv2(tmp_path, monkeypatch):
    """A small download of SSv2-Small: the options that name it, by command."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "data"))
    from small_benchmarks import make_download, make_published_numbers_small

    make_published_numbers_small(monkeypatch)
    lists = make_download(tmp_path / "ssv2", "ssv2_small")
    rest = ["--benchmark", "ssv2_small", "--video-list", *map(str, lists.values())]
    return tmp_path / "ssv2", rest


def test_a_benchmark_is_evaluated_from_its_official_download(ssv2, tmp_path, capsys):
    root, rest = ssv2
    arguments = ["evaluate", "--data", str(root), *rest, "--method", "otam", "--way", "2", "--episodes", "4"]
    arguments += ["--store", str(tmp_path / "store"), "--json"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1])["data"] == f"ssv2_small, novel, in {root}"
    assert "published are" not in captured.err
    with (tmp_path / "novel.txt").open("a") as file:
        file.write("Twisting something/1000\n")  # which base.txt has under another class
    assert main(arguments) == 1
    assert "1000" in capsys.readouterr().err.splitlines()[-1]


def test_fewer_videos_of_a_benchmark_than_published_are_warned_of(ssv2, tmp_path, monkeypatch, capsys):
    root, rest = ssv2
    benchmark = BENCHMARKS["ssv2_small"]
    monkeypatch.setitem(
        BENCHMARKS, "ssv2_small", replace(benchmark, videos={**benchmark.videos, "novel": 2400})
    )
    arguments = ["evaluate", "--data", str(root), *rest, "--method", "otam", "--way", "2", "--episodes", "4"]
    assert main([*arguments, "--store", str(tmp_path / "store")]) == 0
    assert re.search("warning: 4 videos of ssv2_small novel, published are 2400", capsys.readouterr().err)


@pytest.fixture
def brief(monkeypatch):
    """The presets made small enough for two classes of two videos."""
    small = dict(steps=2, episodes_per_step=2, way=2, queries=1, validate_every=2, validation_episodes=2)
    for name, settings in TRAINING_PRESETS.items():
        monkeypatch.setitem(TRAINING_PRESETS, name, replace(settings, **small))


FINETUNE = ["--finetune", "--preset", "paper", "--way", "2", "--frames", "3"]
SAID = {  # of each head below a table
    "clip-spm": "preset lite, training seed 0, trained for 1-shot. Transductive",
    "clip-fsar": "CLIP-FSAR, .*reads the class names of the supports, .*for 1-shot. Not transductive: ",
    "trx": "TRX, .*reads no class name, .*for 1-shot. Not transductive: ",
}


@pytest.fixture
def small(ssv2, tmp_path):
    """Options of every command on the small download."""
    root, rest = ssv2
    return ["--data", str(root), *rest, "--way", "2", "--store", str(tmp_path / "store")]


@pytest.fixture
def trained(brief, small, tmp_path, capsys):
    """A function that trains a model on a benchmark without a split file, and gives its checkpoint."""

    def train(model, *options):
        run = tmp_path / f"run of {model}"
        assert main(["train", "--model", model, "--out", str(run), *small, *options]) == 0
        return run / "best.safetensors"

    return train


@pytest.mark.parametrize("model", TRAINED)
def test_every_model_is_trained_and_then_evaluated_and_tabled_under_its_own_name(
    model, trained, small, tmp_path, capsys
):
    path = trained(model)
    assert f"head: model {model}, " in capsys.readouterr().out
    config = describe_head(load_model(path)[0])
    expected = dict(preset="lite", **LITE_SIZES) if model == "clip-spm" else TRAINED_BASELINES[model]
    assert expected.items() <= config.items()
    rest = [*small, "--episodes", "4", "--checkpoint", str(path)]
    assert main(["evaluate", *rest, "--json"]) == 0
    assert last_json(capsys)["method"] == model
    assert main(["evaluate", *rest, "--inductive"]) == 0, "what the baselines always are"

    file = tmp_path / "results.json"
    assert main(["table", *rest, "--shots", "1", "--results", str(file)]) == 0
    printed = capsys.readouterr().out
    assert re.search(SAID[model], printed.splitlines()[-1])
    rows = {row["method"]: row for row in read_results(file)["rows"]}
    assert list(rows) == ["zero-shot", "otam", model]
    assert rows[model]["head"]["model"] == model and rows[model]["head"]["training"]["steps"] == 2


def test_the_conventions_of_the_released_code_leave_another_models_decay_as_the_papers():
    decay = {}
    for model in TRAINED:
        for preset in ("paper", "released"):
            arguments = ["train", "--out", "x", "--model", model, "--preset", preset]
            decay[model, preset] = resolve_settings(build_parser().parse_args(arguments)).weight_decay
    assert decay["clip-spm", "released"] == 20 * decay["clip-spm", "paper"]
    for model in TRAINED_BASELINES:
        assert decay[model, "released"] == decay[model, "paper"] == decay["clip-spm", "paper"]


def test_a_preset_resolves_to_the_benchmarks_settings_and_single_options_override(
    ssv2, tmp_path, brief, capsys
):
    root, rest = ssv2
    arguments = ["train", "--out", str(tmp_path / "run"), "--data", str(root), *rest, *FINETUNE, "--dry-run"]
    assert main([*arguments, "--learning-rate", "0.5", "--episodes-per-step", "1", "--json"]) == 0
    out = capsys.readouterr().out
    for name, value in DATASET_SETTINGS["ssv2_small"].items():
        assert f"{name} {value}" in out
    assert "learning_rate 0.5" in out and "betas (0.5, 0.999)" in out and "seed 6" in out
    assert "flip False" in out and "resize 73" in out
    planned = json.loads(out.splitlines()[-1])
    assert (planned["episodes"], planned["steps"]) == (4, 4), "as many episodes, in other steps"
    assert planned["peak_memory"] > 0 and planned["trained"]["visual encoder"] > 0
    assert not (tmp_path / "run").exists()


def test_videos_are_mirrored_on_benchmarks_without_left_and_right(tmp_path, monkeypatch, brief, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "data"))
    from small_benchmarks import make_download, make_published_numbers_small

    make_published_numbers_small(monkeypatch)
    make_download(tmp_path / "hmdb51", "hmdb51")
    arguments = [
        "train",
        "--out",
        "x",
        "--data",
        str(tmp_path / "hmdb51"),
        "--benchmark",
        "hmdb51",
        "--dry-run",
    ]
    for options, flips in (
        ([], "flip True"),
        (["--no-flip"], "flip False"),
        (["--no-augment"], "flip False"),
    ):
        assert main([*arguments, *FINETUNE, *options]) == 0
        assert flips in capsys.readouterr().out


def test_a_dry_run_of_the_head_encodes_a_few_videos_and_keeps_nothing(ssv2, tmp_path, brief, capsys):
    root, rest = ssv2
    before = set(tmp_path.rglob("*"))
    arguments = ["train", "--out", str(tmp_path / "run"), "--data", str(root), *rest, "--preset", "paper"]
    assert main([*arguments, "--way", "2", "--store", str(tmp_path / "store"), "--dry-run"]) == 0
    assert "to encode once, where the feature store lacks them: 4 videos" in capsys.readouterr().out
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("model", TRAINED)
def test_what_finetuning_leaves_is_scored_with_its_own_encoder(model, ssv2, tmp_path, brief, small, capsys):
    root, rest = ssv2
    run = tmp_path / "run"
    assert main(["train", "--model", model, "--out", str(run), "--data", str(root), *rest, *FINETUNE]) == 0
    assert "best on validation" in capsys.readouterr().out
    arguments = [*small, "--episodes", "4", "--checkpoint", str(run / "best.safetensors")]
    assert main(["evaluate", *arguments]) == 0
    out = capsys.readouterr().out
    assert "own encoder: tiny, 3 frames, shorter side 73" in out and f"{model} on ssv2_small" in out
    assert main(["table", *arguments, "--methods", model, "--shots", "1"]) == 0
    assert f"{model}, 1-shot: features of tiny, 3 frames, shorter side 73" in capsys.readouterr().out


def test_check_of_a_benchmark_names_its_terms_and_fails_where_videos_are_missing(ssv2, capsys):
    root, rest = ssv2
    assert main(["check", str(root), *rest]) == 0
    out = capsys.readouterr().out
    assert "Data License Agreement" in out and "takes long" in out and "12 videos that can be read" in out
    (root / "1000.webm").unlink()
    assert main(["check", str(root), *rest, "--no-decode"]) == 1
    out = capsys.readouterr().out
    assert "missing: Pouring something into something/1000" in out and "takes long" not in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["evaluate", "--part", "test"], "base, novel, validation|base, validation, novel"),
        (["evaluate", "--way", "99"], "way"),
        (["evaluate", "--backbone", "ViT-B-61"], "ViT-B"),
        (["evaluate", "--checkpoint", "nowhere.safetensors"], "nowhere.safetensors"),
        (["evaluate", "--data", "nowhere"], "nowhere"),
        (["predict", "--support", "nowhere", "x.mp4"], "nowhere"),
        (["predict", "--recogniser", "nowhere.safetensors", "x.mp4"], "nowhere.safetensors"),
        (["predict", "--recogniser", str(LITE_MODEL), "x.mp4"], "knows no actions.*lite.safetensors"),
        (["predict", "--recogniser", "x", "--method", "otam", "x.mp4"], "--method goes with --support"),
        (["predict", "--recogniser", "x", "--frames", "4", "x.mp4"], "--frames goes with --support"),
        (["predict", "--support", "nowhere"], "nothing to do.*--save.*--choose"),
        (["predict", "--support", "nowhere", "--choose", "--method", "otam"], "leave one out"),
        (["predict", "--support", "nowhere", "--save", "."], "--save: cannot be written"),
        (["check", "nowhere"], "nowhere"),
        (["evaluate", "--dataset-settings", "hmdb51"], "--dataset-settings: only for .*lite.safetensors"),
        (["table", "--shots", "3", "3"], "--shots: one is there twice: 3 3"),
        (["table", "--methods", "otam", "otam"], "--methods: one is there twice"),
        (["table", "--episodes", "1"], "episodes: expected a whole number of at least 2"),
        (["table", "--way", "99"], "way=99 needs as many classes"),
        (
            ["table", "--methods", "otam", "--checkpoint", str(LITE_MODEL)],
            "a head of clip-spm, which is not among --methods.*lite.safetensors",
        ),
        (
            ["table", "--checkpoint", str(LITE_MODEL), str(LITE_INDUCTIVE_MODEL)],
            "of clip-spm expected one for all.*one for each of 3, found 2",
        ),
        (["table", "--methods", "otam", "trx"], "--checkpoint: trx needs a head for tiny"),
        (
            ["evaluate", "--method", "trx"],
            "expected a head of trx, found one of clip-spm: .*lite.safetensors",
        ),
        (["train", "--out", "x", "--model", "trx", "--inductive"], "--inductive: only clip-spm .*trx never"),
        (["train", "--out", "x", "--model", "trx", "--frames", "2"], "tuples of 3 frames.*videos of 2"),
        (["table", "--checkpoint", "nowhere.safetensors"], "nowhere.safetensors"),
        (
            ["table", "--backbone", "RN50", "--weights", "random"],
            "--checkpoint: clip-spm needs a head for RN50",
        ),
        (["table", "--figure", "table.pdf"], "ends in .png, found table.pdf"),
        (["table", "--results", "."], "--results: cannot be written"),
        (["table", "--part", "test"], "base, novel, validation|base, validation, novel"),
        (["table", "--data", "nowhere", "--benchmark", "ucf101"], "UCF101.rar.*nowhere"),
        (["train", "--out", "x", "--data", "nowhere"], "--split"),
        (["train", "--out", "x", "--benchmark", "ucf101"], "ucf101 needs --data"),
        (["train", "--out", "x", "--no-flip"], "--no-flip goes with --finetune"),
        (["train", "--out", "x", "--gradient-checkpointing"], "--gradient-checkpointing goes with"),
        (["train", "--out", "x", "--finetune", "--store", "y"], "--store"),
        (["train", "--out", "x", "--precision", "bf16-mixed"], "precision"),
        (["train", "--out", "x", "--devices", "9"], "9 processes share the 8 episodes"),
        (["train", "--out", "x", "--shot", "99"], "shot=99"),
        (["evaluate", "--data", "nowhere", "--benchmark", "ucf101"], "UCF101.rar.*nowhere"),
        (["evaluate", "--data", "nowhere", "--benchmark", "ssv2_full"], "--video-list"),
        (["evaluate", "--data", "nowhere", "--benchmark", "ucf101", "--split", "x"], "--split"),
        (["evaluate", "--data", "nowhere", "--video-list", "x"], "--benchmark"),
        (["check", "nowhere", "--benchmark", "hmdb51"], "HMDB.*nowhere"),
        (["check", "nowhere", "--no-decode"], "--benchmark"),
        (["check", "nowhere", "--benchmark", "hmdb51", "--minimum", "3"], "--minimum"),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_1(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "clipspm_lite.clip.feature_store.load_video", lambda *a, **k: pytest.fail("read a video")
    )
    assert main(arguments) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and re.search(message, error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["evaluate", "table"])
def test_a_checkpoint_of_another_backbone_is_refused(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "clipspm_lite.clip.feature_store.load_video", lambda *a, **k: pytest.fail("read a video")
    )
    import torch

    from clipspm_lite import CLIPSPM
    from clipspm_lite.clip.checkpoints import save_model

    torch.manual_seed(0)
    path = tmp_path / "other.safetensors"
    save_model(path, CLIPSPM(128, heads=1, head_dim=4, mlp_dim=4), backbone="another")
    assert main([command, "--checkpoint", str(path), "--store", str(tmp_path / "store")]) == 1
    assert "other.safetensors" in capsys.readouterr().err.splitlines()[-1]


def test_help_names_every_option_of_every_command(capsys):
    for command in ("start", "train", "evaluate", "table", "compare", "predict", "check"):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
        assert f"usage: python -m clipspm_lite {command}" in capsys.readouterr().out


def test_compare_trains_scores_and_says_where_its_numbers_come_from(tmp_path, monkeypatch, capsys):
    brief = replace(TRAINING_PRESETS["lite"], steps=1, episodes_per_step=1, validation_episodes=2)
    monkeypatch.setitem(TRAINING_PRESETS, "lite", brief)
    monkeypatch.setattr(
        "clipspm_lite.evaluation.comparison.pairs_by_kind", lambda data: {"reversed": [data.classes[:2]]}
    )
    file = tmp_path / "results.json"
    arguments = [
        "compare",
        "--ablations",
        "--baselines",
        "--extensions",
        "names dropped",
        "--out",
        str(tmp_path / "runs"),
        "--seeds",
        "3",
        "--episodes",
        "4",
    ]
    figure = tmp_path / "table.png"
    assert main([*arguments, "--results", str(file), "--figure", str(figure), "--reference", "trx"]) == 0
    results = json.loads(file.read_text())
    assert set(results["rows"]) == {
        *TRAINING_FREE,
        FULL,
        *INDUCTIVE,
        *ABLATIONS,
        *TRAINED_BASELINES,
        "names dropped",
    }
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2 + len(results["rows"]) and "minus trx, points" in printed[0]
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "--extensions 'names dropped' --seeds 3" in results["command"]
    head = tmp_path / "runs" / "clip-spm" / "seed3" / "best.safetensors"
    assert results["sha256"]["heads"][FULL] == [file_sha256(head)]
    assert results["training_seeds"] == [3] and "--ablations --baselines" in results["command"]
    trx = load_model(tmp_path / "runs" / "trx" / "seed3" / "best.safetensors")[0]
    assert describe_head(trx)["model"] == "trx" and results["sha256"]["heads"]["trx"]
    assert describe_head(load_model(head)[0]) | ABLATIONS["without PADM"] == (
        describe_head(load_model(tmp_path / "runs" / "without-PADM" / "seed3" / "best.safetensors")[0])
    )


def test_compare_takes_committed_heads_for_training_seed_0_if_they_were_trained_as_asked(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        "clipspm_lite.commands.app.train", lambda *a, **k: pytest.fail("nothing is to be trained")
    )
    monkeypatch.setattr(
        "clipspm_lite.commands.app.compare", lambda *a, **k: {"rows": {}, "shot": 1, "asked": []}
    )
    file = tmp_path / "results.json"
    arguments = ["compare", "--out", str(tmp_path / "runs"), "--committed", "--seeds", "0"]
    assert main([*arguments, "--results", str(file)]) == 0
    heads = json.loads(file.read_text())["sha256"]["heads"]
    assert heads == {
        FULL: [file_sha256(LITE_MODEL)],
        "clip-spm inductive": [file_sha256(LITE_INDUCTIVE_MODEL)],
    }
    capsys.readouterr()
    assert main([*arguments, "--shot", "5"]) == 1
    assert "--committed: lite.safetensors was trained otherwise" in capsys.readouterr().err


def test_compare_refuses_an_unknown_reference_before_it_trains(tmp_path, capsys):
    arguments = ["compare", "--out", str(tmp_path / "runs"), "--reference", "trx"]
    assert main(arguments) == 1
    assert re.search(r"^error: --reference: expected one of .* found trx$", capsys.readouterr().err.strip())
    assert not (tmp_path / "runs").exists()


def test_a_table_is_printed_kept_and_drawn_with_what_it_was_made_with(tmp_path, capsys):
    file, figure = tmp_path / "results.json", tmp_path / "table.png"
    arguments = ["table", "--shots", "1", "5", "--episodes", "20", "--seed", "3"]
    assert main([*arguments, "--results", str(file), "--figure", str(figure)]) == 0
    printed = capsys.readouterr().out
    results = read_results(file)
    assert printed == markdown(results) + "\n"
    assert "no paper reports numbers on the sample world, default split, novel classes" in printed
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert {row["method"] for row in results["rows"]} == {"zero-shot", "otam", "clip-spm"}
    assert {row["head"]["sha256"] for row in results["rows"] if row["head"]} == {file_sha256(LITE_MODEL)}
    assert re.fullmatch(r"[0-9a-f]{40}\+?", results["commit"])
    assert "--shots 1 5 --way 5 --queries 1 --episodes 20 --seed 3" in results["command"]


def test_the_command_in_a_result_makes_it_again(tmp_path, monkeypatch):
    shutil.copy(LITE_MODEL, tmp_path / "mine.safetensors")
    monkeypatch.chdir(tmp_path)
    elsewhere = str(tmp_path / "mine.safetensors")
    arguments = ["table", "--episodes", "8", "--methods", "otam centred", "clip-spm", "--inductive"]
    assert main([*arguments, "--checkpoint", elsewhere, "--results", "first.json"]) == 0
    first = read_results("first.json")
    assert str(tmp_path) not in Path("first.json").read_text()
    python, module, package, *again = shlex.split(first["command"])
    assert (python, module, package) == ("python", "-m", "clipspm_lite")
    assert main([*again, "--results", "again.json"]) == 0
    for row, repeated in zip(first["rows"], read_results("again.json")["rows"], strict=True):
        assert row | {"seconds": 0} == repeated | {"seconds": 0}


def test_a_table_takes_as_many_checkpoints_as_shots_in_their_order(tmp_path):
    heads = [LITE_INDUCTIVE_MODEL, LITE_MODEL]
    arguments = ["table", "--methods", "clip-spm", "--shots", "5", "1", "--episodes", "4"]
    file = str(tmp_path / "results.json")
    assert main([*arguments, "--checkpoint", *map(str, heads), "--results", file]) == 0
    used = {row["shot"]: row["head"]["file"] for row in read_results(file)["rows"]}
    assert used == {5: LITE_INDUCTIVE_MODEL.name, 1: LITE_MODEL.name}


@pytest.fixture
def trx(tmp_path, monkeypatch):
    """The name of an untrained TRX's checkpoint for the tiny CLIP, in the folder where the test runs."""
    monkeypatch.chdir(tmp_path)
    head = build_head({"dim": 128, **TRAINED_BASELINES["trx"]})
    save_model("trx.safetensors", head, backbone=load_backbone("tiny").fingerprint, backbone_name="tiny")
    return "trx.safetensors"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["evaluate", "--frames", "2"], "tuples of 3 frames need as many, found videos of 2"),
        (["table", "--frames", "2"], "tuples of 3 frames need as many, found videos of 2"),
        (["evaluate", "--method", "clip-spm"], "expected a head of clip-spm, found one of trx: .*trx.safe"),
        (["table", "--methods", "otam", "clip-spm"], "a head of trx, which is not among --methods.*trx.safe"),
        (["predict", "--support", str(CLIPS), "--save", "mine"], "CLIP-SPM head, found a TRX.*trx.safe"),
    ],
)
def test_a_baselines_checkpoint_is_refused_where_it_has_no_answer(
    arguments, message, trx, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        "clipspm_lite.clip.feature_store.load_video", lambda *a, **k: pytest.fail("read a video")
    )
    assert main([*arguments, "--checkpoint", trx, "--store", str(tmp_path / "store")]) == 1
    assert re.search(message, capsys.readouterr().err.splitlines()[-1])


def test_a_table_holds_heads_of_several_methods_each_with_its_own_checkpoints(trx, tmp_path):
    for file in (LITE_MODEL, LITE_INDUCTIVE_MODEL):
        shutil.copy(file, tmp_path)
    files = ["lite.safetensors", "trx.safetensors", "lite-inductive.safetensors"]
    arguments = ["table", "--shots", "1", "3", "--episodes", "4", "--inductive", "--checkpoint", *files]
    assert main([*arguments, "--results", "first.json"]) == 0
    first = read_results("first.json")
    assert [(row["method"], row["shot"], row["head"]["file"]) for row in first["rows"] if row["head"]] == [
        ("clip-spm", 1, "lite.safetensors"),
        ("trx", 1, "trx.safetensors"),
        ("clip-spm", 3, "lite-inductive.safetensors"),
        ("trx", 3, "trx.safetensors"),
    ]
    assert main([*shlex.split(first["command"])[3:], "--results", "again.json"]) == 0
    for row, repeated in zip(first["rows"], read_results("again.json")["rows"], strict=True):
        assert row | {"seconds": 0} == repeated | {"seconds": 0}


def test_the_command_of_a_table_without_heads_names_no_checkpoint(tmp_path):
    file = str(tmp_path / "results.json")
    arguments = ["table", "--methods", "otam", "--shots", "1", "--episodes", "2"]
    assert main([*arguments, "--results", file]) == 0
    assert "--checkpoint" not in read_results(file)["command"]


def test_a_benchmark_with_other_counts_than_published_is_not_comparable(ssv2, tmp_path, monkeypatch, capsys):
    root, rest = ssv2
    benchmark = BENCHMARKS["ssv2_small"]
    more = replace(benchmark, videos={**benchmark.videos, "novel": 2400})
    monkeypatch.setitem(BENCHMARKS, "ssv2_small", more)
    monkeypatch.setattr(
        "clipspm_lite.evaluation.benchmark_table.WAY", 2
    )  # the small download has two classes
    arguments = ["table", "--data", str(root), *rest, "--methods", "otam", "--shots", "1", "--way", "2"]
    assert main([*arguments, "--episodes", "4", "--store", str(tmp_path / "store")]) == 0
    captured = capsys.readouterr()
    assert "Not comparable: 4 videos of ssv2_small novel, published are 2400" in captured.out
    assert "warning: the tiny CLIP" in captured.err and "published are 2400" in captured.err


@pytest.mark.parametrize("command", [["evaluate"], ["table", "--methods", "clip-spm", "--shots", "1"]])
def test_a_released_checkpoint_is_opened_with_its_benchmarks_settings_and_a_text_encoder(
    command, ssv2, tmp_path, monkeypatch, capsys
):
    root, rest = ssv2
    path = tmp_path / "checkpoint_best.pt"
    path.write_bytes(b"PK, as torch writes it")
    opened = {}

    def stand_in(file, **settings):
        opened.update(settings, file=file)
        return open_checkpoint(LITE_MODEL, store=settings["store"])

    monkeypatch.setattr("clipspm_lite.commands.app.open_checkpoint", stand_in)
    data = ["--data", str(root), *rest, "--way", "2", "--episodes", "4", "--store", str(tmp_path / "store")]
    arguments = [*command, *data, "--checkpoint", str(path)]
    assert main(arguments) == 1
    assert re.search("--weights: .*text encoder.*checkpoint_best.pt$", capsys.readouterr().err.strip())
    assert main([*arguments, "--weights", "openai"]) == 0
    assert opened["file"] == str(path) and opened["backbone"] is None
    assert (opened["weights"], opened["dataset"]) == ("openai", "ssv2_small")
    assert main([*arguments, "--weights", "openai", "--dataset-settings", "ucf101"]) == 0
    assert opened["dataset"] == "ucf101"
