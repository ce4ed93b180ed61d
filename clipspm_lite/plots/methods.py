"""Drawings of other methods, from real clips: Bi-MHM's nearest frames, CLIP-FSAR's tokens, TRX's tuples of frames."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from torch import Tensor

from clipspm_lite.plots.base import COLORS, course_style


@course_style
def nearest_frames(query: Tensor, supports: Mapping[str, Tensor], distances: Sequence[Tensor]) -> Figure:
    """Every frame of a query and its nearest of a support clip, and back: an arrow each; a panel per support clip.

    Args:
        query: ``[T, 3, H, W]`` in [0, 1]; so is each support clip, under its title.
        distances: for each support clip, frame distances ``[T of query, T of support]``.
    """
    figure = Figure(figsize=(10, 3.1 * len(supports)), layout="constrained")
    axes = figure.subplots(len(supports), 1, squeeze=False, sharex=True)[:, 0]
    for ax, (title, support), table in zip(axes, supports.items(), distances, strict=True):
        _strip(ax, query, (0, 1), 0.7, 1)
        _strip(ax, support, (0, 1), 0, 0.3)
        for ends, nearest, color, line in (
            ((0.69, 0.31), table.argmin(1), COLORS[0], "-"),
            ((0.31, 0.69), table.argmin(0), COLORS[1], "--"),
        ):
            for place, other in enumerate(nearest.tolist()):
                from_, to = (place + 0.5) / len(nearest), (other + 0.5) / table.shape[int(line == "-")]
                shift = 0.008 if line == "-" else -0.008  # so that two arrows between the same frames are both seen
                _arrow(ax, (from_ + shift, ends[0]), (to + shift, ends[1]), color=color, linestyle=line)
        total = table.amin(1).mean() + table.amin(0).mean()
        ax.set_title(f"{title}: D = {float(total):.3f}", loc="left")
        ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[0.15, 0.85], yticklabels=["support", "query"])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[-1].set_xlabel("frames in time; solid: from the query to its nearest, dashed: from the support to its nearest")
    return figure


@course_style
def clip_fsar(name: str, support: Tensor, query: Tensor, shapes: Mapping[str, Sequence[int]]) -> Figure:
    """CLIP-FSAR as a drawing: a class name joins its support clip's frames, a query stays without a text.

    Args:
        name: of the class.
        support, query: frames ``[T, 3, H, W]`` in [0, 1].
        shapes: of "class text", "support", "query", "modulated", "related", "prototypes" and "logits".
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    ax = figure.subplots()
    ax.set(xlim=(-2, 103), ylim=(0, 43))
    ax.set_axis_off()

    def shape(key: str) -> str:
        return f"[{', '.join(map(str, shapes[key]))}]"

    _box(ax, 0, 31, 13, 7, f"“{name}”", COLORS[4])
    _strip(ax, support, (16, 48), 31, 38)
    _strip(ax, query, (16, 48), 5, 12)
    ax.text(6.5, 40, f"class text {shape('class text')}", ha="center", fontsize=9)
    ax.text(32, 40, f"support {shape('support')}", ha="center", fontsize=9)
    ax.text(32, 2, f"query {shape('query')}", ha="center", fontsize=9)
    _box(ax, 53, 7, 8, 29, "TB,\none for\nboth", COLORS[0])
    _box(ax, 66, 31, 13, 7, "drop the text,\nmean over shots", COLORS[7])
    _box(ax, 84, 17, 8, 10, "OTAM", COLORS[2])
    ax.text(72.5, 40, f"{shape('modulated')} → {shape('prototypes')}", ha="center", fontsize=9)
    ax.text(72.5, 2, f"{shape('related')}, no text", ha="center", fontsize=9)
    ax.text(99, 22, f"logits\n{shape('logits')}", ha="center", va="center", fontsize=9)
    for start, end in (
        ((13.5, 34.5), (15.8, 34.5)),
        ((48.3, 34.5), (52.4, 31)),
        ((48.3, 8.5), (52.4, 12)),
        ((61.6, 31), (65.4, 34.5)),
        ((61.6, 12), (84, 17)),
        ((79.6, 34.5), (86, 27.8)),
        ((92.6, 22), (94, 22)),
    ):
        _arrow(ax, start, end)
    return figure


