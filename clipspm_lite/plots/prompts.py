"""Pictures of prompts: who has a name, what gates let through, how alike prompts are, what α does."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.plots.base import COLORS, NEUTRAL_COLORS, WIDE, course_style, film_strip, new_axes, series_style


@course_style
def two_prompts(support: Tensor, query: Tensor, name: str) -> Figure:
    """A support clip beside its class name, and a query clip beside the question mark in the name's place.

    Both clips are frames ``[T, 3, H, W]`` in [0, 1].
    """
    figure = Figure(figsize=(9.5, 2.6), layout="constrained")
    axes = figure.subplots(2, 2, width_ratios=(3.2, 1))
    rows = (
        ("support", support, f"its name is given:\n“{name}”", COLORS[0], "-"),
        ("query", query, "its name is asked:\n?  a prompt is generated", COLORS[1], "--"),
    )
    for (strip, box), (title, clip, words, color, line) in zip(axes, rows, strict=True):
        film_strip(strip, clip)
        strip.set_title(title, loc="left")
        box.set_axis_off()
        frame = dict(boxstyle="round,pad=0.6", facecolor="white", edgecolor=color, linewidth=2, linestyle=line)
        box.text(0.5, 0.5, words, ha="center", va="center", fontsize=10, bbox=frame, transform=box.transAxes)
    return figure


@course_style
def gate_values(gates: Mapping[str, Tensor]) -> Figure:
    """Histograms of gate values, tensors of any shape with entries in 0 … 1, one panel per gate, mean dashed."""
    figure, axes = new_axes(len(gates), 4 * len(gates), 2.6, sharey=True)
    for number, (ax, (name, values)) in enumerate(zip(axes, gates.items(), strict=True)):
        numbers = values.detach().flatten().numpy()
        shares, color = np.full(len(numbers), 100 / len(numbers)), COLORS[number % len(COLORS)]
        ax.hist(numbers, bins=25, range=(0, 1), weights=shares, color=color)
        mean = float(numbers.mean())
        ax.axvline(mean, color="black", linestyle="--", linewidth=1.2, label=f"mean {mean:.2f}")
        ax.set(xlim=(0, 1), xlabel="gate value (0 shut, 1 open)", title=name)
        ax.legend()
    axes[0].set_ylabel("% of the values")
    return figure


@course_style
def prompt_maps(prompts: Mapping[str, Tensor]) -> Figure:
    """Generated prompts ``[V, C]`` as points, seen along the two directions in which they differ most, case by case.

    Each title says how much of the differences the first direction holds, and the mean cosine of two prompts. The unit
    of a panel is the mean length of its prompts.
    """
    figure, axes = new_axes(len(prompts), 3.3 * len(prompts), 3.3, sharex=True, sharey=True)
    for number, (ax, (name, vectors)) in enumerate(zip(axes, prompts.items(), strict=True)):
        cosines = F.normalize(vectors, dim=-1) @ F.normalize(vectors, dim=-1).T
        others = cosines[~torch.eye(len(vectors), dtype=torch.bool)]
        spread = (vectors - vectors.mean(0)) / vectors.norm(dim=-1).mean()
        places = spread @ torch.linalg.svd(spread).Vh[:2].T
        ax.plot(*places.T.tolist(), **series_style(number) | {"linestyle": "", "alpha": 0.7})
        ax.set_title(f"{name}\n{100 * along_one_line(vectors):.0f} % along one line, mean cosine {others.mean():.2f}")
        ax.set_aspect("equal")
        ax.set(xlabel="first direction ÷ mean length")
    axes[0].set_ylabel("second direction ÷ mean length")
    return figure


def along_one_line(vectors: Tensor) -> float:
    """The share of the differences between vectors ``[V, C]`` that the direction of the largest ones holds, 0 … 1."""
    spread = torch.linalg.svdvals(vectors - vectors.mean(0)).square()
    return float(spread[0] / spread.sum())


@course_style
def gate_maps(visual: Tensor, prompts: Mapping[str, Tensor]) -> Figure:
    """Gate values of one clip, frames and channels, and below them those of its prompts, on one scale 0 … 1.

    ``visual`` is g_v ``[T, C]``; ``prompts``: which prompt → its g_p ``[C]``.
    """
    figure = Figure(figsize=(WIDE, 3.6))
    upper = figure.add_axes((0.19, 0.5, 0.69, 0.42))
    lower = figure.add_axes((0.19, 0.13, 0.69, 0.22))
    rows = torch.stack(list(prompts.values()))
    style: dict[str, Any] = dict(cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    upper.imshow(visual.numpy(), **style)
    lower.imshow(rows.numpy(), **style)
    upper.set_yticks([0, len(visual) - 1], ["1", str(len(visual))])  # each tick takes time
    upper.set_title(f"g_v, the gate of the clip's frames, mean {float(visual.mean()):.2f}", loc="left", y=1)
    upper.set(ylabel="frame")
    lower.set_yticks(range(len(rows)), list(prompts))
    means = ", ".join(f"{name} {float(row.mean()):.2f}" for name, row in zip(prompts, rows, strict=True))
    lower.set_title(f"g_p, the gate of the prompt, mean: {means}", loc="left", y=1)
    channels = rows.shape[1]
    lower.set(xlabel="channel", xticks=[0, channels - 1], xticklabels=["1", str(channels)])
    upper.tick_params(bottom=False, labelbottom=False)
    upper.sharex(lower)
    # `figure.colorbar` takes three times as long.
    bar = figure.add_axes((0.9, 0.13, 0.022, 0.79), label="<colorbar>")
    colours = torch.linspace(0, 1, 64)[:, None].numpy()
    bar.imshow(colours, cmap="cividis", origin="lower", extent=(0, 1, 0, 1), aspect="auto")
    bar.set(xticks=[], yticks=[0, 0.5, 1], ylabel="gate value (0 shut, 1 open)")
    bar.yaxis.set_ticks_position("right")
    bar.yaxis.set_label_position("right")
    return figure


@course_style
def fused_frames(cosines: Mapping[str, Tensor], weight: float) -> Figure:
    """What fusion at α = ``weight`` does to the direction of a clip's frames: which two → cosine of each ``[T]``."""
    figure = Figure(figsize=(WIDE, 2.4))
    ax = figure.add_axes((0.1, 0.2, 0.47, 0.67))
    for number, values in enumerate(cosines.values()):
        frames = range(1, len(values) + 1)
        ax.plot(frames, values.tolist(), **series_style(number, NEUTRAL_COLORS))
        ax.set_xticks(sorted({1, (len(values) + 1) // 2, len(values)}))  # each tick takes time
    low = min(0.0, *(float(values.min()) for values in cosines.values()))
    ax.set(xlabel="frame", ylabel="cosine", ylim=(low - 0.02, 1.04))
    ax.set_title(f"a frame before and after fusion, α = {weight:.2f}", loc="left", y=1)
    sns.despine(ax=ax)
    _key(figure, 0.6, 0.78, cosines)
    return figure


@course_style
def over_prompt_weight(
    weights: Sequence[float], distances: Tensor, names: Sequence[str], label: int, now: float, what: str
) -> Figure:
    """How one query's distances to the classes move with α, above the nearest class: the line at zero is the answer.

    Args:
        weights: values of α.
        distances: ``[weights, N]``.
        label: the true class, drawn thick and marked with a tick.
        now: the value of α to mark.
        what: which distance.
    """
    figure = Figure(figsize=(WIDE, 3.2 * max(1, len(names) / 13)))  # 13 names fit beside the axes
    ax = figure.add_axes((0.1, 0.15, 0.47, 0.79))
    above = distances - distances.min(-1, keepdim=True).values
    for n in range(len(names)):
        own = n == label
        weight: dict[str, Any] = dict(linewidth=3, zorder=3) if own else dict(linewidth=1.4, zorder=2)
        ax.plot(weights, above[:, n].tolist(), markevery=2, **weight, **series_style(n, NEUTRAL_COLORS))
    ax.axvline(now, color="black", linestyle=":", linewidth=1.5)
    ax.set(xlabel="α, how much of the gated prompt is added", ylabel="above the nearest class")
    ax.set(xlim=(min(weights), max(weights)))
    sns.despine(ax=ax)
    ticked = [
        ("✓ " if n == label else "") + textwrap.shorten(name, 30, placeholder=" …") for n, name in enumerate(names)
    ]
    figure.text(0.6, 0.85, f"{what}, prototype of")
    _key(figure, 0.6, 0.78, ticked)
    return figure


def _key(figure: Figure, left: float, top: float, texts: Iterable[str]) -> None:
    """A legend from here (shares of the figure) downwards; drawing it takes a third of matplotlib's time."""
    for row, text in enumerate(texts):
        y = top - row * 0.2 / figure.get_figheight()
        places = [left, left + 0.02, left + 0.04]
        figure.add_artist(Line2D(places, [y] * 3, markevery=[1], **series_style(row, NEUTRAL_COLORS)))
        figure.text(left + 0.05, y, text, va="center", fontsize=9)
