"""Pictures of motion: what MFE weighs, how motion features answer to changed clips, what HSMR trains."""

from collections.abc import Mapping, Sequence
from typing import Any

import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.plots.base import COLORS, NEUTRAL_COLORS, WIDE, bar_style, course_style, film_strip, new_axes


@course_style
def frame_shares(shares: Mapping[str, Tensor]) -> Figure:
    """How much each frame of a clip counts: case → ``[T]`` numbers, one panel per case."""
    figure, axes = new_axes(len(shares), 4.5 * len(shares), 2.6)
    for number, (ax, (name, values)) in enumerate(zip(axes, shares.items(), strict=True)):
        places = range(1, len(values) + 1)
        ax.bar(places, values.tolist(), color=COLORS[number % len(COLORS)], width=0.7)
        ax.axhline(0, color="black", linewidth=0.8)
        ax.set(xlabel="frame", ylabel="weight", xticks=list(places), title=name)
    return figure


@course_style
def answers_to_changes(
    cosines: Mapping[str, Mapping[str, Tensor]], lengths: Mapping[str, Mapping[str, Tensor]]
) -> Figure:
    """What features say about changed clips: a column per feature, a row per change, a dot per clip, a bar at the mean.

    Args:
        cosines: feature → change → ``[V]``, cosine with the feature of the unchanged clip; nan where one has no length.
        lengths: feature → change → ``[V]``, length of the feature relative to a frame's; the same features.
    """
    features, changes = list(lengths), list(next(iter(lengths.values())))
    longest = max(float(values.max()) for named in lengths.values() for values in named.values())
    figure = Figure(figsize=(2.5 * len(features), 0.7 * len(changes) + 2), layout="constrained")
    axes = figure.subplots(2, len(features), squeeze=False, sharey="row")
    for column, name in enumerate(features):
        upper, lower = axes[:, column]
        _dots(upper, cosines[name], changes)
        _dots(lower, lengths[name], changes)
        upper.set(title=name, xlim=(-1.1, 1.1), xlabel="cosine with the unchanged clip's")
        upper.axvline(0, color="black", linewidth=0.8)
        lower.set(xlim=(-0.05 * longest, 1.08 * longest), xlabel="length ÷ a frame's length")
        for ax in (upper, lower):
            ax.tick_params(left=False)
            ax.xaxis.label.set_size(8)
    for ax in axes[:, 0]:
        ax.invert_yaxis()
    return figure


def _dots(ax: Axes, rows: Mapping[str, Tensor], order: Sequence[str]) -> None:
    """A row per name, coloured by its place in ``order``: a dot per value, a bar at their mean; nan has no length."""
    for row, (name, values) in enumerate(rows.items()):
        known = values[~values.isnan()].tolist()
        if not known:
            ax.text(0.05, row, "no length", va="center", fontsize=8)
            continue
        color = NEUTRAL_COLORS[order.index(name) % len(NEUTRAL_COLORS)]
        ax.plot(known, [row] * len(known), "o", color=color, markersize=4, alpha=0.5)
        ax.plot([sum(known) / len(known)] * 2, [row - 0.35, row + 0.35], color="black", linewidth=2)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    sns.despine(ax=ax, left=True)


@course_style
def lengths_by_class(lengths: Mapping[str, Tensor], marked: Sequence[str], mark: str, rest: str) -> Figure:
    """Mean length of the motion feature of each class's clips ``[V]``, shortest first; ``marked`` ones are hatched.

    ``mark`` and ``rest`` name the two kinds in the legend.
    """
    means = sorted(((float(values.mean()), name) for name, values in lengths.items()))
    figure, (ax,) = new_axes(1, 8, 0.24 * len(means) + 1.2)
    for is_marked, label, color, hatch in ((True, mark, COLORS[1], "//"), (False, rest, COLORS[0], "")):
        rows = [row for row, (_, name) in enumerate(means) if (name in marked) == is_marked]
        style: dict[str, Any] = dict(color=color, hatch=hatch, edgecolor="white", height=0.75)
        ax.barh(rows, [means[row][0] for row in rows], label=label, **style)
    ax.set_yticks(range(len(means)), [name.replace("_", " ") for _, name in means], fontsize=8)
    ax.set_xlabel("mean length of the motion feature ÷ a frame's length")
    ax.set_ylim(len(means) - 0.4, -0.6)
    ax.legend(loc="upper right")
    return figure


