"""Frames and names through open_clip: shapes, pixels, gradients, and weights that are what they claim."""

import warnings
from functools import partial

import open_clip
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor

from clipspm_lite.clip.backbone import TINY_CLIP_DIR, load_backbone
from clipspm_lite.clip.prompts import TEMPLATES, fill_templates
from clipspm_lite.data.datasets import sample_world

CLOSE = {"atol": 1e-3, "rtol": 1e-4}  # the tiny CLIP's features reach 50


@pytest.fixture(scope="module")
def tiny():
    return load_backbone("tiny")


def test_frames_keep_their_leading_axes_are_not_normalised_and_may_be_encoded_in_chunks(tiny):
    frames = torch.rand(2, 3, 2, 3, 64, 64)
    features = tiny.encode_frames(frames)
    assert features.shape == (2, 3, 2, tiny.dim)
    assert not torch.allclose(features.norm(dim=-1), torch.ones(2, 3, 2), atol=0.1)
    torch.testing.assert_close(tiny.encode_frames(frames, chunk=5), features, **CLOSE)
    assert tiny.encode_frames(frames[:0]).shape == (0, 3, 2, tiny.dim)


def test_pixels_are_prepared_as_open_clip_prepares_them_unless_they_shall_be_raw(tiny):
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{TINY_CLIP_DIR}")
    image = Image.fromarray(torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8).numpy())
    with torch.no_grad():
        prepared, raw = (model.eval().encode_image(x[None]) for x in (preprocess(image), to_tensor(image)))
    frames = to_tensor(image)[None]
    torch.testing.assert_close(tiny.encode_frames(frames), prepared, **CLOSE)
    torch.testing.assert_close(load_backbone("tiny", normalize_pixels=False).encode_frames(frames), raw, **CLOSE)


@pytest.mark.parametrize(
    "frames",
    [
        torch.rand(8, 3, 112, 112),
        torch.rand(3, 64, 64),
        torch.zeros(8, 3, 64, 64, dtype=torch.uint8),
        255 * torch.rand(8, 3, 64, 64),
        torch.full((8, 3, 64, 64), float("nan")),
    ],
)
def test_wrong_frames_are_refused(tiny, frames):
    with pytest.raises(ValueError, match="frames: "):
        tiny.encode_frames(frames)


def test_a_frozen_backbone_builds_no_graph_and_a_trainable_one_trains_only_its_visual_encoder():
    backbone = load_backbone("tiny")
    frames = torch.rand(2, 3, 64, 64)
    assert not backbone.encode_frames(frames).requires_grad

    backbone.set_trainable(True).train()
    running_mean = backbone.clip.visual.bn1.running_mean.clone()
    backbone.encode_frames(frames).square().sum().backward()
    trained = {name for name, parameter in backbone.clip.named_parameters() if parameter.grad is not None}
    assert trained == {f"visual.{name}" for name, _ in backbone.clip.visual.named_parameters()}
    assert torch.equal(backbone.clip.visual.bn1.running_mean, running_mean), "BatchNorm keeps its statistics"
    assert not backbone.encode_class_names(["waving"]).requires_grad


def test_gradient_checkpointing_keeps_far_less_and_gives_the_same_gradients():
    backbone = load_backbone().set_trainable(True).train()
    frames = torch.rand(8, 3, backbone.image_size, backbone.image_size)
    gradients, kept = [], []
    for recompute in (False, True):
        sizes: list[int] = []
        count = partial(lambda sizes, tensor: (sizes.append(tensor.nbytes), tensor)[1], sizes)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            features = backbone.encode_frames(frames, chunk=2, recompute=recompute)
        kept.append(sum(sizes))
        gradients.append(torch.autograd.grad(features.square().mean(), backbone.clip.visual.parameters()))
    assert kept[1] < kept[0] / 5
    for with_it, without in zip(*reversed(gradients), strict=True):
        torch.testing.assert_close(with_it, without)


def test_a_class_name_is_the_mean_over_the_templates(tiny):
    assert len(set(TEMPLATES)) == 16 and tiny.encode_class_names([]).shape == (0, tiny.dim)
    names = ["RaisingBoth_arms", "waving [something]"]
    features = tiny.encode_class_names(names)
    with torch.no_grad():
        tokens = tiny.tokenizer(fill_templates("raising both arms"))
        expected = tiny.clip.encode_text(tokens).mean(dim=0)
    assert features.shape == (2, tiny.dim)
    torch.testing.assert_close(features[0], expected)
    torch.testing.assert_close(tiny.encode_class_names(names[:1])[0], features[0])
    assert not torch.allclose(tiny.encode_class_names(names, templates=["{} seen"]), features)
    with pytest.raises(TypeError, match=r"\['waving'\]"):
        tiny.encode_class_names("waving")


def test_names_that_the_text_encoder_cuts_off_are_counted_in_one_warning_and_the_worlds_are_not_cut(tiny):
    long = ["Pretending to squeeze something", "waving", "Pouring something into something"]
    with pytest.warns(UserWarning) as warned:
        tiny.encode_class_names(long)
    assert all(repr(name) in str(w.message) for name, w in zip(long[::2], warned, strict=True))
    assert {w.filename for w in warned} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for part in ("base", "validation", "novel"):
            tiny.encode_class_names(sample_world(part).classes)


def test_the_fingerprint_follows_weights_and_pixels_and_nothing_else(tiny):
    assert load_backbone("tiny").fingerprint == load_backbone(f"local-dir:{TINY_CLIP_DIR}").fingerprint
    assert load_backbone("tiny", normalize_pixels=False).fingerprint != tiny.fingerprint
    changed = load_backbone("tiny")
    with torch.no_grad():
        changed.clip.visual.conv1.weight[0, 0, 0, 0] += 1e-3
    assert changed.fingerprint != tiny.fingerprint


@pytest.mark.parametrize(("name", "dim"), [("ViT-B-16-quickgelu", 512), ("RN50-quickgelu", 1024)])
def test_real_architectures_work_at_full_size_without_trained_weights(name, dim):
    backbone = load_backbone(name, weights="random")
    assert (backbone.dim, backbone.image_size) == (dim, 224)
    assert backbone.encode_frames(torch.rand(1, 2, 3, 224, 224), chunk=1).shape == (1, 2, dim)
    assert backbone.encode_class_names(["waving"], templates=["a video of {}"]).shape == (1, dim)
    assert torch.equal(backbone.pixel_mean.flatten(), torch.tensor(open_clip.OPENAI_DATASET_MEAN))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": "ViT-B/16"}, ValueError, "backbone: .*found 'ViT-B/16'"),
        ({"name": "RN50"}, ValueError, "weights of RN50"),
        ({"name": "RN50", "weights": "opnai"}, ValueError, "openai.*found 'opnai'"),
        ({"name": "RN50", "weights": "openai"}, ValueError, "RN50-quickgelu"),
        ({"name": "RN50", "weights": "gone.pt"}, ValueError, r"gone\.pt"),
        ({"name": "tiny", "weights": "openai"}, ValueError, "weights: "),
        ({"name": "local-dir:nowhere"}, FileNotFoundError, "nowhere"),
    ],
)
def test_unknown_names_and_weights_are_refused_and_never_turn_random(arguments, error, message):
    with pytest.raises(error, match=message):
        load_backbone(**arguments)
