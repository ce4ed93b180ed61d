"""Pictures of frames and words in one space: cosines, templates, the modality gap and its maps."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from torch import Tensor

from clipspm_lite.plots.base import (
    COLORS,
    MARKERS,
    NEUTRAL_COLORS,
    WIDE,
    course_style,
    film_strip,
    new_axes,
    series_style,
)


@course_style
def clips_and_names(
    clips: Sequence[Tensor], cosines: Tensor, names: Sequence[str], labels: Sequence[int], kind: str = "clip"
) -> Figure:
    """Clips as film strips, and beside each its cosine with every name; the largest is bold, with ✓ or ✗.

    Args:
        clips: frames ``[T, 3, H, W]`` of each clip.
        cosines: ``[clips, names]``.
        labels: for each clip the number of its own name.
        kind: what a clip is called.
    """
    figure = Figure(figsize=(10, 0.95 * len(clips) + 0.4), layout="constrained")
    axes = figure.subplots(len(clips), 2, squeeze=False, width_ratios=(1.3, 1))
    for row, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        film_strip(axes[row, 0], clip)
        axes[row, 0].set_title(f"{kind} {row + 1}, name {label + 1}: {names[label]}", loc="left")
        ax = axes[row, 1]
        ax.imshow(cosines[row : row + 1].numpy(), cmap="cividis", aspect="auto", vmin=-1, vmax=1)
        best = int(cosines[row].argmax())
        for column in range(len(names)):
            value = float(cosines[row, column])
            mark = "" if column != best else " ✓" if best == label else " ✗"
            color = "black" if value > 0 else "white"
            weight = "bold" if column == best else "normal"
            ax.text(column, 0, f"{value:.2f}{mark}", ha="center", va="center", color=color, fontweight=weight)
        ax.set_yticks([0], [f"{kind} {row + 1}"])
        ax.sharex(axes[0, 1])
        ax.tick_params(bottom=False, labelbottom=False)
    axes[0, 1].set_xticks(range(len(names)), [f"name {column + 1}" for column in range(len(names))])
    axes[0, 1].tick_params(top=True, labeltop=True)
    axes[0, 1].set_title(f"cosine of the {kind} with each name")
    return figure


@course_style
def both_directions(frames: Tensor, names: Sequence[str], logits: Tensor) -> Figure:
    """The softmax of a table of logits along its rows, and along its columns; boxes mark the true pairs.

    Args:
        frames: B pictures ``[B, 3, H, W]`` in [0, 1]; ``names``: their B sentences.
        logits: ``[B, B]``, a row for each picture.
    """
    count = len(names)
    figure = Figure(figsize=(10, 0.85 * count + 1.0), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=(0.25, 1, 1))
    axes[0].imshow(torch.cat(list(frames), dim=-2).permute(1, 2, 0).clamp(0, 1).numpy(), aspect="auto")
    axes[0].set_axis_off()
    titles = ("which sentence? (a row adds up to 1)", "which picture? (a column adds up to 1)")
    for ax, title, shares in zip(axes[1:], titles, (logits.softmax(1), logits.softmax(0)), strict=True):
        ax.imshow(shares.numpy(), cmap="cividis", aspect="auto", vmin=0, vmax=1)
        for row, column in np.ndindex(count, count):
            value = float(shares[row, column])
            color = "black" if value > 0.5 else "white"
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=color)
            if row == column:
                box: dict[str, Any] = dict(fill=False, edgecolor=COLORS[1], linewidth=3)
                ax.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, **box))
        ax.set_xticks(range(count), [textwrap.fill(name, 14) for name in names])
        ax.set(yticks=[], title=title, xlabel="sentence", ylabel="picture")
    return figure


@course_style
def template_accuracies(
    single: Mapping[str, tuple[float, float]], together: tuple[float, float], chance: float
) -> Figure:
    """Accuracy in per cent, with 95 % half-width, of each template alone, best first, and of all together."""
    figure, (ax,) = new_axes(1, 8.5, 0.28 * len(single) + 1.2)
    ordered = sorted(single, key=lambda template: -single[template][0])
    values, intervals = zip(*(single[template] for template in ordered), strict=True)
    style: dict[str, Any] = dict(fmt="o", color=COLORS[0], capsize=3, label="one template alone")
    ax.errorbar(values, range(len(ordered)), xerr=intervals, **style)
    ax.axvline(together[0], color=COLORS[1], linestyle="--", label=f"mean of all {len(single)}")
    ax.axvspan(together[0] - together[1], together[0] + together[1], color=COLORS[1], alpha=0.2, linewidth=0)
    ax.set_yticks(range(len(ordered)), ordered)
    ax.invert_yaxis()
    ax.set(xlabel=f"zero-shot accuracy, % (chance: {chance:.0f} %)")
    ax.legend(loc="upper left")
    return figure


@course_style
def cosine_histograms(panels: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """How often each cosine occurs, in per cent of a group's pairs.

    Args:
        panels: title → group → cosines, a tensor of any shape. Groups differ in colour and line style; a triangle on
            the axis marks each mean.
    """
    figure = Figure(figsize=(8.5, 2.3 * len(panels) + 0.3), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    for ax, (title, groups) in zip(axes, panels.items(), strict=True):
        for number, (name, cosines) in enumerate(groups.items()):
            values, style = cosines.detach().flatten().numpy(), series_style(number)
            ax.hist(
                values, bins=60, range=(-1, 1), weights=np.full(len(values), 100 / len(values)),
                histtype="step", color=style["color"], linestyle=style["linestyle"], linewidth=2,
                label=f"{name} (mean {values.mean():.2f})",
            )  # fmt: skip
            mark: dict[str, Any] = dict(marker="^", markersize=8, color=style["color"], clip_on=False, zorder=5)
            ax.plot([values.mean()], [0], **mark)
        ax.set_title(title, loc="left")
        ax.set(xlim=(-1, 1), ylabel="% of the pairs")
        ax.legend(loc="upper left")
        sns.despine(ax=ax)
    axes[-1].set_xlabel("cosine")
    return figure


@course_style
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
        ax.scatter(*video.T, s=9, marker="o", color=COLORS[0], linewidths=0, alpha=0.7, label="video")
        ax.scatter(*text.T, s=14, marker="x", color=COLORS[1], linewidths=0.9, alpha=0.8, label="sentence")
        if highlight is not None:
            ax.scatter(*video[highlight[0]].T, s=26, marker="o", color="black", label=f"video: {name}")
            ax.scatter(*text[highlight[1]].T, s=32, marker="x", color="black", label=f"sentence: {name}")
        ax.set_title(title)
        ax.set(xticks=[], yticks=[], xlabel="first axis of the map", ylabel="second axis")
        ax.set_aspect("equal", adjustable="datalim")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@course_style
def frame_scores(clips: Mapping[str, Tensor], cosines: Mapping[str, Tensor], names: Sequence[str]) -> Figure:
    """Each clip as a film strip, and below it the cosine of every frame with every name.

    ``clips``: title → frames ``[T, 3, H, W]``; ``cosines``: the same titles → ``[T, names]``.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots(2, len(clips), squeeze=False, sharey="row", height_ratios=(1, 3))
    for column, (title, clip) in enumerate(clips.items()):
        film_strip(axes[0, column], clip)
        axes[0, column].set_title(title)
        ax = axes[1, column]
        frames = range(1, len(clip) + 1)
        for number, (name, values) in enumerate(zip(names, cosines[title].T, strict=True)):
            ax.plot(frames, values.numpy(), label=name, **series_style(number))
        ax.set(xlabel="frame", xticks=frames, xlim=(0.5, len(clip) + 0.5))
        sns.despine(ax=ax)
    axes[1, 0].set_ylabel("cosine with the name")
    axes[1, 0].legend(title="name")
    return figure


