"""Pictures of notebook 04: changed clips, what MFE weighs, how its motion feature answers, what HSMR trains."""

from collections.abc import Mapping, Sequence

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.plots.base import COLORS, bar_style, look


@look
def frame_shares(shares: Mapping[str, Tensor]) -> Figure:
    """How much each frame of a clip counts, ``[T]`` numbers for each named case, one panel a case."""
    figure = Figure(figsize=(4.5 * len(shares), 2.6), layout="constrained")
    axes = figure.subplots(1, len(shares), squeeze=False)
    for ax, (name, values), color in zip(axes[0], shares.items(), COLORS, strict=False):
        places = range(1, len(values) + 1)
        ax.bar(places, values.tolist(), color=color, width=0.7)
        ax.axhline(0, color="black", linewidth=0.8)
        ax.set(xlabel="frame", ylabel="weight", xticks=list(places), title=name)
        sns.despine(ax=ax)
    return figure


@look
def answers_to_changes(
    cosines: Mapping[str, Mapping[str, Tensor]], lengths: Mapping[str, Mapping[str, Tensor]]
) -> Figure:
    """What features say about changed clips: a column a feature, a row a change, a dot a clip, a bar their mean.

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
    """One row a name, coloured by its place in ``order``: a dot a value, a bar at their mean; nan has no length."""
    for row, (name, values) in enumerate(rows.items()):
        known = values[~values.isnan()].tolist()
        if not known:
            ax.text(0.05, row, "no length", va="center", fontsize=8)
            continue
        color = COLORS[order.index(name) % len(COLORS)]
        ax.plot(known, [row] * len(known), "o", color=color, markersize=4, alpha=0.5)
        ax.plot([sum(known) / len(known)] * 2, [row - 0.35, row + 0.35], color="black", linewidth=2)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    sns.despine(ax=ax, left=True)


@look
def lengths_by_class(lengths: Mapping[str, Tensor], marked: Sequence[str], mark: str, rest: str) -> Figure:
    """Mean length of the motion feature of each class's clips, shortest first; ``marked`` classes are hatched.

    Args:
        lengths: class → ``[V]``.
        marked: the classes to single out.
        mark, rest: what the two kinds are called in the legend.
    """
    means = sorted(((float(values.mean()), name) for name, values in lengths.items()))
    figure = Figure(figsize=(8, 0.24 * len(means) + 1.2), layout="constrained")
    ax = figure.subplots()
    for is_marked, label, color, hatch in ((True, mark, COLORS[1], "//"), (False, rest, COLORS[0], "")):
        rows = [row for row, (_, name) in enumerate(means) if (name in marked) == is_marked]
        ax.barh(
            rows,
            [means[row][0] for row in rows],
            color=color,
            hatch=hatch,
            edgecolor="white",
            height=0.75,
            label=label,
        )
    ax.set_yticks(range(len(means)), [name.replace("_", " ") for _, name in means], fontsize=8)
    ax.set_xlabel("mean length of the motion feature ÷ a frame's length")
    ax.set_ylim(len(means) - 0.4, -0.6)
    ax.legend(loc="upper right")
    sns.despine(ax=ax)
    return figure


@look
def motion_of_heads(heads: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Bars of means over clips, one panel a quantity, one bar a head.

    Args:
        heads: head → quantity → value; all heads have the same quantities.
    """
    quantities = list(next(iter(heads.values())))
    figure = Figure(figsize=(2 * len(quantities), 2.9), layout="constrained")
    axes = figure.subplots(1, len(quantities), squeeze=False)
    for ax, quantity in zip(axes[0], quantities, strict=True):
        for place, (name, values) in enumerate(heads.items()):
            value = values[quantity]
            ax.bar([name.replace(" ", "\n")], [value], width=0.7, **bar_style(place))
            ax.text(place, value, f"{value:.2f}" if value < 10 else f"{value:.0f}", ha="center", va="bottom")
        ax.set_ylabel(quantity)
        ax.tick_params(axis="x", labelsize=7)
        ax.margins(y=0.12)
        sns.despine(ax=ax)
    figure.suptitle(title)
    return figure
