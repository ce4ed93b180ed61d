"""The picture of one answer of a recogniser: a clip, and how likely each action is."""

import textwrap
from collections.abc import Mapping

import seaborn as sns
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.plots.base import COLORS, WIDE, course_style, film_strip


@course_style
def ranking(clip: Tensor, probabilities: Mapping[str, float]) -> Figure:
    """A clip as a film strip, and below it one bar per action, the answer on top.

    The clip is frames ``[T, 3, H, W]`` in [0, 1]; ``probabilities`` (0 … 1) begin with the most likely action.
    """
    height = 1 + 0.3 * len(probabilities) + 0.55
    figure = Figure(figsize=(WIDE, height))
    film_strip(figure.add_axes((0.01, 1 - 0.9 / height, 0.98, 0.85 / height)), clip)
    ax = figure.add_axes((0.4, 0.45 / height, 0.54, 0.3 * len(probabilities) / height))
    values = list(probabilities.values())
    colors = [COLORS[0], *[COLORS[7]] * (len(values) - 1)]  # blue and grey
    ax.barh(range(len(values)), values, color=colors, height=0.7)
    for row, value in enumerate(values):
        ax.text(value + 0.01, row, f"{100 * value:.0f} %", va="center", fontsize=9)
    names = [textwrap.shorten(name, 34, placeholder=" …") for name in probabilities]
    ax.set_yticks(range(len(values)), names)
    ax.set(xlim=(0, 1.08), xticks=[0, 0.5, 1], xlabel="probability (not calibrated)")
    ax.invert_yaxis()
    sns.despine(ax=ax, left=True)
    ax.tick_params(axis="y", length=0)
    return figure
