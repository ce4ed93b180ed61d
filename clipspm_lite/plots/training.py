"""Pictures of training: learning curves with their intervals, and the model as a drawing."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from clipspm_lite.plots.base import COLORS, course_style, new_axes, series_style

CURVES = ("step", "loss", "accuracy", "validation_accuracy", "validation_interval")  # in every entry of a history


@course_style
def learning_curves(histories: Mapping[str, Sequence[Mapping[str, float]]], chance: float) -> Figure:
    """Loss, and accuracy on training and validation episodes with 95 % intervals, over steps.

    ``histories``: run → its history, as `training.train` returns it.
    """
    figure, (left, right) = new_axes(2, 10, 3.6)
    for number, (name, history) in enumerate(histories.items()):
        columns = {key: [entry[key] for entry in history] for key in CURVES}
        style = series_style(number) | {"linestyle": "-"}
        left.plot(columns["step"], columns["loss"], label=name, **style)
        right.plot(columns["step"], columns["accuracy"], **style | {"linestyle": "--", "alpha": 0.6})
        validation = columns["validation_accuracy"], columns["validation_interval"]
        right.errorbar(columns["step"], *validation, capsize=3, label=name, **style)
    right.axhline(chance, color="black", linestyle=":", linewidth=1.2)
    left.set(xlabel="step", ylabel="loss on training episodes", ylim=(0, None))
    right.set(xlabel="step", ylabel="accuracy, %", ylim=(0, 100))
    right.set_title("solid: validation classes, dashed: base classes, dotted: chance")
    left.legend()
    return figure


@course_style
def architecture() -> Figure:
    """CLIP-SPM in one drawing: what goes in, what each part makes of it, and what is used only in training."""
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    ax = figure.subplots()
    ax.set(xlim=(0, 100), ylim=(0, 55))
    ax.set_axis_off()
    data, part, out, training = "#f2f2f2", COLORS[0], COLORS[2], COLORS[7]

    _box(ax, 1, 44, 14, 9, "support videos\n[N, K, T, C]", data)
    _box(ax, 1, 30, 14, 9, "class names\n[N, C]", data)
    _box(ax, 1, 12, 14, 9, "query videos\n[Q, T, C]", data)
    _box(ax, 19, 21, 13, 8, "prompt\ngenerator", part)
    _box(ax, 36, 44, 14, 9, "SF with the\nclass text", part)
    _box(ax, 36, 12, 14, 9, "SF with the\nprompt", part)
    _box(ax, 36, 28, 14, 9, "MFE, HSMR\n(training only)", training)
    _box(ax, 55, 28, 11, 9, "½ D_SPM", out)
    _box(ax, 69, 44, 14, 9, "PADM: class\ntokens û", part)
    _box(ax, 69, 12, 14, 9, "PADM:\nanchor â", part)
    _box(ax, 87, 24, 12, 17, "D_PADM\n\nD_anchor", out)
    _box(ax, 55, 1, 44, 6, "logits = −(½ D_SPM + D_PADM + D_anchor)   [Q, N]", out)
    for start, end in (
        ((15, 48.5), (36, 48.5)),
        ((15, 36), (36, 46)),
        ((15, 33), (25, 29)),
        ((15, 18), (25, 21)),
        ((15, 14.5), (36, 14.5)),
        ((32, 24), (36, 19)),
        ((50, 46), (58, 37)),
        ((50, 19), (58, 28)),
        ((50, 50), (69, 50)),
        ((50, 15), (69, 15)),
        ((67.5, 15), (72, 44)),
        ((83, 47), (90, 41)),
        ((83, 18), (90, 24)),
        ((60.5, 28), (60.5, 7)),
        ((93, 24), (93, 7)),
    ):
        ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color="0.35", linewidth=1))
    for start, end in (((43, 44), (43, 37)), ((43, 21), (43, 28))):
        ax.add_patch(FancyArrowPatch(start, end, arrowstyle="<|-|>", mutation_scale=11, color="0.35", linestyle="--"))
    ax.text(71.5, 31, "all queries", fontsize=8.5, color="0.35")
    return figure


def _box(ax: Axes, x: float, y: float, width: float, height: float, text: str, color: object) -> None:
    ax.add_patch(
        FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0.3", facecolor=color, edgecolor="0.2", alpha=0.55)
    )
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=9.5)
