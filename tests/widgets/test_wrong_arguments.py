"""What explorers refuse, and that a control never leaves a traceback."""

from dataclasses import replace

import pytest
import torch

from clipspm_lite.widgets.alignment import alignment_explorer
from clipspm_lite.widgets.embeddings import embeddings_explorer
from clipspm_lite.widgets.episode import episode_explorer
from clipspm_lite.widgets.gallery import Gallery
from clipspm_lite.widgets.motion import motion_explorer
from clipspm_lite.widgets.own_clip import own_clip_explorer
from clipspm_lite.widgets.prompt import prompt_explorer
from clipspm_lite.widgets.prototypes import prototypes_explorer

EXPLORERS = (
    alignment_explorer, embeddings_explorer, episode_explorer, motion_explorer, prompt_explorer, prototypes_explorer,
)  # fmt: skip


@pytest.mark.parametrize("explorer", EXPLORERS)
@pytest.mark.parametrize("wrong", [None, "gallery", torch.ones(2)])
def test_an_explorer_of_no_gallery_says_what_it_needs(explorer, wrong):
    with pytest.raises(TypeError, match=f"^gallery: expected a Gallery .*, found {type(wrong).__name__}$"):
        explorer(wrong)


@pytest.mark.parametrize("attribute", ["dataset", "data", "model"])
def test_a_gallery_of_something_else_names_it(attribute, gallery):
    with pytest.raises(TypeError, match=f"^{attribute}: expected a [A-Za-z]+, found str$"):
        replace(gallery, **{attribute: "x"})


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "5", None])
def test_numbers_of_an_explorer_are_whole(wrong, gallery):
    for explorer, name in (
        (embeddings_explorer, "episodes"), (prompt_explorer, "episodes"), (prompt_explorer, "way"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}: expected a whole number of at least 1, found"):
            explorer(gallery, **{name: wrong})


def test_an_explorer_of_no_recogniser_says_so(gallery):
    with pytest.raises(ValueError, match="^recognisers: expected at least one"):
        own_clip_explorer({}, gallery.dataset, gallery.dataset.paths[0])


def test_a_picture_that_is_not_there_is_named_beside_those_that_are(gallery):
    with pytest.raises(ValueError, match="^name: expected one of matrix, pairs, found 'matrx'"):
        alignment_explorer(gallery).static("matrx")


def test_a_control_of_the_map_that_cannot_be_drawn_leaves_its_reason_and_no_traceback(gallery, monkeypatch):
    explorer = embeddings_explorer(gallery)

    def fail(*_):
        raise RuntimeError("the model\nis broken")

    monkeypatch.setattr("clipspm_lite.widgets.embeddings.cloud_of", fail)
    explorer.controls["episode"].value = 7
    assert "RuntimeError: the model is broken" in explorer.status.value


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_features_that_are_not_finite_leave_pictures_or_a_reason(explorer, gallery):
    data = replace(gallery.data)
    object.__setattr__(data, "features", gallery.data.features * float("nan"))  # as memory that went bad
    try:
        made = explorer(Gallery(gallery.dataset, data, gallery.model))
    except ValueError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert made.status.value == "" or "Error: " in made.status.value
