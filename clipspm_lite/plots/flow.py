"""A component as boxes with shapes, joined by arrows from left to right."""

import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from clipspm_lite.plots.base import COLORS, course_style

Box = tuple[float, float, Sequence[int]]  # column, row (from the top), shape
BOX_WIDTH, BOX_HEIGHT = 0.56, 0.5  # of a column's and a row's distance


@course_style
def flow(boxes: Mapping[str, Box], arrows: Sequence[tuple[str, str, str]]) -> Figure:
    """Boxes with a name and a shape, and arrows (from, to, what happens on the way).

    An arrow leads from the right side of a box to the left side of one further right.
    """
    columns = [column for column, *_ in boxes.values()]
    rows = [row for _, row, _ in boxes.values()]
    figure = Figure(figsize=(2.0 * (max(columns) - min(columns)) + 1.3, 1.15 * (max(rows) - min(rows)) + 0.9))
    ax = figure.add_axes((0, 0, 1, 1))
    for name, (column, row, shape) in boxes.items():
        corner = column - BOX_WIDTH / 2, row - BOX_HEIGHT / 2
        style = dict(boxstyle="round,pad=0,rounding_size=0.04", facecolor="#eef3f8", edgecolor=COLORS[0])
        ax.add_patch(FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT, **style))
        text = f"{textwrap.fill(name, 15)}\n{list(shape) or 'one number'}"
        ax.text(column, row, text, ha="center", va="center", fontsize=9)
    for start, end, label in arrows:
        (x, y, _), (to_x, to_y, _) = boxes[start], boxes[end]
        x, to_x = x + BOX_WIDTH / 2, to_x - BOX_WIDTH / 2
        arrow = dict(arrowstyle="->", color=COLORS[3], linewidth=1.4, shrinkA=1, shrinkB=1)
        ax.annotate("", xy=(to_x, to_y), xytext=(x, y), arrowprops=arrow)
        text = textwrap.fill(label, 13)
        ax.text((x + to_x) / 2, min(y, to_y) - 0.04, text, ha="center", va="bottom", fontsize=8)
    ax.set(xlim=(min(columns) - 0.33, max(columns) + 0.33), ylim=(max(rows) + 0.4, min(rows) - 0.4))
    ax.set_axis_off()
    return figure
