"""End-to-end training from videos: what is trained, with which frames, by how many processes, and after a kill."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import small_finetuning as small
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision

from clipspm_lite import CLIPSPM
from clipspm_lite.clip.backbone import Backbone, load_backbone
from clipspm_lite.clip.checkpoints import CheckpointError, open_checkpoint
from clipspm_lite.data.datasets import open_folder
from clipspm_lite.data.decoding.video import VideoError
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.data.prepared import prepare
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.storage.tensors import read_tensors
from clipspm_lite.training import FineTuning, loop, plan, state, train
from clipspm_lite.training.loop import BEST, VALIDATION_SEED
from clipspm_lite.training.sources import VideoSource
from clipspm_lite.training.state import LAST


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, small.run(folder)


def same_files(one, two):
    return all((one / name).read_bytes() == (two / name).read_bytes() for name in (BEST, LAST))


def test_the_visual_encoder_is_trained_but_not_its_batchnorm_statistics_nor_the_text_encoder(whole, tmp_path):
    trained = open_checkpoint(whole[0] / BEST, store=tmp_path).store.backbone.clip.state_dict()
    for name, before in load_backbone("tiny").clip.state_dict().items():
        frozen = not name.startswith("visual.") or "running" in name or "num_batches" in name
        assert torch.equal(trained[name], before) == frozen, name


def test_the_best_checkpoint_opens_by_itself_and_scores_what_its_history_says(whole, tmp_path):
    opened = open_checkpoint(whole[1].best_path, store=tmp_path)
    made_with = opened.description["backbone"]
    assert (made_with["name"], made_with["normalize_pixels"], opened.store.resize) == ("tiny", True, 73)
    data = opened.store.encode_dataset(small.VALIDATION)
    scored = evaluate(opened.head, data, way=2, episodes=10, seed=VALIDATION_SEED)
    assert scored.accuracy == whole[1].best_accuracy == opened.description["validation"]["accuracy"]


def test_a_prepared_folder_trains_as_its_videos_do(whole, tmp_path):
    for path in small.TRAINING.paths:
        (tmp_path / "videos" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "videos" / path.parent.name)
    prepare(tmp_path / "videos", tmp_path / "prepared")
    data = open_folder(tmp_path / "prepared", small.TRAINING.classes)
    first = small.run(tmp_path / "run", replace(small.SETTINGS, steps=2), data=data).history[0]
    assert first["loss"] == pytest.approx(whole[1].history[0]["loss"], rel=0.05)


@pytest.mark.parametrize(
    ("call", "owner", "name"),
    [
        (3, "torch.optim.Adam", "step"),
        (2, "clipspm_lite.training.loop", "evaluate"),
        (1, "clipspm_lite.training.loop", "save_model"),
        (2, "clipspm_lite.training.state", "write_tensors"),  # best.safetensors is newer than last.safetensors
    ],
)
def test_a_run_that_ends_anywhere_resumes_to_the_bitwise_same_files(whole, tmp_path, monkeypatch, call, owner, name):
    with monkeypatch.context() as patch:
        module, _, attribute = owner.rpartition(".")
        small.kill_at(call, patch, getattr(sys.modules[module], attribute), name)
        with pytest.raises(small.Killed):
            small.run(tmp_path)
    assert small.run(tmp_path, resume=True).history == whole[1].history
    assert same_files(tmp_path, whole[0])


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, small.__file__, tmp_path / "two"], env=environment, check=True)
    first, second = (json.loads((tmp_path / "two" / f"history{rank}.json").read_text()) for rank in range(2))
    assert first == second
    alone = small.run(tmp_path / "one", small.SHORT), small.run_head(tmp_path / "one" / "head")
    for one, two in zip(sum((result.history for result in alone), []), sum(first, []), strict=True):
        assert two == pytest.approx(one, abs=1e-5)
    for part in (".", "head"):
        one, two = (tmp_path / name / part for name in ("one", "two"))
        one, two = (read_tensors(path / LAST, "training state")[0] for path in (one, two))
        moments = [name for name in one if name.endswith("exp_avg")]  # what the gradients were
        largest = max(float(one[name].abs().max()) for name in moments)
        for name in moments:
            torch.testing.assert_close(two[name], one[name], atol=1e-5 * largest, rtol=1e-4)


def test_resuming_in_half_precision_goes_on_with_the_scale_of_the_loss(tmp_path, monkeypatch):
    def half(**arguments):
        return Fabric(**(arguments | {"precision": None}), plugins=MixedPrecision("16-mixed", "cpu"))

    monkeypatch.setattr(state, "Fabric", half)
    settings = replace(small.SETTINGS, steps=2, validate_every=1, episodes_per_step=1)
    small.run(tmp_path / "whole", settings, precision="16-mixed")
    untouched = MixedPrecision("16-mixed", "cpu").state_dict()
    assert read_tensors(tmp_path / "whole" / LAST, "training state")[1]["scaler"] != untouched
    with monkeypatch.context() as patch:
        small.kill_at(2, patch, loop, "evaluate")
        with pytest.raises(small.Killed):
            small.run(tmp_path / "killed", settings, precision="16-mixed")
    small.run(tmp_path / "killed", settings, precision="16-mixed", resume=True)
    assert same_files(tmp_path / "killed", tmp_path / "whole")


def test_mixed_precision_changes_the_encoder_and_little_of_the_loss(whole, tmp_path):
    mixed = small.run(tmp_path, replace(small.SETTINGS, steps=2), precision="bf16-mixed")
    difference = abs(mixed.history[0]["loss"] - whole[1].history[0]["loss"])
    assert 0 < difference < 0.1 * whole[1].history[0]["loss"]


def test_other_weights_frames_or_precision_do_not_continue_a_run(whole):
    three_frames = FineTuning(load_backbone("tiny"), frames=3)
    for other in (dict(precision="bf16-mixed"), dict(finetuning=three_frames)):
        with pytest.raises(CheckpointError, match="encoding"):
            small.run(whole[0], resume=True, **other)


def test_gradient_checkpointing_may_be_turned_on_for_the_rest_of_a_run(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        small.kill_at(2, patch, loop, "evaluate")
        with pytest.raises(small.Killed):
            small.run(tmp_path)
    finetuning = FineTuning(load_backbone("tiny"), frames=2, recompute=True)
    resumed = small.run(tmp_path, resume=True, finetuning=finetuning)
    for ours, theirs in zip(resumed.history, whole[1].history, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


def training_videos(index=0, seed=0, **options):
    """Frames `[videos, T, 3, H, W]` of one training episode."""
    how = FineTuning(load_backbone("tiny"), frames=2, **options)
    episode = EpisodeSampler(small.TRAINING.videos_per_class, 2, 1, 1)[0]
    source = VideoSource(small.TRAINING, small.VALIDATION, how)
    return next(source._decoded([[(index, episode)]], seed))[1]


def test_the_frames_of_a_training_video_are_a_function_of_seed_episode_and_place():
    videos = training_videos()
    assert torch.equal(videos, training_videos())
    for other in (training_videos(index=1), training_videos(seed=1)):
        assert all((ours != theirs).any() for ours, theirs in zip(videos, other, strict=True))


def test_videos_are_mirrored_only_where_that_is_asked_for():
    mirrored = 0
    for index in range(4):
        plain, flipped = (training_videos(index, flip=flip) for flip in (False, True))
        for ours, theirs in zip(plain, flipped, strict=True):
            assert torch.equal(theirs, ours) or torch.equal(theirs, ours.flip(-1))
            mirrored += not torch.equal(theirs, ours)
    assert 0 < mirrored < 16


def test_a_damaged_video_is_named_and_what_was_saved_before_is_kept(tmp_path, monkeypatch):
    clips = small.clips("swaying", "squatting")
    for name in clips.classes:
        shutil.copytree(clips.root / name, tmp_path / name)
    evaluate_once = loop.evaluate

    def damaging(*args, **kwargs):
        (tmp_path / "swaying" / "swaying_00.mp4").write_bytes(b"no video")
        return evaluate_once(*args, **kwargs)

    monkeypatch.setattr(loop, "evaluate", damaging)
    settings = replace(small.SETTINGS, validate_every=1, episodes_per_step=1, steps=20)
    with pytest.raises(VideoError, match=r"swaying_00\.mp4"):
        small.run(tmp_path / "run", settings, data=replace(clips, root=tmp_path))
    assert read_tensors(tmp_path / "run" / LAST, "training state")[1]["history"]


def test_a_plan_counts_what_is_trained_and_estimates_from_what_it_measured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finetuning, model = FineTuning(load_backbone("tiny"), frames=2), small.small_model()
    model.padm.requires_grad_(False)
    planned = plan(
        model, small.TRAINING, small.VALIDATION, small.SETTINGS, finetuning=finetuning, device="cpu", measured=1
    )  # fmt: skip
    encoder = sum(p.numel() for p in finetuning.backbone.clip.visual.parameters())
    assert planned.trained["visual encoder"] == encoder
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert sum(planned.trained.values()) == encoder + trained
    assert (planned.episodes, planned.steps, planned.validations) == (12, 6, 3)
    assert planned.seconds == 6 * planned.seconds_per_step + 3 * planned.seconds_per_validation > 0
    assert planned.peak_memory > 4 * encoder and "GiB" in str(planned)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("engine", [dict(devices=5), dict(nodes=0), dict(precision="16-true")])
def test_an_engine_that_cannot_be_had_is_refused_before_anything_is_written(engine, tmp_path):
    with pytest.raises(ValueError, match=next(iter(engine))):
        small.run(tmp_path, **engine)
    assert not list(tmp_path.iterdir())


def test_a_head_alone_takes_features_and_finetuning_takes_videos(encoded, tmp_path):
    features, videos = [encoded(prefix=name) for name in ("base", "held out")], (small.TRAINING, small.VALIDATION)
    for data, finetuning in ((videos, None), (features, FineTuning(load_backbone("tiny")))):
        with pytest.raises(ValueError, match="finetuning"):
            train(small.small_model(), *data, small.SETTINGS, tmp_path, finetuning=finetuning)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RN50-quickgelu", pytest.param("ViT-B-16-quickgelu", marks=pytest.mark.nightly)])
def test_real_sizes_take_a_training_step_and_an_evaluation_within_memory(name, tmp_path, monkeypatch):
    torch.manual_seed(0)
    names = lambda backbone, names: torch.randn(len(names), backbone.dim)  # noqa: E731 (the text encoder takes seconds)
    monkeypatch.setattr(Backbone, "encode_class_names", names)
    # Two frames per video and not eight, to keep the test short; chunks bound the memory either way.
    finetuning = FineTuning(load_backbone(name, weights="random"), frames=2, recompute=True, chunk=4)
    settings = replace(small.SETTINGS, steps=1, validate_every=1, episodes_per_step=1, validation_episodes=2)
    before = finetuning.backbone.clip.visual.conv1.weight.clone()
    data = small.clips("squatting", "swaying", videos=2), small.clips("standing_up", "sitting_down", videos=2)
    model = CLIPSPM(finetuning.backbone.dim)
    result = train(model, *data, settings, tmp_path, finetuning=finetuning, **small.QUIET)
    assert (result.best_step, len(result.history)) == (1, 1)
    assert not torch.equal(finetuning.backbone.clip.visual.conv1.weight, before)
    resource = pytest.importorskip("resource")  # not on Windows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB, but on macOS bytes
    assert peak / (2**30 if sys.platform == "darwin" else 2**20) < 6
