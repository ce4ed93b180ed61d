"""LoRA on the visual encoder: what is trained, what stays, and what a checkpoint holds."""

import copy
from dataclasses import replace

import pytest
import small_finetuning as small
import torch
from open_clip.transformer import VisionTransformer

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import CheckpointError, open_checkpoint
from clipspm_lite.clip.lora import Update, adapt, merge, merged_state, update_size
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.storage.tensors import read_tensors
from clipspm_lite.training import FineTuning, LoRA, loop
from clipspm_lite.training.loop import BEST, VALIDATION_SEED
from clipspm_lite.training.state import LAST


def run(folder, lora=LoRA(4), settings=small.SETTINGS, recompute=False, **arguments):  # noqa: B008 (frozen)
    finetuning = FineTuning(load_backbone("tiny"), frames=2, lora=lora, recompute=recompute, chunk=3)
    return small.run(folder, settings, finetuning=finetuning, **arguments), finetuning.backbone


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, *run(folder)


@pytest.fixture(params=["packed attention", "resnet"])
def encoder(request):
    torch.manual_seed(0)
    if request.param == "resnet":
        return load_backbone("tiny", device="cpu").clip.visual
    return VisionTransformer(32, 16, width=32, layers=2, heads=2, mlp_ratio=2, output_dim=8).eval()


def features(encoder):
    size = encoder.image_size
    size = size if isinstance(size, int) else size[0]
    return encoder(torch.linspace(-1, 1, 6 * size * size).view(2, 3, size, size))


def randomise(encoder):
    for name, weight in encoder.named_parameters():
        if name.endswith(".b"):
            torch.nn.init.normal_(weight)


def test_an_update_starts_at_nothing_and_alone_gets_gradients(encoder):
    before, weights = features(encoder), copy.deepcopy(encoder.state_dict())
    adapt(encoder, LoRA(4), seed=0)
    assert torch.equal(features(encoder), before) and update_size(encoder) == 0
    features(encoder).square().sum().backward()
    trained = {name for name, weight in encoder.named_parameters() if weight.grad is not None}
    assert trained == {name for name, _ in encoder.named_parameters() if name.endswith((".a", ".b"))}
    assert any("attn" in name for name in trained) and any(name.endswith("b") for name in trained)
    assert merged_state(encoder).keys() == weights.keys()
    assert all(torch.equal(merged_state(encoder)[name], weight) for name, weight in weights.items())


def test_the_merged_encoder_computes_what_the_adapted_one_does(encoder):
    before = features(encoder)
    adapt(encoder, LoRA(4), seed=0)
    randomise(encoder)
    assert update_size(encoder) > 0
    with torch.no_grad():  # in evaluation torch takes a faster way through attention
        fast = features(encoder)
    torch.testing.assert_close(fast, features(encoder))
    kept = merged_state(encoder)
    merge(encoder)
    assert not torch.allclose(features(encoder), before)
    assert all(torch.equal(weight, kept[name]) for name, weight in encoder.state_dict().items())
    with torch.no_grad():
        assert torch.equal(features(encoder), fast)


def test_a_protected_update_has_nothing_in_the_main_directions_of_its_weight(encoder):
    before = copy.deepcopy(encoder.state_dict())
    adapt(encoder, LoRA(4, protect=6), seed=0)
    randomise(encoder)
    for name, new in merged_state(encoder).items():
        if not torch.equal(new, before[name]):
            weight, update = before[name].flatten(1), (new - before[name]).flatten(1)
            directions = torch.linalg.svd(weight, full_matrices=False).U[:, : min(6, min(weight.shape) // 2)]
            assert (directions.T @ update).norm() < 1e-4 * update.norm(), name


def test_a_rank_is_at_most_the_smaller_side_of_each_weight(encoder):
    adapt(encoder, LoRA(10**6), seed=0)
    updates = [module for module in encoder.modules() if isinstance(module, Update)]
    assert updates and all(len(update.a) == min(update.a.shape[1], len(update.b)) for update in updates)


@pytest.mark.parametrize("wrong", [dict(learning_rate=0.0), dict(learning_rate=float("nan")), dict(alpha=-1.0)])
def test_an_update_that_could_not_be_learnt_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoRA(**wrong)


def test_places_that_no_weight_has_are_an_error(encoder):
    with pytest.raises(ValueError, match="places"):
        adapt(encoder, LoRA(places=("nowhere",)), seed=0)


def test_only_the_update_moves_and_the_checkpoint_opens_as_any_other(whole, tmp_path):
    folder, result, backbone = whole
    assert all(entry["encoder_update"] > 0 for entry in result.history)
    before, last = load_backbone("tiny").clip.visual.state_dict(), read_tensors(folder / LAST, "training state")[0]
    for name, weight in before.items():
        path, _, kind = name.rpartition(".")
        originals = (f"visual.{name}", f"visual.{path}.parametrizations.{kind}.original")
        assert torch.equal(*(last[key] for key in originals if key in last), weight), name
    opened = open_checkpoint(folder / BEST, store=tmp_path)
    assert opened.description["lora"]["rank"] == 4
    data = opened.store.encode_dataset(small.VALIDATION)
    assert evaluate(opened.head, data, way=2, episodes=10, seed=VALIDATION_SEED).accuracy == result.best_accuracy
    assert backbone.clip.visual.state_dict().keys() == before.keys()  # it was merged
    for name, weight in opened.store.backbone.clip.visual.state_dict().items():
        if weight.is_floating_point() and weight.ndim > 1:
            assert torch.linalg.matrix_rank((weight - before[name]).flatten(1), atol=1e-5) <= 4


def test_a_run_resumes_to_the_bitwise_same_files_but_not_with_another_update(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        small.kill_at(2, patch, loop, "evaluate")
        with pytest.raises(small.Killed):
            run(tmp_path)
    with pytest.raises(CheckpointError, match="encoding"):
        run(tmp_path, LoRA(4, protect=2), resume=True)
    run(tmp_path, resume=True)
    assert all((tmp_path / name).read_bytes() == (whole[0] / name).read_bytes() for name in (BEST, LAST))


def test_gradient_checkpointing_changes_nothing_and_mixed_precision_little(whole, tmp_path):
    short = replace(small.SETTINGS, steps=2)
    expected = whole[1].history[0]
    assert run(tmp_path / "again", settings=short, recompute=True)[0].history[0] == pytest.approx(expected, abs=1e-5)
    mixed = run(tmp_path / "mixed", settings=short, precision="bf16-mixed")[0].history[0]
    assert mixed["loss"] == pytest.approx(expected["loss"], rel=0.1) and mixed["encoder_update"] > 0
