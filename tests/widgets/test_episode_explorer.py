"""The episode explorer: what is drawn are the model's answers and the terms of its score; how an episode is chosen."""

from dataclasses import replace

import pytest
import torch
from conftest import seen

from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.widgets import episode
from clipspm_lite.widgets.choices import ANY, choose_episode, episode_of
from clipspm_lite.widgets.episode import episode_explorer
from clipspm_lite.widgets.gallery import Gallery

DRAWN = dict(way=3, shot=2, seed=1, number=4, pair=(), first=ANY, second=ANY)
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
        shown = seen(explorer, "distances")
        terms, names, label = calls[-1]
        assert label == 2
        torch.testing.assert_close(sum(terms.values()), -output.logits[0, 2])
        if output.spm is not None:
            torch.testing.assert_close(terms["½ D_SPM"], output.spm.distance[0, 2] / 2)
        assert f"shortest: {names[int(output.logits[0, 2].argmax())]}." in shown
        right = int((output.logits[0].argmax(-1) == torch.arange(4)).sum())
        assert f"{right} of 4 answered rightly" in seen(explorer, "board")
        explorer.controls["query"].value = 1
    shared = "one row for all queries" in seen(explorer, "distances")
    assert shared == (head in ({}, dict(with_spm=False)))


def test_way_and_classes_are_grey_beside_a_hard_pair(gallery):
    explorer = episode_explorer(gallery)
    names = ("way", "first", "second", "shot", "seed", "pair")
    assert not any(explorer.controls[name].disabled for name in names)
    explorer.controls["pair"].value = (0, 1)
    assert [explorer.controls[name].disabled for name in names] == [True] * 3 + [False] * 3


def test_how_queries_are_asked_is_grey_without_padm(with_head):
    assert episode_explorer(with_head(with_padm=False)).controls["asked"].disabled


def test_a_drawn_episode_is_the_one_that_the_sampler_lists(gallery):
    expected = EpisodeSampler(gallery.data.videos_per_class, 3, 2, seed=1)[4]
    assert episode_of(gallery, **DRAWN) == (expected, "Episode 4 of seed 1, 3 classes drawn")


@pytest.mark.parametrize(
    ("choice", "wanted", "way"),
    [
        (dict(pair=(3, 1)), {1, 3}, 2),
        (dict(pair=(1, 3), first=0), {1, 3}, 2),
        (dict(first=2), {2}, 3),
        (dict(first=2, second=2), {2}, 3),
        (dict(first=0, second=3), {0, 3}, 3),
    ],
)
def test_chosen_classes_are_all_there_and_their_videos_are_theirs(gallery, choice, wanted, way):
    others = set()
    for number in range(20):
        chosen, _ = episode_of(gallery, **DRAWN | choice | dict(number=number))
        assert wanted <= set(chosen.classes) and len(set(chosen.classes)) == way
        others |= set(chosen.classes) - wanted
        for label, number_of_class in enumerate(chosen.classes):
            videos = [*chosen.support[label], chosen.query[label]]
            assert len(set(videos)) == 3
            assert {gallery.class_of(video) for video in videos} == {number_of_class}
    assert others == (set() if way == 2 else {0, 1, 2, 3} - wanted)  # they are drawn


def test_controls_offer_no_more_than_there_is(gallery):
    controls = choose_episode(gallery)
    assert (controls["way"].max, controls["way"].value, controls["shot"].max) == (4, 4, 5)
    few = replace(gallery.data, videos_per_class=(2, 2, 2, 2), features=gallery.data.features[:8])
    dataset = replace(gallery.dataset, videos=tuple(names[:2] for names in gallery.dataset.videos))
    assert choose_episode(Gallery(dataset, few, gallery.model))["shot"].max == 1
    controls = episode_explorer(gallery).controls
    controls["query"].value = 4
    for choice, value, classes in (("pair", (0, 1), 2), ("pair", (), 4), ("way", 3, 3)):
        controls[choice].value = value
        assert controls["query"].max == classes and controls["query"].value <= classes
