import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.checkpoints import CheckpointError, load_model, read_tensors
from clipspm_lite.training import BEST, LAST, TRAINING_PRESETS, TrainingSettings, train

SETTINGS = TrainingSettings(
    way=3,
    queries=2,
    steps=6,
    episodes_per_step=2,
    learning_rate=1e-3,
    optimizer="adamw",
    schedule="cosine",
    validate_every=2,
    validation_episodes=20,
    seed=1,
)


def small_model(preset="lite", **overrides):
    torch.manual_seed(0)
    return CLIPSPM(16, heads=2, head_dim=4, mlp_dim=16, preset=preset, **overrides)


def run(data, folder, settings=SETTINGS, **arguments):
    model = arguments.pop("model", None) or small_model()
    return train(
        model,
        data(prefix="base"),
        data(prefix="held out", seed=1),
        settings,
        folder,
        device="cpu",
        progress=False,
        **arguments,
    )


@pytest.mark.parametrize("preset", ["paper", "released", "lite"])
def test_training_lowers_the_loss_and_keeps_the_best_on_validation(encoded, tmp_path, preset):
    settings = replace(SETTINGS, steps=60, validate_every=20, learning_rate=3e-3)
    result = run(encoded, tmp_path, settings, model=small_model(preset))
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert result.best_accuracy == max(entry["validation_accuracy"] for entry in result.history)
    _, description = load_model(result.best_path)
    assert description["validation"]["step"] == result.best_step


def test_a_resumed_run_is_bitwise_the_run_that_was_never_stopped(encoded, tmp_path):
    whole = run(encoded, tmp_path / "whole")

    class Stop(Exception):
        pass

    import clipspm_lite.training as training

    evaluate, calls = training.evaluate, []

    def stopped(*args, **kwargs):
        calls.append(None)
        if len(calls) == 3:
            raise Stop
        return evaluate(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "evaluate", stopped)
        with pytest.raises(Stop):
            run(encoded, tmp_path / "stopped")
    resumed = run(encoded, tmp_path / "stopped", resume=True)
    assert resumed.history == whole.history
    for name in (BEST, LAST):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


KILLED = """
    import sys, torch
    from clipspm_lite import CLIPSPM
    from clipspm_lite.features import EncodedDataset
    from clipspm_lite.training import TrainingSettings, train

    def data(prefix, seed):
        g = torch.Generator().manual_seed(seed)
        return EncodedDataset(tuple(f"{prefix} {i}" for i in range(4)), (4,) * 4,
                              torch.randn(16, 4, 16, generator=g), torch.randn(4, 16, generator=g))

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = CLIPSPM(16, heads=2, head_dim=4, mlp_dim=16, preset="lite")
    settings = TrainingSettings(way=3, queries=2, steps=120, episodes_per_step=2, validate_every=2,
                                validation_episodes=10, learning_rate=1e-3)
    train(model, data("a", 0), data("b", 1), settings, sys.argv[1], device="cpu", resume=True, progress=False)
"""


def test_a_run_killed_at_any_moment_continues_to_the_same_curve(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(KILLED))

    def start(folder):
        return subprocess.Popen([sys.executable, str(script), str(folder)])

    assert start(tmp_path / "whole").wait() == 0
    killed = tmp_path / "killed"
    for moment in (0.05, 0.3):
        process = start(killed)
        size = (
            len(read_tensors(killed / LAST, "training state")[1]["history"])
            if (killed / LAST).exists()
            else 0
        )
        while process.poll() is None:
            if (killed / LAST).exists():
                state = read_tensors(killed / LAST, "training state")[1]
                if len(state["history"]) > size:
                    time.sleep(moment)
                    break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert start(killed).wait() == 0
    for name in (BEST, LAST):
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_run_is_never_overwritten_and_never_continued_with_something_else(encoded, tmp_path):
    run(encoded, tmp_path)
    with pytest.raises(FileExistsError, match="resume"):
        run(encoded, tmp_path)
    with pytest.raises(CheckpointError, match="training settings differ"):
        run(encoded, tmp_path, replace(SETTINGS, learning_rate=1e-4), resume=True)
    with pytest.raises(CheckpointError, match="model differ"):
        run(encoded, tmp_path, model=small_model("paper"), resume=True)
    with pytest.raises(CheckpointError, match="features differ"):
        run(lambda **a: encoded(videos=6, **a), tmp_path, resume=True)


def test_early_stop_ends_after_patience_and_resuming_a_stopped_run_adds_nothing(encoded, tmp_path):
    settings = replace(SETTINGS, learning_rate=1e-9, steps=40, patience=2)
    result = run(encoded, tmp_path, settings)
    assert len(result.history) == 3 and result.best_step == 2
    assert run(encoded, tmp_path, settings, resume=True) == result


def test_classes_shared_between_training_and_validation_are_refused(encoded, tmp_path):
    with pytest.raises(ValueError, match="share classes.*same 0"):
        run(lambda **a: encoded(**(a | {"prefix": "same"})), tmp_path)
    assert not list(tmp_path.iterdir())


def test_released_weight_decay_keeps_its_ratio_to_a_gradient_20_times_larger():
    assert TRAINING_PRESETS["released"].weight_decay == pytest.approx(
        20 * TRAINING_PRESETS["paper"].weight_decay
    )


@pytest.mark.parametrize("bad", [dict(steps=0), dict(optimizer="sgd"), dict(schedule="linear")])
def test_bad_settings_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        TrainingSettings(**bad)
