"""The motion explorer: what is said and drawn are the model's own numbers."""

import re
from dataclasses import replace

import pytest
import torch
from conftest import seen
from torch.nn import functional as F

from clipspm_lite.model.heads import build_head, describe_head
from clipspm_lite.model.hsmr import MotionFeatureExtraction, hsmr
from clipspm_lite.widgets.motion import FRESH, TWINS, motion_explorer, twins_of, with_motion

CLIP = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
DONOR = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def explorer(gallery):
    return motion_explorer(gallery)


def test_twins_differ_from_the_clip_in_what_they_are_called_after():
    twins = twins_of(CLIP, DONOR)
    assert tuple(twins) == TWINS
    assert torch.equal(twins["reversed"].flip(0), CLIP)
    assert (twins["still"] == CLIP[0]).all()
    assert torch.equal(twins["shuffled"], CLIP[[0, 4, 2, 6, 1, 5, 3, 7]])  # as in notebook 05
    torch.testing.assert_close(twins["other background"].mean(0), DONOR.mean(0))
    torch.testing.assert_close(twins["other background"].diff(dim=0), CLIP.diff(dim=0))


def test_numbers_said_are_those_of_the_models_hsmr(explorer, gallery):
    videos, model = gallery.data.features, gallery.model
    twins = torch.stack(list(twins_of(videos[0], videos[gallery.starts[-1]]).values()))
    frames = 16**0.5 * F.normalize(twins, dim=-1)  # the lite preset's scale
    with torch.inference_mode():
        output = hsmr(frames, model.mfe, model.fusion)
    cosine = float(F.cosine_similarity(output.shallow[1], output.shallow[0], dim=-1))
    length = float(output.shallow[1].norm() / output.shallow[0].norm())
    said = seen(explorer, "features")
    assert f"reversed {length:.2f} × as long, cosine {cosine:.2f}" in said
    assert f"original {float(output.disagreement()[0]):.3g}, " in said


def test_before_training_is_the_same_configuration_with_seeded_weights(explorer, gallery):
    torch.manual_seed(0)
    fresh = build_head(describe_head(gallery.model)).eval()
    drawn = torch.rand(3)
    explorer.controls["weights"].value = FRESH
    said = seen(explorer, "features")
    assert "before training (seed 0)" in said
    torch.manual_seed(0)
    build_head(describe_head(gallery.model))
    again = motion_explorer(replace(gallery, model=fresh))
    assert torch.equal(drawn, torch.rand(3))  # making an explorer draws no random numbers
    assert re.search("m shallow beside the original.*?</em>", said)[0] in seen(again, "features")


def test_antisymmetric_motion_is_silent_for_the_still_twin(explorer):
    explorer.controls["motion"].value = "antisymmetric"
    said = seen(explorer, "features")
    assert "still 0.00 × as long, no direction" in said and "for symmetric motion" in said


def test_the_background_of_its_own_class_comes_from_another_clip(explorer, gallery):
    explorer.controls["donor"].value = 0
    assert f"that of {gallery.names[0]} 2 put in its place" in seen(explorer, "clips")


def test_the_steps_average_to_the_motion_feature():
    for motion, reduction in (("symmetric", "mean"), ("antisymmetric", "mean"), ("symmetric", "sum")):
        mfe = MotionFeatureExtraction(3, motion=motion, reduction=reduction)
        found = mfe.steps(CLIP)
        assert found.shape == (7, 3)
        torch.testing.assert_close(mfe(CLIP), found.mean(0) * (1 if reduction == "mean" else 14))
        other = with_motion(mfe, "antisymmetric")
        assert other.reduction == reduction and torch.equal(other.conv1.weight, mfe.conv1.weight)
