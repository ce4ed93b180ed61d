"""Checkpoints of the authors' released code: the same logits as SPEC's equations, and nothing but weights read."""

import zipfile

import numpy as np
import pytest
import released_code
import torch
from safetensors.torch import save_file

import clipspm_lite
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import CheckpointError, open_checkpoint
from clipspm_lite.clip.released_format import read_released
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.model.presets import DATASET_SETTINGS
from clipspm_lite.recognition.recogniser import Recogniser, Support

FRAMES = 2
CLIPS = sample_world("novel")
ENCODERS = {
    "ViT-B-16-quickgelu": (512, released_code.vit_b16_features),
    "RN50-quickgelu": (1024, released_code.rn50_features),
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("ViT-B-16-quickgelu", "ucf101", ""), marks=pytest.mark.nightly),
        ("RN50-quickgelu", "ssv2_full", "module."),
    ],
)
def released(request, tmp_path_factory):
    """A full-size released checkpoint with random weights: (architecture, data set, state dicts, file)."""
    architecture, dataset, several_gpus = request.param
    torch.manual_seed(0)
    dim, visual = ENCODERS[architecture][0], released_code.encoder(architecture)
    settings = DATASET_SETTINGS[dataset]
    head = released_code.head(dim, [int(settings[f"{gate}_gate_ratio"] * dim) for gate in ("visual", "prompt")])
    path = tmp_path_factory.mktemp("released") / "checkpoint_best.pt"
    backbone = {f"backbone.{several_gpus}{name}": tensor for name, tensor in visual.items()}
    torch.save(released_code.checkpoint(head | backbone), path)
    yield architecture, dataset, visual, head, path
    path.unlink()


def test_a_converted_full_size_checkpoint_gives_the_logits_of_specs_equations(released, tmp_path):
    architecture, dataset, visual, head, path = released
    support_videos, query_videos = CLIPS.paths[0:21:20], CLIPS.paths[1:22:20]
    class_text = torch.randn(2, ENCODERS[architecture][0])

    opened = clipspm_lite.load(path, dataset=dataset, frames=FRAMES, store=tmp_path)
    assert architecture in repr(opened) and "no actions yet" in repr(opened)
    features = opened.store.encode(support_videos)[:, None]
    support = Support(CLIPS.classes[:2], features, torch.ones(2, 1, dtype=torch.bool), class_text)
    recogniser = Recogniser(opened.head, opened.store, support)
    together = recogniser.predict(query_videos, together=True)
    alone = recogniser.predict(query_videos)

    with torch.no_grad():
        pixels = torch.stack([load_video(v, FRAMES, 224, resize=256) for v in (*support_videos, *query_videos)])
        frames = ENCODERS[architecture][1](visual, pixels.flatten(0, 1)).unflatten(0, (4, FRAMES))
        episode = frames[:2, None], frames[2:], class_text
        gates = {name: DATASET_SETTINGS[dataset][name] for name in ("prompt_weight", "gate_slope")}
        expected = released_code.logits(head, *episode, **gates)
        expected_alone = torch.cat(
            [released_code.logits(head, frames[:2, None], q[None], class_text, **gates) for q in frames[2:]]
        )
    for predictions, reference in ((together, expected), (alone, expected_alone)):
        logits = [{s.action: s.logit for s in p.ranking} for p in predictions]
        ours = torch.tensor([[row[name] for name in support.classes] for row in logits])
        torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-4)
    assert opened.head.motion_loss_weight == head["mo_alpha1"] and opened.head.motion_loss_weight.requires_grad

    # Kept in one file, it opens again with the same released weights, and still needs no text encoder.
    recogniser.save(tmp_path / "mine.safetensors")
    with pytest.raises(CheckpointError, match=r"checkpoint_best\.pt.*weights.*mine\.safetensors$"):
        clipspm_lite.load(tmp_path / "mine.safetensors")
    again = clipspm_lite.load(tmp_path / "mine.safetensors", weights=path, store=tmp_path)
    assert again.predict(query_videos)[0].ranking[0].logit == pytest.approx(alone[0].ranking[0].logit, abs=1e-4)


