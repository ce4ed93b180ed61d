"""Pictures of training: learning curves with their intervals, and the model as a drawing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from clipspm_lite.model.clipspm import CLIPSPMOutput
from clipspm_lite.plots.base import COLORS, course_style, new_axes, series_style

CURVES = ("step", "loss", "accuracy", "validation_accuracy", "validation_interval")  # in every entry of a history


@course_style
def learning_curves(histories: Mapping[str, Sequence[Mapping[str, float]]], chance: float) -> Figure:
    """Loss, and accuracy on training and on validation episodes, this with 95 % intervals, over steps.

    ``histories``: run → its history, as `training.train` returns it. The scale of validation does not begin at zero.
    There each run is a little to the right of the one before, so that their bars do not hide one another.
    """
    figure, (left, middle, right) = new_axes(3, 12, 3.6)
    gap = min(np.diff(np.unique([entry["step"] for history in histories.values() for entry in history])), default=1)
    for number, (name, history) in enumerate(histories.items()):
        columns = {key: [entry[key] for entry in history] for key in CURVES}
        style = series_style(number) | {"linestyle": "-", "markersize": 4}
        left.plot(columns["step"], columns["loss"], label=name, **style)
        middle.plot(columns["step"], columns["accuracy"], **style)
        validation = columns["validation_accuracy"], columns["validation_interval"]
        beside = np.array(columns["step"]) + 0.4 * gap * number / len(histories)
        right.errorbar(beside, *validation, capsize=2, elinewidth=0.7, **style)
    middle.axhline(chance, color="black", linestyle=":", linewidth=1.2)
    left.set(xlabel="step", ylabel="loss on training episodes", ylim=(0, None))
    middle.set(xlabel="step", ylabel="training accuracy, % (dotted: chance)", ylim=(0, 102))
    right.set(xlabel="step", ylabel="validation accuracy, %")
    for ax in (left, middle, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend()
    return figure


@course_style
def contrastive_losses(losses: Mapping[str, Sequence[float]], chance: float, mean_over: int = 20) -> Figure:
    """CLIP's loss for each kind of sentence, as means over ``mean_over`` steps, and that of a model that guesses."""
    figure, (ax,) = new_axes(1, 8, 3.2)
    for number, (name, values) in enumerate(losses.items()):
        parts = [values[start : start + mean_over] for start in range(0, len(values), mean_over)]
        middles = [start * mean_over + len(part) / 2 for start, part in enumerate(parts)]
        means = [sum(part) / len(part) for part in parts]
        ax.plot(middles, means, label=name, **series_style(number) | {"linestyle": "-", "markersize": 3})
    ax.axhline(chance, color="black", linestyle=":", linewidth=1.2)
    ax.set(xlabel="step", ylabel="loss (dotted: guessing)", ylim=(0, None))
    ax.legend()
    return figure


@course_style
def architecture(support: Tensor, query: Tensor, class_text: Tensor, output: CLIPSPMOutput) -> Figure:
    """CLIP-SPM on one episode, without batch axes: white tensors with their shapes, blue parts, green distances.

    ``output`` is the full model's; what is grey takes part in training only.
    """
    modulated, refined = output.spm, output.padm
    assert modulated is not None and refined is not None
    figure = Figure(figsize=(10, 5))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 112), ylim=(-1, 56))
    ax.set_axis_off()
    tensors = {  # name → place and tensor
        "support": (7, 46, support),
        "class text": (7, 34, class_text),
        "query": (7, 16, query),
        "generated p̂": (24, 16, modulated.query_prompt),
        "f_s": (54, 46, modulated.support),
        "f_q": (54, 20, modulated.query),
        "class tokens u": (71, 36, refined.class_tokens),
        "anchor A": (71, 26, refined.anchor),
    }
    distances = {
        "½ D_SPM": (67, 4, modulated.distance),
        "D_PADM": (103, 44, refined.distance),
        "D_anchor": (105, 27, refined.anchor_distance),
        "logits": (103, 4, output.logits),
    }
    parts = {"prompt\ngenerator": (24, 28, 13, 8), "SF,\none for all": (39, 32, 10, 36), "PADM": (86, 32, 6, 36)}
    for places, color in ((tensors, "white"), (distances, COLORS[2])):
        for name, (x, y, tensor) in places.items():
            _box(ax, x, y, 13 if y != 4 or x < 90 else 15, 7, f"{name}\n{list(tensor.shape)}", color)
    for name, (x, y, width, height) in parts.items():
        _box(ax, x, y, width, height, name, COLORS[0])
    _box(ax, 39, 4, 16, 7, "MFE and HSMR:\nonly in training", COLORS[7])
    for start, end in (
        ((13.5, 46), (34, 46)), ((13.5, 35), (34, 41)), ((13.5, 33), (17.5, 30)), ((10, 19.5), (19, 24)),
        ((24, 24), (24, 19.5)), ((30.5, 17), (34, 18)), ((44, 46), (47.5, 46)), ((44, 20), (47.5, 20)),
        ((60.5, 46), (83, 46)), ((60.5, 43), (64.5, 38)), ((60.5, 23), (64.5, 34)), ((60.5, 20), (83, 18)),
        ((71, 32.5), (71, 29.5)), ((77.5, 36), (83, 36)), ((77.5, 26), (83, 26)), ((58, 42.5), (64, 7.5)),
        ((58, 16.5), (62, 7.5)), ((89, 44), (96.5, 44)), ((89, 27), (98.5, 27)), ((97.5, 40.5), (97.5, 7.5)),
        ((106, 23.5), (106, 7.5)), ((73.5, 4), (95.5, 4)),
    ):  # fmt: skip
        ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color="0.35", linewidth=1))
    _curved(ax, (7, 12.5), (36, 14), 0.25)  # query → SF, below the generator
    dashed = FancyArrowPatch((39, 14), (39, 7.5), arrowstyle="<|-|>", mutation_scale=11, color="0.35", linestyle="--")
    ax.add_patch(dashed)
    for left, low, text in ((92.7, 45.2, "f_s′, f_q′"), (92.7, 28.2, "u′, A′"), (85, 5.5, "added up, with a minus")):
        ax.text(left, low, text, ha="center", fontsize=8)
    return figure


def _curved(ax: Axes, start: tuple[float, float], end: tuple[float, float], bend: float) -> None:
    curve = f"arc3,rad={bend}"
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", connectionstyle=curve, mutation_scale=11, color="0.35"))


def _box(ax: Axes, x: float, y: float, width: float, height: float, text: str, color: object) -> None:
    corner = x - width / 2, y - height / 2
    style: dict[str, Any] = dict(facecolor=color, edgecolor="0.2", alpha=0.55)
    style["boxstyle"] = "round,pad=0,rounding_size=0.8"
    ax.add_patch(FancyBboxPatch(corner, width, height, **style))
    ax.text(x, y, text, ha="center", va="center", fontsize=9)
