"""Pictures of PADM: who attends to whom, prototypes before and after, the parts of a score, what one query changes."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from torch import Tensor

from clipspm_lite.plots.base import (
    COLORS,
    NEUTRAL_COLORS,
    RIGHT,
    WIDE,
    WRONG,
    bar_style,
    course_style,
    new_axes,
    series_style,
)


@course_style
def who_sees_whom(way: int, shot: int, queries: int) -> Figure:
    """Which input of PADM reaches which output (rows): by attention (●), or only through a mean (○).

    ``queries`` is their total number in the episode.
    """
    supports = [f"support {n + 1}.{k + 1}" for n in range(way) for k in range(shot)]
    inputs = supports + [f"query {q + 1}" for q in range(queries)]
    outputs = [f"û{n + 1}" for n in range(way)] + [f"{s}′" for s in supports]
    outputs += ["anchor â", *(f"query {q + 1}′" for q in range(queries))]
    split, seen = len(supports), np.ones((len(outputs), len(inputs)), int)  # a mean reaches everything
    seen[: way + split, :split] = 2
    seen[way + split + 1 :, split:] = 2
    seen[way + split, split:] = 2

    figure = Figure(figsize=(0.62 * len(inputs) + 2.6, 0.36 * len(outputs) + 1.6), layout="constrained")
    ax = figure.subplots()
    pale = [tuple(1 - (1 - c) * strength for c in COLORS[0]) for strength in (0.12, 0.75)]
    ax.imshow(seen, cmap=ListedColormap(pale), vmin=1, vmax=2, aspect="auto")
    for row, column in np.ndindex(seen.shape):
        ax.text(column, row, "●" if seen[row, column] == 2 else "○", ha="center", va="center")
    ax.axhline(way + split - 0.5, color="black", linewidth=1.5)
    ax.set_xticks(range(len(inputs)), inputs, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(outputs)), outputs)
    ax.set(xlabel="what goes in", ylabel="what comes out")
    ax.legend(
        handles=[Patch(color=pale[1], label="● by attention"), Patch(color=pale[0], label="○ through a mean")],
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2,
    )  # fmt: skip
    return figure


@course_style
def distance_matrices(before: Tensor, after: Tensor, names: Sequence[str]) -> Figure:
    """Distances between class prototypes ``[N, N]`` before and after PADM, on one colour scale, with their values."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots(1, 2)
    low, high = (float(f(torch.stack([before, after]))) for f in (torch.min, torch.max))
    for ax, matrix, title in zip(axes, (before, after), ("before PADM", "after PADM"), strict=True):
        sns.heatmap(
            matrix.numpy(), ax=ax, vmin=low, vmax=high, cmap="cividis", annot=True, fmt=".1f", square=True,
            xticklabels=False, yticklabels=list(names) if ax is axes[0] else False, cbar=ax is axes[1],
            cbar_kws={"label": "OTAM distance"},
        )  # fmt: skip
        ax.set(title=title, xlabel="prototypes, in the same order")
        ax.tick_params(left=False)
    axes[0].tick_params(axis="y", rotation=0)
    axes[0].set_ylabel("prototype of")
    axes[1].set_ylabel("prototypes, in the same order")
    return figure


@course_style
def prototype_maps(
    prototypes: Sequence[Tensor], queries: Sequence[Tensor], labels: Sequence[int], names: Sequence[str]
) -> Figure:
    """Prototypes and queries before and after PADM, each on the two directions in which its points differ most.

    Args:
        prototypes: before and after, ``[N, T, C]`` each; frames are averaged, so their order is lost here.
        queries: before and after, ``[Q, T, C]`` each.
        labels: true class of each query.
    """
    figure, axes = new_axes(2, 10, 4.4)
    for ax, centres, videos, title in zip(axes, prototypes, queries, ("before PADM", "after PADM"), strict=True):
        points = torch.cat([centres, videos]).mean(-2)
        points = points - points.mean(0)
        _, spread, directions = torch.linalg.svd(points, full_matrices=False)
        flat = (points @ directions[:2].T).numpy()
        share = 100 * float((spread[:2] ** 2).sum() / (spread**2).sum())
        for n, name in enumerate(names):
            style = series_style(n) | {"linestyle": "-"}
            ax.scatter(flat[n, 0], flat[n, 1], s=170, edgecolor="black", label=name, zorder=3, **style)
            for q in (q for q, label in enumerate(labels) if label == n):
                x, y = zip(flat[n], flat[len(names) + q], strict=True)
                ax.plot(x, y, color=style["color"], linewidth=1)
                ax.scatter(x[1:], y[1:], s=45, **style)
        ax.set(title=f"{title} ({share:.0f} % of the spread)", xlabel="direction 1", ylabel="direction 2")
        ax.margins(0.12)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