def test_class_names_need_a_text_encoder_and_it_comes_from_a_file(tmp_path):
    torch.manual_seed(0)
    visual = released_code.encoder("RN50-quickgelu")
    head = released_code.head(1024, (512, 1536), head_width=2, mlp=16)
    entries = {f"backbone.{name}": tensor for name, tensor in visual.items()} | head
    path = tmp_path / "checkpoint_best.pt"
    torch.save(released_code.checkpoint(entries), path)
    settings = dict(dataset="hmdb51", frames=FRAMES, store=tmp_path)

    with pytest.raises(ValueError, match="text_weights: .*openai"):
        clipspm_lite.load(path, **settings).with_support(CLIPS)
    assert not list(tmp_path.glob("features-*")), "refused before any video was encoded"

    whole = load_backbone("RN50-quickgelu", weights="random")
    save_file({k: v.contiguous() for k, v in whole.clip.state_dict().items()}, tmp_path / "clip.safetensors")
    expected = whole.encode_class_names(["waving"], ["{}"])
    del whole
    for argument in ("weights", "text_weights"):
        opened = open_checkpoint(path, **{argument: tmp_path / "clip.safetensors"}, **settings)
        backbone = opened.store.backbone
        torch.testing.assert_close(backbone.encode_class_names(["waving"], ["{}"]), expected)
        torch.testing.assert_close(backbone.clip.visual.conv1.weight, visual["conv1.weight"])
    for other in ("RN50", "ViT-B-16-quickgelu", "tiny"):  # RN50 computes with GELU
        with pytest.raises(ValueError, match=other if other == "tiny" else r"checkpoint_best\.pt$"):
            open_checkpoint(path, backbone=other, **settings)


@pytest.fixture
def small(tmp_path):
    """Writes a checkpoint with the released names and a head of width 8, its entries changed as asked."""

    def write(drop=(), state=None, **changes):
        torch.manual_seed(0)
        entries = released_code.head(8, (4, 12), head_width=2, mlp=16) | {"backbone.class_embedding": torch.zeros(8)}
        entries = {name: tensor for name, tensor in entries.items() if name not in drop} | (state or {})
        path = tmp_path / "checkpoint_best.pt"
        torch.save(released_code.checkpoint(entries) | changes, path)
        return path

    return write


@pytest.mark.parametrize("dataset", [None, {"prompt_weight": 0.2}, "ucf101", "hmdb"], ids=str)
def test_what_the_shapes_cannot_tell_is_asked_for_and_a_data_set_that_cannot_be_is_refused(small, dataset):
    with pytest.raises(ValueError, match="dataset: .*hmdb51"):
        clipspm_lite.load(small(), dataset=dataset)


@pytest.mark.parametrize(
    ("drop", "state", "name"),
    [
        (["gate_text.0.bias"], {}, "fusion.prompt_gate.fc1.bias"),
        ([], {"motion_conv1.weight": torch.zeros(8, 8, 5)}, "mfe.conv1.weight"),
        ([], {"gate_text.0.bias": 3}, "model_state_dict"),
        (["backbone.class_embedding"], {}, "backbone"),
        ([], {}, "ViT-B-16-quickgelu"),
    ],
)
def test_entries_that_are_not_the_released_codes_are_one_error_that_names_them(small, drop, state, name):
    path = small(drop, state)
    with pytest.raises(CheckpointError, match=rf"{name}.*checkpoint_best\.pt$") as error:
        clipspm_lite.load(path, dataset={"prompt_weight": 0.2, "gate_slope": 0.01})
    assert "\n" not in str(error.value)


def test_of_numpy_only_the_accuracy_is_let_through_also_as_numpy_1_wrote_it(small, tmp_path):
    for accuracy in (np.zeros(3), np.float32(1)):
        with pytest.raises(CheckpointError, match="checkpoint_best.pt"):
            read_released(small(acc=accuracy))
    old = tmp_path / "numpy1.pt"
    with zipfile.ZipFile(small()) as now, zipfile.ZipFile(old, "w") as then:
        for name in now.namelist():
            then.writestr(name, now.read(name).replace(b"cnumpy._core.multi", b"cnumpy.core.multi"))
    for path in (small(), old):
        assert read_released(path)[2]["motion_loss_weight"] == torch.tensor(0.7)