@course_style
def accuracy_by_shot(
    shots: Sequence[int],
    results: Mapping[str, Sequence[tuple[float, float]]],
    chance: float,
    published: Mapping[str, Mapping[int, float]] | None = None,
) -> Figure:
    """Accuracy in per cent with 95 % half-widths over the number of examples, one line per method.

    Args:
        results: method → (accuracy, half-width) at each of ``shots``.
        published: source → shot → reported accuracy: open markers without an interval.
    """
    published = published or {}
    figure, (ax,) = new_axes(1, 7, 3.6 + 0.2 * len(published))
    for number, (name, values) in enumerate(results.items()):
        accuracies, intervals = zip(*values, strict=True)
        ax.errorbar(shots, accuracies, intervals, capsize=3, label=name, **series_style(number))
    for number, (source, numbers) in enumerate(published.items(), start=len(results)):
        style: dict[str, Any] = dict(marker=MARKERS[number % len(MARKERS)], color="black", markerfacecolor="none")
        ax.plot(*zip(*numbers.items(), strict=True), linestyle="", markersize=9, label=source, **style)
    ax.set(xticks=list(shots), xlabel="K, examples per class", ylabel=f"accuracy, % (chance: {chance:.0f} %)")
    if published:
        entries = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        names = [*results, *published]  # matplotlib would put lines with intervals last
        figure.legend([entries[name] for name in names], names, loc="outside lower left", ncols=2)
    else:
        ax.legend()
    return figure