@course_style
def prototype_paths(
    prototypes: np.ndarray,
    queries: np.ndarray,
    labels: Sequence[int],
    names: Sequence[str],
    anchor: np.ndarray | None,
    limits: tuple[float, float, float, float],
) -> Figure:
    """Prototypes on a plane: one point each, or a path over frames whose first point is ringed.

    Args:
        prototypes: places ``[N, frames, 2]``; one frame where frames are averaged.
        queries: places ``[Q, 2]``, small, each joined with its class's mean place.
        labels: true class of each query.
        anchor: places ``[frames, 2]``, drawn as a star; None where there is no anchor.
        limits: lowest and highest x, lowest and highest y, the same for the pictures of several stages.
    """
    stretch = max(1, (len(names) + 1) / 16)  # 16 names fit beside the axes
    figure = Figure(figsize=(WIDE, 4.2 * stretch))
    ax = figure.add_axes((0.05, 0.1, 0.56, 0.87))
    styles = [series_style(n, NEUTRAL_COLORS) | {"linestyle": "-"} for n in range(len(names))]
    for path, style in zip(prototypes, styles, strict=True):
        ax.plot(*path.T, linewidth=1.6, markersize=6 if len(path) > 1 else 11, zorder=3, **style)
    for query, label in zip(queries, labels, strict=True):
        ends = np.stack([prototypes[label].mean(0), query]).T
        ax.plot(*ends, color=styles[label]["color"], linewidth=0.8, linestyle=":", zorder=1)
        ax.plot(*query, markersize=4, zorder=2, **styles[label])
    if anchor is not None:
        ax.plot(*anchor.T, color="black", marker="*", markersize=8 if len(anchor) > 1 else 15, zorder=4)
    if prototypes.shape[1] > 1:
        firsts = np.concatenate([prototypes[:, 0], *([] if anchor is None else [anchor[:1]])])
        ax.scatter(firsts[:, 0], firsts[:, 1], s=150, facecolors="none", edgecolors="black", zorder=5)
    ax.set(xlim=limits[:2], ylim=limits[2:], xticks=[], yticks=[], xlabel="direction 1", ylabel="direction 2")
    rows = list(zip(names, styles, strict=True))
    if anchor is not None:
        rows.append(("anchor", {"color": "black", "marker": "*"}))
    for row, (name, style) in enumerate(rows):  # a legend would take half of the time
        y = 0.93 - row * 0.058 / stretch
        figure.add_artist(Line2D([0.635], [y], **style | {"markersize": 8, "linestyle": ""}))
        figure.text(0.66, y, textwrap.shorten(name, 31, placeholder=" …"), va="center", fontsize=9)
    return figure


