"""Pictures of frames and words in one space: cosines, templates, the modality gap and its maps."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import ScaledTranslation
from torch import Tensor

from clipspm_lite.plots.base import COLORS, LINES, MARKERS, WRONG, film_strip, look

HUES = [color for color in COLORS if color != WRONG]  # of many classes: vermilion is left to what is wrong
VIDEO, TEXT, BETWEEN = COLORS[0], COLORS[1], COLORS[2]


@look
def clips_and_names(
    clips: Sequence[Tensor], cosines: Tensor, names: Sequence[str], labels: Sequence[int]
) -> Figure:
    """Clips as film strips, and beside each its cosine with every name; the largest is bold, ✓ if it is right.

    Args:
        clips: frames ``[T, 3, H, W]`` of each clip.
        cosines: ``[clips, names]``.
        names: in the order of the columns.
        labels: for each clip which name is its own.
    """
    figure = Figure(figsize=(10, 0.95 * len(clips) + 0.4), layout="constrained")
    axes = figure.subplots(len(clips), 2, squeeze=False, width_ratios=(1.3, 1))
    for row, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        film_strip(axes[row, 0], clip)
        axes[row, 0].set_title(f"clip {row + 1}, name {label + 1}: {names[label]}", loc="left")
        ax = axes[row, 1]
        ax.imshow(cosines[row : row + 1].numpy(), cmap="cividis", aspect="auto", vmin=-1, vmax=1)
        best = int(cosines[row].argmax())
        for column in range(len(names)):
            value = float(cosines[row, column])
            mark = "" if column != best else " ✓" if best == label else " ✗"
            color = "black" if value > 0 else "white"
            weight = "bold" if column == best else "normal"
            ax.text(column, 0, f"{value:.2f}{mark}", ha="center", va="center", color=color, fontweight=weight)
        ax.set_yticks([0], [f"clip {row + 1}"])
        ax.sharex(axes[0, 1])
        ax.tick_params(bottom=False, labelbottom=False)
    axes[0, 1].set_xticks(range(len(names)), [f"name {column + 1}" for column in range(len(names))])
    axes[0, 1].tick_params(top=True, labeltop=True)
    axes[0, 1].set_title("cosine of the clip with each name")
    return figure


@look
def template_accuracies(
    single: Mapping[str, tuple[float, float]], together: tuple[float, float], chance: float
) -> Figure:
    """Accuracy in per cent and 95 % half-width of each template alone, best first, against all of them together."""
    figure = Figure(figsize=(8.5, 0.28 * len(single) + 1.2), layout="constrained")
    ax = figure.subplots()
    ordered = sorted(single, key=lambda template: -single[template][0])
    ax.errorbar(
        [single[template][0] for template in ordered],
        range(len(ordered)),
        xerr=[single[template][1] for template in ordered],
        fmt="o",
        color=COLORS[0],
        capsize=3,
        label="one template alone",
    )
    ax.axvline(together[0], color=COLORS[1], linestyle="--", label=f"mean of all {len(single)}")
    ax.axvspan(together[0] - together[1], together[0] + together[1], color=COLORS[1], alpha=0.2, linewidth=0)
    ax.set_yticks(range(len(ordered)), ordered)
    ax.invert_yaxis()
    ax.set(xlabel=f"zero-shot accuracy, % (chance: {chance:.0f} %)")
    ax.legend(loc="upper left")
    sns.despine(ax=ax)
    return figure


@look
def cosine_histograms(panels: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """How often which cosine occurs, in per cent of a group's pairs; one panel a title: title → group → cosines.

    Groups, tensors of any shape, are told apart by colour and line style; a triangle on the axis marks each mean.
    """
    figure = Figure(figsize=(8.5, 2.3 * len(panels) + 0.3), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    for ax, (title, groups) in zip(axes, panels.items(), strict=True):
        for (name, cosines), color, line in zip(groups.items(), COLORS, LINES, strict=False):
            values = cosines.detach().flatten().numpy()
            ax.hist(
                values,
                bins=60,
                range=(-1, 1),
                weights=np.full(len(values), 100 / len(values)),
                histtype="step",
                color=color,
                linestyle=line,
                linewidth=2,
                label=f"{name} (mean {values.mean():.2f})",
            )
            ax.plot([values.mean()], [0], marker="^", markersize=8, color=color, clip_on=False, zorder=5)
        ax.set_title(title, loc="left")
        ax.set(xlim=(-1, 1), ylabel="% of the pairs")
        ax.legend(loc="upper left")
        sns.despine(ax=ax)
    axes[-1].set_xlabel("cosine")
    return figure


@look
def maps(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray]],
    highlight: tuple[np.ndarray, np.ndarray] | None = None,
    name: str = "",
) -> Figure:
    """Two-dimensional maps side by side: videos as blue dots, sentences as orange crosses.

    Args:
        panels: title → places of the videos ``[V, 2]`` and of the sentences ``[M, 2]``.
        highlight: masks ``[V]`` and ``[M]`` of the points of one class, drawn black and larger.
        name: that class, for the legend.
    """
    figure = Figure(figsize=(3.3 * len(panels), 3.7), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, (video, text)) in zip(axes, panels.items(), strict=True):
        ax.scatter(*video.T, s=9, marker="o", color=VIDEO, linewidths=0, alpha=0.7, label="video")
        ax.scatter(*text.T, s=14, marker="x", color=TEXT, linewidths=0.9, alpha=0.8, label="sentence")
        if highlight is not None:
            ax.scatter(*video[highlight[0]].T, s=26, marker="o", color="black", label=f"video: {name}")
            ax.scatter(*text[highlight[1]].T, s=32, marker="x", color="black", label=f"sentence: {name}")
        ax.set_title(title)
        ax.set(xticks=[], yticks=[], xlabel="first axis of the map", ylabel="second axis")
        ax.set_aspect("equal", adjustable="datalim")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@look
def frame_scores(clips: Mapping[str, Tensor], cosines: Mapping[str, Tensor], names: Sequence[str]) -> Figure:
    """Each clip as a film strip, and below it the cosine of every frame with every name.

    Args:
        clips: title → frames ``[T, 3, H, W]``.
        cosines: the same titles → ``[T, names]``.
        names: in the order of the columns of ``cosines``.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots(2, len(clips), squeeze=False, sharey="row", height_ratios=(1, 3))
    for column, (title, clip) in enumerate(clips.items()):
        film_strip(axes[0, column], clip)
        axes[0, column].set_title(title)
        ax = axes[1, column]
        for place, (name, color, line, marker) in enumerate(zip(names, COLORS, LINES, MARKERS, strict=False)):
            ax.plot(
                range(1, len(clip) + 1), cosines[title][:, place].numpy(), color=color, linestyle=line,
                marker=marker, label=name,
            )  # fmt: skip
        ax.set(xlabel="frame", xticks=range(1, len(clip) + 1), xlim=(0.5, len(clip) + 0.5))
        sns.despine(ax=ax)
    axes[1, 0].set_ylabel("cosine with the name")
    axes[1, 0].legend(title="name")
    return figure


