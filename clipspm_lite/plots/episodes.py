"""Pictures of episodes: frames on a time axis, episodes as draws, intervals, class draws, picked checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.plots.base import COLORS, MARKERS, NEUTRAL_COLORS, RIGHT, WRONG, course_style, new_axes, series_style

Drawn = tuple[Sequence[int], Sequence[Sequence[int]], Sequence[int]]  # classes, support, query of an episode


@course_style
def frame_timeline(clip: Tensor, centres: Sequence[int], drawn: Sequence[Sequence[int]] = ()) -> Figure:
    """Which frames stand for a clip: all of them as pictures, under them the segments and the chosen indices.

    Args:
        clip: all n frames ``[n, 3, H, W]`` in [0, 1].
        centres: T frame indices, one per segment.
        drawn: more choices of T indices (random places inside the segments), one row each.
    """
    count, frames = len(clip), len(centres)
    figure = Figure(figsize=(10, 2.6 + 0.3 * len(drawn)), layout="constrained")
    pictures, ax = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.5 + 0.4 * len(drawn)])
    height, width = clip.shape[-2:]
    for index, frame in enumerate(clip):
        extent = (index - 0.5, index + 0.5, 0.0, height / width)
        pictures.imshow(frame.permute(1, 2, 0).clamp(0, 1).numpy(), extent=extent, aspect="auto")
    pictures.set(xlim=(-0.5, count - 0.5), ylim=(0, height / width))
    pictures.set_axis_off()
    for segment in range(frames):
        left, right = segment * count / frames - 0.5, (segment + 1) * count / frames - 0.5
        ax.axvspan(left, right, color="0.9" if segment % 2 else "0.97", zorder=0)
    ax.plot(centres, [0] * frames, linestyle="", marker="o", markersize=8, color=COLORS[0])
    for row, indices in enumerate(drawn, start=1):
        ax.plot(indices, [row] * frames, linestyle="", marker=MARKERS[row % len(MARKERS)], color=COLORS[1])
    labels = ["segment centres", *(f"random draw {row}" for row in range(1, len(drawn) + 1))]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(drawn) + 0.6, -0.6)
    ax.set_xticks(range(count))
    ax.set_xlabel(f"frame index (shaded: the {frames} segments)")
    sns.despine(ax=ax, left=True)
    return figure


@course_style
def episode_draws(episodes: Sequence[Drawn], videos_per_class: Sequence[int], names: Sequence[str]) -> Figure:
    """Which videos some episodes draw: a panel per episode, a row per class, a column per video of that class.

    An episode is its N class numbers, the support videos of each class, and the queries, equally many per class.
    Support videos are filled squares, queries open circles.
    """
    first = np.concatenate([[0], np.cumsum(videos_per_class)])
    figure, axes = new_axes(len(episodes), 10, 0.19 * len(names) + 1.2, sharey=True)
    for number, (ax, (classes, shots, queries)) in enumerate(zip(axes, episodes, strict=True)):
        for row in range(len(names)):
            ax.axhline(row, color="0.9", linewidth=0.8, zorder=0)
        support, query = np.asarray(shots), np.asarray(queries)
        rows = np.repeat(classes, support.shape[1])
        asked = np.repeat(classes, len(query) // len(classes))
        ax.plot(support.flatten() - first[rows], rows, "s", markersize=5, color=COLORS[0], label="support")
        circle: dict[str, Any] = dict(color=COLORS[3], markerfacecolor="none", markersize=5, markeredgewidth=1.4)
        ax.plot(query - first[asked], asked, "o", label="query", **circle)
        ax.set(xlim=(-1, max(videos_per_class)), xlabel="video of the class", title=f"episode {number}")
        sns.despine(ax=ax, left=True)
    axes[0].set_yticks(range(len(names)), names, fontsize=8)
    axes[0].invert_yaxis()
    axes[-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@course_style
def interval_pieces(pieces: Mapping[str, tuple[Sequence[float], Sequence[float]]], reference: float) -> Figure:
    """Intervals of equal pieces of one long run, sorted by their means; a cross marks those that miss the reference.

    Args:
        pieces: title of a panel → (means in per cent, half-widths in points), one of each per piece.
        reference: mean of the whole run in per cent.
    """
    figure, axes = new_axes(len(pieces), 10, 3.8, sharey=True)
    for ax, (title, (means, widths)) in zip(axes, pieces.items(), strict=True):
        order = np.argsort(means, kind="stable")
        mean, width = np.asarray(means)[order], np.asarray(widths)[order]
        held = np.abs(mean - reference) <= width
        kinds = ((held, RIGHT, "o", "holds the mean of all"), (~held, WRONG, "x", "misses it"))
        for mask, color, marker, label in kinds:
            places = np.flatnonzero(mask)
            ax.errorbar(
                places, mean[mask], width[mask], linestyle="", marker=marker, markersize=4, color=color,
                elinewidth=1, label=f"{label}: {len(places)}",
            )  # fmt: skip
        ax.axhline(reference, color="black", linestyle=":", linewidth=1.2)
        ax.set(title=title, xlabel="piece, sorted by its mean", xlim=(-1, len(mean)))
        ax.legend(loc="lower right")
    axes[0].set_ylabel("accuracy, %")
    return figure


@course_style
def class_spread(same_classes: Sequence[float], other_classes: Sequence[float], interval: float) -> Figure:
    """Accuracies of runs on the same classes above accuracies of runs on drawn sets of classes, in per cent.

    The band is the 95 % interval over episodes (a half-width in points) around the mean of the first kind.
    """
    figure, (ax,) = new_axes(1, 9, 2.9)
    centre = float(np.mean(same_classes))
    ax.axvspan(centre - interval, centre + interval, color="0.88", zorder=0, label="95 % interval of one run")
    rng = np.random.default_rng(0)
    for row, (values, marker) in enumerate(((same_classes, "o"), (other_classes, "D"))):
        height = row + rng.uniform(-0.25, 0.25, len(values))
        ax.plot(values, height, linestyle="", marker=marker, color=COLORS[row], alpha=0.8)
    labels = ("other episodes,\nsame classes", "other classes")
    ax.set_yticks([0, 1], labels)
    ax.set(ylim=(1.5, -0.6), xlabel="accuracy of one run, %")
    ax.legend(loc="upper left")
    return figure


@course_style
def picked_checkpoints(counts: Sequence[int], curves: Mapping[str, Sequence[float]], title: str = "") -> Figure:
    """Reported minus true accuracy, in points, over the number of checkpoints to pick from, a line per way to pick."""
    figure, (ax,) = new_axes(1, 7, 3.6)
    ax.axhline(0, color="black", linestyle=":", linewidth=1.2)
    for number, (label, values) in enumerate(curves.items()):
        ax.plot(counts, values, label=label, **series_style(number, [WRONG, *NEUTRAL_COLORS]))
    ax.set_xscale("log")
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.set(xlabel="checkpoints one could pick from", ylabel="reported − true, points", title=title)
    ax.legend(loc="upper left")
    return figure


@course_style
def mean_texts(texts: Tensor, means: Mapping[str, Tensor], names: Sequence[str]) -> Figure:
    """Class texts of two numbers each as points of a plane, and the mean texts of several episodes between them.

    ``texts`` are ``[N, 2]``, each of ``means`` is ``[2]``.
    """
    figure, (ax,) = new_axes(1, 6, 3.8)
    x, y = texts.T.numpy()
    ax.plot(x, y, color="0.8", linewidth=1, zorder=0)
    ax.plot(x, y, linestyle="", marker="s", markersize=9, color="black", label="class texts")
    for name, point in zip(names, texts.tolist(), strict=True):
        ax.annotate(name, point, xytext=(8, 6), textcoords="offset points")
    for number, (label, mean) in enumerate(means.items()):
        ax.plot(*mean.tolist(), label=label, **series_style(number) | {"linestyle": "", "markersize": 9})
    ax.set(xlabel="first number", ylabel="second number", xlim=(-0.1, 1.35), ylim=(-0.1, 1.15))
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), title="mean text t̄")
    return figure