@course_style
def prototype_distances(distances: Tensor, names: Sequence[str], limits: tuple[float, float], label: str) -> Figure:
    """Distances between prototypes as a heatmap with its values; the anchor's row, where there is one, is the last.

    Args:
        distances: ``[N, N]``, or ``[N + 1, N]`` with the anchor's in the last row.
        limits: what the colours span, the same for several stages.
        label: name of the distance.
    """
    rows = len(distances)
    figure = Figure(figsize=(WIDE, 0.42 * rows + 0.75))
    height = figure.get_figheight()
    ax = figure.add_axes((0.39, 0.45 / height, 0.46, 0.42 * rows / height))
    low, high = limits
    ax.imshow(distances.numpy(), vmin=low, vmax=high, cmap="cividis", aspect="auto")
    for (row, column), value in np.ndenumerate(distances.numpy().round(2) + 0.0):  # no "-0.00"
        dark = value < (low + high) / 2
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9, color="w" if dark else "k")
    for row in range(rows):
        name = f"{row + 1} {names[row]}" if row < len(names) else "anchor"
        ax.text(-0.6, row, textwrap.shorten(name, 35, placeholder=" …"), ha="right", va="center", fontsize=9)
    ax.set(xticks=range(len(names)), xticklabels=range(1, len(names) + 1), yticks=[])
    ax.set(xlabel="class", ylabel="class")
    ax.yaxis.set_label_coords(-0.75, 0.5)
    ax.tick_params(length=0)
    bar = figure.add_axes((0.87, 0.45 / height, 0.025, 0.42 * rows / height), label="<colorbar>")
    bar.imshow(np.linspace(0, 1, 64)[:, None], cmap="cividis", origin="lower", aspect="auto")
    bar.set(xticks=[], yticks=[0, 63], yticklabels=[f"{round(low, 2) + 0.0:.2f}", f"{high:.2f}"], ylabel=label)
    bar.yaxis.tick_right()
    bar.yaxis.set_label_position("right")
    return figure