@course_style
def tuple_weights(query: Tensor, pair: tuple[int, int], supports: Mapping[str, Tensor], weights: Tensor) -> Figure:
    """A pair of query frames, and the weight that each pair of a support clip's frames has in its answer.

    Args:
        query: ``[T, 3, H, W]`` in [0, 1]; so is each support clip, under its title.
        pair: the two frames of the query, from 0.
        weights: ``[supports, T, T]``: at (i, j), i < j, the weight of the pair of frames i and j.
    """
    figure = Figure(figsize=(4.6 * len(supports) + 0.8, 6.3), layout="constrained")
    grid = figure.add_gridspec(2, len(supports), height_ratios=[1, 4.4])
    above = figure.add_subplot(grid[0, :])
    _strip(above, query, (0, len(query)), 0, 1)
    for frame in pair:
        above.add_patch(Rectangle((frame, 0), 1, 1, fill=False, edgecolor=COLORS[3], linewidth=4))
    above.set(xlim=(0, len(query)), ylim=(0, 1), aspect="equal")
    above.set_title(f"query: its pair of frames {pair[0] + 1} and {pair[1] + 1}")
    above.set_axis_off()
    axes, high = [], float(weights.max())
    for place, (title, support) in enumerate(supports.items()):
        ax, frames = figure.add_subplot(grid[1, place]), len(support)
        axes.append(ax)
        table = weights[place].clone()
        later = table.new_ones(frames, frames).triu(1).bool()
        image = ax.imshow(table.where(later, table.new_tensor(float("nan"))).numpy(), cmap="Blues", vmin=0, vmax=high,
                          extent=(0, frames, frames, 0))  # fmt: skip
        _strip(ax, support, (0, frames), -0.1, -1.1)
        for frame, picture in enumerate(support):
            _strip(ax, picture[None], (-1.1, -0.1), frame + 1, frame)
        best = divmod(int(table.where(later, table.new_tensor(-1.0)).argmax()), frames)
        ax.add_patch(Rectangle(best[::-1], 1, 1, fill=False, edgecolor=COLORS[3], linewidth=2))
        numbers = [str(i + 1) for i in range(frames)]
        ax.set_xticks([i + 0.5 for i in range(frames)], numbers)
        ax.set_yticks([i + 0.5 for i in range(frames)], numbers)
        ax.set(xlim=(-1.15, frames), ylim=(frames, -1.15), xlabel="second frame of the pair", title=title)
        ax.set_ylabel("first frame of the pair" if place == 0 else "")
        ax.spines[:].set_visible(False)
    axes[-1].sharey(axes[0])
    figure.colorbar(image, ax=axes, label="weight", shrink=0.8).ax.set_label("<colorbar>")
    return figure


def _strip(ax: Axes, frames: Tensor, x: tuple[float, float], bottom: float, top: float) -> None:
    """Frames ``[T, 3, H, W]`` side by side in a part of the axes, white between them."""
    width = (x[1] - x[0]) / len(frames)
    for place, frame in enumerate(frames):
        left = x[0] + place * width
        extent = (left + 0.02 * width, left + 0.98 * width, bottom, top)
        ax.imshow(frame.permute(1, 2, 0).clamp(0, 1).numpy(), extent=extent, aspect="auto", interpolation="nearest")


def _box(ax: Axes, x: float, y: float, width: float, height: float, text: str, color: object) -> None:
    style: dict[str, Any] = dict(boxstyle="round,pad=0.3", facecolor=color, edgecolor="0.2", alpha=0.55)
    ax.add_patch(FancyBboxPatch((x, y), width, height, **style))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=9)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], **style: Any) -> None:
    look: dict[str, Any] = dict(arrowstyle="-|>", mutation_scale=11, linewidth=1.3, color="0.35") | style
    ax.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))
