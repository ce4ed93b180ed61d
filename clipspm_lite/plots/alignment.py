"""Pictures of matching in time: which cells a cell of the table depends on, soft paths, accuracies as dots."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.plots.base import COLORS, LINES, WIDE, course_style, new_axes, series_style

Cells = Sequence[tuple[int, int]]  # of a cost matrix: (frame of x, frame of y)
PATH_COLORS = (COLORS[4], COLORS[2])  # purple and green, one for each direction of OTAM
Accuracies = Mapping[str, tuple[float, float]]  # row → (accuracy, half-width of its 95 % interval), per cent


@course_style
def predecessors(rows: int, columns: int, before: Callable[[int, int], Sequence[tuple[int, int]]]) -> Figure:
    """The table D, ``rows`` × ``columns``, with an arrow into every cell from each cell it is computed from.

    Args:
        before: (i, j) → the cells [(i', j'), …] that D[i, j] is computed from. The first and the last column are
            drawn as padding.
    """
    figure, (ax,) = new_axes(1, 1.5 * columns + 0.6, 1.15 * rows + 0.8)
    arrow = dict(arrowstyle="->", color=COLORS[3], shrinkA=23, shrinkB=23, linewidth=1.4)
    for row, column in np.ndindex(rows, columns):
        padded = column in (0, columns - 1)
        box = dict(
            boxstyle="square,pad=0.5",
            facecolor="#e8e8e8" if padded else "white",
            edgecolor=COLORS[7] if padded else COLORS[0],
            linestyle="--" if padded else "-",
        )
        ax.text(column, row, f"D[{row},{column}]", ha="center", va="center", fontsize=9, bbox=box)
        for above, left in before(row, column):
            ax.annotate("", xy=(column, row), xytext=(left, above), arrowprops=arrow)
    ax.set(
        xlim=(-0.5, columns - 0.5),
        ylim=(rows - 0.6, -0.4),
        xlabel="column j (support frame)",
        ylabel="row i (query frame)",
    )
    names = ["0\n(padding)", *map(str, range(1, columns - 1)), f"{columns - 1}\n(padding)"]
    ax.set_xticks(range(columns), names)
    ax.set_yticks(range(rows))
    sns.despine(ax=ax, left=True, bottom=True)
    return figure


@course_style
def soft_paths(
    costs: Sequence[Tensor],
    paths: Sequence[Tensor],
    x_frames: Tensor,
    y_frames: Sequence[Tensor],
    titles: Sequence[str],
    lines: Sequence[Mapping[str, Cells]] = (),
    diagonal: bool = False,
) -> Figure:
    """Cost matrices of one clip x with several clips y, and over each the share of the path that a cell carries.

    Args:
        costs: for each y, frame distances ``[Tx, Ty]``.
        paths: for each y, weights ``[Tx, Ty]`` in 0 … 1 and a little over; a disc's area is the weight.
        x_frames: ``[Tx, 3, H, W]`` in [0, 1], drawn down the left.
        y_frames: for each y, ``[Ty, 3, H, W]``, drawn along the top.
        titles: one per panel.
        lines: for each y, single paths to draw as lines, by name.
        diagonal: draw a dotted line from corner to corner, where the same moments of both clips meet.
    """
    lines = lines or [{}] * len(costs)
    named = any(len(paths_of_one) > 1 for paths_of_one in lines)
    foot = 0.8 if named else 0.5  # inches; a legend needs some of them
    side = 3.5 if len(costs) == 1 else 2.25
    titles = [textwrap.fill(title, int(11 * side)) for title in titles]
    head = 0.1 + 0.17 * max(title.count("\n") + 1 for title in titles)
    figure = Figure(figsize=((side + 0.6) * len(costs) + 1, foot + side + head))
    width, height = figure.get_size_inches()
    low = min(float(cost.min()) for cost in costs)
    high = max(float(cost.max()) for cost in costs)
    axes = []
    panels = zip(costs, paths, y_frames, titles, lines, strict=True)
    for place, (cost, path, frames, title, walks) in enumerate(panels):
        ax = figure.add_axes((((side + 0.6) * place + 0.45) / width, foot / height, side / width, side / height))
        axes.append(ax)
        rows, columns = cost.shape
        bounds: dict[str, Any] = dict(vmin=low, vmax=high + 0.35 * (high - low))
        ax.imshow(cost.numpy(), cmap="Greys", extent=(0, columns, rows, 0), **bounds)
        # One image per clip: a column of frames at the left, a row of them along the top.
        ax.imshow(_joined(x_frames, -2), extent=(-1.1, -0.1, rows, 0))
        ax.imshow(_joined(frames, -1), extent=(0, columns, -0.1, -1.1))
        _draw_path(ax, path, walks, 15 * side**2)
        if diagonal:
            ax.plot([0, columns], [0, rows], color=COLORS[0], linestyle=":", linewidth=2.5, label="same moments")
        ax.set(xlim=(-1.15, columns), ylim=(rows, -1.15), xlabel="support frame", ylabel="query frame")
        ax.set_xticks([i + 0.5 for i in range(columns)], map(str, range(1, columns + 1)))
        ax.set_yticks([i + 0.5 for i in range(rows)], map(str, range(1, rows + 1)))
        ax.set_title(title, y=1)
        ax.set_aspect("auto" if rows == columns else "equal")
        sns.despine(ax=ax, left=True, bottom=True)
        if named:
            ax.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.43 / side), ncols=2, fontsize=8, columnspacing=1)
    bar = figure.add_axes((1 - 0.9 / width, foot / height, 0.12 / width, 0.77 * side / height), label="<colorbar>")
    figure.colorbar(axes[0].images[0], cax=bar, label="frame distance d")
    return figure


def _draw_path(ax: Axes, path: Tensor, walks: Mapping[str, Cells], area: float) -> None:
    """Discs whose area is the path's weight ``[Tx, Ty]`` in a cell, and single paths as lines."""
    row, column = (path > 0.01).nonzero(as_tuple=True)
    areas = area * path[row, column]
    ax.scatter(column + 0.5, row + 0.5, s=areas, color=COLORS[1], edgecolor="black", linewidth=0.5)
    for number, (name, cells) in enumerate(walks.items()):
        x, y = [j + 0.5 for _, j in cells], [i + 0.5 for i, _ in cells]
        ax.plot(x, y, linewidth=2, label=name, **_path_style(number))


