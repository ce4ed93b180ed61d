from dataclasses import replace

import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.data.datasets import open_folder, sample_world
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.widgets.gallery import SIZE, Gallery


@pytest.fixture
def parts():
    world = sample_world("validation")
    dataset = open_folder(world.root, world.classes[:3])
    features = torch.randn(sum(dataset.videos_per_class), 8, 16)
    data = EncodedDataset(dataset.classes, dataset.videos_per_class, features, torch.randn(3, 16))
    return dataset, data, CLIPSPM(16, heads=1, head_dim=4, mlp_dim=4).eval()


def test_a_video_is_found_with_its_class_and_its_frames(parts):
    gallery = Gallery(*parts)
    assert gallery.starts == (0, 20, 40)
    assert [gallery.class_of(video) for video in (0, 19, 20, 59)] == [0, 0, 1, 2]
    clip = gallery.clip(20)
    assert clip.shape == (8, 3, SIZE, SIZE) and 0 <= clip.min() < clip.max() <= 1
    assert gallery.names[0] == gallery.dataset.classes[0].replace("_", " ")


def test_parts_that_do_not_fit_together_are_refused(parts):
    dataset, data, model = parts
    with pytest.raises(ValueError, match="classes"):
        Gallery(dataset, replace(data, classes=("a", "b", "c")), model)
    with pytest.raises(ValueError, match="width"):
        Gallery(dataset, replace(data, features=torch.randn(60, 8, 8), class_text=torch.randn(3, 8)), model)
    with pytest.raises(ValueError, match="parts: expected one for each of 3"):
        Gallery(dataset, data, model, parts=("base",))


def test_hard_pairs_are_the_order_reversed_ones_and_then_those_that_look_alike(gallery):
    named = {(gallery.names[one], gallery.names[other], why) for one, other, why in gallery.hard_pairs}
    assert named == {
        ("raising a box", "lowering a box", "order-reversed"),
        ("picking up a ball", "putting down a ball", "order-reversed"),
    }
