"""The motion explorer: each control changes its pictures, and what is said and drawn are the model's own numbers."""

import gc
import re
from dataclasses import replace

import pytest
import torch
from matplotlib.figure import Figure
from torch.nn import functional as F

from clipspm_lite import CLIPSPM
from clipspm_lite.model.hsmr import MotionFeatureExtraction, hsmr
from clipspm_lite.widgets.motion import FRESH, TWINS, changed, motion_explorer, with_motion

CLIP = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
DONOR = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def explorer(gallery):
    return motion_explorer(gallery)


def shown(explorer):
    return {name: picture.value for name, picture in explorer.pictures.items()}


@pytest.mark.parametrize(
    ("control", "value", "pictures"),
    [
        ("action", 2, {"clips", "features", "steps"}),
        ("clip", 5, {"clips", "features", "steps"}),
        ("donor", 1, {"clips", "features", "steps"}),
        ("motion", "antisymmetric", {"features", "steps"}),
        ("weights", FRESH, {"features", "steps"}),
        ("level", "deep", {"steps"}),
    ],
)
def test_a_control_changes_its_pictures_and_only_those(explorer, control, value, pictures, changed_by):
    assert changed_by(explorer, control, value) == pictures
    assert all(re.search('alt="[^"]{20,}"', text) for text in shown(explorer).values())


def test_twins_differ_from_the_clip_in_what_they_are_called_after():
    twins = changed(CLIP, DONOR)
    assert tuple(twins) == TWINS
    assert torch.equal(twins["reversed"].flip(0), CLIP)
    assert (twins["still"] == CLIP[0]).all()
    assert torch.equal(twins["shuffled"], CLIP[[0, 4, 2, 6, 1, 5, 3, 7]])  # as in notebook 04
    torch.testing.assert_close(twins["other background"].mean(0), DONOR.mean(0))
    torch.testing.assert_close(twins["other background"].diff(dim=0), CLIP.diff(dim=0))


@pytest.mark.parametrize("frames", [2, 3, 5, 16])
def test_any_number_of_frames_is_shuffled_without_loss_and_keeps_its_ends(frames):
    clip = torch.arange(frames).float()[:, None]
    shuffled = changed(clip, clip)["shuffled"].flatten().tolist()
    assert sorted(shuffled) == list(range(frames)) and (shuffled[0], shuffled[-1]) == (0, frames - 1)


def test_numbers_said_are_those_of_the_models_hsmr(explorer, gallery):
    videos, model = gallery.data.features, gallery.model
    twins = torch.stack(list(changed(videos[0], videos[gallery.starts[-1]]).values()))
    frames = 16**0.5 * F.normalize(twins, dim=-1)  # the lite preset's scale
    with torch.inference_mode():
        output = hsmr(frames, model.mfe, model.fusion)
    cosine = float(F.cosine_similarity(output.shallow[1], output.shallow[0], dim=-1))
    length = float(output.shallow[1].norm() / output.shallow[0].norm())
    said = explorer.pictures["features"].value
    assert f"reversed {length:.2f} × as long, cosine {cosine:.2f}" in said
    assert f"original {float(output.disagreement()[0]):.3g}, " in said


def test_before_training_is_the_same_configuration_with_seeded_weights(explorer, gallery):
    torch.manual_seed(0)
    fresh = CLIPSPM(**vars(gallery.model.config)).eval()
    explorer.controls["weights"].value = FRESH
    said = explorer.pictures["features"].value
    assert "before training (seed 0)" in said
    again = motion_explorer(replace(gallery, model=fresh))
    numbers = re.search("m shallow beside the original.*?</em>", said)[0]
    assert numbers in again.pictures["features"].value


def test_making_an_explorer_leaves_random_numbers_alone(gallery):
    torch.manual_seed(5)
    motion_explorer(gallery)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))


def test_antisymmetric_motion_is_silent_for_the_still_twin(explorer):
    explorer.controls["motion"].value = "antisymmetric"
    said = explorer.pictures["features"].value
    assert "still 0.00 × as long, no direction" in said
    assert "for symmetric motion" in said


def test_the_steps_average_to_the_motion_feature():
    for motion, reduction in (("symmetric", "mean"), ("antisymmetric", "mean"), ("symmetric", "sum")):
        mfe = MotionFeatureExtraction(3, motion=motion, reduction=reduction)
        found = mfe.steps(CLIP)
        assert found.shape == (7, 3)
        torch.testing.assert_close(mfe(CLIP), found.mean(0) * (1 if reduction == "mean" else 14))
        other = with_motion(mfe, "antisymmetric")
        assert other.reduction == reduction and torch.equal(other.conv1.weight, mfe.conv1.weight)


def test_the_background_of_its_own_class_comes_from_another_clip(explorer, gallery):
    explorer.controls["donor"].value = 0
    assert f"that of {gallery.names[0]} 2 put in its place" in explorer.pictures["clips"].value


def test_no_figure_outlives_its_picture(explorer):
    for number in range(60):
        explorer.controls["level"].value = ("deep", "shallow")[number % 2]
    gc.collect()
    assert sum(type(thing) is Figure for thing in gc.get_objects()) <= 1
