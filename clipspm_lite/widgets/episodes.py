"""Controls that choose an episode of a gallery: drawn from a seed, of chosen classes, or of a hard pair."""

from itertools import accumulate
from typing import Any

import ipywidgets as widgets

from clipspm_lite.data.episodes import Episode, EpisodeSampler
from clipspm_lite.widgets.base import LABELLED
from clipspm_lite.widgets.clips import WIDTH
from clipspm_lite.widgets.gallery import Gallery

Chosen = tuple[int, ...]  # class numbers; none: not chosen
MOST_WAYS, MOST_SHOTS = 8, 5
SEEDS, EPISODES = 10, 100  # how many of each a slider offers


def choose_episode(gallery: Gallery) -> dict[str, Any]:
    """The controls by name; their values are the arguments of `episode_of`."""
    smallest = min(gallery.data.videos_per_class)
    named = list(zip(gallery.names, range(len(gallery.names)), strict=True))
    pairs = [
        (f"{gallery.names[one]} / {gallery.names[other]} ({kind})", (one, other))
        for one, other, kind in gallery.hard_pairs
    ]
    most_ways = min(MOST_WAYS, len(named))
    return {
        "way": widgets.IntSlider(
            description="way N", min=min(2, most_ways), max=most_ways, value=min(5, most_ways), style=LABELLED
        ),
        "shot": widgets.IntSlider(
            description="shot K", min=1, max=max(1, min(MOST_SHOTS, smallest - 1)), style=LABELLED
        ),
        "seed": widgets.IntSlider(description="seed", min=0, max=SEEDS - 1, style=LABELLED),
        "number": widgets.IntSlider(description="episode", min=0, max=EPISODES - 1, style=LABELLED),
        "pair": widgets.Dropdown(
            description="hard pair",
            options=[("none", ()), *pairs],
            style=LABELLED,
            layout={"width": "52em", "max_width": "100%"},
        ),
        "classes": widgets.SelectMultiple(
            description="classes", options=named, rows=4, style=LABELLED, layout={"width": WIDTH}
        ),
    }


def episode_of(
    gallery: Gallery,
    way: int,
    shot: int,
    seed: int,
    number: int,
    pair: Chosen,
    classes: Chosen,
) -> tuple[Episode, str]:
    """Episode ``number`` of the list ``seed``, one query a class, and where it is from, for captions.

    Its classes are the hard ``pair``; where that is empty the chosen ``classes``; where these are, ``way`` drawn ones.

    Raises:
        ValueError: a single class is chosen, or a class has too few videos.
    """
    if not pair and len(classes) == 1:
        raise ValueError("classes: choose two or more, or none to have them drawn")
    among = tuple(pair) or tuple(classes) or tuple(range(len(gallery.names)))
    counts = [gallery.data.videos_per_class[number] for number in among]
    sampler = EpisodeSampler(
        counts,
        len(among) if pair or classes else way,
        shot,
        seed=seed,
        class_names=[gallery.names[number] for number in among],
    )
    drawn = sampler[number]
    before = [0, *accumulate(counts)]  # a video's number among these classes → in the gallery
    shifts = [gallery.starts[among[place]] - before[place] for place in drawn.classes]
    episode = Episode(
        classes=tuple(among[place] for place in drawn.classes),
        support=tuple(
            tuple(video + shift for video in videos)
            for videos, shift in zip(drawn.support, shifts, strict=True)
        ),
        query=tuple(
            video + shifts[label] for video, label in zip(drawn.query, drawn.query_labels, strict=True)
        ),
        query_labels=drawn.query_labels,
    )

    source = "the hard pair" if pair else "the chosen classes" if classes else f"{way} classes drawn"
    return episode, f"Episode {number} of seed {seed}, {source}"


def keep_within_way(controls: dict[str, Any], name: str) -> None:
    """Let a slider that counts classes or queries from 1 end at the number of classes of the chosen episode."""

    def renew(change: object = None) -> None:
        chosen = controls["pair"].value or controls["classes"].value
        controls[name].max = len(chosen) or controls["way"].value

    renew()
    for control in ("way", "pair", "classes"):
        controls[control].observe(renew, names="value")
