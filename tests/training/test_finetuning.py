"""End-to-end training from videos: what is trained, with which frames, by how many processes, and after a kill."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision

from clipspm_lite import CLIPSPM, load_video
from clipspm_lite.clip.backbone import TINY_CLIP_DIR, load_backbone
from clipspm_lite.clip.checkpoints import CheckpointError, load_model, open_checkpoint
from clipspm_lite.data.decoding.video import VideoError
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.recognition.loading import load
from clipspm_lite.storage.tensors import read_tensors
from clipspm_lite.training import loop as training
from clipspm_lite.training.loop import BEST, LAST, VALIDATION_SEED, plan, train
from clipspm_lite.training.sources import FineTuning, VideoSource

sys.path.append(str(Path(__file__).parents[1] / "data"))
import small_finetuning as small

SCRIPT, ROOT = Path(small.__file__), Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, small.run(folder)


def test_the_visual_encoder_is_trained_but_not_its_batchnorm_statistics_nor_the_text_encoder(whole):
    trained = open_checkpoint(
        whole[0] / LAST.replace("last", "best"), store=whole[0] / "s"
    ).store.backbone.clip.state_dict()
    for name, before in load_backbone("tiny").clip.state_dict().items():
        frozen = not name.startswith("visual.") or "running" in name or "num_batches" in name
        assert torch.equal(trained[name], before) == frozen, name


def test_the_best_checkpoint_opens_by_itself_and_scores_what_its_history_says(whole, tmp_path):
    folder, result = whole
    opened = open_checkpoint(folder / BEST, store=tmp_path)
    made_with = opened.description["backbone"]
    assert (made_with["name"], made_with["normalize_pixels"]) == ("tiny", True)
    data = opened.store.encode_dataset(small.VALIDATION)
    scored = evaluate(opened.head, data, way=2, episodes=10, seed=VALIDATION_SEED)
    assert scored.accuracy == result.best_accuracy == opened.description["validation"]["accuracy"]


def test_load_opens_it_as_a_recogniser_with_its_own_encoder_and_frames(whole, tmp_path):
    recogniser = load(whole[1].best_path, store=tmp_path)
    opened = open_checkpoint(whole[1].best_path, store=tmp_path)
    head, description = opened.head, opened.description
    assert recogniser.store.backbone.fingerprint == opened.store.backbone.fingerprint
    assert recogniser.store.backbone.fingerprint != load_backbone("tiny").fingerprint
    made_with = description["backbone"]
    assert (recogniser.store.frames, recogniser.store.resize) == (made_with["frames"], made_with["resize"])
    assert all(
        torch.equal(a, b) for a, b in zip(head.parameters(), recogniser.head.parameters(), strict=True)
    )
    assert load(whole[1].best_path, backbone="tiny", store=tmp_path).store.path == recogniser.store.path


def test_a_finetuned_head_is_not_opened_without_its_encoder_nor_beside_another_text_encoder(
    whole, tmp_path, monkeypatch
):
    with pytest.raises(CheckpointError, match="open_checkpoint"):
        load_model(whole[0] / BEST)
    shutil.copytree(TINY_CLIP_DIR, tmp_path / "other")
    other = load_backbone(f"local-dir:{tmp_path / 'other'}")
    other.clip.positional_embedding.add_(1)
    monkeypatch.setattr("clipspm_lite.clip.checkpoints.load_backbone", lambda *_, **__: other)
    with pytest.raises(CheckpointError, match=r"other weights.*best\.safetensors"):
        open_checkpoint(whole[0] / BEST)


class Killed(BaseException):
    pass


def kill_at(call, patch, owner, name):
    """The process ends at a call of `owner.name`."""
    original, calls = getattr(owner, name), []

    def dying(*args, **kwargs):
        calls.append(None)
        if len(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    patch.setattr(owner, name, dying)


@pytest.mark.parametrize(
    ("call", "owner", "name"),
    [
        (30, "clipspm_lite.training.sources", "load_video"),  # while frames are read, in a thread
        (3, "torch.optim.Adam", "step"),
        (2, "clipspm_lite.training.loop", "evaluate"),
        (1, "clipspm_lite.training.loop", "save_finetuned"),
        (2, "clipspm_lite.training.loop", "write_tensors"),  # best.safetensors is newer than last.safetensors
    ],
)
def test_a_run_that_ends_anywhere_resumes_to_the_bitwise_same_files(
    whole, tmp_path, monkeypatch, call, owner, name
):
    folder, result = whole
    with monkeypatch.context() as patch:
        module, _, attribute = owner.rpartition(".")
        kill_at(call, patch, getattr(sys.modules[module], attribute), name)
        with pytest.raises(Killed):
            small.run(tmp_path)
    resumed = small.run(tmp_path, resume=True)
    assert resumed.history == result.history
    for file in (BEST, LAST):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def start(folder, processes=1, steps=small.SETTINGS.steps):
    arguments = [str(folder), str(processes), str(steps)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, str(SCRIPT), *arguments], env=environment)


def validations(path):
    return len(read_tensors(path, "training state")[1]["history"]) if path.exists() else 0


@pytest.mark.slow
def test_a_process_killed_again_and_again_resumes_to_the_bitwise_same_files(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole, steps=16).wait() == 0
    moments = random.Random(0)
    for seen in (0, 3):  # validations in the file; at first there is no file, only the folder
        process = start(killed, steps=16)
        while process.poll() is None and not (killed.exists() and validations(killed / LAST) >= seen):
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.3) if seen else 0)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run ended before it was killed"
    assert start(killed, steps=16).wait() == 0
    for file in (BEST, LAST):
        assert (killed / file).read_bytes() == (whole / file).read_bytes()


@pytest.mark.slow
def test_two_processes_train_as_one_does(whole, tmp_path):
    assert start(tmp_path / "two", processes=2).wait() == 0
    first, second = (json.loads((tmp_path / "two" / f"history{rank}.json").read_text()) for rank in range(2))
    assert first == second
    folder, result = whole
    alone = small.run_head(tmp_path / "head")
    for one, two in zip([*result.history, *alone.history], sum(first, []), strict=True):
        assert two == pytest.approx(one, abs=1e-5)
    for one, two in ((folder, tmp_path / "two"), (tmp_path / "head", tmp_path / "two" / "head")):
        one, two = (read_tensors(path / LAST, "training state")[0] for path in (one, two))
        moments = [name for name in one if name.endswith("exp_avg")]  # what the gradients were
        largest = max(float(one[name].abs().max()) for name in moments)
        for name in moments:
            torch.testing.assert_close(two[name], one[name], atol=1e-5 * largest, rtol=1e-4)


def test_resuming_in_half_precision_goes_on_with_the_scale_of_the_loss(tmp_path, monkeypatch):
    def half(**arguments):
        return Fabric(**(arguments | {"precision": None}), plugins=MixedPrecision("16-mixed", "cpu"))

    monkeypatch.setattr(training, "Fabric", half)
    settings = replace(small.SETTINGS, steps=2, validate_every=1, episodes_per_step=1)
    small.run(tmp_path / "whole", settings, precision="bf16-mixed")
    untouched = MixedPrecision("16-mixed", "cpu").state_dict()
    assert read_tensors(tmp_path / "whole" / LAST, "training state")[1]["scaler"] != untouched
    with monkeypatch.context() as patch:
        kill_at(2, patch, training, "evaluate")
        with pytest.raises(Killed):
            small.run(tmp_path / "killed", settings, precision="bf16-mixed")
    small.run(tmp_path / "killed", settings, precision="bf16-mixed", resume=True)
    assert (tmp_path / "killed" / LAST).read_bytes() == (tmp_path / "whole" / LAST).read_bytes()


def test_mixed_precision_changes_the_encoder_and_little_of_the_loss(whole, tmp_path):
    mixed = small.run(tmp_path, replace(small.SETTINGS, steps=2), precision="bf16-mixed")
    difference = abs(mixed.history[0]["loss"] - whole[1].history[0]["loss"])
    assert 0 < difference < 0.1 * whole[1].history[0]["loss"]


def test_other_weights_frames_or_precision_do_not_continue_a_run(whole):
    with pytest.raises(CheckpointError, match="precision differ"):
        small.run(whole[0], resume=True, precision="bf16-mixed")
    with pytest.raises(CheckpointError, match="frames or precision differ"):
        small.run(whole[0], resume=True, finetuning=FineTuning(load_backbone("tiny"), frames=3))


def test_gradient_checkpointing_may_be_turned_on_for_the_rest_of_a_run(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        kill_at(2, patch, training, "evaluate")
        with pytest.raises(Killed):
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
    return episode, next(source._decoded([[(index, episode)]], seed))[1]


def test_the_frames_of_a_training_video_are_a_function_of_seed_episode_and_place():
    videos = training_videos()[1]
    assert torch.equal(videos, training_videos(readers=1)[1])
    for other in (training_videos(index=1), training_videos(seed=1)):
        assert all((ours != theirs).any() for ours, theirs in zip(videos, other[1], strict=True))


def test_without_augmentation_a_training_video_is_taken_as_in_validation():
    episode, videos = training_videos(augment=False)
    numbers = [*(number for shots in episode.support for number in shots), *episode.query]
    for number, video in zip(numbers, videos, strict=True):
        assert torch.equal(video, load_video(small.TRAINING.paths[number], 2, 64, resize=73))


def test_videos_are_mirrored_only_where_that_is_asked_for():
    mirrored = 0
    for index in range(4):
        plain, flipped = (training_videos(index, flip=flip)[1] for flip in (False, True))
        for ours, theirs in zip(plain, flipped, strict=True):
            assert torch.equal(theirs, ours) or torch.equal(theirs, ours.flip(-1))
            mirrored += not torch.equal(theirs, ours)
    assert 0 < mirrored < 16


def test_a_damaged_video_is_named_and_what_was_saved_before_is_kept(tmp_path, monkeypatch):
    clips = small.clips("swaying", "squatting")
    for name in clips.classes:
        shutil.copytree(clips.root / name, tmp_path / name)
    damaged = tmp_path / "swaying" / "swaying_00.mp4"
    run = partial(
        train,
        small.small_model(),
        replace(clips, root=tmp_path),
        small.VALIDATION,
        replace(small.SETTINGS, validate_every=1, episodes_per_step=1, steps=20),
        tmp_path / "run",
        finetuning=FineTuning(load_backbone("tiny"), frames=2),
        device="cpu",
        progress=False,
    )
    with monkeypatch.context() as patch:
        evaluate_once = training.evaluate

        def damaging(*args, **kwargs):
            damaged.write_bytes(b"no video")
            return evaluate_once(*args, **kwargs)

        patch.setattr(training, "evaluate", damaging)
        with pytest.raises(VideoError, match=r"swaying_00\.mp4"):
            run()
    assert validations(tmp_path / "run" / LAST) > 0


def test_a_plan_counts_what_is_trained_and_estimates_from_what_it_measured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finetuning = FineTuning(load_backbone("tiny"), frames=2)
    model = small.small_model()
    planned = plan(
        model,
        small.TRAINING,
        small.VALIDATION,
        small.SETTINGS,
        finetuning=finetuning,
        device="cpu",
        measured=1,
    )
    encoder = sum(p.numel() for p in finetuning.backbone.clip.visual.parameters())
    assert planned.trained["visual encoder"] == encoder
    assert sum(planned.trained.values()) == encoder + sum(p.numel() for p in model.parameters())
    assert (planned.episodes, planned.steps, planned.validations) == (12, 6, 3)
    assert planned.seconds == 6 * planned.seconds_per_step + 3 * planned.seconds_per_validation > 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(devices=5), "5 processes share the 2 episodes"),
        (dict(nodes=0), "nodes: expected a whole number of at least 1"),
        (dict(precision="16-mixed"), "needs a GPU"),
        (dict(precision="16-true"), "precision: expected one of"),
    ],
)
def test_an_engine_that_cannot_be_had_is_refused_before_anything_is_written(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        small.run(tmp_path, **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [dict(frames=0), dict(resize=63), dict(chunk=0), dict(readers=0)])
def test_bad_options_of_finetuning_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        FineTuning(load_backbone("tiny"), **bad)


def test_a_head_alone_takes_features_and_finetuning_takes_videos(encoded, tmp_path):
    with pytest.raises(ValueError, match="finetuning="):
        train(small.small_model(), small.TRAINING, small.VALIDATION, small.SETTINGS, tmp_path)
    features = encoded(prefix="base"), encoded(prefix="held out")
    with pytest.raises(ValueError, match="VideoDatasets"):
        small_settings = replace(small.SETTINGS, steps=1)
        train(
            small.small_model(),
            *features,
            small_settings,
            tmp_path,
            finetuning=FineTuning(load_backbone("tiny")),
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViT-B-16-quickgelu", "RN50-quickgelu"])
def test_real_sizes_take_a_training_step_and_an_evaluation_within_memory(name, tmp_path):
    torch.manual_seed(0)
    # Two frames a video and not eight, to keep the test short; chunks bound the memory either way.
    finetuning = FineTuning(load_backbone(name, weights="random"), frames=2, recompute=True, chunk=4)
    settings = replace(small.SETTINGS, steps=1, validate_every=1, episodes_per_step=1, validation_episodes=2)
    before = finetuning.backbone.clip.visual.conv1.weight.clone()
    model = CLIPSPM(finetuning.backbone.dim)
    result = train(
        model,
        small.clips("squatting", "swaying", videos=2),
        small.clips("standing_up", "sitting_down", videos=2),
        settings,
        tmp_path,
        finetuning=finetuning,
        device="cpu",
        progress=False,
    )
    assert (result.best_step, len(result.history)) == (1, 1)
    assert not torch.equal(finetuning.backbone.clip.visual.conv1.weight, before)
    assert training._peak_memory(torch.device("cpu")) < 6 * 2**30
