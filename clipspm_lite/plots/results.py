"""Pictures of what methods answered: an episode with its answers, accuracies, confusions."""

from collections.abc import Mapping, Sequence

import seaborn as sns
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.plots.base import COLORS, RIGHT, WRONG, film_strip, look


@look
def episode(
    support: Sequence[Tensor],
    query: Sequence[Tensor],
    names: Sequence[str],
    labels: Sequence[int],
    answers: Sequence[int],
) -> Figure:
    """Support clips of an episode, one row a class, and beside them its queries with the answer they got.

    Args:
        support: one clip a class, frames ``[T, 3, H, W]``.
        query: clips of the queries; as many rows as needed.
        names: class names, in the order of ``support``.
        labels, answers: true and answered class of each query.
    """
    rows = max(len(support), len(query))
    figure = Figure(figsize=(13, 1.15 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, clip, name in zip(axes[:, 0], support, names, strict=False):
        film_strip(ax, clip)
        ax.set_title(f"support: {name}", loc="left")
    for ax, clip, label, answer in zip(axes[:, 1], query, labels, answers, strict=False):
        film_strip(ax, clip)
        right = label == answer
        verdict = f"✓ {names[answer]}" if right else f"✗ answered {names[answer]}, is {names[label]}"
        ax.set_title(f"query: {verdict}", loc="left", color=RIGHT if right else WRONG)
    return figure


@look
def accuracy_bars(accuracies: Mapping[str, tuple[float, float]], chance: float, title: str) -> Figure:
    """Accuracy of methods in per cent as bars, with their 95 % intervals (half-widths in points) and chance."""
    figure = Figure(figsize=(7, 0.55 * len(accuracies) + 1.3), layout="constrained")
    ax = figure.subplots()
    names = list(accuracies)
    values = [accuracies[name][0] for name in names]
    ax.barh(
        names, values, xerr=[accuracies[name][1] for name in names], color=COLORS[0], height=0.6, capsize=3
    )
    for row, name in enumerate(names):
        value, interval = accuracies[name]
        ax.text(value + interval + 1, row, f"{value:.1f} ± {interval:.1f}", va="center")
    ax.axvline(chance, color="black", linestyle=":", linewidth=1.2)
    ax.set(xlim=(0, 100), xlabel=f"accuracy, % (dotted: chance, {chance:.0f} %)", title=title)
    ax.invert_yaxis()
    sns.despine(ax=ax)
    return figure


@look
def confusions(
    most_confused: Sequence[tuple[str, str, float]], reversed_pairs: Sequence[tuple[str, str]]
) -> Figure:
    """Bars of (asked class, answered class, per cent), as `Evaluation.most_confused` lists them.

    Order-reversed pairs have a colour and a hatch of their own.
    """
    figure = Figure(figsize=(9, 0.4 * len(most_confused) + 1), layout="constrained")
    ax = figure.subplots()
    known = {frozenset(pair) for pair in reversed_pairs}
    for is_reversed, color, hatch, label in (
        (True, COLORS[1], "//", "order-reversed pair"),
        (False, COLORS[7], "", "other pair"),
    ):
        rows = [
            row
            for row, (asked, answered, _) in enumerate(most_confused)
            if (frozenset((asked, answered)) in known) == is_reversed
        ]
        rates = [most_confused[row][2] for row in rows]
        ax.barh(rows, rates, color=color, hatch=hatch, edgecolor="white", height=0.7, label=label)
    labels = [f"{asked} → {answered}".replace("_", " ") for asked, answered, _ in most_confused]
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlim=(0, 100), xlabel="% of the queries that could be so confused")
    ax.invert_yaxis()
    ax.legend(title="asked → answered", loc="lower right")
    sns.despine(ax=ax)
    return figure
