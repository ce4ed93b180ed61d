"""What all pictures of the course share: colours, film strips, and `show`, which puts one into a notebook."""

import io
from collections.abc import Mapping

import seaborn as sns
from IPython.display import Image, Markdown, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

COLORS = sns.color_palette("colorblind")
RIGHT, WRONG = COLORS[0], COLORS[3]  # blue and vermilion, always with a tick or a cross beside them


def show(figure: Figure, caption: str, alt: str) -> None:
    """Put a figure into the notebook as a PNG with alternative text, and its caption below."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=90, bbox_inches="tight", facecolor="white")
    display(Image(png.getvalue(), alt=alt), Markdown(f"*{caption}*"))


def film_strip(ax: Axes, frames: Tensor) -> None:
    """Draw frames ``[T, 3, H, W]`` in [0, 1] side by side, first frame at the left."""
    strip = frames.permute(2, 0, 3, 1).flatten(1, 2)
    ax.imshow(strip.clamp(0, 1).numpy(), interpolation="nearest")
    for border in range(1, len(frames)):
        ax.axvline(border * frames.shape[-1] - 0.5, color="white", linewidth=1)
    ax.set_axis_off()


def film_strips(clips: Mapping[str, Tensor]) -> Figure:
    """Clips ``[T, 3, H, W]`` by name, one below the other."""
    figure = Figure(figsize=(9, 1.4 * len(clips)), layout="constrained")
    axes = figure.subplots(len(clips), 1, squeeze=False)
    for ax, (name, clip) in zip(axes[:, 0], clips.items(), strict=True):
        film_strip(ax, clip)
        ax.set_title(name, fontsize=10, loc="left")
    return figure
