import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from clipspm_lite import CLIPSPM, load
from clipspm_lite.clip import checkpoints
from clipspm_lite.clip.checkpoints import CheckpointError, head_name, load_model, save_model
from clipspm_lite.model.heads import HEADS, build_head, describe_head
from clipspm_lite.storage.tensors import read_description, read_tensors, write_tensors


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CLIPSPM(
        16, heads=2, head_dim=4, mlp_dim=8, preset="released", gate_slope=0.054, motion="antisymmetric"
    )


def test_a_loaded_model_is_the_saved_one_with_its_configuration(model, tmp_path):
    save_model(tmp_path / "m.safetensors", model, seed=3)
    state = torch.random.get_rng_state()
    twin, description = load_model(tmp_path / "m.safetensors")
    assert torch.equal(state, torch.random.get_rng_state())
    assert twin.config == model.config and description["seed"] == 3 and not twin.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, twin.state_dict()[name])
    assert twin.fusion.visual_gate.slope == 0.054 and twin.mfe.motion == "antisymmetric"


@pytest.mark.parametrize("name", [name for name in HEADS if name != "clip-spm"])
def test_a_baseline_reopens_as_itself_and_is_refused_where_only_clip_spm_will_do(name, tmp_path):
    path = tmp_path / "m.safetensors"
    baseline = build_head({"model": name, "dim": 16})
    save_model(path, baseline)
    twin, _ = load_model(path)
    assert type(twin) is HEADS[name] and twin.config == baseline.config and not twin.training
    for key, tensor in baseline.state_dict().items():
        assert torch.equal(tensor, twin.state_dict()[key])
    with pytest.raises(CheckpointError, match=f"CLIP-SPM head, found a {HEADS[name].__name__}.*load_head"):
        load(path, backbone="tiny")
    write_tensors(
        path, twin.state_dict(), {"kind": "model", "config": describe_head(twin) | {"model": "newer"}}
    )
    with pytest.raises(CheckpointError, match="expected one of clip-spm.*'newer'.*m.safetensors"):
        load_model(path)


def test_what_a_file_is_is_seen_from_its_header_alone(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    save_model(path, build_head({"model": "trx", "dim": 4, "width": 2}), seed=3)
    expected = read_tensors(path, "model")[1]

    @contextmanager
    def header_only(*arguments, **settings):
        with safe_open(*arguments, **settings) as file:
            yield SimpleNamespace(metadata=file.metadata)

    monkeypatch.setattr(checkpoints, "safe_open", header_only)
    assert read_description(path, "model") == expected and head_name(path) == "trx"
    with pytest.raises(CheckpointError, match="expected a recogniser, found a model: .*m.safetensors"):
        read_description(path, "recogniser")
    for config in (None, [], {"model": ["trx"]}, {"model": "newer"}):
        write_tensors(path, {}, {"kind": "model", "config": config})
        with pytest.raises(CheckpointError, match="model: expected one of clip-spm.*m.safetensors"):
            head_name(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(model, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    save_model(path, model)
    before = path.read_bytes()

    def fail(_tensors, name, _header):
        with open(name, "wb") as file:
            file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("clipspm_lite.storage.tensors.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_model(path, model)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_another_process_replaces_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    write_tensors(path, {"x": torch.zeros(1)}, {"kind": "model", "number": 0})
    opened = []

    def open_and_replace(*arguments, **options):
        opened.append(safe_open(*arguments, **options))
        if len(opened) == 1:
            write_tensors(path, {"x": torch.ones(1)}, {"kind": "model", "number": 1})
        return opened[-1]

    monkeypatch.setattr("clipspm_lite.storage.tensors.safe_open", open_and_replace)
    tensors, description = read_tensors(path, "model")
    assert len(opened) == 2 and tensors["x"] == 1 and description["number"] == 1


def test_files_that_are_no_checkpoint_are_refused_by_name(model, tmp_path):
    path = tmp_path / "wrong.safetensors"
    with pytest.raises(CheckpointError, match="no such file.*wrong.safetensors"):
        load_model(path)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(CheckpointError, match="wrong.safetensors"):
        load_model(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="without clipspm_lite's description.*wrong.safetensors"):
        load_model(path)
    write_tensors(path, {"x": torch.zeros(1)}, {"kind": "feature store"})
    with pytest.raises(CheckpointError, match="expected a model, found a feature store"):
        load_model(path)
    save_file(
        {"x": torch.zeros(1)}, path, {"clipspm_lite": json.dumps({"format_version": 99, "kind": "model"})}
    )
    with pytest.raises(CheckpointError, match="newer than this version.*wrong.safetensors"):
        read_tensors(path, "model")
    write_tensors(
        path, model.state_dict(), {"kind": "model", "config": describe_head(model) | {"mlp_dim": 9}}
    )
    with pytest.raises(CheckpointError, match="do not fit together"):
        load_model(path)
    save_model(path, model)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="wrong.safetensors"):
        load_model(path)
