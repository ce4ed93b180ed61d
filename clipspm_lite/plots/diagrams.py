"""Diagrams of a component: tensors with their shapes, the parts that have weights, and what goes where."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from clipspm_lite.plots.base import COLORS, course_style

Place = tuple[float, float]  # column from the left, row from the top


@course_style
def data_flow(
    tensors: Mapping[str, tuple[Place, Sequence[int]]], parts: Mapping[str, Place], arrows: Sequence[tuple[str, str]]
) -> Figure:
    """Tensors as white boxes with their shapes, parts that compute as blue boxes, and arrows between them.

    Args:
        tensors: name → its place and its shape.
        parts: name → its place.
        arrows: from which box to which, by name.
    """
    texts = {name: f"{name}\n{list(shape)}" for name, (_, shape) in tensors.items()} | {name: name for name in parts}
    places = {name: place for name, (place, _) in tensors.items()} | dict(parts)
    columns, rows = (max(place[axis] for place in places.values()) + 1 for axis in (0, 1))
    figure = Figure(figsize=(1.5 * columns, 0.95 * rows))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    ax.set_axis_off()
    boxes = {}
    for name, (x, y) in places.items():
        color = "white" if name in tensors else (*COLORS[9], 0.45)
        style = "square,pad=0" if name in tensors else "round,pad=0,rounding_size=0.12"
        box = FancyBboxPatch((x - 0.4, y - 0.33), 0.8, 0.66, boxstyle=style, facecolor=color, edgecolor="0.3")
        boxes[name] = ax.add_patch(box)
        ax.text(x, y, texts[name], ha="center", va="center", fontsize=9)
    for start, end in arrows:
        arrow = dict(arrowstyle="-|>", color="0.3", patchA=boxes[start], patchB=boxes[end], shrinkA=0, shrinkB=1)
        ax.annotate("", xy=places[end], xytext=places[start], arrowprops=arrow)
    return figure