FILLED = MARKERS[:2]  # the first two kinds of points on a map: the clips


@dataclass(frozen=True)
class StageMap:
    """Places ``[P, 2]`` of points on one map, its limits (the same for every stage), and where they came from."""

    places: np.ndarray
    limits: tuple[float, float, float, float]
    came_from: np.ndarray | None = None  # [P, 2]; nan where a point wasn't there


@course_style
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
    """Maps of everything in an episode: a marker per kind, a grey line from where a point came.

    Each class has its number at the centre of its points, with a thin line to each of them.

    Args:
        maps: title → map, two of them; the same points in each.
        kinds: what each point is, in words.
        classes: each point's place in ``names``; None for what belongs to no class.
        colour: what colours mean: "class", "role" (the kinds), or "split" (the classes' parts).
        parts: for each class its part of the split, where that is known.
        chosen: the point to ring.
    """
    kind_styles = _kind_styles(kinds, colour)
    rows = max(len(names), len(kind_styles))  # of the legend, below the maps
    side, bottom = 3.0, max(1.75, 0.53 + 0.19 * (rows - 1))
    width, height = WIDE, bottom + side + 0.3
    figure = Figure(figsize=(width, height))
    class_colors = _class_colors(len(names), colour, parts)
    paint = [
        kind_styles[kind]["color"] if colour == "role" else class_colors.get(label, "black")
        for kind, label in zip(kinds, classes, strict=True)
    ]
    for number, (title, shown) in enumerate(maps.items()):
        left = 0.28 + number * (side + 0.34)
        ax = figure.add_axes((left / width, bottom / height, side / width, side / height))
        if shown.came_from is not None:
            gaps = np.full_like(shown.places, np.nan)
            steps = np.stack([shown.came_from, shown.places, gaps], 1).reshape(-1, 2)
            ax.plot(steps[:, 0], steps[:, 1], color="0.75", linewidth=0.8, zorder=1)
        for kind, style in kind_styles.items():
            of_kind = [place for place, other in enumerate(kinds) if other == kind]
            x, y = shown.places[of_kind].T
            colors = [paint[place] for place in of_kind]
            ax.scatter(x, y, marker=style["marker"], **_mark(style, colors))
        ax.set(xlim=shown.limits[:2], ylim=shown.limits[2:], xticks=[], yticks=[], title=title)
        _number_classes(ax, shown.places, classes, class_colors)
        if chosen is not None:
            ring: dict[str, Any] = dict(facecolors="none", edgecolors="black", linewidths=1.8)
            x, y = shown.places[chosen]
            ax.scatter(x, y, s=190, zorder=4, **ring)
        ax.set_xlabel("first axis", labelpad=2)
        ax.set_ylabel("second axis", labelpad=2)

    def height_of(row: int) -> float:
        return (bottom - 0.45 - 0.19 * row) / height

    for row, (kind, style) in enumerate(kind_styles.items()):  # legends would take half of the time
        filled = style["marker"] in FILLED
        mark: dict[str, Any] = style | dict(
            linestyle="", markersize=6, markerfacecolor=style["color"] if filled else "none"
        )
        figure.add_artist(Line2D([0.04], [height_of(row)], **mark))
        figure.text(0.06, height_of(row), kind, va="center", fontsize=9)
    for row, name in enumerate(names):
        text = textwrap.shorten(f"{name} ({parts[row]})" if parts else name, 52, placeholder=" …")
        centred: dict[str, Any] = dict(va="center", fontsize=9)
        number_style: dict[str, Any] = dict(color=class_colors[row], weight="bold", ha="center") | centred
        figure.text(0.36, height_of(row), str(row + 1), **number_style)
        figure.text(0.38, height_of(row), text, **centred)
    return figure


