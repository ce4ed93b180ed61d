"""Checkpoints, recognisers and feature files made to do harm: one error that names the file, no code, no memory."""

import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

import clipspm_lite
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import CheckpointError, load_model, open_checkpoint
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.model.heads import describe_head
from clipspm_lite.storage.tensors import read_tensors, write_tensors

RECOGNISER = Path(__file__).parents[1] / "recogniser_version_1.safetensors"


def archive(path, pickled, compression=zipfile.ZIP_STORED):
    """What torch.save would write, with another pickle in it."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", pickled)
        file.writestr("archive/version", "3\n")
        file.writestr("archive/data/0", bytes(64))
    return path


class Called:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


class BuiltWith:
    """Unpickled, it calls `__setstate__` of whatever its class is called then."""

    def __setstate__(self, state):
        raise AssertionError("called")


PROOF = "clipspm_proof"  # what the code in these files would leave
GADGETS = {
    "eval": Called(eval, f"open({PROOF!r}, 'w')"),
    "system": Called(__import__("os").system, f"touch {PROOF}"),
    "subprocess": Called(subprocess.Popen, ["touch", PROOF]),
    "import": Called(__import__, "antigravity"),
    "a nested load": Called(
        torch.storage._load_from_bytes, pickle.dumps(Called(eval, f"open({PROOF!r}, 'w')"))
    ),
    "getattr": Called(getattr, "text", "format"),
    "a class's state": BuiltWith(),
    "a path that is read": Called(Path.read_text, Path("/etc/hostname")),
}


@pytest.mark.parametrize("gadget", GADGETS)
@pytest.mark.parametrize("protocol", [0, 2, 4])  # torch writes 2; each has other words for the same
def test_no_pickle_runs_code(gadget, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    path = archive(tmp_path / "c.pt", pickle.dumps({"model_state_dict": GADGETS[gadget]}, protocol))
    with pytest.raises(CheckpointError, match=r"(asks for|not a file of torch).*c\.pt$"):
        clipspm_lite.load(path, dataset="hmdb51")
    bare = tmp_path / "bare.pt"
    bare.write_bytes(pickle.dumps(GADGETS[gadget], protocol))
    with pytest.raises(CheckpointError, match=r"bare\.pt$"):
        clipspm_lite.load(bare, dataset="hmdb51")
    for file in (path, bare):
        with pytest.raises(ValueError, match=rf"not weights of RN50.*{file.name}$"):
            load_backbone("RN50", weights=file)
    assert not (tmp_path / PROOF).exists() and "antigravity" not in set(sys.modules) - before


def huge_head(path):
    """A head whose shapes fit together and whose every tensor repeats one number: gigabytes from a small file."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import released_code

    side = 4096
    small = released_code.head(8, (4, 12), head_width=2, mlp=16)
    grown = {
        name: torch.zeros(()).expand([{8: side, 4: side // 2, 12: 3 * side // 2}.get(n, n) for n in t.shape])
        for name, t in small.items()
    }
    torch.save(
        {"model_state_dict": grown | {"backbone.class_embedding": torch.zeros(1)}},
        path,
    )


def opcode(text, number):
    return b"\x80\x02c" + text + b"\nJ" + struct.pack("<i", number) + b"\x85R."


BOMBS = {
    "bytearray.pt": lambda path: archive(path, opcode(b"builtins\nbytearray", 2_000_000_000)),
    "bytearray of Python 2.pt": lambda path: archive(path, opcode(b"__builtin__\nbytearray", 2_000_000_000)),
    "numpy type.pt": lambda path: archive(
        path,
        b"\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x0b\0\0\0V2000000000\x85R\x85R.",
    ),
    "empty tensor.pt": lambda path: archive(path, opcode(b"torch\nTensor", 2_000_000_000)),
    "zip.pt": lambda path: archive(
        path, b"\x80\x02X" + struct.pack("<I", 300_000_000) + bytes(300_000_000) + b".", zipfile.ZIP_DEFLATED
    ),
    "many lists.pt": lambda path: archive(path, b"\x80\x02" + b"]" * 20_000_000 + b"."),
    "repeated.pt": huge_head,
    "header.safetensors": lambda path: path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}"),
    "long header.safetensors": lambda path: path.write_bytes(
        save({"x": torch.zeros(1)}, {"clipspm_lite": "[" + "[]," * 5_000_000 + "[]]"})
    ),
    "claimed.safetensors": lambda path: path.write_bytes(
        header({"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}})
    ),
}


def header(entries, data=b""):
    text = json.dumps(entries).encode() if not isinstance(entries, bytes) else entries
    return struct.pack("<Q", len(text)) + text + data


MEASURED = """
import json, sys
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.recognition.loading import load

def memory(kind):
    # Not ru_maxrss, which a process takes over from the one that started it.
    (line,) = (line for line in open("/proc/self/status") if line.startswith(kind))
    return int(line.split()[1]) // 1024

settings = dict(prompt_weight=0.2, gate_slope=0.01)
taken = {}
for path in sys.argv[1:]:
    open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
    before, pickled = memory("VmRSS"), path.endswith("pt")
    for open_it in (
        lambda: load(path, **(settings if pickled else {})),
        lambda: load_backbone("RN50", weights=path) if pickled else load(path),
    ):
        try:
            open_it()
        except ValueError as error:
            assert str(error).endswith(path) and len(str(error)) < 500, error
        else:
            raise AssertionError(f"opened {path}")
    taken[path] = memory("VmHWM") - before
print(json.dumps(taken))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux counts it")
def test_no_file_takes_memory_that_it_only_claims(tmp_path):
    """Each would take hundreds of megabytes to terabytes."""
    for name, write in BOMBS.items():
        write(tmp_path / name)
    paths = [str(tmp_path / name) for name in BOMBS]
    done = subprocess.run([sys.executable, "-c", MEASURED, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    taken = json.loads(done.stdout)
    assert {path: megabytes for path, megabytes in taken.items() if megabytes > 60} == {}
    for path in paths:
        Path(path).unlink()


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
DAMAGED = {
    "empty": b"",
    "short": b"\x10\0\0",
    "no JSON": header(b"{x"),
    "deep": header(b'{"x":' + b"[" * 100_000),
    "no object": header(b"[]"),
    "overlap": header({"a": ENTRY, "b": ENTRY}, bytes(8)),
    "beyond the end": header({"a": ENTRY}, bytes(4)),
    "a gap": header({"a": ENTRY, "b": ENTRY | {"data_offsets": [12, 20]}}, bytes(20)),
    "negative": header({"a": ENTRY | {"shape": [-2]}}, bytes(8)),
    "backwards": header({"a": ENTRY | {"data_offsets": [8, 0]}}, bytes(8)),
    "overflow": header({"a": ENTRY | {"shape": [1 << 40, 1 << 40, 0]}}, bytes(8)),
    "shape and bytes differ": header({"a": ENTRY | {"shape": [3]}}, bytes(8)),
    "no such type": header({"a": ENTRY | {"dtype": "O8"}}, bytes(8)),
    "a name twice": header(b'{"a":%s,"a":%s}' % ((json.dumps(ENTRY).encode(),) * 2), bytes(8)),
}
DESCRIBED = {
    "deep": "[" * 100_000,
    "a list": "[]",
    "a number": "1",
    "no version": '{"kind": "model"}',
    "a word for a version": '{"kind": "model", "format_version": "one"}',
    "a huge number": '{"kind": "model", "format_version": 1, "x": ' + "9" * 5000 + "}",
    "a name twice": '{"kind": "model", "kind": "recogniser", "format_version": 1}',
    "no kind": '{"format_version": 1}',
    "a list for a kind": '{"format_version": 1, "kind": []}',
    "half a character": '{"format_version": 1, "kind": "\\ud800"}',
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_header_that_lies_is_refused(damage, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(DAMAGED[damage])
    for open_it in (load_model, clipspm_lite.load, open_checkpoint):
        with pytest.raises(CheckpointError, match=r"x\.safetensors$") as error:
            open_it(path)
        assert "\n" not in str(error.value) and len(str(error.value)) < 600


@pytest.mark.parametrize("description", DESCRIBED)
def test_a_description_that_is_none_is_refused(description, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"x": torch.zeros(1)}, path, {"clipspm_lite": DESCRIBED[description]})
    for open_it in (load_model, clipspm_lite.load, open_checkpoint):
        with pytest.raises(CheckpointError, match=r"x\.safetensors$") as error:
            open_it(path)
        assert "\n" not in str(error.value) and len(str(error.value)) < 600


CONFIG = {"dim": 8, "heads": 1, "head_dim": 2, "mlp_dim": 4}


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        "clip-spm",
        {},
        CONFIG | {"gate_slope": float("nan")},
        CONFIG | {"prompt_weight": float("inf")},
        CONFIG | {"visual_gate_ratio": 1e300},
        CONFIG | {"dim": 1 << 40},
        CONFIG | {"heads": -1},
        CONFIG | {"dim": "8"},
        CONFIG | {"model": ["trx"]},
        CONFIG | {"self": 1},
        {"model": "trx", "dim": 8, "tuple_sizes": list(range(1, 1_000_000))},
        {"model": "trx", "dim": 8, "tuple_sizes": [1 << 60]},
    ],
    ids=lambda config: str(config)[:60],
)
def test_a_configuration_that_is_none_is_refused(config, tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"x": torch.zeros(1)}, {"kind": "model", "config": config})
    with pytest.raises(CheckpointError, match=r"x\.safetensors$") as error:
        load_model(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": None},
        {"backbone": {"name": "tiny"}},
        {"backbone.frames": 10**9},
        {"backbone.frames": True},
        {"backbone.resize": 10**9},
        {"backbone.normalize_pixels": "no"},
        {"backbone.name": "local-dir:/etc"},
        {"backbone.name": "local-dir:../elsewhere"},
    ],
    ids=str,
)
def test_a_finetuned_checkpoint_chooses_no_folder_and_no_videos_that_fill_the_memory(
    changes, tmp_path, monkeypatch
):
    def read(*_, **__):
        raise AssertionError("a folder was read")

    monkeypatch.setattr("clipspm_lite.clip.backbone._from_folder", read)
    made_with = dict(name="tiny", normalize_pixels=True, frames=8, resize=64, fingerprint="x")
    for key, value in changes.items():
        made_with = made_with | {key[9:]: value} if "." in key else value
    head = clipspm_lite.CLIPSPM(**CONFIG)
    path = tmp_path / "x.safetensors"
    write_tensors(
        path,
        {**head.state_dict(), "visual.x": torch.zeros(1)},
        {"kind": "model", "config": describe_head(head), "backbone": made_with},
    )
    for open_it in (open_checkpoint, clipspm_lite.load):
        with pytest.raises(CheckpointError, match=r"x\.safetensors$"):
            open_it(path)


@pytest.mark.parametrize(
    ("tensor", "value"),
    [
        ("support", torch.full((2, 1, 8, 128), torch.nan)),
        ("support_mask", torch.ones(2, 1)),
        ("class_text", torch.full((2, 128), torch.inf)),
        ("support", torch.zeros(2, 1, 8)),
        ("support", torch.zeros(0)),
        ("support", torch.zeros((), dtype=torch.complex64)),
    ],
)
def test_a_recogniser_of_other_numbers_is_refused(tensor, value, tmp_path):
    tensors, description = read_tensors(RECOGNISER, "recogniser")
    path = tmp_path / "r.safetensors"
    write_tensors(path, tensors | {tensor: value}, description)
    with pytest.raises(CheckpointError, match=r"r\.safetensors$"):
        clipspm_lite.load(path)


class Backbone(torch.nn.Module):
    image_size, dim, fingerprint = 8, 3, "made up"


@pytest.mark.parametrize(
    ("features", "contents", "said"),
    [
        (torch.zeros(1, 8, 4), ["a"], r"rows of \[8, 4\]"),
        (torch.zeros(1, 8, 3, dtype=torch.float64), ["a"], "float64"),
        (torch.zeros(1), ["a"], "rows of"),
        (torch.zeros(2, 8, 3), ["a"], "argument"),
        (torch.zeros(1, 8, 3), "a", "which videos"),
        (torch.zeros(1, 8, 3), [["a"]], "which videos"),
        (torch.zeros(1, 8, 3), None, "which videos"),
    ],
)
def test_a_feature_file_that_is_not_what_it_says_is_refused_and_kept(features, contents, said, tmp_path):
    store = FeatureStore(Backbone(), tmp_path)
    write_tensors(store.path, {"features": features}, {"kind": "feature store", "contents": contents})
    before = store.path.read_bytes()
    (tmp_path / "video.mp4").write_bytes(b"a video")
    with pytest.raises(CheckpointError, match=rf"{said}.*delete it, it is made again: .*features-"):
        store.encode([tmp_path / "video.mp4"])
    assert store.path.read_bytes() == before


def test_a_feature_file_of_a_newer_version_says_so(tmp_path):
    store = FeatureStore(Backbone(), tmp_path)
    save_file(
        {"features": torch.zeros(1, 8, 3)},
        store.path,
        {"clipspm_lite": json.dumps({"format_version": 2, "kind": "feature store", "contents": ["a"]})},
    )
    with pytest.raises(CheckpointError, match="format 2 is newer.*features-"):
        store.encode([RECOGNISER])