@course_style
def distances_by_frame(distances: Mapping[str, Tensor], chosen: str, label: str) -> Figure:
    """Frame by frame, how far one prototype is from each of the others, and from the anchor (black, dotted).

    Args:
        distances: class name, or "anchor" → ``[T]``.
        chosen: the class they are distances from.
        label: which distance.
    """
    stretch = max(1, len(distances) / 9)  # 9 names fit beside the axes
    figure = Figure(figsize=(WIDE, 2.8 * stretch))
    ax = figure.add_axes((0.1, 0.18, 0.47, 0.72))
    for n, (name, values) in enumerate(distances.items()):
        if name == chosen:
            continue
        anchor: dict[str, Any] = dict(color="black", marker="*", linestyle=":")
        style = anchor if name == "anchor" else series_style(n, NEUTRAL_COLORS)
        ax.plot(range(1, len(values) + 1), values.tolist(), **style)
        y = 0.86 - n * 0.095 / stretch
        places = [0.6, 0.62, 0.64]
        figure.add_artist(Line2D(places, [y] * 3, markevery=[1], **style))
        figure.text(0.655, y, textwrap.shorten(name, 31, placeholder=" …"), va="center", fontsize=9)
    count = len(distances[chosen])
    ax.set(xticks=sorted({1, (count + 1) // 2, count}), xlabel="frame", ylabel=label)
    ax.set_ylim(bottom=0)
    ax.set_title(f"from the prototype of {chosen}", loc="left", y=1)
    sns.despine(ax=ax)
    return figure


@course_style
def stacked_distances(parts: Mapping[str, Tensor], names: Sequence[str], label: int) -> Figure:
    """The parts of one query's score: stacked bars, one per class; the shortest bar is the answer.

    ``parts``: name → weighted distances ``[N]``. Each is drawn as its excess over the nearest class, which changes
    neither the answer nor the softmax. ``label`` is the true class.
    """
    height = 0.5 * len(names) + 1.3
    figure = Figure(figsize=(WIDE, height))
    ax = figure.add_axes((0.28, 0.55 / height, 0.7, 0.5 * len(names) / height))
    left = torch.zeros(len(names))
    for number, (part, distances) in enumerate(parts.items()):
        excess = distances - distances.min()
        style = bar_style(number) | {"height": 0.65}
        ax.barh(range(len(names)), excess.tolist(), left=left.tolist(), label=part, **style)
        left = left + excess
    answer = int(sum(parts.values(), torch.zeros(len(names))).argmin())
    for n, total in enumerate(left.tolist()):
        notes = [word for word, holds in (("true class", n == label), ("answer", n == answer)) if holds]
        color = "black" if n not in (label, answer) else RIGHT if label == answer else WRONG
        note = f"  ({', '.join(notes)})" if notes else ""
        ax.text(total, n, f" {total:.1f}{note}", va="center", color=color)
    ax.set_yticks(range(len(names)), [textwrap.fill(name, 22) for name in names])
    ax.set(xlim=(0, 1.4 * float(left.max())), xlabel="distance in excess of the nearest class, part by part")
    ax.invert_yaxis()
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(parts))
    sns.despine(ax=ax)
    return figure


@course_style
def logit_changes(changes: Tensor, exchanged: int, names: Sequence[str]) -> Figure:
    """How far logits ``[Q, N]`` moved when one query was exchanged, whose row is hatched."""
    figure = Figure(figsize=(9, 0.5 * len(changes) + 2.6), layout="constrained")
    ax = figure.subplots()
    rows = [f"query {q + 1}" + (" (exchanged)" if q == exchanged else "") for q in range(len(changes))]
    hidden = torch.zeros_like(changes, dtype=torch.bool)
    hidden[exchanged] = True
    limit = float(changes[~hidden].abs().max()) or 1.0
    sns.heatmap(
        (changes.mul(10).round() / 10 + 0.0).numpy(), mask=hidden.numpy(), ax=ax, cmap="vlag",  # no "-0.0"
        vmin=-limit, vmax=limit, annot=True, fmt="+.1f", cbar_kws={"label": "change of the logit"},
        xticklabels=[textwrap.fill(name, 13) for name in names], yticklabels=rows,
    )  # fmt: skip
    ax.axhspan(exchanged, exchanged + 1, facecolor="white", edgecolor="grey", hatch="///", linewidth=0)
    ax.tick_params(left=False, bottom=False, rotation=0)
    ax.set(xlabel="logit of class")
    return figure


@course_style
def class_bias(biases: Mapping[str, Tensor], names: Sequence[str]) -> Figure:
    """What is added to each class's logit, whatever the query: bars around zero, one group per class.

    ``biases``: what the queries were → −D_anchor ``[N]``, drawn around its mean over classes.
    """
    figure, (ax,) = new_axes(1, 9, 3.8)
    width = 0.8 / len(biases)
    for number, (queries, bias) in enumerate(biases.items()):
        places = [n - 0.4 + width * (number + 0.5) for n in range(len(names))]
        ax.bar(places, (bias - bias.mean()).tolist(), width, label=queries, **bar_style(number))
    ax.axhline(0, color="black", linewidth=1)
    ax.set_xticks(range(len(names)), [textwrap.fill(name, 13) for name in names])
    ax.set(ylabel="added to the logit\n(mean over classes taken off)")
    title = "queries of the episode"
    ax.legend(title=title, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(biases))
    sns.despine(ax=ax, bottom=True)
    return figure


@course_style
def accuracy_by_company(accuracies: Mapping[str, Mapping[str, tuple[float, float]]], chance: float) -> Figure:
    """Accuracy in per cent of the same queries in different company, one bar per score, with 95 % half-widths.

    ``accuracies``: company → score → (accuracy, half-width).
    """
    figure, (ax,) = new_axes(1, 9, 0.95 * len(accuracies) + 1.4)
    scores = list(next(iter(accuracies.values())))
    height = 0.8 / len(scores)
    for number, score in enumerate(scores):
        places = [row - 0.4 + height * (number + 0.5) for row in range(len(accuracies))]
        values, intervals = zip(*(by_score[score] for by_score in accuracies.values()), strict=True)
        ax.barh(places, values, height, xerr=intervals, capsize=2, label=score, **bar_style(number))
        for place, value, interval in zip(places, values, intervals, strict=True):
            ax.text(value + interval + 1, place, f"{value:.1f}", va="center", fontsize=9)
    ax.axvline(chance, color="black", linestyle=":", linewidth=1.2)
    ax.set_yticks(range(len(accuracies)), list(accuracies))
    ax.set(xlim=(0, 105), xlabel=f"accuracy, % (dotted: chance, {chance:.0f} %)")
    ax.invert_yaxis()
    ax.legend(title="score", loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(scores))
    return figure
