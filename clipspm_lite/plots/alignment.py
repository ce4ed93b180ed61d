"""Pictures of matching in time: which cells a cell of the table looks at, soft paths, accuracies as dots."""

from collections.abc import Callable, Mapping, Sequence

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.plots.base import COLORS, MARKERS, look

Accuracies = Mapping[str, tuple[float, float]]  # row → (accuracy, half-width of its 95 % interval), per cent


@look
def predecessors(rows: int, columns: int, before: Callable[[int, int], Sequence[tuple[int, int]]]) -> Figure:
    """The table D, ``rows`` × ``columns``, with an arrow into every cell from each cell it looks at.

    Args:
        before: (l, m) → the cells [(l', m'), …] that D[l, m] is computed from. The first and the last column are
            drawn as padding.
    """
    figure = Figure(figsize=(1.5 * columns + 0.6, 1.15 * rows + 0.8), layout="constrained")
    ax = figure.subplots()
    for row in range(rows):
        for column in range(columns):
            padded = column in (0, columns - 1)
            ax.text(
                column,
                row,
                f"D[{row},{column}]",
                ha="center",
                va="center",
                fontsize=9,
                bbox=dict(
                    boxstyle="square,pad=0.5",
                    facecolor="#e8e8e8" if padded else "white",
                    edgecolor=COLORS[7] if padded else COLORS[0],
                    linestyle="--" if padded else "-",
                ),
            )
            for above, left in before(row, column):
                ax.annotate(
                    "",
                    xy=(column, row),
                    xytext=(left, above),
                    arrowprops=dict(arrowstyle="->", color=COLORS[3], shrinkA=23, shrinkB=23, linewidth=1.4),
                )
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.6, -0.4), xlabel="column m", ylabel="row l")
    ax.set_xticks(
        range(columns), ["0\n(padding)", *map(str, range(1, columns - 1)), f"{columns - 1}\n(padding)"]
    )
    ax.set_yticks(range(rows))
    sns.despine(ax=ax, left=True, bottom=True)
    return figure


@look
def soft_paths(
    costs: Sequence[Tensor],
    paths: Sequence[Tensor],
    x_frames: Tensor,
    y_frames: Sequence[Tensor],
    titles: Sequence[str],
) -> Figure:
    """Cost matrices of one clip x with several clips y, and over each the share of the path that a cell carries.

    Args:
        costs: for each y, frame distances ``[Tx, Ty]``.
        paths: for each y, weights ``[Tx, Ty]`` in 0 … 1 and a little over; a disc's area is the weight.
        x_frames: ``[Tx, 3, H, W]`` in [0, 1], drawn down the left.
        y_frames: for each y, ``[Ty, 3, H, W]``, drawn along the top.
        titles: one a panel.
    """
    figure = Figure(figsize=(4.9 * len(costs), 4.9), layout="constrained")
    axes = figure.subplots(1, len(costs), squeeze=False)[0]
    low = min(float(cost.min()) for cost in costs)
    high = max(float(cost.max()) for cost in costs)
    for ax, cost, path, frames, title in zip(axes, costs, paths, y_frames, titles, strict=True):
        rows, columns = cost.shape
        ax.imshow(
            cost.numpy(),
            cmap="Greys",
            vmin=low,
            vmax=high + 0.35 * (high - low),
            extent=(0, columns, rows, 0),
        )
        _thumbnails(ax, x_frames, y_frames=frames)
        row, column = (path > 0.01).nonzero(as_tuple=True)
        areas = 230 * path[row, column]
        ax.scatter(column + 0.5, row + 0.5, s=areas, color=COLORS[1], edgecolor="black", linewidth=0.5)
        ax.set(xlim=(-1.15, columns), ylim=(rows, -1.15), xlabel="support frame", ylabel="query frame")
        ax.set_xticks([i + 0.5 for i in range(columns)], map(str, range(1, columns + 1)))
        ax.set_yticks([i + 0.5 for i in range(rows)], map(str, range(1, rows + 1)))
        ax.set_title(title)
        ax.set_aspect("equal")
        sns.despine(ax=ax, left=True, bottom=True)
    figure.colorbar(axes[0].images[0], ax=list(axes), shrink=0.7, label="frame distance d")
    return figure


def _thumbnails(ax: Axes, x_frames: Tensor, y_frames: Tensor) -> None:
    for place, frame in enumerate(x_frames):
        _thumbnail(ax, frame, (-1.1, -0.1, place + 0.98, place + 0.02))
    for place, frame in enumerate(y_frames):
        _thumbnail(ax, frame, (place + 0.02, place + 0.98, -0.1, -1.1))


def _thumbnail(ax: Axes, frame: Tensor, extent: tuple[float, float, float, float]) -> None:
    ax.imshow(frame.permute(1, 2, 0).clamp(0, 1).numpy(), extent=extent)


@look
def accuracy_dots(results: Mapping[str, Accuracies], chance: float, title: str) -> Figure:
    """Accuracies as dots with their 95 % intervals: one line a row (a pair, say), one colour and marker a method.

    Args:
        results: method → row → (accuracy, half-width), in per cent; every method has the same rows.
    """
    rows = list(next(iter(results.values())))
    figure = Figure(figsize=(9, 0.5 * len(rows) + 1.6), layout="constrained")
    ax = figure.subplots()
    for number, (method, accuracies) in enumerate(results.items()):
        shift = 0.17 * (number - (len(results) - 1) / 2)
        ax.errorbar(
            [accuracies[row][0] for row in rows],
            [place + shift for place in range(len(rows))],
            xerr=[accuracies[row][1] for row in rows],
            fmt=MARKERS[number],
            color=COLORS[number],
            markersize=6,
            capsize=2,
            label=method,
        )
    for place in range(len(rows) - 1):
        ax.axhline(place + 0.5, color="0.9", linewidth=0.8, zorder=0)
    ax.axvline(chance, color="black", linestyle=":", linewidth=1.2)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=f"accuracy, % (dotted: chance, {chance:.0f} %)", title=title, ylim=(len(rows) - 0.5, -0.5))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    sns.despine(ax=ax)
    return figure
