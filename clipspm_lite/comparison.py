"""All methods on the same listed episodes, trained ones with several seeds; what such a result allows to be said."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from clipspm_lite.arguments import check_known, whole_number
from clipspm_lite.data.datasets import reversed_pairs
from clipspm_lite.evaluation import Method, count_by_class, evaluate, evaluate_pairs, half_width
from clipspm_lite.features import EncodedDataset, check_encoded
from clipspm_lite.model.clipspm import CLIPSPM

# Arguments of `CLIPSPM` in which a variant differs from the full model.
FULL = "clip-spm"
ABLATIONS: dict[str, dict[str, Any]] = {
    "without HSMR": dict(motion_loss_weight=0.0),
    "without SPM": dict(with_spm=False),
    "without PADM": dict(with_padm=False),
    "without anchor": dict(with_anchor=False),
    "without consistency": dict(consistency=False),
    "without support names": dict(support_text="generated"),
}
INDUCTIVE = {"clip-spm inductive": dict(inductive=True)}
# Changes to the method that are not the paper's, and two that SPEC names beside it: arguments of `ExtendedCLIPSPM`.
_EXTENSIONS: dict[str, dict[str, Any]] = {
    "antisymmetric motion": dict(motion="antisymmetric"),
    "motion kept": dict(motion_kept=True),
    "antisymmetric motion kept": dict(motion="antisymmetric", motion_kept=True),
    "scalar prompt": dict(prompt_condition="scalar"),
    "names dropped": dict(names="dropped"),
    "names mixed": dict(names="mixed"),
    "frame positions": dict(position_weight=0.3),
    "query's own anchor": dict(anchor="query"),
    "temperature ½": dict(temperature=0.5),
    "centred frames": dict(frames="centred"),
    "frame steps": dict(frames="steps"),
    "centred distance added": dict(centred_distance=True),
}
EXTENSIONS = {name: {"model": "clip-spm-extended", **changes} for name, changes in _EXTENSIONS.items()}
# Other trained methods, as arguments of `build_head` beside ``dim``, of about the lite head's size.
TRAINED_BASELINES: dict[str, dict[str, Any]] = {
    "clip-fsar": dict(model="clip-fsar", heads=4, head_dim=32, mlp_dim=256, normalize_features=True),
    "trx": dict(model="trx", width=128, normalize_features=True),
}

FIVE_WAY, ONE_BY_ONE = "5-way", "5-way, one query at a time"
PAIR_KINDS = ("reversed", "similar", "other")
BY_SHOT = ("5-way, 3-shot", "5-way, 5-shot")  # beside 5-way 1-shot, for which the heads were trained
MEASURES = (FIVE_WAY, *BY_SHOT, ONE_BY_ONE, *PAIR_KINDS)
SHOTS = (1, 3, 5)

Results = dict[str, Any]


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


def per_seed(results: Results, name: str, measure: str = FIVE_WAY) -> list[float]:
    """Accuracy of each training seed's version in per cent.

    Raises:
        ValueError: no such row or measure.
    """
    check_known("name", name, results["rows"])
    check_known("measure", measure, results["asked"])
    total = sum(results["asked"][measure])
    return [100 * sum(right) / total for right in results["rows"][name]["right"][measure]]


def accuracy(results: Results, name: str, measure: str = FIVE_WAY) -> float:
    """Accuracy in per cent, the mean over training seeds; raises ValueError as `per_seed` does."""
    return float(np.mean(per_seed(results, name, measure)))


def bootstrap(
    results: Results,
    name: str,
    measure: str = FIVE_WAY,
    *,
    minus: str | None = None,
    draws: int = 5000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % interval of an accuracy, or of its difference to the row ``minus``, over training seeds and classes.

    Each draw takes as many training seeds and as many classes as there are, with replacement, and averages over
    them; a difference is taken within a draw, so that both methods have the same seeds and classes. It answers
    "what if we had trained again and had met other classes of this kind?", which the interval over episodes does not.
    A class stands for its own queries; that it also is the wrong answer to others' is not drawn anew.

    Returns:
        The 2.5 % and 97.5 % points over all draws, in per cent or points.

    Raises:
        ValueError: no such row or measure, or no draws.
    """
    check_known("name", name, results["rows"])
    check_known("measure", measure, results["asked"])
    if minus is not None:
        check_known("minus", minus, results["rows"])
    draws = whole_number("draws", draws)
    generator = np.random.default_rng(whole_number("seed", seed, 0))
    asked = np.array(results["asked"][measure], dtype=float)
    names = [name] if minus is None else [name, minus]
    rights = [np.array(results["rows"][row]["right"][measure], dtype=float) for row in names]
    seeds = max(len(right) for right in rights)
    drawn_seeds = generator.integers(seeds, size=(draws, seeds))
    weights = generator.multinomial(len(asked), np.full(len(asked), 1 / len(asked)), size=draws)
    total = (weights * asked).sum(1)
    answerable = total > 0  # where few classes have such pairs, a draw may hold none of them: it says nothing
    shares = []
    for right in rights:
        # A training-free method has one version, the same in every draw.
        averaged = right[drawn_seeds if len(right) == seeds else np.zeros_like(drawn_seeds)].mean(1)
        shares.append(100 * (weights * averaged).sum(1)[answerable] / total[answerable])
    values = shares[0] if minus is None else shares[0] - shares[1]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def table(
    results: Results,
    reference: str,
    names: Sequence[str] | None = None,
    measures: Sequence[str] | None = None,
) -> str:
    """Rows as a Markdown table, ± the paper's kind of interval, over episodes; ``measures``: of `MEASURES`, or all.

    Raises:
        ValueError: no such row or measure, or a ``reference`` that was none when the results were made.
    """
    others = [m for m in (measures or results["asked"]) if m != FIVE_WAY]
    heads = ["method", f"5-way {results['shot']}-shot, %", f"minus {reference}, points"]
    heads += [f"{m}{' pairs, 2-way' if m in PAIR_KINDS else ''}, %" for m in others]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name in names or results["rows"]:
        check_known("names", name, results["rows"])
        row = results["rows"][name]
        check_known("reference", reference, row["difference"])
        difference = row["difference"][reference]
        minus = "" if name == reference else f"{difference['points']:+.1f} ± {difference['interval']:.1f}"
        cells = [name, f"{accuracy(results, name):.1f} ± {row['interval']:.1f}", minus]
        cells += [f"{accuracy(results, name, m):.1f}" for m in others]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
