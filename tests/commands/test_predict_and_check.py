"""The commands for one's own videos: `predict` and `check`."""

import json
import shutil
from itertools import groupby
from types import SimpleNamespace

import pytest
import torch

from clipspm_lite import load
from clipspm_lite.clip.backbone import LOCAL_DIR, TINY_CLIP_DIR
from clipspm_lite.clip.checkpoints import save_model
from clipspm_lite.commands import predict
from clipspm_lite.data.datasets import SAMPLES
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.recommended import TERMS, Recommended
from clipspm_lite.recognition.leave_one_out import CHOICES
from clipspm_lite.recognition.recogniser import Recogniser, Support


def last_json(printed):
    return json.loads(printed.out.splitlines()[-1])


@pytest.fixture
def videos(support):
    """One more clip of each action."""
    folders = sorted(folder.name for folder in support.iterdir())
    return [str(sorted((SAMPLES / "clips" / name).glob("*.mp4"))[10]) for name in folders]


def test_predict_names_each_video_whatever_else_is_asked(support, videos, run):
    printed = run("predict", "--support", support, *videos, "--json")
    together = last_json(printed)["predictions"]
    assert [answer["video"] for answer in together] == videos
    assert "warning: the tiny CLIP" in printed.err, "the support is not in the sample folder"
    alone = run("predict", "--support", support, videos[1], "--json")
    assert last_json(alone)["predictions"] == [together[1]]
    logits = together[1]["logits"]
    first, second, _ = sorted(logits, key=logits.get, reverse=True)
    assert alone.out.startswith(f"{videos[1]}: {first}, ") and f"next {second}, " in alone.out


def test_a_saved_recogniser_answers_without_the_support_and_past_a_broken_video(support, videos, tmp_path, run):
    file, broken = tmp_path / "mine.safetensors", tmp_path / "broken.mp4"
    first = last_json(run("predict", "--support", support, "--save", file, videos[0], "--json"))
    shutil.rmtree(support)
    printed = run("predict", "--recogniser", file, videos[0], "--json")
    again = last_json(printed)
    assert (again["method"], again["recogniser"], again["support"]) == ("recommended", str(file), None)
    assert again["predictions"] == first["predictions"]
    assert "recommended on tiny" in printed.err and "warning" not in printed.err
    broken.write_text("no video")
    printed = run("predict", "--recogniser", file, broken, "mistyped.mp4", videos[0], status=1)
    assert videos[0] in printed.out and "warning: the tiny CLIP" in printed.err
    assert "broken.mp4" in printed.err.splitlines()[-2] and "mistyped.mp4" in printed.err.splitlines()[-1]


def test_choose_shows_what_each_method_got_and_answers_with_the_best(support, tmp_path, run):
    file = tmp_path / "mine.safetensors"
    printed = run("predict", "--support", support, "--choose", "--save", file, "--json")
    summary, left_out = last_json(printed), last_json(printed)["leave_one_out"]
    assert left_out["asked"] == 5 and list(left_out["right"]) == [*CHOICES, "recommended"]
    assert left_out["right"][summary["method"]] == max(left_out["right"].values())
    assert printed.out.startswith("leave-one-out: 5 clips of 2 actions")
    assert load(file).method == summary["method"]


def test_every_method_that_needs_no_training_can_be_chosen_but_for_distance_correlation():
    assert set(CHOICES) == {name for name in TRAINING_FREE if "dcor" not in name} and CHOICES[0] == "zero-shot"


def test_the_recommended_model_answers_where_it_is_the_default(support, videos, tmp_path, run, monkeypatch):
    path, file = tmp_path / "recommended.safetensors", tmp_path / "mine.safetensors"
    save_model(path, Recommended(128), backbone_name="tiny")
    monkeypatch.setattr(predict, "RECOMMENDED_MODEL", path)
    summary = last_json(run("predict", "--support", support, "--save", file, videos[0], "--json"))
    assert summary["method"] == "recommended"  # so few clips contradict nothing
    answer = load(file).predict(videos[:1])[0]
    assert list(answer.explanation.terms) == list(TERMS)
    assert answer.ranking[0].logit == pytest.approx(-sum(float(term[0]) for term in answer.explanation.terms.values()))


