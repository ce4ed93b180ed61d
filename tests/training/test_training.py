"""Training of a head on stored features: the loss that is trained, the learning curve, resuming, settings, variants."""

import copy
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import small_finetuning as small
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.clip.checkpoints import CheckpointError, load_model
from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.model import clipspm
from clipspm_lite.model.heads import build_head
from clipspm_lite.model.presets import DATASET_SETTINGS
from clipspm_lite.storage.tensors import read_tensors
from clipspm_lite.training import (
    TRAINING_PRESETS,
    TrainingSettings,
    check_run,
    loop,
    preset_settings,
    train,
    train_variants,
)
from clipspm_lite.training.loop import BEST
from clipspm_lite.training.state import LAST

SETTINGS = replace(
    small.SETTINGS, way=3, queries=2, learning_rate=1e-3, optimizer="adamw", schedule="cosine", validation_episodes=20
)


def small_model(preset="lite", **overrides):
    torch.manual_seed(0)
    return CLIPSPM(16, heads=2, head_dim=4, mlp_dim=16, preset=preset, **overrides)


def small_baseline(name):
    torch.manual_seed(0)
    sizes = dict(width=16) if name == "trx" else dict(heads=2, head_dim=4, mlp_dim=16)
    return build_head({"model": name, "dim": 16, "normalize_features": True, **sizes})


def run(data, folder, settings=SETTINGS, model=None, **arguments):
    training, validation = data(prefix="base"), data(prefix="held out", seed=1)
    model = model or small_model()
    return train(model, training, validation, settings, folder, device="cpu", progress=False, **arguments)


@pytest.mark.parametrize("name", ["paper", "released", "lite", "clip-fsar", "trx"])
def test_training_lowers_the_loss_and_keeps_the_best_on_validation(encoded, tmp_path, name):
    settings = replace(SETTINGS, steps=60, validate_every=20, learning_rate=3e-3)
    model = small_model(name) if name in TRAINING_PRESETS else small_baseline(name)
    result = run(encoded, tmp_path, settings, model=model)
    assert not any(module.training for module in model.modules())
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert result.best_accuracy == max(entry["validation_accuracy"] for entry in result.history)
    best, description = load_model(result.best_path)
    assert type(best) is type(model) and best.config == model.config
    assert description["validation"]["step"] == result.best_step and description["frames"] == 4


