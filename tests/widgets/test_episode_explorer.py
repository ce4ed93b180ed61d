"""The episode explorer: what is drawn are the model's answers and the terms of its score; how an episode is chosen."""

from dataclasses import replace

import pytest
import torch

from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.widgets import episode
from clipspm_lite.widgets.choices import choose_episode, episode_of
from clipspm_lite.widgets.episode import episode_explorer
from clipspm_lite.widgets.gallery import Gallery

DRAWN = dict(way=3, shot=2, seed=1, number=4, pair=(), classes=())
HEADS = (
    {}, dict(with_anchor=False), dict(with_padm=False), dict(with_spm=False),
    {"model": "clip-spm-extended", "centred_distance": True, "anchor": "query"},
)  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_the_bars_and_the_answer_are_the_models(head, with_head, drawn_with):
    gallery, calls = with_head(**head), drawn_with(episode, "stacked_distances")
    explorer = episode_explorer(gallery)
    drawn = EpisodeSampler(gallery.data.videos_per_class, 4)[0]
    batch = gather(gallery.data.features, gallery.data.class_text, [drawn])
    for asked in (True, False):
        explorer.controls["asked"].value = asked
        explorer.controls["query"].value = 3
        with torch.inference_mode():
            output = gallery.model(batch.support, batch.query, batch.class_text, inductive=asked)
        terms, names, label = calls[-1]
        assert label == 2
        torch.testing.assert_close(sum(terms.values()), -output.logits[0, 2])
        if output.spm is not None:
            torch.testing.assert_close(terms["½ D_SPM"], output.spm.distance[0, 2] / 2)
        assert f"shortest: {names[int(output.logits[0, 2].argmax())]}." in explorer.pictures["distances"].value
        right = int((output.logits[0].argmax(-1) == torch.arange(4)).sum())
        assert f"{right} of 4 answered rightly" in explorer.pictures["board"].value
        explorer.controls["query"].value = 1
    shared = "one row for all queries" in explorer.pictures["distances"].value
    assert shared == (head in ({}, dict(with_spm=False)))


def test_a_single_chosen_class_is_said_and_the_pictures_stay(gallery):
    explorer = episode_explorer(gallery)
    before = explorer.pictures["board"].value
    explorer.controls["classes"].value = (1,)
    assert "choose two or more" in explorer.status.value and explorer.pictures["board"].value == before
    explorer.controls["classes"].value = ()
    assert explorer.status.value == ""


def test_a_drawn_episode_is_the_one_that_the_sampler_lists(gallery):
    expected = EpisodeSampler(gallery.data.videos_per_class, 3, 2, seed=1)[4]
    assert episode_of(gallery, **DRAWN) == (expected, "Episode 4 of seed 1, 3 classes drawn")


@pytest.mark.parametrize("choice", [dict(pair=(3, 1)), dict(classes=(1, 3)), dict(pair=(1, 3), classes=(0, 2))])
def test_chosen_classes_are_all_there_and_their_videos_are_theirs(gallery, choice):
    for number in range(20):
        chosen, _ = episode_of(gallery, **DRAWN | choice | dict(number=number))
        assert set(chosen.classes) == {1, 3}
        for label, number_of_class in enumerate(chosen.classes):
            videos = [*chosen.support[label], chosen.query[label]]
            assert len(set(videos)) == 3
            assert {gallery.class_of(video) for video in videos} == {number_of_class}


def test_controls_offer_no_more_than_there_is(gallery):
    controls = choose_episode(gallery)
    assert (controls["way"].max, controls["way"].value, controls["shot"].max) == (4, 4, 5)
    few = replace(gallery.data, videos_per_class=(2, 2, 2, 2), features=gallery.data.features[:8])
    dataset = replace(gallery.dataset, videos=tuple(names[:2] for names in gallery.dataset.videos))
    assert choose_episode(Gallery(dataset, few, gallery.model))["shot"].max == 1
    controls = episode_explorer(gallery).controls
    controls["query"].value = 4
    for choice, value, classes in (("pair", (0, 1), 2), ("pair", (), 4), ("classes", (0, 1, 2), 3)):
        controls[choice].value = value
        assert controls["query"].max == classes and controls["query"].value <= classes
