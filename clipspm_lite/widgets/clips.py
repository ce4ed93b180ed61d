"""Controls that choose a clip of a gallery: its class, and its number within the class."""

from typing import Any

import ipywidgets as widgets

from clipspm_lite.widgets.base import LABELLED
from clipspm_lite.widgets.gallery import Gallery

WIDTH = "26em"  # of a dropdown, with its label: the longest class names of the sample world fit


def choose_clip(
    gallery: Gallery, names: tuple[str, str], labels: tuple[str, str], first: int = 0
) -> dict[str, Any]:
    """Two controls by name: the class (its number is the value) and the clip in it, counted from 1.

    ``first`` is the video that is chosen at the start. The clip never exceeds what the class has, so that class and
    clip are a video at any time.
    """
    start = gallery.class_of(first)
    options = list(zip(gallery.names, range(len(gallery.names)), strict=True))
    counts = gallery.data.videos_per_class
    which = widgets.Dropdown(
        description=labels[0], options=options, value=start, style=LABELLED, layout={"width": WIDTH}
    )
    clip = widgets.IntSlider(
        description=labels[1],
        min=1,
        max=counts[start],
        value=first - gallery.starts[start] + 1,
        style=LABELLED,
    )
    which.observe(lambda change: setattr(clip, "max", counts[change["new"]]), names="value")
    return dict(zip(names, (which, clip), strict=True))


def video_of(gallery: Gallery, class_number: int, clip: int) -> int:
    """The number of the video that the two controls choose."""
    return gallery.starts[class_number] + clip - 1


def called(gallery: Gallery, video: int) -> str:
    """How a clip is called in captions: its class and its number there, from 1."""
    number = gallery.class_of(video)
    return f"{gallery.names[number]} {video - gallery.starts[number] + 1}"