def test_a_resumed_run_is_bitwise_the_run_that_was_never_stopped(encoded, tmp_path):
    whole = run(encoded, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        small.kill_at(3, patch, loop, "evaluate")
        with pytest.raises(small.Killed):
            run(encoded, tmp_path / "stopped")
    resumed = run(encoded, tmp_path / "stopped", resume=True)
    assert resumed.history == whole.history
    for name in (BEST, LAST):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("frozen", [False, True])
def test_gradients_left_by_the_caller_are_not_in_the_first_step(encoded, tmp_path, frozen):
    clean, used = small_model("released"), small_model("released")
    for parameter in used.parameters():
        parameter.grad = torch.ones_like(parameter)
    for model in (clean, used):
        model.padm.requires_grad_(not frozen)
    before = run(encoded, tmp_path / "clean", model=clean)
    assert run(encoded, tmp_path / "used", model=used).history == before.history
    for ours, theirs in zip(used.parameters(), clean.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_run_is_never_overwritten_and_never_continued_with_something_else(encoded, tmp_path):
    run(encoded, tmp_path)
    with pytest.raises(FileExistsError, match="resume"):
        run(encoded, tmp_path)
    with pytest.raises(CheckpointError, match="settings"):
        run(encoded, tmp_path, replace(SETTINGS, learning_rate=1e-4), resume=True)
    with pytest.raises(CheckpointError, match="config"):
        run(encoded, tmp_path, model=small_model("paper"), resume=True)
    with pytest.raises(CheckpointError, match="data"):
        run(lambda **a: encoded(videos=6, **a), tmp_path, resume=True)


def test_early_stop_ends_after_patience_and_resuming_a_stopped_run_adds_nothing(encoded, tmp_path):
    settings = replace(SETTINGS, learning_rate=1e-9, steps=40, patience=2)
    result = run(encoded, tmp_path, settings)
    assert len(result.history) == 3 and result.best_step == 2
    assert run(encoded, tmp_path, settings, resume=True) == result


@pytest.mark.parametrize(("base", "validation"), [("same", "same"), ("Jump_rope", "jump rope")])
def test_classes_shared_between_training_and_validation_are_refused(encoded, tmp_path, base, validation):
    with pytest.raises(ValueError, match=f"share.*{validation} 0"):
        run(lambda prefix, **a: encoded(prefix=base if prefix == "base" else validation, **a), tmp_path)
    assert not list(tmp_path.iterdir())


def spec_numbers(line):
    """Numbers in brackets on the line of SPEC that starts so, for each data set that it names."""
    spec = Path(clipspm.__file__).with_name("SPEC.md").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", spec[spec.index(line) :].split("\n\n")[0].split("R computes")[0])
    found = {}
    for names, numbers in re.findall(r"([A-Z][\w, -]*?) (\([\d., ]+\))", text):
        for name in names.split(", "):
            found[name] = tuple(map(float, numbers.strip("()").split(",")))
    return found


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_the_head_of_a_benchmark_has_the_numbers_of_SPEC(benchmark):
    name = BENCHMARKS[benchmark].title
    name = {"Kinetics-100": "Kinetics"}.get(name, name)
    settings = DATASET_SETTINGS[benchmark]
    names = ("visual_gate_ratio", "prompt_gate_ratio", "gate_slope", "prompt_weight")
    assert tuple(settings[name] for name in names) == spec_numbers("(r_v, r_p, LeakyReLU slope, α) in R")[name]
    names = ("feature_consistency_weight", "text_consistency_weight")
    assert tuple(settings[name] for name in names) == spec_numbers("(w_c, w_t) as R lists them")[name]
    CLIPSPM(16, heads=1, head_dim=4, mlp_dim=4, **settings)


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_ssv2_full_trains_five_times_as_long_with_its_own_rate_and_decay(preset):
    decay = [TRAINING_PRESETS[name].weight_decay for name in ("released", "paper")]  # a gradient 20 times larger
    assert decay[0] == pytest.approx(20 * decay[1])
    usual, full = preset_settings(preset, "hmdb51"), preset_settings(preset, "ssv2_full")
    assert usual == TRAINING_PRESETS[preset]
    assert full.steps * full.episodes_per_step == 100_000 == 5 * usual.steps * usual.episodes_per_step
    assert full.learning_rate == pytest.approx(1.6 * usual.learning_rate)
    assert full.weight_decay / usual.weight_decay == pytest.approx(9.7e-4 / 5e-5)
    assert preset_settings("lite", "ssv2_full") == TRAINING_PRESETS["lite"]


def test_validation_classes_with_too_few_videos_are_found_before_training(encoded, tmp_path):
    with pytest.raises(ValueError, match="'held out 0' has 1 videos"):
        check_run(encoded(prefix="base"), encoded(prefix="held out", videos=1), SETTINGS, tmp_path)


NO_RATES = [dict(learning_rate=rate) for rate in (0.0, -1.0, float("nan"), float("inf"))]
BAD = [dict(way=0), dict(patience=1.5), dict(optimizer="sgd"), dict(schedule="linear"), dict(betas=[0.9]), *NO_RATES]


@pytest.mark.parametrize("bad", [*BAD, dict(weight_decay=float("nan"))])
def test_bad_settings_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        TrainingSettings(**bad)


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_a_step_goes_along_the_gradient_of_the_formula_of_its_preset(encoded, tmp_path, preset):
    """Adam's first moment after one step is (1 − beta) times the accumulated gradient."""
    model = small_model(preset, dropout=0, feedforward_dropout=0)
    expected = copy.deepcopy(model)
    settings = replace(SETTINGS, steps=1, episodes_per_step=3, learning_rate=1e-9, betas=(0.5, 0.999))
    run(encoded, tmp_path, settings, model=model)
    data = encoded(prefix="base")
    sampler = EpisodeSampler(data.videos_per_class, way=3, queries=2, seed=settings.seed)
    for index in range(3):
        batch = gather(data.features, data.class_text, [sampler[index]])
        losses = expected.losses(batch.support, batch.query, batch.class_text, batch.query_labels)
        (losses.total / (3 if preset == "paper" else 1)).sum().backward()
    moments = read_tensors(tmp_path / LAST, "training state")[0]
    for index, parameter in enumerate(expected.parameters()):
        if parameter.grad is not None:
            moment = 2 * moments[f"optimizer.{index}.exp_avg"]
            torch.testing.assert_close(moment, parameter.grad, atol=1e-5, rtol=1e-4)


VARIANTS = {
    name: dict(preset="lite", heads=2, head_dim=4, mlp_dim=16, **changes)
    for name, changes in {"full": {}, "no anchor": dict(with_anchor=False)}.items()
}


def test_every_variant_is_trained_with_every_seed_and_continued(encoded, tmp_path):
    data, short = (encoded(prefix="base"), encoded(prefix="held out", seed=1)), replace(SETTINGS, steps=2)
    found = train_variants(VARIANTS, *data, seeds=[0, 3], settings=short, folder=tmp_path)
    assert found["no anchor"] == [tmp_path / "no-anchor" / f"seed{seed}" / BEST for seed in (0, 3)]
    head, description = load_model(found["no anchor"][1])
    assert not head.config.with_anchor and description["training"]["seed"] == 3
    assert train_variants(VARIANTS, *data, seeds=[0, 3], settings=short, folder=tmp_path) == found
    kept = found["full"][0]
    again = partial(train_variants, VARIANTS, *data, seeds=[0], folder=tmp_path / "other", committed={"full": kept})
    assert again(settings=short)["full"] == [kept] and not (tmp_path / "other" / "full").exists()
    with pytest.raises(ValueError, match="committed"):
        again(settings=replace(short, shot=2))
