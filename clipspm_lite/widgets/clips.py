"""Controls that choose a clip of a gallery: its class, and its number within the class."""

from typing import Any

from clipspm_lite.widgets.base import dropdown, slider
from clipspm_lite.widgets.gallery import Gallery


def choose_clip(
    gallery: Gallery, names: tuple[str, str], labels: tuple[str, str], first: int = 0
) -> dict[str, Any]:
    """Two controls by name: the class (its number is the value) and the clip in it, counted from 1.

    ``first`` is the video that is chosen at the start. The clip never exceeds what the class has, so that class and
    clip always name a video.
    """
    start, counts = gallery.class_of(first), gallery.data.videos_per_class
    which = dropdown(labels[0], gallery.numbered_names, start)
    clip = slider(labels[1], 1, counts[start], first - gallery.starts[start] + 1)
    which.observe(lambda change: setattr(clip, "max", counts[change["new"]]), names="value")
    return dict(zip(names, (which, clip), strict=True))


def video_of(gallery: Gallery, class_number: int, clip: int) -> int:
    """The number of the video that the two controls choose."""
    return gallery.starts[class_number] + clip - 1


def clip_name(gallery: Gallery, video: int) -> str:
    """The name of a clip in captions: its class and its number there, from 1."""
    number = gallery.class_of(video)
    return f"{gallery.names[number]} {video - gallery.starts[number] + 1}"
