"""Pictures of notebook 05: who has a name, what gates let through, how alike prompts are, the losses."""

from collections.abc import Mapping

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.plots.base import COLORS, bar_style, film_strip, look


@look
def two_prompts(support: Tensor, query: Tensor, name: str) -> Figure:
    """A support clip beside its class name, and a query clip beside the question mark in the name's place.

    Args:
        support, query: frames ``[T, 3, H, W]`` in [0, 1].
        name: the support's class name.
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
        frame = dict(
            boxstyle="round,pad=0.6", facecolor="white", edgecolor=color, linewidth=2, linestyle=line
        )
        box.text(0.5, 0.5, words, ha="center", va="center", fontsize=10, bbox=frame, transform=box.transAxes)
    return figure


@look
def gate_values(gates: Mapping[str, Tensor]) -> Figure:
    """Histograms of gate values, tensors of any shape with entries in 0 … 1, one panel a gate, mean dashed."""
    figure = Figure(figsize=(4 * len(gates), 2.6), layout="constrained")
    axes = figure.subplots(1, len(gates), squeeze=False, sharey=True)[0]
    for ax, (name, values), color in zip(axes, gates.items(), COLORS, strict=False):
        numbers = values.detach().flatten().numpy()
        ax.hist(
            numbers, bins=25, range=(0, 1), weights=np.full(len(numbers), 100 / len(numbers)), color=color
        )
        mean = float(numbers.mean())
        ax.axvline(mean, color="black", linestyle="--", linewidth=1.2, label=f"mean {mean:.2f}")
        ax.set(xlim=(0, 1), xlabel="gate value (0 shut, 1 open)", title=name)
        ax.legend()
        sns.despine(ax=ax)
    axes[0].set_ylabel("% of the values")
    return figure


@look
def cosine_matrices(matrices: Mapping[str, Tensor]) -> Figure:
    """Matrices of cosines ``[V, V]`` side by side on one scale, −1 … 1, mean off the diagonal in each title."""
    figure = Figure(figsize=(2.45 * len(matrices) + 0.6, 2.9), layout="constrained")
    axes = figure.subplots(1, len(matrices), squeeze=False, sharex=True, sharey=True)[0]
    for ax, (name, matrix) in zip(axes, matrices.items(), strict=True):
        values = matrix.detach().numpy()
        others = values[~np.eye(len(values), dtype=bool)]
        image = ax.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        ax.set_title(f"{name}\nmean {others.mean():.2f}")
        ax.set_xlabel("video")
    axes[0].set_ylabel("video")
    figure.colorbar(image, ax=list(axes), label="cosine", shrink=0.8)
    return figure


@look
def loss_bars(losses: Mapping[str, Mapping[str, float]]) -> Figure:
    """Loss values, ``{model: {term: value}}``, as bars from zero, a group a term and a hatch a model."""
    terms = list(next(iter(losses.values())))
    figure = Figure(figsize=(8, 0.8 * len(terms) + 1.4), layout="constrained")
    ax = figure.subplots()
    height = 0.8 / len(losses)
    largest = max(max(values.values()) for values in losses.values())
    for row, (model, values) in enumerate(losses.items()):
        places = [place - 0.4 + (row + 0.5) * height for place in range(len(terms))]
        widths = [values[term] for term in terms]
        ax.barh(places, widths, height * 0.9, label=model, **bar_style(row))
        for place, width in zip(places, widths, strict=True):
            ax.text(width + 0.01 * largest, place, f"{width:.3g}", va="center", fontsize=9)
    ax.set_yticks(range(len(terms)), terms)
    ax.set(xlim=(0, 1.1 * largest), xlabel="loss (smaller is more consistent)")
    ax.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=len(losses))
    sns.despine(ax=ax)
    return figure
