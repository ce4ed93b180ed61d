"""A gallery: clips, features and a model that fit each other, and the model in evaluation mode."""

from dataclasses import replace

import pytest

from clipspm_lite.model.heads import build_head
from clipspm_lite.widgets.gallery import PICTURE_SIZE


def test_a_video_is_found_with_its_class_and_its_frames(gallery):
    assert gallery.starts == (0, 20, 40, 60)
    assert [gallery.class_of(video) for video in (0, 19, 20, 59)] == [0, 0, 1, 2]
    assert gallery.video(1, 3) == 22 and gallery.clip_name(22) == f"{gallery.names[1]} 3"
    clip = gallery.clip(20)
    assert clip.shape == (8, 3, PICTURE_SIZE, PICTURE_SIZE) and 0 <= clip.min() < clip.max() <= 1
    assert gallery.names[0] == gallery.dataset.classes[0].replace("_", " ")


def test_what_does_not_fit_together_is_refused(gallery, with_head):
    with pytest.raises(ValueError, match="classes"):
        replace(gallery, data=replace(gallery.data, classes=("a", "b", "c", "d")))
    with pytest.raises(ValueError, match="width 8"):
        with_head(dim=8)
    with pytest.raises(TypeError, match="model: .*TRX"):
        replace(gallery, model=build_head({"model": "trx", "dim": 16}))


def test_hard_pairs_are_the_order_reversed_ones_and_then_those_that_look_alike(gallery):
    named = {(gallery.names[one], gallery.names[other], why) for one, other, why in gallery.hard_pairs}
    assert named == {
        ("raising a box", "lowering a box", "order-reversed"),
        ("picking up a ball", "putting down a ball", "order-reversed"),
    }
