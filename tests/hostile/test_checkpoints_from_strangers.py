"""Checkpoints and recognisers made to do harm: one error that names the file, and no code is run."""

import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import clipspm_lite
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import CheckpointError, load_model
from clipspm_lite.storage.files import read_torch
from clipspm_lite.storage.tensors import write_tensors


class Called:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


class BuiltWith:
    """Unpickled, it calls `__setstate__` of its class."""

    def __setstate__(self, state):
        raise AssertionError("called")


PROOF = "clipspm_proof"  # what the code in these files would leave
GADGETS = {
    "eval": Called(eval, f"open({PROOF!r}, 'w')"),
    "subprocess": Called(subprocess.Popen, ["touch", PROOF]),
    "import": Called(__import__, "antigravity"),
    "a nested load": Called(torch.storage._load_from_bytes, pickle.dumps(Called(eval, f"open({PROOF!r}, 'w')"))),
    "a class's state": BuiltWith(),
    "a path that is read": Called(Path.read_text, Path("/etc/hostname")),
}


@pytest.mark.parametrize("gadget", GADGETS)
@pytest.mark.parametrize("protocol", [0, 2, 4])  # torch writes 2; each has other words for the same
def test_no_pickle_runs_code(gadget, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    archive, script, bare = tmp_path / "archive.pt", tmp_path / "script.pt", tmp_path / "bare.pt"
    for path in (archive, script):  # what torch.save or torch.jit.save would write, with another pickle in it
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", pickle.dumps({"model_state_dict": GADGETS[gadget]}, protocol))
            file.writestr("archive/version", "3\n")
            file.writestr("archive/data/0", bytes(64))
            if path == script:
                file.writestr("archive/constants.pkl", pickle.dumps(GADGETS[gadget], protocol))
                file.writestr("archive/code/__torch__.py", f"open({PROOF!r}, 'w')")
    bare.write_bytes(pickle.dumps(GADGETS[gadget], protocol))
    for path in (archive, script, bare):
        with pytest.raises(CheckpointError, match=path.name):
            read_torch(path)
        with pytest.raises(CheckpointError, match=path.name):
            clipspm_lite.load(path, dataset="hmdb51")
        with pytest.raises(ValueError, match=path.name):
            load_backbone("RN50", weights=path)
    assert not (tmp_path / PROOF).exists() and "antigravity" not in set(sys.modules) - before


def header(entries, data=b""):
    text = json.dumps(entries).encode() if not isinstance(entries, bytes) else entries
    return struct.pack("<Q", len(text)) + text + data


DESCRIBED = {"__metadata__": {"clipspm_lite": '{"kind": "model", "format_version": 1}'}}
ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
DAMAGED = {
    "empty": b"",
    "header longer than the file": struct.pack("<Q", 1 << 62) + b"{}",
    "not JSON": header(b"{x"),
    "deep": header(b'{"x":' + b"[" * 100_000),
    "no description": header({"a": ENTRY}, bytes(8)),
    "overlap": header(DESCRIBED | {"a": ENTRY, "b": ENTRY}, bytes(8)),
    "a claim of terabytes": header(
        DESCRIBED | {"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    ),
    "shape and bytes differ": header(DESCRIBED | {"a": ENTRY | {"shape": [3]}}, bytes(8)),
}
DESCRIPTIONS = {
    "nested": "[" * 100_000,
    "a list": "[]",
    "a word for a version": '{"kind": "model", "format_version": "one"}',
    "a newer version": '{"kind": "model", "format_version": 2}',
    "a huge number": '{"kind": "model", "format_version": 1, "x": ' + "9" * 5000 + "}",
    "a list for a kind": '{"format_version": 1, "kind": []}',
    "half a character": '{"format_version": 1, "kind": "\\ud800"}',
}


def refused(path, *openers):
    for open_it in (*openers, clipspm_lite.load):
        with pytest.raises(CheckpointError, match=path.name) as error:
            open_it(path)
        assert "\n" not in str(error.value) and len(str(error.value)) < 600


@pytest.mark.parametrize("wrong", [*DAMAGED, *DESCRIPTIONS, None, [], "clip-spm", {}], ids=str)
def test_a_damaged_file_a_wrong_description_or_configuration_is_one_short_error(wrong, tmp_path):
    path = tmp_path / "x.safetensors"
    if wrong in [*DAMAGED]:
        path.write_bytes(DAMAGED[wrong])
    elif wrong in [*DESCRIPTIONS]:
        save_file({"x": torch.zeros(1)}, path, {"clipspm_lite": DESCRIPTIONS[wrong]})
    else:
        write_tensors(path, {"x": torch.zeros(1)}, {"kind": "model", "config": wrong})
    before = path.read_bytes()
    refused(path, load_model)
    assert path.read_bytes() == before


def test_a_missing_or_another_file_is_one_short_error(tmp_path):
    refused(tmp_path / "none.safetensors", load_model)
    for content in ({"state_dict": {}}, [1]):
        torch.save(content, tmp_path / "wrong.pt")
        refused(tmp_path / "wrong.pt")


CONFIG = {"dim": 8, "heads": 1, "head_dim": 2, "mlp_dim": 4}


@pytest.mark.parametrize("name", [None, "local-dir:/etc", "local-dir:../elsewhere"])
def test_a_finetuned_checkpoint_names_no_folder_to_read(name, tmp_path, monkeypatch):
    monkeypatch.setattr("clipspm_lite.clip.backbone._from_folder", lambda *_: pytest.fail("a folder was read"))
    made_with = dict(name=name, normalize_pixels=True, frames=8, resize=64, fingerprint="x")
    head = clipspm_lite.CLIPSPM(**CONFIG)
    tensors = {**head.state_dict(), "visual.x": torch.zeros(1)}
    path = tmp_path / "x.safetensors"
    write_tensors(path, tensors, {"kind": "model", "config": CONFIG, "backbone": made_with})
    refused(path)
