"""Weights in the forms that people have them in, and folders as open_clip's hub has them."""

import json
import warnings
import zipfile

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from clipspm_lite.clip.backbone import TINY_CLIP_DIR, load_backbone

CONFIG = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
    "quick_gelu": True,
}
ENTRIES = {"input_resolution": 32, "context_length": 77, "vocab_size": 49408}  # that OpenAI's files have


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A small CLIP of a new architecture "small-quickgelu", with weights that half precision holds."""
    folder = tmp_path_factory.mktemp("architectures")
    for name, quick in (("small", False), ("small-quickgelu", True)):
        (folder / f"{name}.json").write_text(json.dumps(CONFIG | {"quick_gelu": quick}))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    return open_clip.create_model("small-quickgelu", load_weights=False).eval().half().float()


def torchscript(clip, path):
    """As OpenAI saved its own: traced, in half precision, on a GPU, with three numbers more."""
    for name, number in ENTRIES.items():
        clip.__dict__.pop(name, None)
        clip.register_buffer(name, torch.tensor(number))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch.jit is deprecated
        example = {"encode_image": torch.rand(1, 3, 32, 32), "encode_text": torch.zeros(1, 77, dtype=torch.long)}
        torch.jit.trace_module(clip, example).half().save(path.with_suffix(".cpu"))
    with zipfile.ZipFile(path.with_suffix(".cpu")) as cpu, zipfile.ZipFile(path, "w") as gpu:
        for name in cpu.namelist():
            gpu.writestr(name, cpu.read(name).replace(b"X\3\0\0\0cpu", b"X\6\0\0\0cuda:0"))


def test_a_torchscript_archive_gives_the_weights_and_needs_quickgelu_as_openais_does(clip, tmp_path):
    path, state = tmp_path / "ViT-B-16.pt", clip.state_dict()
    torchscript(clip, path)
    loaded = load_backbone("small-quickgelu", weights=path).clip.state_dict()
    assert loaded.keys() == state.keys() and all(torch.equal(loaded[name], state[name]) for name in state)
    with pytest.raises(ValueError, match=r"small-quickgelu.*ViT-B-16\.pt$"):
        load_backbone("small", weights=path)


def with_prefix(state):
    return {f"module.{name}": tensor for name, tensor in state.items()}


FORMS = {
    "half precision": lambda state: {name: tensor.half() for name, tensor in state.items()},
    "model": lambda state: {"epoch": 3, "model": state},
    "state_dict, module.": lambda state: {"optimizer": {"state": {}}, "state_dict": with_prefix(state)},
    "openai": lambda state: state | {name: torch.tensor(number) for name, number in ENTRIES.items()},
    "openai, numbers, model, module.": lambda state: {"model": with_prefix(state | ENTRIES)},
}


@pytest.mark.parametrize(("form", "save"), [*((f, torch.save) for f in FORMS), ("openai", save_file)])
def test_a_state_dict_is_found_in_what_is_around_it(clip, form, save, tmp_path):
    path, state = tmp_path / "weights.pt", {n: t for n, t in clip.state_dict().items() if n not in ENTRIES}
    save(FORMS[form](state), path)
    loaded = load_backbone("small-quickgelu", weights=path).clip.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    if "openai" in form:
        with pytest.raises(ValueError, match="small-quickgelu.*weights"):
            load_backbone("small", weights=path)
    else:
        with pytest.warns(UserWarning, match="small-quickgelu"):
            load_backbone("small", weights=path)


def test_transformers_and_other_weights_are_recognised(clip, tmp_path):
    save_file({"visual.conv1.weight": torch.zeros(1)}, tmp_path / "part.safetensors")
    with pytest.raises(ValueError, match=r"not weights of small.*part\.safetensors$"):
        load_backbone("small", weights=tmp_path / "part.safetensors")
    save_file({"vision_model.encoder.layers.0.x": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"transformers.*open_clip_model\.safetensors.*model\.safetensors$"):
        load_backbone("small", weights=tmp_path / "model.safetensors")


@pytest.fixture
def hub(clip, tmp_path):
    """A folder as the hub has them; further keys go into its text configuration."""

    def write(**text):
        config = CONFIG | {"text_cfg": CONFIG["text_cfg"] | text}
        about = {"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3}}
        (tmp_path / "open_clip_config.json").write_text(json.dumps(about))
        return f"local-dir:{tmp_path}"

    return write


@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_a_hub_folder_opens_with_its_own_pixels_and_the_usual_tokenizer(clip, hub, file, tmp_path):
    name, state = hub(), {n: t for n, t in clip.state_dict().items() if n not in ENTRIES}
    assert load_backbone(name, weights="random").dim == 8
    torch.save(state, tmp_path / "model.bin")  # which open_clip would take
    with pytest.raises(FileNotFoundError, match="open_clip_model"):
        load_backbone(name)
    (save_file if "safe" in file else torch.save)(state, tmp_path / file)
    backbone = load_backbone(name)
    assert all(torch.equal(backbone.clip.state_dict()[key], tensor) for key, tensor in state.items())
    assert backbone.pixel_mean.flatten().tolist() == [0.5] * 3
    assert backbone.encode_class_names(["waving"]).shape == (1, 8)


def test_a_folders_configuration_runs_no_code_and_names_no_file_outside_it(hub, monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setattr(open_clip, "get_tokenizer", lambda name, **how: asked.update(how))
    load_backbone(hub(hf_tokenizer_name="x", tokenizer_kwargs={"trust_remote_code": True}), weights="random")
    load_backbone(hub(tokenizer_kwargs={"bpe_path": "../../etc/passwd"}), weights="random")
    assert asked == {"trust_remote_code": False, "bpe_path": str(tmp_path / "passwd")}
    (tmp_path / "open_clip_config.json").write_text("{")
    with pytest.raises(ValueError, match=tmp_path.name):
        load_backbone(f"local-dir:{tmp_path}", weights="random")


def test_names_on_the_hub_are_passed_on_and_without_a_network_that_is_one_error(monkeypatch):
    def download(model, filename="open_clip_model.safetensors", **_):
        if model != "org/tiny":
            raise OSError("no network")
        return str(TINY_CLIP_DIR / filename)

    monkeypatch.setattr("open_clip.factory.download_pretrained_from_hf", download)
    config = json.loads((TINY_CLIP_DIR / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] |= {"tokenizer_kwargs": {}}
    monkeypatch.setattr("open_clip.factory._get_hf_config", lambda model, **_: download(model) and config)
    assert load_backbone("hf-hub:org/tiny").dim == 128
    with pytest.raises(ValueError, match=r"hf-hub:org/other.*local-dir:.*no network"):
        load_backbone("hf-hub:org/other")
