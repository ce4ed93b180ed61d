"""The picture of a long clip: which action a recogniser sees when."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.data.names import readable
from clipspm_lite.plots.base import course_style, film_strip
from clipspm_lite.recognition.over_time import Moment

MOST_ACTIONS = 12  # rows of one clip


@course_style
def timelines(clips: Mapping[str, Sequence[Moment]], frames: Mapping[str, Tensor] | None = None) -> Figure:
    """For each clip a panel over its seconds, with a row for each action that is likely at some time.

    The darker a cell, the more probable the action then; a line marks the answer. Actions stand in the order in which
    they are first answered; at most 12 are shown, those that reach the highest probability.

    Args:
        clips: what `recognise_over_time` returned, by the clip's name.
        frames: of some clips ``[n, 3, H, W]`` in [0, 1], evenly spread over all of it, shown above.
    """
    strips = {name: 0.3 + 8.0 / len(film) for name, film in (frames or {}).items()}  # inches
    rows = {name: _rows(moments) for name, moments in clips.items()}
    heights = {name: 0.85 + 0.3 * len(rows[name]) + strips.get(name, 0) for name in clips}
    figure = Figure(figsize=(11, sum(heights.values()) + 0.7))
    bottom = figure.get_figheight()
    highest = max(max(moment.probabilities.values()) for moments in clips.values() for moment in moments)
    for name, moments in clips.items():
        bottom -= heights[name]
        box = np.array((2.6, bottom + 0.5, 8.0, 0.3 * len(rows[name])))  # in inches: left, bottom, width, height
        inches = (*figure.get_size_inches(), *figure.get_size_inches())
        ax = figure.add_axes(tuple(box / inches))
        title = ax
        if name in strips:
            above = (box[0], box[1] + box[3] + 0.05, box[2], strips[name] - 0.3)
            title = figure.add_axes(tuple(np.array(above) / inches))
            film_strip(title, (frames or {})[name])
            title.set_aspect("auto")
        title.set_title(textwrap.shorten(name, 90, placeholder=" …"), loc="left")
        edges = [*(moment.start for moment in moments), moments[-1].end]
        shares = np.array([[moment.probabilities[action] for moment in moments] for action in rows[name]])
        mesh = ax.pcolormesh(
            edges, np.arange(len(shares) + 1) - 0.5, shares, cmap="Blues", vmin=0, vmax=highest, rasterized=True
        )
        answered = [moment for moment in moments if moment.action in rows[name]]
        answers = [(rows[name].index(moment.action), moment.start, moment.end) for moment in answered]
        for color, width in (("white", 5), ("black", 2)):  # seen on light and on dark cells
            ax.hlines(*zip(*answers, strict=True), color=color, linewidth=width)
        ax.set_yticks(range(len(shares)), [textwrap.shorten(readable(a), 34, placeholder=" …") for a in rows[name]])
        ax.set(xlim=(edges[0], edges[-1]), xlabel="seconds")
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        sns.despine(ax=ax, left=True)
    height = figure.get_figheight()
    bar = figure.add_axes((2.6 / 11, 0.5 / height, 2.4 / 11, 0.12 / height), label="<colorbar>")
    label = "probability (not calibrated); line: the answer"
    figure.colorbar(mesh, bar, orientation="horizontal", ticks=[0, highest], format="%.2f", label=label)
    return figure


def _rows(moments: Sequence[Moment]) -> list[str]:
    """The actions to show, in the order in which they are first answered."""
    highest = {a: max(moment.probabilities[a] for moment in moments) for a in moments[0].probabilities}
    answered = dict.fromkeys(moment.action for moment in moments)
    likely = sorted(highest, key=lambda action: (action not in answered, -highest[action]))
    shown = [action for action in likely[:MOST_ACTIONS] if action in answered or highest[action] >= 0.05]
    order = [*answered]
    return sorted(shown, key=lambda action: order.index(action) if action in answered else len(order))
