"""Pictures of PADM: who attends to whom, prototypes before and after, the parts of a score, what one query changes."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
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
def who_sees_whom(support: Tensor, query: Tensor) -> Figure:
    """PADM's way from videos to distances, arrow by arrow; orange is all that the last query reaches.

    The videos in a blue box attend to each other. Shapes: support ``[N, K, T, C]``, query ``[Q, T, C]``.
    """
    way, shot, *rest = support.shape
    tokens, queries = [f"u{n + 1}" for n in range(way)], [f"query {q + 1}" for q in range(len(query))]
    supports = {f"support {n + 1}" + f".{k + 1}" * (shot > 1): tokens[n] for n in range(way) for k in range(shot)}
    upper, lower = [*tokens, *supports], ["A", *queries]
    row_of = {name: row + 0.8 * (name in lower) for row, name in enumerate(upper + lower)}
    places = {name: (float(name in tokens or name == "A"), row) for name, row in row_of.items()}
    places |= {f"{name}′": (2.4, row) for name, row in row_of.items()}
    places |= {"D_anchor": (3.7, row_of[tokens[-1]]), "D_PADM": (3.7, row_of["A"] + 1)}
    figure = Figure(figsize=(10, 0.4 * len(row_of) + 1.2))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.45, 4.2), ylim=(row_of[queries[-1]] + 0.8, -2.1))
    ax.set_axis_off()
    heads = {
        0: f"support {list(support.shape)}\nquery {list(query.shape)}",
        1: f"means: u {[way, *rest]},\nA {[1, *rest]}",
        2.4: "in a box all attend to all,\neach frame position by itself",
        3.7: f"OTAM: D_anchor {[1, way]},\nD_PADM {[len(query), way]}",
    }
    for x, text in heads.items():
        ax.text(x, -1.4, text, ha="center", va="center", fontsize=9)
    for first, final in ((upper[0], upper[-1]), (lower[0], lower[-1])):
        top, height = row_of[first] - 0.55, row_of[final] - row_of[first] + 1.1
        ax.add_patch(Rectangle((2.05, top), 0.7, height, facecolor="#eef3f8", edgecolor=COLORS[0], zorder=0))
    for name, (x, y) in places.items():
        reached = x > 0 or name == queries[-1]
        edge = {"edgecolor": COLORS[1], "linewidth": 1.8} if reached else {"edgecolor": "0.5"}
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", **edge}
        ax.text(x, y, name, ha="center", va="center", fontsize=9, bbox=box)

    arrows = [*supports.items(), *((name, token) for name in queries for token in tokens)]
    arrows += [*((token, "A") for token in tokens), *((name, f"{name}′") for name in row_of)]
    arrows += [(f"{name}′", "D_anchor" if name in (*tokens, "A") else "D_PADM") for name in row_of]
    for start, end in arrows:
        (x, y), (to_x, to_y), curve = places[start], places[end], "arc3"
        reached = x > 0 or start == queries[-1]
        x, to_x = x + (0.07 if x == 1 else 0.21), to_x - (0.09 if to_x == 1 else 0.21)
        if end == "A":  # straight down it would run through the other class tokens
            to_x, curve = x, "arc3,rad=-0.35"
        style: dict[str, Any] = {"color": COLORS[1], "linewidth": 1.7} if reached else {"color": "0.6"}
        style |= {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "connectionstyle": curve}
        ax.annotate("", (to_x, to_y), (x, y), arrowprops=style)
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