def _path_style(number: int) -> dict[str, Any]:
    return {"color": PATH_COLORS[number % len(PATH_COLORS)], "linestyle": LINES[number % len(LINES)]}


def _joined(frames: Tensor, axis: int) -> np.ndarray:
    """Frames ``[T, 3, H, W]`` as one picture, along height (−2) or width (−1), white between them."""
    line = int(frames.shape[-1] * 0.02)
    padded = F.pad(frames, (line, line, line, line), value=1.0)
    return torch.cat(list(padded), dim=axis).permute(1, 2, 0).clamp(0, 1).numpy()


@course_style
def aligned_frames(x_frames: Tensor, y_frames: Tensor, links: Mapping[str, Cells], step: int) -> Figure:
    """Clip x above clip y, both ``[T, 3, H, W]`` in [0, 1], aligned frames joined by lines; one step stands out.

    ``links``: name → (frame of x, frame of y) of every step; ``step`` is the one that stands out, from 0.
    """
    figure = Figure(figsize=(WIDE, 2.7))
    clips = [(x_frames, 0.66, 1.0), (y_frames, 0.0, 0.34)]
    ax = figure.add_axes((0.1, 0.09, 0.89, 0.9))
    for clip, low, high in clips:
        ax.imshow(_joined(clip, -1), extent=(0, 1, low, high), aspect="auto")
    for number, (name, pairs) in enumerate(links.items()):
        style = _path_style(number)
        for place, (i, j) in enumerate(pairs):
            ends = [(i + 0.5) / len(x_frames), (j + 0.5) / len(y_frames)]
            chosen: dict[str, Any] = dict(linewidth=3, zorder=3, label=name) | style
            other: dict[str, Any] = dict(linewidth=1, zorder=1) | style | {"color": "0.75"}
            ax.plot(ends, [0.645, 0.355], **(chosen if place == step else other))
        inset = 0.004 * (1 + 2 * number)  # so that two paths' boxes around one frame are both seen
        for frame, (clip, low, high) in zip(pairs[step], clips, strict=True):
            corner = frame / len(clip) + inset, low + 3 * inset
            size = 1 / len(clip) - 2 * inset, high - low - 6 * inset
            ax.add_patch(Rectangle(corner, *size, fill=False, edgecolor=style["color"],
                                   linestyle=style["linestyle"], linewidth=3))  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="frames in time, the first at the left", xticks=[])
    ax.set_yticks([0.17, 0.83], ["support", "query"])
    ax.tick_params(length=0)
    sns.despine(ax=ax, left=True, bottom=True)
    return figure


@course_style
def accuracy_dots(results: Mapping[str, Accuracies], chance: float, title: str) -> Figure:
    """Accuracies as dots with their 95 % intervals: one line per row (a pair, say), one colour and marker per method.

    Args:
        results: method → row → (accuracy, half-width), in per cent; every method has the same rows.
    """
    rows = list(next(iter(results.values())))
    figure, (ax,) = new_axes(1, 9, 0.5 * len(rows) + 1.6)
    for number, (method, accuracies) in enumerate(results.items()):
        shift = min(0.17, 1.02 / len(results)) * (number - (len(results) - 1) / 2)
        values, intervals = zip(*(accuracies[row] for row in rows), strict=True)
        places = [place + shift for place in range(len(rows))]
        style = series_style(number) | {"linestyle": "", "markersize": 6, "capsize": 2}
        ax.errorbar(values, places, xerr=intervals, label=method, **style)
    for place in range(len(rows) - 1):
        ax.axhline(place + 0.5, color="0.9", linewidth=0.8, zorder=0)
    ax.axvline(chance, color="black", linestyle=":", linewidth=1.2)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=f"accuracy, % (dotted: chance, {chance:.0f} %)", title=title, ylim=(len(rows) - 0.5, -0.5))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
