"""What all pictures of the course share: the look, colours, film strips, and `show`, which puts one into a notebook."""

import html
import inspect
import io
import re
from collections.abc import Callable, Mapping, Sequence, Sized
from functools import wraps
from types import UnionType
from typing import Any, ParamSpec, get_args, get_origin

import numpy as np
import seaborn as sns
from IPython.display import Image, Markdown, display
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from clipspm_lite.storage.files import one_line

COLORS = sns.color_palette("colorblind")
RIGHT, WRONG = COLORS[0], COLORS[3]  # blue and vermilion, always with a tick or a cross beside them

# Beside the colours, so that no series is told by colour alone.
MARKERS = "os^DvP*Xph"
LINES = ("-", "--", ":", "-.")
HATCHES = ("", "//", "..", "xx")

# One size of type, and a white card of black on white whatever the reader's own matplotlib settings are, so that it can
# be read on JupyterLab's dark theme too.
_settings = style.context(
    [
        "default",
        {
            "text.parse_math": False,  # a class may be called "$5 for $6"
            "text.hinting": "no_hinting",  # each text is drawn in two thirds of the time
            "axes.titlesize": 10,
            "axes.labelsize": 10,
            "figure.titlesize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.title_fontsize": 9,
            "legend.frameon": False,
        },
    ]
)


Arguments = ParamSpec("Arguments")


def look(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Decorates every drawing function: the course's look, and one line where arguments cannot be drawn.

    Raises:
        ValueError: the argument that is of another kind than its annotation says, or else what all of them are.
    """
    signature, styled = inspect.signature(draw), _settings(draw)

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        given = signature.bind(*args, **kwargs).arguments
        try:
            return styled(*args, **kwargs)
        except Exception as error:  # of matplotlib, NumPy or torch, which know no argument by its name
            for name, value in given.items():
                annotation = signature.parameters[name].annotation
                if not _is_of_kind(value, annotation):
                    kind = inspect.formatannotation(annotation).replace("collections.abc.", "")
                    raise ValueError(
                        f"{draw.__name__}: {name}: expected {kind}, found {_described(value)}"
                    ) from error
            found = ", ".join(f"{name} {_described(value)}" for name, value in given.items())
            raise ValueError(
                f"{draw.__name__}: cannot draw these together: {found} ({type(error).__name__}: "
                f"{one_line(error, 100)}); help({draw.__name__}) says which it takes"
            ) from error

    return drawn


def _is_of_kind(value: Any, annotation: Any) -> bool:
    """Whether a value, and what is in it, is what an annotation says; a mapping that is empty is none."""
    kind, parts = get_origin(annotation) or annotation, get_args(annotation)
    if kind is UnionType:
        return any(_is_of_kind(value, part) for part in parts)
    if kind is Mapping:
        return (
            isinstance(value, Mapping)
            and bool(value)
            and all(_is_of_kind(v, parts[1]) for v in value.values())
        )
    if kind is Sequence:  # an array is one too
        sized = isinstance(value, Sized) and not isinstance(value, (str, Mapping))
        return sized and all(_is_of_kind(item, parts[0]) for item in value)  # type: ignore[attr-defined]
    if kind is float or kind is int:
        return np.isscalar(value) and not isinstance(value, str)
    return kind not in (Tensor, np.ndarray, str, type(None)) or isinstance(value, kind)


def _described(value: Any) -> str:
    """What a value is, in a few words: shapes, and of a collection how many and the first."""
    if isinstance(value, (Tensor, np.ndarray)):
        return f"{type(value).__name__} {list(value.shape)}"
    if isinstance(value, (Mapping, list, tuple)):
        items = value.values() if isinstance(value, Mapping) else value
        return f"{len(value)} × ({_described(next(iter(items)))})" if value else "nothing"
    return one_line(ValueError(repr(value)), 40)


def bar_style(number: int) -> dict[str, Any]:
    """Colour and hatch of a series of bars, by its number; vermilion is left to what is wrong."""
    return {
        "color": COLORS[(0, 1, 2, 4)[number % 4]],
        "hatch": HATCHES[number % len(HATCHES)],
        "edgecolor": "white",
    }


@_settings  # ticks are made when they are drawn
def png(figure: Figure, *, tight: bool = False) -> bytes:
    """The figure as PNG; ``tight`` crops it to what is drawn, which takes twice as long."""
    if not isinstance(figure, Figure):
        raise TypeError(f"figure: expected a matplotlib Figure, found {type(figure).__name__}")
    image = io.BytesIO()
    crop: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.15} if tight else {}
    figure.savefig(image, format="png", dpi=90, pil_kwargs={"compress_level": 1 if not tight else 6}, **crop)
    return image.getvalue()


def show(figure: Figure, caption: str, alt: str) -> None:
    """Put a figure into the notebook as a PNG with alternative text, and its caption below.

    Of Markdown the caption may use ``*``; whatever else a name in it holds is shown as it is.
    """
    plain = re.sub(r"([\\`\[\]$])", r"\\\1", html.escape(caption, quote=False))
    display(Image(png(figure, tight=True), alt=alt), Markdown(f"*{plain}*"))


def limits_around(places: np.ndarray) -> tuple[float, float, float, float]:
    """Lowest and highest x, lowest and highest y of places ``[…, 2]`` (nan: not there), with a margin."""
    points = places.reshape(-1, 2)
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    margin = 0.06 * (high - low) + 1e-9
    (left, bottom), (right, top) = low - margin, high + margin
    return float(left), float(right), float(bottom), float(top)


def film_strip(ax: Axes, frames: Tensor) -> None:
    """Draw frames ``[T, 3, H, W]`` in [0, 1] side by side, first frame at the left; raises ValueError."""
    if not isinstance(frames, Tensor) or frames.ndim != 4 or frames.shape[1] != 3 or not len(frames):
        raise ValueError(
            f"frames: expected a Tensor [T, 3, H, W] of at least one frame, found {_described(frames)}"
        )
    strip = frames.permute(2, 0, 3, 1).flatten(1, 2)
    ax.imshow(strip.clamp(0, 1).numpy(), interpolation="nearest")
    borders = [border * frames.shape[-1] - 0.5 for border in range(1, len(frames))]
    ax.vlines(borders, 0, 1, transform=ax.get_xaxis_transform(), color="white", linewidth=1)
    ax.set_axis_off()


@look
def film_strips(clips: Mapping[str, Tensor]) -> Figure:
    """Clips ``[T, 3, H, W]`` by name, one below the other."""
    figure = Figure(figsize=(9, 1.4 * len(clips)))
    for row, (name, clip) in enumerate(clips.items()):
        ax = figure.add_axes((0.01, 1 - (row + 0.98) / len(clips), 0.98, 0.78 / len(clips)))
        film_strip(ax, clip)
        ax.set_title(name, loc="left", y=1)
    return figure
