"""The episode explorer: each control moves its pictures, and what is drawn are the model's answers and distances."""

import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.widgets import episode
from clipspm_lite.widgets.episode import episode_explorer
from clipspm_lite.widgets.gallery import Gallery

ALL = {"board", "strips", "distances"}


@pytest.fixture
def explorer(gallery):
    return episode_explorer(gallery)


@pytest.fixture
def batch(gallery):
    return gather(
        gallery.data.features,
        gallery.data.class_text,
        [EpisodeSampler(gallery.data.videos_per_class, 4)[0]],
    )


@pytest.mark.parametrize(
    ("control", "value", "pictures"),
    [
        ("way", 3, ALL),
        ("shot", 3, ALL),
        ("seed", 2, ALL),
        ("number", 7, ALL),
        ("pair", (0, 1), ALL),
        ("classes", (0, 2, 3), ALL),
        ("query", 3, {"strips", "distances"}),
        ("frame", 5, {"board"}),
    ],
)
def test_a_control_changes_its_pictures_and_only_those(explorer, control, value, pictures, changed_by):
    assert changed_by(explorer, control, value) == pictures


@pytest.mark.parametrize("inductive", [False, True])
def test_parts_add_up_to_the_models_score(gallery, batch, inductive):
    for kept in ({}, {"with_anchor": False}, {"with_padm": False}, {"with_spm": False}):
        model = CLIPSPM(16, heads=2, head_dim=8, mlp_dim=16, **kept).eval()
        with torch.inference_mode():
            output = model(batch.support[0], batch.query[0], batch.class_text[0], inductive=inductive)
        parts = output.terms
        torch.testing.assert_close(sum(parts.values()), -output.logits)
        assert {"D_PADM", "D_anchor"} & set(parts) == {
            name
            for name, there in (
                ("D_PADM", model.with_padm),
                ("D_anchor", model.with_padm and model.with_anchor),
            )
            if there
        }
        if output.spm is not None:
            torch.testing.assert_close(parts["½ D_SPM"], output.spm.distance / 2, atol=1e-4, rtol=1e-4)


def test_the_bars_and_the_answer_are_the_models(gallery, batch, explorer, monkeypatch):
    calls = []
    original = episode.stacked_distances
    monkeypatch.setattr(
        episode, "stacked_distances", lambda *things: calls.append(things) or original(*things)
    )
    with torch.inference_mode():
        for asked in (True, False):
            explorer.controls["asked"].value = asked
            output = gallery.model(batch.support, batch.query, batch.class_text, inductive=asked)
            explorer.controls["query"].value = 3
            parts, names, label = calls[-1]
            assert label == 2
            torch.testing.assert_close(sum(parts.values()), -output.logits[0, 2], atol=1e-5, rtol=1e-4)
            answer = names[int(output.logits[0, 2].argmax())]
            assert f"shortest: {answer}." in explorer.pictures["distances"].value
            right = int((output.logits[0].argmax(-1) == torch.arange(4)).sum())
            assert f"{right} of 4 answered rightly" in explorer.pictures["board"].value
            explorer.controls["query"].value = 1


def test_play_moves_the_frames_and_is_not_started(explorer):
    _, button = explorer.children[0].children[-1].children
    assert not getattr(button, "playing", False)
    before = explorer.pictures["board"].value
    button.value = 4
    assert explorer.controls["frame"].value == 4 and explorer.pictures["board"].value != before


def test_a_single_chosen_class_is_said_and_the_pictures_stay(explorer):
    before = explorer.pictures["board"].value
    explorer.controls["classes"].value = (1,)
    assert "choose two or more" in explorer.status.value and explorer.pictures["board"].value == before
    explorer.controls["classes"].value = ()
    assert explorer.status.value == ""


@pytest.mark.parametrize("without", ["with_spm", "with_padm", "with_anchor"])
def test_a_model_without_a_part_is_explored_too(gallery, without):
    model = CLIPSPM(16, heads=2, head_dim=8, mlp_dim=16, **{without: False}).eval()
    assert episode_explorer(Gallery(gallery.dataset, gallery.data, model)).status.value == ""
