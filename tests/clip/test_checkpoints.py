"""Checkpoints of heads: the same model again, with the frames it was trained on, or one error that names the file."""

import pytest
import torch

from clipspm_lite import CLIPSPM, load, load_backbone
from clipspm_lite.clip.checkpoints import (
    LITE_INDUCTIVE_MODEL,
    LITE_MODEL,
    CheckpointError,
    checkpoint_kind,
    head_name,
    load_model,
    open_checkpoint,
    save_model,
)
from clipspm_lite.model.heads import HEADS, build_head, describe_head
from clipspm_lite.storage.tensors import write_tensors


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CLIPSPM(16, heads=2, head_dim=4, mlp_dim=8, preset="released", gate_slope=0.054, motion="antisymmetric")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.safetensors"


def small_head():
    return CLIPSPM(128, heads=1, head_dim=2, mlp_dim=2)


def test_a_loaded_model_is_the_saved_one_with_its_configuration(model, path):
    save_model(path, model, seed=3)
    state = torch.random.get_rng_state()
    twin, description = load_model(path)
    assert torch.equal(state, torch.random.get_rng_state())
    assert twin.config == model.config and description["seed"] == 3
    assert twin.fusion.visual_gate.slope == 0.054 and twin.mfe.motion == "antisymmetric"


@pytest.mark.parametrize("name", list(HEADS))
def test_every_head_reopens_as_itself_alone_with_its_store_and_as_a_recogniser(name, path, tmp_path):
    sizes = {"trx": {"width": 2}, "recommended": {}}.get(name, {"heads": 1, "head_dim": 2, "mlp_dim": 2})
    head = build_head({"model": name, "dim": 128, **sizes})
    tiny = load_backbone("tiny")
    save_model(path, head, backbone=tiny.fingerprint, backbone_name="tiny")
    opened = open_checkpoint(path, store=tmp_path)
    for twin in (load_model(path)[0], opened.head, load(path, store=tmp_path).head):
        assert type(twin) is HEADS[name] and twin.config == head.config and not twin.training
        for key, tensor in head.state_dict().items():
            assert torch.equal(tensor, twin.state_dict()[key])
    assert head_name(path) == load(path, store=tmp_path).method == name and checkpoint_kind(path) == "model"
    assert opened.store.backbone.fingerprint == tiny.fingerprint


def test_the_recorded_frames_and_resize_are_used_and_another_number_is_refused(path, tmp_path):
    save_model(path, small_head(), backbone_name="tiny", frames=4, resize=72)
    for frames in (None, 4):
        opened = open_checkpoint(path, frames=frames, store=tmp_path)
        assert (opened.store.frames, opened.store.resize) == (4, 72)
    for open_it in (open_checkpoint, load):
        with pytest.raises(CheckpointError, match=r"frames: expected 4.*found 8.*m\.safetensors$"):
            open_it(path, frames=8)


@pytest.mark.parametrize("file", [LITE_MODEL, LITE_INDUCTIVE_MODEL])
def test_the_committed_heads_say_no_frames_and_take_8_of_the_backbones_size(file, tmp_path):
    opened = open_checkpoint(file, store=tmp_path)
    assert (opened.store.frames, opened.store.resize) == (8, 64)
    assert opened.description["backbone"] == opened.store.backbone.fingerprint
    with pytest.raises(CheckpointError, match=f"frames: expected 8.*found 4.*{file.name}$"):
        open_checkpoint(file, frames=4)


@pytest.mark.parametrize("recorded", [{"frames": 0}, {"frames": "4"}, {"frames": 10**9}, {"resize": 8}])
def test_a_damaged_record_of_the_sampling_is_one_error_that_names_the_file(recorded, path):
    save_model(path, small_head(), backbone_name="tiny", **recorded)
    with pytest.raises(CheckpointError, match=rf"{next(iter(recorded))}.*m\.safetensors$"):
        open_checkpoint(path)


def test_a_finetuned_head_brings_its_visual_encoder_and_needs_the_text_encoder_of_its_training(path, tmp_path):
    tuned, untouched = load_backbone("tiny"), load_backbone("tiny")
    tuned.clip.visual.conv1.weight.data += 0.1
    save_model(path, small_head(), finetuned=tuned, frames=4, resize=72)
    for backbone in (None, "tiny", untouched):
        opened = open_checkpoint(path, backbone=backbone, store=tmp_path)
        assert opened.store.backbone.fingerprint == tuned.fingerprint
        assert (opened.store.frames, opened.store.resize) == (4, 72)
    assert untouched.fingerprint == load_backbone("tiny").fingerprint
    with pytest.raises(CheckpointError, match="open_checkpoint.*m.safetensors"):
        load_model(path)
    untouched.clip.positional_embedding.data += 1
    for backbone in (untouched, load_backbone("tiny", normalize_pixels=False)):
        with pytest.raises(CheckpointError, match=r"other weights.*m\.safetensors$"):
            open_checkpoint(path, backbone=backbone)


def test_a_head_of_another_backbone_is_refused_and_one_that_does_not_say_needs_to_be_given_one(path, tmp_path):
    with pytest.raises(CheckpointError, match=r"RN50.*other weights.*lite-inductive.safetensors$"):
        open_checkpoint(LITE_INDUCTIVE_MODEL, backbone="RN50-quickgelu", weights="random")
    save_model(path, small_head())
    with pytest.raises(CheckpointError, match=r"give .*backbone.*m\.safetensors$"):
        open_checkpoint(path)
    assert open_checkpoint(path, backbone="tiny", store=tmp_path).head.dim == 128


WRONG = [{"mlp_dim": 9}, {"dim": 10**40}, {"dim": -8}, {"dim": "8"}, {"model": "newer"}, {"model": ["trx"]}]


@pytest.mark.parametrize("changes", WRONG, ids=str)
def test_weights_that_do_not_fit_their_configuration_are_refused_by_name(changes, model, path):
    write_tensors(path, model.state_dict(), {"kind": "model", "config": describe_head(model) | changes})
    for open_it in (load_model, open_checkpoint, load):
        with pytest.raises(CheckpointError, match=r"m\.safetensors") as error:
            open_it(path)
        assert "\n" not in str(error.value)
    if "model" in changes:
        with pytest.raises(CheckpointError, match="model: expected one of clip-spm.*m.safetensors"):
            head_name(path)