@look
def accuracy_by_shot(
    shots: Sequence[int],
    results: Mapping[str, Sequence[tuple[float, float]]],
    chance: float,
    published: Mapping[str, Mapping[int, float]] | None = None,
) -> Figure:
    """Accuracy in per cent with 95 % half-widths over the number of examples, one line a method.

    Args:
        results: for each method (accuracy, half-width) at each of ``shots``.
        published: what papers report, by whose it is and shot: open markers without an interval.
    """
    published = published or {}
    figure = Figure(figsize=(7, 3.6 + 0.2 * len(published)), layout="constrained")
    ax = figure.subplots()
    markers, lines = cycle(MARKERS), cycle(LINES)
    for (name, values), color in zip(results.items(), cycle(COLORS), strict=False):
        ax.errorbar(
            shots, [value for value, _ in values], yerr=[interval for _, interval in values], color=color,
            linestyle=next(lines), marker=next(markers), capsize=3, label=name,
        )  # fmt: skip
    for source, numbers in published.items():
        ax.plot(
            list(numbers), list(numbers.values()), next(markers), markersize=9, markerfacecolor="none",
            color="black", label=source,
        )  # fmt: skip
    ax.set(xticks=list(shots), xlabel="K, examples a class", ylabel=f"accuracy, % (chance: {chance:.0f} %)")
    if published:
        entries = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        names = [*results, *published]  # matplotlib would put lines with intervals last
        figure.legend([entries[name] for name in names], names, loc="outside lower left", ncols=2)
    else:
        ax.legend()
    sns.despine(ax=ax)
    return figure


@dataclass(frozen=True)
class StageMap:
    """Places ``[P, 2]`` of points on one map, its limits (the same for every stage), and where they came from."""

    places: np.ndarray
    limits: tuple[float, float, float, float]
    came_from: np.ndarray | None = None  # [P, 2]; nan where a point wasn't there


