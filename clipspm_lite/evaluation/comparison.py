"""All methods on the same listed episodes, trained ones with several seeds; what such a result allows to be said."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from clipspm_lite.arguments import check_known
from clipspm_lite.data.datasets import reversed_pairs
from clipspm_lite.data.encoded import EncodedDataset, check_encoded
from clipspm_lite.evaluation.results import FIVE_WAY, ONE_BY_ONE, SHOTS, Results, half_width
from clipspm_lite.evaluation.scoring import Method, count_by_class, evaluate, evaluate_pairs
from clipspm_lite.model.clipspm import CLIPSPM


def pairs_by_kind(data: EncodedDataset) -> dict[str, list[tuple[str, str]]]:
    """Every pair of these sample classes, by kind.

    "reversed": the same frames in opposite order. "similar": of the rest, the tenth whose mean frames point the most
    nearly in one direction (cosine, after the mean of all clips is taken away): pairs that look alike to this backbone.
    "other": what is left.
    """
    reverse = reversed_pairs(data.classes)
    known = {frozenset(pair) for pair in reverse}
    rest = [pair for pair in combinations(data.classes, 2) if frozenset(pair) not in known]
    by_class = data.features.mean(1).split(list(data.videos_per_class))
    means = torch.stack([videos.mean(0) for videos in by_class])
    looks = F.normalize(means - means.mean(0), dim=-1)
    place = {name: row for row, name in enumerate(data.classes)}
    rest.sort(key=lambda pair: -float(looks[place[pair[0]]] @ looks[place[pair[1]]]))
    tenth = len(rest) // 10
    return {"reversed": reverse, "similar": rest[:tenth], "other": rest[tenth:]}


def compare(
    methods: Mapping[str, Sequence[Method]],
    data: EncodedDataset,
    *,
    references: Sequence[str] = (),
    shot: int = 1,
    episodes: int = 2000,
    seed: int = 0,
) -> Results:
    """Score every method on the same episodes: 5-way with 1, 3 and 5 shots, and on pairs of classes.

    Args:
        methods: for each name its trained versions, one a training seed (a training-free method has one).
        data: classes of the sample world.
        references: names of methods to whose rows the others' differences are taken, episode by episode.
        shot: of every measure but those that name another. Nothing is trained anew for those.
        episodes: of each measure; on a kind of pair they are shared evenly among its pairs (two-way).
        seed: of every list of episodes.

    Returns:
        What JSON can hold. ``shot`` and ``seed`` as given. ``pairs`` lists the pairs of each kind. ``asked[measure]``
        counts the queries of each class, and ``rows[name]["right"][measure]`` those answered rightly, a list over
        classes for each training seed. ``interval`` and ``difference[reference]`` are over 5-way episodes, as the
        paper's: half-widths in points, each episode the mean over training seeds.

    Raises:
        TypeError: data that is not encoded, or a method instead of its versions.
        ValueError: no methods, a method without a version, or a reference that is none of the methods.
    """
    check_encoded(data)
    if not methods:
        raise ValueError("methods: expected at least one, found none")
    for name, versions in methods.items():
        if callable(versions):
            raise TypeError(
                f"methods: expected a list of trained versions of {name!r}, found one: use [method]"
            )
        if not versions:
            raise ValueError(f"methods: expected at least one trained version of {name!r}, found none")
    for reference in references:
        check_known("references", reference, methods)
    settings: dict[str, Any] = dict(shot=shot, seed=seed)
    pairs = pairs_by_kind(data)
    asked: dict[str, list[int]] = {}
    rows: dict[str, Any] = {}
    per_episode: dict[str, np.ndarray] = {}
    for name, versions in methods.items():
        five_way = [evaluate(method, data, episodes=episodes, **settings) for method in versions]
        scored = {FIVE_WAY: five_way}
        # Only PADM lets queries see each other; every other method treats them one by one anyway.
        scored[ONE_BY_ONE] = [
            evaluate(partial(m, inductive=True), data, episodes=episodes, **settings)
            if isinstance(m, CLIPSPM) and m.with_padm and not m.inductive
            else result
            for m, result in zip(versions, five_way, strict=True)
        ]
        for other in SHOTS:
            if other != shot:
                scored[f"5-way, {other}-shot"] = [
                    evaluate(m, data, shot=other, episodes=episodes, seed=seed) for m in versions
                ]
        counts = {
            measure: [count_by_class(data.classes, [result]) for result in results]
            for measure, results in scored.items()
        }
        for kind, of_kind in pairs.items():
            if of_kind:
                each = max(1, episodes // len(of_kind))
                two_way = [evaluate_pairs(m, data, of_kind, episodes=each, **settings) for m in versions]
                counts[kind] = [count_by_class(data.classes, results.values()) for results in two_way]
        asked = {measure: versions_counts[0][1] for measure, versions_counts in counts.items()}
        per_episode[name] = np.mean([result.per_episode for result in five_way], axis=0)
        rows[name] = {
            "right": {measure: [right for right, _ in of_measure] for measure, of_measure in counts.items()},
            "interval": half_width(per_episode[name]),
        }
    for name, row in rows.items():
        row["difference"] = {
            reference: {
                "points": 100 * float((per_episode[name] - per_episode[reference]).mean()),
                "interval": half_width(per_episode[name] - per_episode[reference]),
            }
            for reference in references
        }
    return {**settings, "classes": list(data.classes), "pairs": pairs, "asked": asked, "rows": rows}
