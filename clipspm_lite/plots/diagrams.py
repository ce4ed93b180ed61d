"""Diagrams of a component: tensors with their shapes, the parts that have weights, and what goes where."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from clipspm_lite.plots.base import COLORS, course_style

Place = tuple[float, float]  # column from the left, row from the top


@course_style
def data_flow(
    tensors: Mapping[str, tuple[Place, Sequence[int]]], parts: Mapping[str, Place], arrows: Sequence[tuple[str, str]]
) -> Figure:
    """Tensors as white boxes with their shapes, parts that compute as blue boxes, and arrows between them.

    Args:
        tensors: name → its place and its shape.
        parts: name → its place.
        arrows: from which box to which, by name.
    """
    texts = {name: f"{name}\n{list(shape) or 'a number'}" for name, (_, shape) in tensors.items()} | {
        name: name for name in parts
    }
    places = {name: place for name, (place, _) in tensors.items()} | dict(parts)
    columns, rows = (max(place[axis] for place in places.values()) + 1 for axis in (0, 1))
    figure = Figure(figsize=(1.5 * columns, 0.95 * rows))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    ax.set_axis_off()
    boxes = {}
    for name, (x, y) in places.items():
        color = "white" if name in tensors else (*COLORS[9], 0.45)
        style = "square,pad=0" if name in tensors else "round,pad=0,rounding_size=0.12"
        box = FancyBboxPatch((x - 0.4, y - 0.33), 0.8, 0.66, boxstyle=style, facecolor=color, edgecolor="0.3")
        boxes[name] = ax.add_patch(box)
        ax.text(x, y, texts[name], ha="center", va="center", fontsize=9)
    for start, end in arrows:
        arrow = dict(arrowstyle="-|>", color="0.3", patchA=boxes[start], patchB=boxes[end], shrinkA=0, shrinkB=1)
        ax.annotate("", xy=places[end], xytext=places[start], arrowprops=arrow)
    return figure


def semantic_fusion(video: Tensor, prompt: Tensor) -> Figure:
    """SF of one video ``[T, C]`` with its prompt ``[1, C]``."""
    frames, channels = video.shape
    tensors = {
        "video f": ((0, 0.2), video.shape),
        "prompt p": ((0, 2), prompt.shape),
        "f̃": ((2, 0.5), video.shape),
        "[p ; f̃]": ((3, 1.2), (frames + 1, channels)),
        "f′": ((5, 0.7), video.shape),
        "p′": ((5, 1.7), prompt.shape),
    }
    arrows = [("video f", "gate g_v"), ("gate g_v", "f̃"), ("prompt p", "gate g_p, α"), ("gate g_p, α", "f̃")]
    arrows += [("f̃", "[p ; f̃]"), ("prompt p", "[p ; f̃]"), ("[p ; f̃]", "TB"), ("TB", "f′"), ("TB", "p′")]
    return data_flow(tensors, {"gate g_v": (1, 0.2), "gate g_p, α": (1, 1), "TB": (4, 1.2)}, arrows)


def spm(support: Tensor, query: Tensor, class_text: Tensor) -> Figure:
    """SPM of one episode: support ``[N, K, T, C]``, query ``[Q, T, C]``, class_text ``[N, C]``."""
    tensors = {
        "class text": ((0, 0), class_text.shape),
        "support": ((0, 1), support.shape),
        "query": ((0, 2), query.shape),
        "p̂": ((2, 1.6), query[:, :1].shape),
        "f_s": ((4, 0.5), support.shape),
        "f_q": ((4, 2), query.shape),
        "prototypes": ((5, 0.5), support[:, 0].shape),
        "D_SPM": ((6, 1.25), (len(query), len(class_text))),
    }
    parts = {"prompt\ngenerator": (1, 1.3), "SF": (3, 0.5), "the same SF": (3, 2), "OTAM": (5, 1.6)}
    arrows = [("class text", "SF"), ("support", "SF"), ("class text", "prompt\ngenerator"), ("SF", "f_s")]
    arrows += [("query", "prompt\ngenerator"), ("prompt\ngenerator", "p̂"), ("p̂", "the same SF"), ("f_q", "OTAM")]
    arrows += [("query", "the same SF"), ("the same SF", "f_q"), ("f_s", "prototypes"), ("prototypes", "OTAM")]
    return data_flow(tensors, parts, [*arrows, ("OTAM", "D_SPM")])


def mfe(video: Tensor) -> Figure:
    """MFE of one video ``[T, C]``."""
    frames, channels = video.shape
    tensors = {
        "video f": ((0, 0), video.shape),
        "Φ(f)": ((0, 2), video.shape),
        "forward": ((2.5, 0.5), (frames - 1, channels)),
        "backward": ((2.5, 1.5), (frames - 1, channels)),
        "m": ((4.7, 1), (channels,)),
    }
    later, earlier, mean = "later Φ(f)\n− earlier f", "earlier Φ(f)\n− later f", "half the sum,\nmean of steps"
    parts = {"Φ": (0, 1), later: (1.35, 0.5), earlier: (1.35, 1.5), mean: (3.6, 1)}
    arrows = [("video f", "Φ"), ("Φ", "Φ(f)"), (later, "forward"), (earlier, "backward")]
    arrows += [(given, difference) for given in ("video f", "Φ(f)") for difference in (later, earlier)]
    return data_flow(tensors, parts, [*arrows, ("forward", mean), ("backward", mean), (mean, "m")])


def hsmr(video: Tensor) -> Figure:
    """HSMR of one video ``[T, C]``."""
    channels = video.shape[-1:]
    tensors = {
        "video f": ((0, 0), video.shape),
        "m shallow": ((2, 1), channels),
        "f′": ((4, 0), video.shape),
        "m′": ((4, 1), channels),
        "m deep": ((6, 0), channels),
        "‖m deep − m′‖²": ((6, 1), ()),
    }
    parts = {"MFE": (1, 1), "SF": (3, 0.5), "the same MFE": (5, 0)}
    arrows = [("video f", "MFE"), ("MFE", "m shallow"), ("video f", "SF"), ("m shallow", "SF"), ("SF", "f′")]
    arrows += [("SF", "m′"), ("f′", "the same MFE"), ("the same MFE", "m deep")]
    return data_flow(tensors, parts, [*arrows, ("m deep", "‖m deep − m′‖²"), ("m′", "‖m deep − m′‖²")])
