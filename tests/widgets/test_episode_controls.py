"""Choosing an episode: drawn from a seed, of chosen classes, or of a hard pair."""

from dataclasses import replace

import pytest

from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.widgets.episodes import choose_episode, episode_of, keep_within_way
from clipspm_lite.widgets.gallery import Gallery

DRAWN = dict(way=3, shot=2, seed=1, number=4, pair=(), classes=())


def test_a_drawn_episode_is_the_one_that_the_sampler_lists(gallery):
    expected = EpisodeSampler(gallery.data.videos_per_class, 3, 2, seed=1)[4]
    assert episode_of(gallery, **DRAWN) == (expected, "Episode 4 of seed 1, 3 classes drawn")


@pytest.mark.parametrize(
    "choice", [dict(pair=(3, 1)), dict(classes=(1, 3)), dict(pair=(1, 3), classes=(0, 2))]
)
def test_chosen_classes_are_all_there_and_their_videos_are_theirs(gallery, choice):
    for number in range(20):
        episode, _ = episode_of(gallery, **DRAWN | choice | dict(number=number))
        assert set(episode.classes) == {1, 3}
        assert [len(videos) for videos in episode.support] == [2, 2]
        for label, number_of_class in enumerate(episode.classes):
            videos = [*episode.support[label], episode.query[label]]
            assert len(set(videos)) == 3
            assert {gallery.class_of(video) for video in videos} == {number_of_class}


def test_one_class_alone_is_refused_with_what_to_do(gallery):
    with pytest.raises(ValueError, match="classes: choose two or more"):
        episode_of(gallery, **DRAWN | dict(classes=(2,)))


def test_controls_offer_no_more_than_there_is(gallery):
    controls = choose_episode(gallery)
    assert (controls["way"].max, controls["way"].value) == (4, 4)
    assert controls["shot"].max == 5
    few = replace(gallery.data, videos_per_class=(2, 2, 2, 2), features=gallery.data.features[:8])
    videos = tuple(names[:2] for names in gallery.dataset.videos)
    small = Gallery(replace(gallery.dataset, videos=videos), few, gallery.model)
    assert choose_episode(small)["shot"].max == 1


def test_a_slider_over_the_classes_ends_at_their_number(gallery):
    controls = choose_episode(gallery)
    controls["query"] = type(controls["way"])(description="query", min=1, max=9, value=4)
    keep_within_way(controls, "query")
    assert controls["query"].max == 4
    controls["pair"].value = controls["pair"].options[1][1]
    assert (controls["query"].max, controls["query"].value) == (2, 2)
    controls["pair"].value = ()
    controls["classes"].value = (0, 1, 2)
    assert controls["query"].max == 3
