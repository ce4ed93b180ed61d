"""What all pictures of the course share: style, colours, film strips, and `show`, which puts one into a notebook."""

import html
import io
import re
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import seaborn as sns
from IPython.display import Image, Markdown, display
from matplotlib import font_manager, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor

WIDE = 6.7  # inches, of the pictures of explorers: they fit beside the controls
COLORS = sns.color_palette("colorblind")
RIGHT, WRONG = COLORS[0], COLORS[3]  # blue and vermilion, always with a tick or a cross beside them
NEUTRAL_COLORS = [color for color in COLORS if color != WRONG]  # for classes, which are neither right nor wrong

# Beside the colours, so that no series is told by colour alone. The numbers of colours and markers have no common
# divisor, so that series beyond the first ten still differ.
MARKERS = "os^DvP*Xph<"
LINES = ("-", "--", ":", "-.")
HATCHES = ("", "//", "..", "xx")

# Decorates every drawing function. One size of type, and black on a white card whatever the reader's own matplotlib
# settings are, so that it can be read on JupyterLab's dark theme too.
course_style = style.context(
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


def series_style(number: int, colors: Sequence[Any] = COLORS) -> dict[str, Any]:
    """Colour, marker and line style of a series by its number, from 0."""
    return {
        "color": colors[number % len(colors)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": LINES[number % len(LINES)],
    }


def bar_style(number: int) -> dict[str, Any]:
    """Colour and hatch of a series of bars by its number; vermilion is left to what is wrong."""
    return {
        "color": COLORS[(0, 1, 2, 4)[number % 4]],
        "hatch": HATCHES[(number + number // 4) % len(HATCHES)],
        "edgecolor": "white",
    }


@course_style  # ticks are made when they are drawn
def png(figure: Figure, *, tight: bool = False) -> bytes:
    """The figure as PNG; ``tight`` crops it to what is drawn, which takes twice as long."""
    image = io.BytesIO()
    crop: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.15} if tight else {}
    find_fonts(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph ")  # one for each character; `find_fonts` has said it
        figure.savefig(image, format="png", dpi=90, pil_kwargs={"compress_level": 6 if tight else 1}, **crop)
    return image.getvalue()


def find_fonts(figure: Figure) -> None:
    """Let texts in other scripts be drawn in installed fonts that have them; warn once of a script that none has."""
    texts = [text for text in figure.findobj(Text) if not text.get_text().isascii()]
    characters = {c for text in texts for c in text.get_text() if c.isprintable() and not c.isspace()}
    families, scripts = fonts_with("".join(sorted(characters)))
    for text in texts if families else ():
        text.set_fontfamily([*text.get_fontfamily(), *families])
    for name in scripts:
        warn_of_boxes(name)


@cache
def fonts_with(characters: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Families of fonts that have what matplotlib's own lacks of ``characters``, and the scripts that none has."""
    own = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    lacking, families = set(map(ord, characters)) - own.get_charmap().keys(), []
    fonts = font_manager.fontManager
    for path in {*font_manager.findSystemFonts()} - {font.fname for font in fonts.ttflist} if lacking else ():
        with suppress(RuntimeError, OSError, ValueError):  # a kind of font that matplotlib does not draw
            fonts.addfont(path)  # it was installed after matplotlib looked
    for font in sorted(fonts.ttflist, key=lambda f: (f.style != "normal", f.weight != 400, "Sans" not in f.name)):
        if not lacking or font.name.startswith("Last Resort"):  # that one has boxes for all
            continue
        with suppress(RuntimeError, OSError):
            if has := lacking & font_manager.get_font(font.fname).get_charmap().keys():
                families.append(font.name)
                lacking -= has
    return tuple(families), tuple(sorted(set(map(script_of, map(chr, lacking)))))


def script_of(character: str) -> str:
    """The name of a character's script, as Google's Noto fonts have it: CJK, Devanagari, Symbols, …"""
    if unicodedata.category(character)[0] not in "LM":
        return "Symbols"
    first = unicodedata.name(character, "Symbols").split()[0].title()
    return "CJK" if first in ("Cjk", "Hiragana", "Katakana", "Hangul", "Bopomofo") else first


@cache  # once
def warn_of_boxes(script: str) -> None:
    found = f"no font here has the {script} characters of some names, and figures show boxes in their place"
    warnings.warn(f"{found}; install one, such as Noto Sans {script}", stacklevel=2)


def show(figure: Figure, caption: str, alt: str) -> None:
    """Put a figure into the notebook as a PNG with alternative text, and its caption below.

    The caption may use Markdown's ``*``; everything else in it is shown as it is.
    """
    plain = re.sub(r"([\\`\[\]$])", r"\\\1", html.escape(caption, quote=False))
    display(Image(png(figure, tight=True), alt=alt), Markdown(f"*{plain}*"))


def new_axes(
    count: int, width: float, height: float, *, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of this size in inches with axes side by side, which have a left and a lower line only."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False, sharex=sharex, sharey=sharey)[0]
    sns.despine(figure)
    return figure, list(axes)


def limits_around(places: np.ndarray) -> tuple[float, float, float, float]:
    """Lowest and highest x, lowest and highest y of places ``[…, 2]`` (nan: not there), with a margin."""
    points = places.reshape(-1, 2)
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    margin = 0.06 * (high - low) + 1e-9
    (left, bottom), (right, top) = low - margin, high + margin
    return float(left), float(right), float(bottom), float(top)


def film_strip(ax: Axes, frames: Tensor) -> None:
    """Draw frames ``[T, 3, H, W]`` in [0, 1] side by side, the first at the left."""
    strip = frames.permute(2, 0, 3, 1).flatten(1, 2)
    ax.imshow(strip.clamp(0, 1).numpy(), interpolation="nearest")
    borders = [border * frames.shape[-1] - 0.5 for border in range(1, len(frames))]
    ax.vlines(borders, 0, 1, transform=ax.get_xaxis_transform(), color="white", linewidth=1)
    ax.set_axis_off()


@course_style
def film_strips(clips: Mapping[str, Tensor]) -> Figure:
    """Clips ``[T, 3, H, W]`` by name, one below the other."""
    figure = Figure(figsize=(WIDE, 1.1 * len(clips)))
    for row, (name, clip) in enumerate(clips.items()):
        ax = figure.add_axes((0.01, 1 - (row + 0.98) / len(clips), 0.98, 0.78 / len(clips)))
        film_strip(ax, clip)
        ax.set_title(name, loc="left", y=1)
    return figure