def _kind_styles(kinds: Sequence[str], colour: str) -> dict[str, dict[str, Any]]:
    """Marker and colour of each kind of point; grey where colours mean something else."""
    styles = {}
    for number, kind in enumerate(dict.fromkeys(kinds)):
        color = NEUTRAL_COLORS[number % len(NEUTRAL_COLORS)] if colour == "role" else "0.4"
        styles[kind] = {"marker": MARKERS[number % len(MARKERS)], "color": color}
    return styles


def _mark(style: dict[str, Any], colors: Sequence[Any]) -> dict[str, Any]:
    """How points of a kind are drawn: clips filled, what is made of them hollow, so that one does not hide another."""
    if style["marker"] in FILLED:
        return dict(s=18, c=colors, linewidths=0.4, edgecolors="white", zorder=3)
    size = {"^": 42, "D": 56, "v": 16, "*": 95}.get(style["marker"], 28)
    return dict(s=size, facecolors="none", edgecolors=colors, linewidths=1.1, zorder=3.5)


def _class_colors(way: int, colour: str, parts: Sequence[str]) -> dict[int | None, Any]:
    """The colour of each class by its number: its own, or that of its part of the split, or dark grey."""
    if colour == "split" and parts:
        different = list(dict.fromkeys(parts))
        numbers = [different.index(part) for part in parts]
    elif colour == "class":
        numbers = list(range(way))
    else:
        return dict.fromkeys(range(way), "0.25")
    return {label: NEUTRAL_COLORS[number % len(NEUTRAL_COLORS)] for label, number in enumerate(numbers)}


def _number_classes(ax: Axes, places: np.ndarray, classes: Sequence[int | None], colors: Mapping[Any, Any]) -> None:
    """A number for each class, from 1, at the centre of its points, and a thin line from there to each of them."""
    for label in sorted({label for label in classes if label is not None}):
        points = places[[place for place, other in enumerate(classes) if other == label]]
        centre = points.mean(0)
        steps = np.stack([points, np.broadcast_to(centre, points.shape), np.full_like(points, np.nan)], 1)
        ax.plot(*steps.reshape(-1, 2).T, color=colors[label], linewidth=0.5, alpha=0.6, zorder=1.5)
        card: dict[str, Any] = dict(boxstyle="circle,pad=0.15", facecolor="white", edgecolor="none", alpha=0.75)
        style: dict[str, Any] = dict(color="black", weight="bold", fontsize=9, bbox=card, zorder=5)
        ax.text(centre[0], centre[1], str(label + 1), ha="center", va="center", clip_on=True, **style)
