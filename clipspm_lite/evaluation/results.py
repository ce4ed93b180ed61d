"""What comparisons leave: accuracies, intervals over seeds and classes, and Markdown tables. NumPy only."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from clipspm_lite.arguments import check_known

FIVE_WAY, ONE_BY_ONE = "5-way", "5-way, one query at a time"
PAIR_KINDS = ("reversed", "similar", "other")
BY_SHOT = ("5-way, 3-shot", "5-way, 5-shot")  # beside 5-way 1-shot, for which the heads were trained
MEASURES = (FIVE_WAY, *BY_SHOT, ONE_BY_ONE, *PAIR_KINDS)
SHOTS = (1, 3, 5)

Results = dict[str, Any]


def half_width(values: np.ndarray) -> float:
    """Half-width in points of the 95 % interval of a mean over independent values in 0 … 1; NaN for a single one."""
    if len(values) < 2:
        return float("nan")
    return 100 * 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5


def per_seed(results: Results, name: str, measure: str = FIVE_WAY) -> list[float]:
    """Accuracy of each training seed's version in per cent; raises ValueError for an unknown row or measure."""
    right, asked = _counts(results, "name", name, measure)
    return (100 * right.sum(1) / asked.sum()).tolist()


def _counts(results: Results, argument: str, row: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Right answers ``[seeds, classes]`` and queries ``[classes]`` of a row."""
    check_known(argument, row, results["rows"])
    check_known("measure", measure, results["asked"])
    return np.array(results["rows"][row]["right"][measure], float), np.array(results["asked"][measure], float)


def accuracy(results: Results, name: str, measure: str = FIVE_WAY) -> float:
    """Accuracy in per cent, the mean over training seeds; raises ValueError as `per_seed` does."""
    return float(np.mean(per_seed(results, name, measure)))


def bootstrap(
    results: Results, name: str, measure: str = FIVE_WAY, *, minus: str | None = None, draws: int = 5000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval over training seeds and classes of an accuracy, or of its difference to the row ``minus``.

    Each draw takes as many training seeds and classes as there are, with replacement, and averages over them. For a
    difference both rows meet the same classes, and the same seeds if they have equally many. It answers "what if we had
    trained again and had met other classes of this kind?"; a class stands for its own queries only, not as a wrong
    answer to those of others. Raises ValueError for an unknown row or measure.
    """
    right, asked = _counts(results, "name", name, measure)
    rights = [right] if minus is None else [right, _counts(results, "minus", minus, measure)[0]]
    generator = np.random.default_rng(seed)
    most = max(map(len, rights))
    shared_seeds = generator.integers(most, size=(draws, most))
    weights = generator.multinomial(len(asked), np.full(len(asked), 1 / len(asked)), size=draws)
    total = (weights * asked).sum(1)
    answerable = total > 0  # a draw of classes that were never asked says nothing
    shares = []
    for right in rights:
        seeds = len(right)
        drawn = shared_seeds if seeds == most else generator.integers(seeds, size=(draws, seeds))
        answered = (weights * right[drawn].mean(1)).sum(1)
        shares.append(100 * answered[answerable] / total[answerable])
    values = shares[0] if minus is None else shares[0] - shares[1]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def comparison_table(
    results: Results, reference: str = "", names: Sequence[str] | None = None, measures: Sequence[str] | None = None
) -> str:
    """Rows of `compare`'s results, all or ``names``, as Markdown, with differences to one of its ``references``."""
    others = [m for m in (measures or results["asked"]) if m != FIVE_WAY]
    heads = ["method", f"5-way {results['shot']}-shot, %", *([f"minus {reference}, points"] if reference else [])]
    heads += [f"{m}{' pairs, 2-way' if m in PAIR_KINDS else ''}, %" for m in others]
    lines = []
    for name in names or results["rows"]:
        ours, row = accuracy(results, name), results["rows"][name]
        values = [f"{accuracy(results, name, m):.1f}" for m in others]
        if reference:
            check_known("reference", reference, row["difference"])
            values.insert(0, "" if name == reference else with_interval(**row["difference"][reference], sign="+"))
        lines.append([name, with_interval(ours, row["interval"]), *values])
    return markdown_table(heads, lines)


def with_interval(points: float, interval: float | None, sign: str = "") -> str:
    """A cell of a table: a value and its half-width, if it has one."""
    return f"{points:{sign}.1f}" + ("" if interval is None else f" ± {interval:.1f}")


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head, *lines = ("| " + " | ".join(cells) + " |" for cells in (heads, *rows))
    return "\n".join([head, "|---" * len(heads) + "|", *lines])
