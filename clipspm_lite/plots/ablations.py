"""Pictures of a comparison: estimates with two kinds of interval and a dot per training seed, and bootstrap draws."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from clipspm_lite.evaluation.results import (
    BY_KIND,
    FIVE_WAY,
    PAIR_KINDS,
    Results,
    accuracy,
    bootstrap,
    bootstrap_draws,
    holm,
    per_seed,
)
from clipspm_lite.plots.base import COLORS, HATCHES, LINES, course_style, new_axes, series_style


class Estimate(NamedTuple):
    """An accuracy or a difference of two, in per cent or points."""

    value: float
    half_width: float | None  # of the 95 % interval over episodes; None where there is none
    low: float  # 95 % interval over training seeds and classes
    high: float
    per_seed: Sequence[float]


@course_style
def estimates(panels: Mapping[str, Mapping[str, Estimate]], line: float | None, xlabel: str) -> Figure:
    """Accuracies or differences, one row each: value, interval over episodes (bar) and over seeds and classes (line).

    Args:
        panels: title → row → estimate; every panel has the same rows. A training seed is a dot below its row's line.
        line: where to draw a dotted line (chance, or no difference); None for no line.
        xlabel: what is shown, and what the dotted line is.
    """
    rows = list(next(iter(panels.values())))
    figure, axes = new_axes(len(panels), max(10, 2.4 * len(panels)), 0.42 * len(rows) + 1.6, sharex=True, sharey=True)
    for ax, (title, panel) in zip(axes, panels.items(), strict=True):
        for place, row in enumerate(rows):
            _draw_estimate(ax, place, panel[row])
        if line is not None:
            ax.axvline(line, color="black", linestyle=":", linewidth=1.2, zorder=1)
        ax.set(title=title, ylim=(len(rows) - 0.4, -0.6))
        ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        ax.grid(axis="x", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
    axes[0].set_yticks(range(len(rows)), rows)
    for ax in axes if len(axes) < 3 else axes[len(axes) // 2 :][:1]:
        ax.set_xlabel(xlabel)
    found = [found for panel in panels.values() for found in panel.values()]
    keys = {  # of what is drawn
        Line2D([], [], marker="D", color="white", markeredgecolor="black", label="mean over training seeds"): True,
        Line2D([], [], color=COLORS[0], linewidth=9, label="95 % over episodes"): any(f.half_width for f in found),
        Line2D([], [], color="black", marker="|", linewidth=1.2, label="95 % over seeds and classes"): True,
        Line2D([], [], color=COLORS[1], marker="o", linestyle="", markersize=3.5, label="one training seed"): any(
            len(f.per_seed) > 1 for f in found
        ),
    }
    figure.legend(handles=[key for key, drawn in keys.items() if drawn], loc="outside upper center", ncols=4)
    return figure


def _draw_estimate(ax: Axes, place: int, found: Estimate) -> None:
    ax.plot([found.low, found.high], [place] * 2, color="black", linewidth=1.2, marker="|", zorder=2)
    if found.half_width is not None:
        ends = [found.value - found.half_width, found.value + found.half_width]
        ax.plot(ends, [place] * 2, color=COLORS[0], linewidth=9, solid_capstyle="butt", zorder=3)
    ax.plot(found.value, place, "D", color="white", markeredgecolor="black", markersize=4, zorder=4)
    if len(found.per_seed) > 1:  # an untrained row has no seeds to show
        ax.plot(found.per_seed, [place + 0.28] * len(found.per_seed), "o", color=COLORS[1], markersize=3.5, zorder=3)


def estimate(results: Results, name: str, measure: str = FIVE_WAY, minus: str | None = None) -> Estimate:
    """One row's value in a measure of the results of `evaluation.compare`, or its difference to the row ``minus``.

    Only the 5-way measure has an interval over episodes, and a difference only to a row that was a reference.

    Raises:
        ValueError: no such row or measure.
    """
    low, high = bootstrap(results, name, measure, minus=minus)
    row, value = results["rows"][name], accuracy(results, name, measure)
    seeds = np.array(per_seed(results, name, measure))
    half = row["interval"]
    if minus is not None:
        value = value - accuracy(results, minus, measure)
        theirs = per_seed(results, minus, measure)  # by seed if both rows have as many, as `bootstrap` does
        seeds = seeds - (theirs if len(seeds) in (1, len(theirs)) else np.mean(theirs))
        half = row["difference"][minus]["interval"] if minus in row["difference"] else None
    return Estimate(value, half if measure == FIVE_WAY else None, low, high, seeds.tolist())


Columns = dict[tuple[str, str], tuple[float, str]]  # (part, measure) → points, and "ahead", "behind" or "open"


def verdicts(
    parts: Mapping[str, Results],
    pairs: Sequence[tuple[str, str]],
    measures: Sequence[str] = (FIVE_WAY, *BY_KIND),
    correct: Callable[[np.ndarray], np.ndarray] = holm,
) -> dict[tuple[str, str], Columns]:
    """For each (row, row to subtract) the difference in points in each part and measure, and a word for it.

    The word is "open" unless p < 0.05 after ``correct``, which takes the p-values of all pairs in one part and measure.
    A p-value is twice the share of the bootstrap's draws on the far side of zero.
    """
    found: dict[tuple[str, str], Columns] = {pair: {} for pair in pairs}
    for part, measure in product(parts, measures):
        drawn = [bootstrap_draws(parts[part], name, measure, minus) for name, minus in pairs]
        p = [min(1, max(2 * min((d <= 0).mean(), (d >= 0).mean()), 1 / len(d))) for d in drawn]
        for (name, minus), corrected in zip(pairs, correct(np.array(p)), strict=True):
            points = accuracy(parts[part], name, measure) - accuracy(parts[part], minus, measure)
            word = "open" if corrected >= 0.05 else "ahead" if points > 0 else "behind"
            found[name, minus][part, measure] = points, word
    return found


def verdict_lines(found: Mapping[tuple[str, str], Columns]) -> str:
    """`verdicts` as text: a line per pair, a column per part and measure."""
    columns = list(next(iter(found.values())))
    short = {measure: measure.removeprefix("5-way, ").split(" query")[0] for _, measure in columns} | {FIVE_WAY: "all"}
    heads = [f"{part[:5]}. {short[measure]}" for part, measure in columns]
    lines = [f"points; p < 0.05 after Holm for {len(found)} lines".ljust(48) + "".join(f"{h:16}" for h in heads)]
    for (name, minus), of in found.items():
        cells = [f"{points:+5.1f} {word}" for points, word in of.values()]
        lines.append(f"{name} − {minus}".ljust(48) + "".join(f"{cell:16}" for cell in cells))
    return "\n".join(line.rstrip() for line in lines)


@course_style
def comparison_panels(results: Results) -> Figure:
    """Every row of the results of `evaluation.compare`, 5-way, by kind of class, and on each kind of pair."""
    measures = [m for m in (FIVE_WAY, *BY_KIND, *PAIR_KINDS) if m in results["asked"]]
    panels = {
        f"{measure} pairs, 2-way"
        if measure in PAIR_KINDS
        else measure.replace("5-way", f"5-way {results['shot']}-shot"): {
            name: estimate(results, name, measure) for name in results["rows"]
        }
        for measure in measures
    }
    return estimates(panels, None, "accuracy, % (chance: 20 % 5-way, 50 % 2-way)")


@course_style
def base_class_curves(results: Results) -> Figure:
    """Accuracy over the number of base classes, from ``compare --base-classes``: a panel per 5-way measure.

    A trained row is a line through its means, with a dot per training seed; an untrained row is a level.
    """
    rows, counts = results["rows"], sorted(results["base_classes"])
    of_count = {count: f", {count} base classes" for count in counts[:-1]} | {counts[-1]: ""}
    trained = [name for name in rows if f"{name}{of_count[counts[0]]}" in rows]
    more = tuple(f"{name}, " for name in trained)  # how trained or chosen
    untrained = [name for name in rows if name not in trained and not name.startswith(more)]
    measures = [m for m in (FIVE_WAY, *BY_KIND) if m in results["asked"]]
    figure, axes = new_axes(len(measures), 3 + 3.8 * len(measures), 4, sharex=True, sharey=True)
    for ax, measure in zip(axes, measures, strict=True):
        for number, name in enumerate([*trained, *untrained]):
            style = series_style(number)
            if name in trained:
                found = [per_seed(results, f"{name}{title}", measure) for title in of_count.values()]
                ax.plot(counts, [np.mean(seeds) for seeds in found], label=name, **style)
                for count, seeds in zip(counts, found, strict=True):
                    ax.plot([count] * len(seeds), seeds, ".", color=style["color"], markersize=4)
            else:
                level = accuracy(results, name, measure)
                ax.plot(counts, [level] * len(counts), label=name, **style | {"marker": "", "alpha": 0.7})
        ax.set(title=measure.replace("5-way", f"5-way {results['shot']}-shot"), xlabel="base classes", xscale="log")
        ax.set_xticks(counts, map(str, counts))
        ax.minorticks_off()
    axes[0].set_ylabel("accuracy, % (dots: training seeds)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    return figure


@course_style
def draws(values: Sequence[float], intervals: Mapping[str, tuple[float, float]], xlabel: str) -> Figure:
    """How often a bootstrap drew each value, and below it 95 % intervals of several kinds, by name."""
    figure = Figure(figsize=(8, 2.6 + 0.3 * len(intervals)), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 0.55 * len(intervals)])
    above.hist(values, bins=24, color=COLORS[0], hatch=HATCHES[0], edgecolor="white")
    above.set_ylabel("draws")
    for place, (name, (low, high)) in enumerate(intervals.items()):
        line, color = LINES[place % len(LINES)], COLORS[3 * place % 5]
        below.plot([low, high], [place] * 2, line, color=color, linewidth=3)
        below.text(high, place, f"  {name}", va="center", fontsize=9)
    for ax in (above, below):
        ax.axvline(0, color="black", linestyle=":", linewidth=1.2)
        sns.despine(ax=ax)
    below.set(yticks=[], ylim=(len(intervals) - 0.4, -0.6), xlabel=xlabel)
    below.set_ylabel("95 %", rotation=0, ha="right", va="center")
    return figure


@course_style
def by_class(differences: np.ndarray, classes: Sequence[str], xlabel: str) -> Figure:
    """Differences ``[seeds, classes]`` in points: a row per class, sorted by mean, and a marker per training seed."""
    order = np.argsort(differences.mean(0), kind="stable")
    figure, (ax,) = new_axes(1, 9, 0.24 * len(classes) + 1.3)
    ax.barh(range(len(classes)), differences.mean(0)[order], color="0.85", height=0.75, label="mean")
    for seed, row in enumerate(differences):
        style = series_style(seed) | {"linestyle": "", "markersize": 4.5}
        ax.plot(row[order], range(len(classes)), label=f"training {seed}", **style)
    ax.axvline(0, color="black", linestyle=":", linewidth=1.2)
    ax.set_yticks(range(len(classes)), [classes[place].replace("_", " ") for place in order], fontsize=8)
    ax.set(xlabel=xlabel, ylim=(-0.7, len(classes) - 0.3))
    ax.legend(loc="best")
    return figure