@look
def stage_maps(
    maps: Mapping[str, StageMap],
    kinds: Sequence[str],
    classes: Sequence[int | None],
    names: Sequence[str],
    *,
    colour: str = "class",
    parts: Sequence[str] = (),
    chosen: int | None = None,
) -> Figure:
    """Two maps of everything in an episode: a marker a kind, a number a class, a grey line from where a point came.

    Args:
        maps: title → map; the same points in each.
        kinds: what each point is, in words; at most nine kinds.
        classes: each point's place in ``names``; None for what belongs to no class.
        names: class names.
        colour: what colours mean: "class", "role" (the kinds), or "split" (the classes' parts).
        parts: for each class its part of the split, where that is known.
        chosen: the point to ring.
    """
    width, height, side, bottom = 9.0, 6.5, 4.15, 2.05
    figure = Figure(figsize=(width, height))
    kinds_in_order, parts_in_order = list(dict.fromkeys(kinds)), list(dict.fromkeys(parts))
    marks = {kind: MARKERS[number] for number, kind in enumerate(kinds_in_order)}
    kind_hues = {kind: HUES[n] if colour == "role" else "0.4" for n, kind in enumerate(kinds_in_order)}
    class_hues: dict[int | None, Any] = {
        number: {
            "class": HUES[number % len(HUES)],
            "role": "0.25",
            "split": HUES[parts_in_order.index(parts[number])] if parts else "0.25",
        }[colour]
        for number in range(len(names))
    }
    class_hues[None] = "black"
    paint = [kind_hues[k] if colour == "role" else class_hues[n] for k, n in zip(kinds, classes, strict=True)]

    for number, (title, shown) in enumerate(maps.items()):
        left = 0.28 + number * (side + 0.34)
        ax = figure.add_axes((left / width, bottom / height, side / width, side / height))
        places = shown.places
        if shown.came_from is not None:
            steps = np.stack([shown.came_from, places, np.full_like(places, np.nan)], 1).reshape(-1, 2)
            ax.plot(steps[:, 0], steps[:, 1], color="0.75", linewidth=0.8, zorder=1)
        for kind, marker in marks.items():
            points = [place for place, other in enumerate(kinds) if other == kind]
            ax.scatter(
                places[points, 0], places[points, 1], c=[paint[p] for p in points], marker=marker,
                s=90 if marker == "*" else 34, linewidths=0.4, edgecolors="white", zorder=3,
            )  # fmt: skip
        beside = ax.transData + ScaledTranslation(6 / 72, 4 / 72, figure.dpi_scale_trans)
        for label in range(len(names)):
            points = [place for place, other in enumerate(classes) if other == label]
            with rc_context({"text.parse_math": True}):  # a number as a marker; no name is in it
                digits = MarkerStyle(f"${label + 1}$")
            ax.scatter(
                places[points, 0], places[points, 1], marker=digits, s=20, c="0.25", linewidths=0,
                transform=beside, zorder=2,
            )  # fmt: skip
        if chosen is not None:
            ax.scatter(
                places[chosen, 0], places[chosen, 1], s=190, facecolors="none", edgecolors="black",
                linewidths=1.8, zorder=4,
            )  # fmt: skip
        limits = shown.limits
        ax.set(xlim=limits[:2], ylim=limits[2:], xticks=[], yticks=[], title=title)
        ax.set_xlabel("first axis", labelpad=2)
        ax.set_ylabel("second axis", labelpad=2)

    def row_at(number: int) -> float:
        return (bottom - 0.45 - 0.19 * number) / height

    for number, kind in enumerate(kinds_in_order):  # legends would take half of the time
        style: dict[str, Any] = dict(linestyle="", markersize=6, marker=marks[kind], color=kind_hues[kind])
        figure.add_artist(Line2D([0.04], [row_at(number)], **style))
        figure.text(0.06, row_at(number), kind, va="center", fontsize=9)
    for number, name in enumerate(names):
        if parts:
            name = f"{name} ({parts[number]})"
        figure.text(0.36, row_at(number), str(number + 1), color=class_hues[number], weight="bold",
                    ha="center", va="center", fontsize=9)  # fmt: skip
        figure.text(
            0.38, row_at(number), textwrap.shorten(name, 70, placeholder=" …"), va="center", fontsize=9
        )
    return figure