class AlwaysWrong(Recommended):
    """Names the action that is least like the clip."""

    def _score(self, *prepared):
        scored = super()._score(*prepared)
        return scored._replace(logits=-scored.logits)


@pytest.mark.parametrize(
    ("head", "clips", "answers"),
    [(AlwaysWrong, 4, "prototype"), (AlwaysWrong, 2, "own"), (AlwaysWrong, 1, "own"), (Recommended, 4, "own")],
)
def test_leave_one_out_contradicts_the_recommended_model_only_by_more_than_chance(head, clips, answers, capsys):
    torch.manual_seed(0)
    features = torch.eye(16)[:2, None, None] + 0.1 * torch.randn(2, clips, 4, 16)
    known = Support(("a", "b"), features, torch.ones(2, clips, dtype=torch.bool), torch.zeros(2, 16))
    own = Recogniser(head(16), SimpleNamespace(backbone=SimpleNamespace(dim=16)), known)
    assert predict.unless_contradicted(own).method == (own.method if answers == "own" else answers)
    assert ("prototype answers" in capsys.readouterr().err) == (answers == "prototype")


def test_windows_of_a_long_video_are_printed_drawn_and_in_json(support, videos, tmp_path, run):
    figure, broken = tmp_path / "long.png", tmp_path / "broken.mp4"
    broken.write_text("no video")
    asked = ("predict", "--support", support, "--window", 1, "--figure", figure, "--json", *videos[:2], broken)
    printed = run(*asked, status=1)
    found = last_json(printed)["predictions"]
    assert [list(one) for one in found] == [["video", "windows"], ["video", "windows"], ["video", "error"]]
    windows = found[0]["windows"]
    assert len(windows) == 3 and (windows[0]["start"], windows[-1]["end"]) == (0, 2)
    assert sorted(windows[0]["probabilities"]) == sorted(folder.name for folder in support.iterdir())
    lines = [line for line in printed.out.splitlines() if line.startswith(f"{videos[0]}: ")]
    assert lines[0].startswith(f"{videos[0]}: 0.0 to ") and " to 2.0 s: " in lines[-1]
    assert len(lines) == len([*groupby(windows, lambda one: next(iter(one["probabilities"])))])
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert len(last_json(run(*asked[:5], "--stride", 9, "--json", videos[0]))["predictions"][0]["windows"]) == 2
    for wrong in (["--figure", figure], ["--window", 0]):
        printed = run("predict", "--support", support, videos[0], *wrong, status=1)
        assert "--figure" in printed.err or "window" in printed.err


def test_choose_leaves_the_committed_head_out_on_another_backbone(support, run):
    other = f"{LOCAL_DIR}{TINY_CLIP_DIR}"
    printed = run("predict", "--support", support, "--choose", "--json", "--backbone", other)
    assert "--checkpoint" in printed.err
    assert list(last_json(printed)["leave_one_out"]["right"]) == list(CHOICES)


def test_where_the_default_head_does_not_fit_the_methods_that_need_none_are_named(support, videos, run):
    printed = run("predict", "--support", support, videos[0], "--frames", 4, status=1)
    assert "--choose" in printed.err and "--method otam" in printed.err


def test_check_passes_a_good_folder_and_fails_a_bad_one(support, run):
    run("check", support, "--minimum", 1)
    (sorted(support.iterdir())[0] / "broken.mp4").write_text("no video")
    assert "broken.mp4" in run("check", support, "--minimum", 1, status=1).out


def test_check_of_a_benchmark_names_its_terms_and_fails_where_videos_are_missing(small, tmp_path, run):
    arguments = ["check", *small[1:-2]]
    printed = run(*arguments).out
    assert "Data License Agreement" in printed and "12 videos that can be read" in printed
    (tmp_path / "ssv2" / "1000.webm").unlink()
    assert "missing: Pouring something into something/1000" in run(*arguments, "--no-decode", status=1).out
