"""All methods on the same listed episodes, trained ones with several seeds."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from clipspm_lite.arguments import check_known
from clipspm_lite.data.datasets import classes_by_kind, reversed_pairs
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.evaluation.results import BY_KIND, FIVE_WAY, ONE_BY_ONE, SHOTS, Results, episode_mean, pack_answers
from clipspm_lite.evaluation.scoring import Evaluation, Method, Pair, count_by_class, evaluate
from clipspm_lite.model.sub_actions import SubActions, stage_rows
from clipspm_lite.threads import pick_device

WEIGHTS_TRIED = (0.0, 0.5, 1.0, 2.0, 4.0)  # for each term of `SubActions`, in all combinations


def pairs_by_kind(data: EncodedDataset) -> dict[str, list[Pair]]:
    """Pairs of these sample classes: "reversed" (the same frames in opposite order), "context" and "similar".

    "similar": of the others, the tenth whose mean frames, less the mean of all clips, have the highest cosines. Where
    there are classes that a place or a thing tells, pairs of two of them are apart, as "context".
    """
    kinds = {"reversed": reversed_pairs(data.classes)}
    known = {frozenset(pair) for pair in kinds["reversed"]}
    if context := [*combinations(classes_by_kind(data.classes)[0], 2)]:
        kinds["context"] = [pair for pair in context if frozenset(pair) not in known]
        known |= {frozenset(pair) for pair in context}
    by_class = data.features.mean(1).split(list(data.videos_per_class))
    means = torch.stack([videos.mean(0) for videos in by_class])
    looks = dict(zip(data.classes, F.normalize(means - means.mean(0), dim=-1), strict=True))
    rest = [pair for pair in combinations(data.classes, 2) if frozenset(pair) not in known]
    rest.sort(key=lambda pair: -float(looks[pair[0]] @ looks[pair[1]]))
    return kinds | {"similar": rest[: len(rest) // 10]}


def compare(
    methods: Mapping[str, Sequence[Method]],
    data: EncodedDataset,
    *,
    references: Sequence[str] = (),
    brief: bool = False,
    shot: int = 1,
    episodes: int = 2000,
    seed: int = 0,
    device: str | torch.device = "auto",
) -> Results:
    """Score every method on the same episodes: 5-way with 1, 3 and 5 shots, by kind of class, and on pairs of classes.

    Args:
        methods: for each name its trained versions, one per training seed; a training-free method has one.
        references: names of methods; the differences of all others to them are taken, episode by episode.
        brief: ask 5-way with ``shot`` shots only, over all classes and by kind.
        shot, episodes, seed, device: of each measure but those that name another shot. Pairs of a kind share episodes.

    The result can be JSON. ``asked[measure]`` counts the queries of each class, ``rows[name]["right"][measure]`` the
    right answers, a list over classes for each training seed. ``interval`` and ``difference[reference]`` are over 5-way
    episodes, each the mean over training seeds: half-widths in points. ``rows[name]["answers"][measure]`` are what
    `pack_answers` gives. Raises ValueError for an unknown reference, and what `evaluate` raises.
    """
    for reference in references:
        check_known("references", reference, methods)
    settings = dict[str, Any](shot=shot, episodes=episodes, seed=seed, device=device)
    pairs = {} if brief else pairs_by_kind(data)
    asked: dict[str, list[int]] = {}
    rows: dict[str, dict[str, Any]] = {}
    shares: dict[str, np.ndarray] = {}
    for name, versions in methods.items():
        scored, right, answers = _score(versions, data, pairs, settings), {}, {}
        for measure, of_versions in scored.items():
            counts = [count_by_class(data.classes, evaluations) for evaluations in of_versions]
            asked[measure], right[measure] = counts[0][1], [right for right, _ in counts]
            if measure not in pairs:
                answers[measure] = pack_answers([evaluation for (evaluation,) in of_versions])
        shares[name] = np.mean([evaluation.per_episode for (evaluation,) in scored[FIVE_WAY]], axis=0)
        rows[name] = {"right": right, "answers": answers, "interval": episode_mean(shares[name])["interval"]}
    for name, row in rows.items():
        row["difference"] = {r: episode_mean(shares[name] - shares[r]) for r in references}
    return {"shot": shot, "seed": seed, "classes": list(data.classes), "pairs": pairs, "asked": asked, "rows": rows}


def _score(
    versions: Sequence[Method], data: EncodedDataset, pairs: dict[str, list[Pair]], settings: dict[str, Any]
) -> dict[str, list[list[Evaluation]]]:
    """For each measure, and in it for each version, the evaluations that are counted together."""
    kinds = classes_by_kind(data.classes)
    of = {measure: data.subset(k) for measure, k in zip(BY_KIND, kinds, strict=True) if kinds[0] and len(k) >= 5}
    asked: dict[str, dict[str, Any]] = {measure: {} for measure in (FIVE_WAY, *of)}
    if pairs:
        asked |= {ONE_BY_ONE: {"one_query_at_a_time": True}}
        asked |= {f"5-way, {shot}-shot": {"shot": shot} for shot in SHOTS if shot != settings["shot"]}
    scored = {
        measure: [[evaluate(version, of.get(measure, data), **settings | changes)] for version in versions]
        for measure, changes in asked.items()
    }
    for kind, of_kind in pairs.items():
        if of_kind:
            shared: dict[str, Any] = settings | {"way": 2, "episodes": max(1, settings["episodes"] // len(of_kind))}
            subsets = [data.subset(pair) for pair in of_kind]
            scored[kind] = [[evaluate(version, of_pair, **shared) for of_pair in subsets] for version in versions]
    return scored


@torch.inference_mode()
def choose_weights(
    data: EncodedDataset, *, shot: int = 1, episodes: int = 2000, seed: int = 1, device: str | torch.device = "auto"
) -> dict[str, SubActions]:
    """`stage_rows` with the weights, of equals the first, that are right most often on these (validation) classes.

    Another ``seed`` than `compare`'s asks other episodes. Raises ValueError for too few classes, or no sentences.
    """
    sampler = EpisodeSampler(data.videos_per_class, shot=shot, seed=seed, class_names=data.classes)
    features, text = (tensor.to(pick_device(device)) for tensor in (data.features, data.staged_text))
    parts = (range(episodes)[first : first + 100] for first in range(0, episodes, 100))
    batches = (gather(features, text, [sampler[index] for index in part]) for part in parts)
    terms = torch.cat([SubActions().terms(batch.support, batch.query, batch.class_text) for batch in batches])
    labels = torch.arange(sampler.way, device=terms.device)  # query i is of class i
    grid: list[Any] = [*product(WEIGHTS_TRIED, repeat=terms.shape[-1])]
    right = {weights: int(((terms @ terms.new_tensor(weights)).argmax(-1) == labels).sum()) for weights in grid}
    allowed = grid, [w for w in grid if not any(w[3:])], [w for w in grid if not any(w[:3])]
    return stage_rows(*(max(rows, key=right.__getitem__) for rows in allowed))