@course_style
def motion_of_heads(heads: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Bars of means over clips (head → quantity → value), one panel per quantity, one bar per head."""
    quantities = list(next(iter(heads.values())))
    figure, axes = new_axes(len(quantities), 2 * len(quantities), 2.9)
    for ax, quantity in zip(axes, quantities, strict=True):
        for place, (name, values) in enumerate(heads.items()):
            value = values[quantity]
            ax.bar([name.replace(" ", "\n")], [value], width=0.7, **bar_style(place))
            ax.text(place, value, f"{value:.2f}" if value < 10 else f"{value:.0f}", ha="center", va="bottom")
        ax.set_ylabel(quantity)
        ax.tick_params(axis="x", labelsize=7)
        ax.margins(y=0.12)
    figure.suptitle(title)
    return figure


@course_style
def strips_of_twins(clips: Mapping[str, Tensor]) -> Figure:
    """A clip and its changed twins, all ``[T, 3, H, W]`` in [0, 1], one below the other, frames in columns."""
    figure = Figure(figsize=(WIDE, 0.67 * len(clips)))
    ax = figure.add_axes((0.2, 0.01, 0.79, 0.98))
    film_strip(ax, torch.cat(list(clips.values()), dim=2))
    height = next(iter(clips.values())).shape[2]
    for row, name in enumerate(clips):
        ax.text(-0.01, 1 - (row + 0.5) / len(clips), name, transform=ax.transAxes, ha="right", va="center")
        ax.axhline(row * height - 0.5, color="white", linewidth=3)
    ax.set_aspect("auto")
    return figure


@course_style
def features_of_twins(features: Mapping[str, Tensor], twins: Sequence[str]) -> Figure:
    """Features of changed twins beside the original's: a row per feature, a panel per twin, a dot per channel.

    In a panel the original's value runs to the right and the twin's upwards. The rising line is where both are the
    same, the falling one where the sign is turned, the level one where the twin's feature is zero.

    Args:
        features: feature → ``[twins, C]``.
        twins: names of the rows; the others are compared with the first.
    """
    columns, row_height = len(twins) - 1, 1.5
    figure = Figure(figsize=(6.7, row_height * len(features) + 0.4))
    ax = figure.add_axes((0.13, 0.16 / len(features), 0.86, 1 - 0.28 / len(features)))
    line: dict[str, Any] = dict(linewidth=0.8, zorder=1)
    for row, (name, values) in enumerate(features.items()):
        most = float(values.abs().max()) or 1.0
        ax.text(-0.62, row, f"{name}\n(to ± {most:.2g})", va="center", ha="center", rotation=90, fontsize=9)
        for column, (length, cosine) in enumerate(compared_with_first(values)[1:]):
            x = column + 0.4 * values[0] / most
            y = row - 0.4 * values[column + 1] / most
            ends = [column - 0.4, column + 0.4]
            ax.plot(ends, [row + 0.4, row - 0.4], color="0.5", **line)
            ax.plot(ends, [row - 0.4, row + 0.4], color="0.5", linestyle=":", **line)
            ax.plot(ends, [row, row], color="0.8", **line)
            ax.plot(x.tolist(), y.tolist(), ".", color=NEUTRAL_COLORS[column], markersize=3)
            said = f"{length:.2f} × as long" + ("" if cosine is None else f", cos {cosine:.2f}")
            ax.text(column, row + 0.47, said, ha="center", va="center", fontsize=7.5)
    for column, twin in enumerate(twins[1:]):
        ax.text(column, -0.52, twin, ha="center", fontsize=10)
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(len(features) - 0.42, -0.5), xticks=[], yticks=[])
    ax.set_xlabel(f"to the right: a channel's value in the {twins[0]}; upwards: in its twin", labelpad=4)
    ax.set_ylabel("feature", labelpad=28)
    _without_spines(ax)
    return figure


def compared_with_first(values: Tensor) -> list[tuple[float, float | None]]:
    """For each row of ``[rows, C]``: length ÷ the first row's, and cosine with it; None where one has no direction.

    A row shorter than a thousandth of the longest has no direction.
    """
    lengths = values.norm(dim=-1)
    known = (lengths > 1e-3 * lengths.max()) & (lengths[0] > 1e-3 * lengths.max())
    cosines = (values @ values[0]) / (lengths * lengths[0]).clamp_min(1e-30)
    relative = lengths / lengths[0].clamp_min(1e-30)
    return [(float(r), float(c) if k else None) for r, c, k in zip(relative, cosines, known, strict=True)]


@course_style
def steps_of_twins(steps: Mapping[str, Tensor], title: str) -> Figure:
    """What each step between frames adds to a motion feature: time along x, channels along y, a block per twin.

    Args:
        steps: twin → ``[T − 1, C]``; channels are sorted by the first twin's mean over time.
        title: what is drawn; the largest value, which the colours span, is added to it.
    """
    blocks = list(steps.values())
    order = blocks[0].mean(0).argsort(descending=True)
    count, channels = blocks[0].shape
    most = max(float(block.abs().max()) for block in blocks)
    gap = blocks[0].new_full((1, channels), torch.nan)
    parts = [part for block in blocks for part in (block[:, order] / max(most, 1e-6), gap)][:-1]
    figure = Figure(figsize=(WIDE, 3))
    ax = figure.add_axes((0.06, 0.19, 0.93, 0.72))
    _signed(ax, torch.cat(parts).T)
    for number, name in enumerate(steps):
        middle = number * (count + 1) + (count - 1) / 2
        style: dict[str, Any] = dict(transform=ax.get_xaxis_transform(), ha="center", va="top", fontsize=9)
        ax.text(middle, -0.03, name, **style)
    ax.set(xticks=[], yticks=[], ylabel="channel, sorted by the first block")
    ax.set_xlabel(f"in each block: steps τ = 1 … {count}, from frame τ to frame τ + 1", labelpad=20)
    ax.set_title(f"{title} (colours: ± {most:.2g})", loc="left", y=1)
    _without_spines(ax)
    return figure


def _signed(ax: Axes, values: Tensor) -> None:
    """Values in −1 … 1 as colours, white at zero, purple above and brown below; nan is left white."""
    ax.imshow(values.numpy(), cmap="PuOr", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")


def _without_spines(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
