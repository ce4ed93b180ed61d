"""Pictures of what methods answered: an episode with its answers, accuracies, confusions, a benchmark's table."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.evaluation.published import Table, beside
from clipspm_lite.plots.base import COLORS, RIGHT, WIDE, WRONG, course_style, film_strip, new_axes
from clipspm_lite.plots.embeddings import accuracy_by_shot


@course_style
def episode(
    support: Sequence[Tensor],
    query: Sequence[Tensor],
    names: Sequence[str],
    labels: Sequence[int],
    answers: Sequence[int],
) -> Figure:
    """Support clips of an episode, one row per class, and beside them its queries with their answers.

    Args:
        support: one clip per class, frames ``[T, 3, H, W]``.
        query: clips of the queries; as many rows as needed.
        names: class names, in the order of ``support``.
        labels, answers: true and answered class of each query.
    """
    rows = max(len(support), len(query))
    figure = Figure(figsize=(13, 1.15 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, clip, name in zip(axes[: len(support), 0], support, names, strict=True):
        film_strip(ax, clip)
        ax.set_title(f"support: {name}", loc="left")
    for ax, clip, label, answer in zip(axes[: len(query), 1], query, labels, answers, strict=True):
        film_strip(ax, clip)
        right = label == answer
        verdict = f"✓ {names[answer]}" if right else f"✗ answered {names[answer]}, is {names[label]}"
        ax.set_title(f"query: {verdict}", loc="left", color=RIGHT if right else WRONG)
    return figure


@course_style
def episode_board(
    support: Sequence[Sequence[Tensor]],
    query: Sequence[Tensor],
    names: Sequence[str],
    labels: Sequence[int],
    answers: Sequence[int],
    frame: int,
) -> Figure:
    """One moment of an episode: one row per class, its supports at the left, its query beside them, and the answer.

    Args:
        support: K clips of each class, frames ``[T, 3, H, W]``.
        query: one clip per class, in the order of ``support``.
        labels, answers: true and answered class of each query.
        frame: which frame of the clips, from 0.
    """
    shots, size = len(support[0]), query[0].shape[-1]
    side = min(0.95, 3 / (shots + 1), 5 / len(names))  # of a frame, inches
    height = len(names) * side + 0.35
    left, gap = 1.8, 0.25
    picture = np.ones((len(names) * size, int((shots + 1 + gap / side) * size), 3))
    for row, (clips, asked) in enumerate(zip(support, query, strict=True)):
        places = [*(shot * size for shot in range(shots)), picture.shape[1] - size]
        for clip, place in zip((*clips, asked), places, strict=True):
            shown = clip[frame].permute(1, 2, 0).clamp(0, 1).numpy()
            picture[row * size + 1 : (row + 1) * size - 1, place + 1 : place + size - 1] = shown[1:-1, 1:-1]
    figure = Figure(figsize=(WIDE, height))
    width = side * (shots + 1) + gap
    ax = figure.add_axes((left / WIDE, 0, width / WIDE, 1 - 0.35 / height))
    ax.imshow(picture, aspect="auto", interpolation="nearest")
    ax.set_axis_off()
    for row, (name, label, answer) in enumerate(zip(names, labels, answers, strict=True)):
        y = 1 - (0.35 + (row + 0.5) * side) / height
        color, mark = (RIGHT, "✓") if label == answer else (WRONG, "✗")
        figure.text((left - 0.1) / WIDE, y, textwrap.fill(f"{row + 1}  {name}", 21), ha="right", va="center")
        verdict = textwrap.fill(f"{mark} {names[answer]}", 19)
        figure.text((left + width + 0.1) / WIDE, y, verdict, va="center", color=color)
    heads = [
        (left - 0.1, "class", "right"),
        (left + side * shots / 2, "support", "center"),
        (left + width - side / 2, "query", "center"),
        (left + width + 0.1, "answer", "left"),
    ]
    for x, text, side_of in heads:
        figure.text(x / WIDE, 1 - 0.18 / height, text, ha=side_of, va="center", weight="bold", fontsize=9)
    return figure


@course_style
def accuracy_bars(accuracies: Mapping[str, tuple[float, float]], chance: float, title: str) -> Figure:
    """Accuracy of methods in per cent as bars, with their 95 % intervals (half-widths in points) and chance."""
    figure, (ax,) = new_axes(1, 7, 0.55 * len(accuracies) + 1.3)
    names = list(accuracies)
    values, intervals = zip(*accuracies.values(), strict=True)
    ax.barh(names, values, xerr=intervals, color=COLORS[0], height=0.6, capsize=3)
    for row, (value, interval) in enumerate(accuracies.values()):
        ax.text(value + interval + 1, row, f"{value:.1f} ± {interval:.1f}", va="center")
    ax.axvline(chance, color="black", linestyle=":", linewidth=1.2)
    ax.set(xlim=(0, 100), xlabel=f"accuracy, % (dotted: chance, {chance:.0f} %)", title=title)
    ax.invert_yaxis()
    return figure


@course_style
def confusions(most_confused: Sequence[tuple[str, str, float]], reversed_pairs: Sequence[tuple[str, str]]) -> Figure:
    """Bars of (asked class, answered class, per cent), as `Evaluation.most_confused` lists them.

    Order-reversed pairs differ in colour and hatch.
    """
    figure, (ax,) = new_axes(1, 9, 0.4 * len(most_confused) + 1)
    known = {frozenset(pair) for pair in reversed_pairs}
    found = [frozenset((asked, answered)) in known for asked, answered, _ in most_confused]
    kinds = ((True, COLORS[1], "//", "order-reversed pair"), (False, COLORS[7], "", "other pair"))
    for is_reversed, color, hatch, label in kinds:
        rows = [row for row, reverse in enumerate(found) if reverse == is_reversed]
        rates = [most_confused[row][2] for row in rows]
        ax.barh(rows, rates, color=color, hatch=hatch, edgecolor="white", height=0.7, label=label)
    labels = [f"{asked} → {answered}".replace("_", " ") for asked, answered, _ in most_confused]
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlim=(0, 100), xlabel="% of the queries that could be so confused")
    ax.invert_yaxis()
    ax.legend(title="asked → answered", loc="lower right")
    return figure


@course_style
def beside_published(results: Table) -> Figure:
    """The results of `benchmark_table.measure` as a figure: methods over shots, open markers for published numbers."""
    measured: dict[str, list[tuple[float, float]]] = {}
    published: dict[str, dict[int, float]] = {}
    for shot in results["shots"]:
        for row, number in beside(results, shot):
            if row is not None:
                measured.setdefault(row["method"], []).append((row["accuracy"], row["interval"]))
            if number is not None:
                published.setdefault(f"reported: {number.source}", {})[shot] = number.accuracy
    figure = accuracy_by_shot(results["shots"], measured, 100 / results["way"], published)
    figure.axes[0].set_title(
        f"{results['data']}\n{results['way']}-way, {results['episodes']:,} episodes, seed {results['seed']}"
    )
    return figure
