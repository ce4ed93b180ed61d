"""Controls that choose a clip of a gallery, or an episode: drawn from a seed, of chosen classes, or of a hard pair."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from clipspm_lite.data.episodes import Episode, EpisodeSampler
from clipspm_lite.widgets.base import Explorer, choose, slider
from clipspm_lite.widgets.gallery import Gallery

MOST_WAYS, MOST_SHOTS = 8, 5
SEEDS, EPISODES = 10, 100  # how many of each a slider offers
ANY = -1  # a class that is not chosen
LISTED_EPISODES = 20  # where there is one seed


def choose_clip(gallery: Gallery, names: tuple[str, str], labels: tuple[str, str], first: int = 0) -> dict[str, Any]:
    """Two controls by name: the class (its number is the value) and the clip in it, counted from 1.

    ``first`` is the video that is chosen at the start. The clip never exceeds what the class has, so that class and
    clip always name a video.
    """
    start, counts = gallery.class_of(first), gallery.data.videos_per_class
    which = choose(labels[0], gallery.numbered_names, start)
    clip = slider(labels[1], 1, counts[start], first - gallery.starts[start] + 1)
    which.observe(lambda change: setattr(clip, "max", counts[change["new"]]), names="value")
    return dict(zip(names, (which, clip), strict=True))


def choose_episode(gallery: Gallery) -> dict[str, Any]:
    """The controls by name; their values are the arguments of `episode_of`."""
    smallest = min(gallery.data.videos_per_class)
    pairs = [
        (f"{gallery.names[one]} / {gallery.names[other]} ({kind})", (one, other))
        for one, other, kind in gallery.hard_pairs
    ]
    most_ways = min(MOST_WAYS, len(gallery.names))
    classes = [("any", ANY), *gallery.numbered_names]
    return {
        "way": slider("way N", min(2, most_ways), most_ways, min(5, most_ways)),
        "shot": slider("shot K", 1, max(1, min(MOST_SHOTS, smallest - 1))),
        "seed": slider("seed", 0, SEEDS - 1),
        "number": slider("episode", 0, EPISODES - 1),
        "pair": choose("hard pair", [("none", ()), *pairs]),
        "first": choose("with class", classes),
        "second": choose("and class", classes),
    }


def episode_of(
    gallery: Gallery, way: int, shot: int, seed: int, number: int, pair: tuple[int, ...], first: int, second: int
) -> tuple[Episode, str]:
    """Episode ``number`` of the list ``seed``, one query per class, and how it was chosen, for captions.

    Its classes are the hard ``pair`` if there is one, else ``way`` that are drawn, the ``first`` and the ``second``
    among them unless they are `ANY`.
    """
    chosen = tuple(pair) or tuple(dict.fromkeys(n for n in (first, second) if n != ANY))
    among, source = tuple(range(len(gallery.names))), f"{way} classes drawn"
    if pair:
        among, way, source = chosen, len(chosen), "the hard pair"
    elif chosen:
        others = EpisodeSampler(gallery.data.videos_per_class, way, seed=seed)[number].classes
        among = (*chosen, *(n for n in others if n not in chosen))[:way]
        source = f"{way} classes, {' and '.join(gallery.names[n] for n in chosen)} chosen"
    counts, names = zip(*((gallery.data.videos_per_class[n], gallery.names[n]) for n in among), strict=True)
    drawn = EpisodeSampler(counts, way, shot, seed=seed, class_names=names)[number]
    before = [0, *accumulate(counts)]  # a video's number among these classes → in the gallery
    shifts = [gallery.starts[among[place]] - before[place] for place in drawn.classes]
    support = zip(drawn.support, shifts, strict=True)
    query = zip(drawn.query, drawn.query_labels, strict=True)
    episode = Episode(
        classes=tuple(among[place] for place in drawn.classes),
        support=tuple(tuple(video + shift for video in videos) for videos, shift in support),
        query=tuple(video + shifts[label] for video, label in query),
        query_labels=drawn.query_labels,
    )
    return episode, f"Episode {number} of seed {seed}, {source}"


def margin_over_others(scores: Tensor, label: int) -> float:
    """How far the true class's score, of ``[N]``, is above the best of the others."""
    others = scores.clone()
    others[label] = -torch.inf
    return float(scores[label] - others.max())


def explore_episodes(
    title: str, gallery: Gallery, controls: dict, draw: dict, counted: str, idle: dict[str, Any], extra: Sequence = ()
) -> Explorer:
    """An explorer of a chosen episode, which its pictures get as ``drawn``, the value of `episode_of`.

    ``counted`` names a control that counts classes or queries from 1; it ends at the number of classes of the episode.
    ``idle`` and ``extra`` are as in `Explorer`.
    """
    choice = choose_episode(gallery)
    derive = {"drawn": partial(episode_of, gallery)}
    idle = dict.fromkeys(("way", "first", "second"), lambda pair: bool(pair)) | idle
    explorer = Explorer(title, choice | controls, draw, derive=derive, idle=idle, extra=extra, slow=list(choice))

    def renew(change: object = None) -> None:
        controls[counted].max = len(choice["pair"].value) or choice["way"].value

    renew()
    for name in ("way", "pair"):
        choice[name].observe(renew, names="value")
    return explorer
