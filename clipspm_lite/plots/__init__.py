"""The pictures of the course: pure functions, data in, figure out; `show` puts a figure into a notebook."""

from clipspm_lite.plots.base import COLORS, RIGHT, WRONG, film_strip, film_strips, show
from clipspm_lite.plots.results import accuracy_bars, confusions, episode

__all__ = ["COLORS", "RIGHT", "WRONG", "accuracy_bars", "confusions", "episode", "film_strip", "film_strips", "show"]
