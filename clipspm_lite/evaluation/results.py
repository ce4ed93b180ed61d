"""What comparisons leave: accuracies, intervals over seeds and classes, and a Markdown table. NumPy only."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from clipspm_lite.arguments import check_known, whole_number

FIVE_WAY, ONE_BY_ONE = "5-way", "5-way, one query at a time"
PAIR_KINDS = ("reversed", "similar", "other")
BY_SHOT = ("5-way, 3-shot", "5-way, 5-shot")  # beside 5-way 1-shot, for which the heads were trained
MEASURES = (FIVE_WAY, *BY_SHOT, ONE_BY_ONE, *PAIR_KINDS)
SHOTS = (1, 3, 5)

Results = dict[str, Any]


def half_width(per_episode: np.ndarray) -> float:
    """Half-width in points of the 95 % interval of a mean over episodes (values in 0 … 1)."""
    if len(per_episode) < 2:
        return float("nan")
    return 100 * 1.96 * float(per_episode.std(ddof=1)) / len(per_episode) ** 0.5


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
