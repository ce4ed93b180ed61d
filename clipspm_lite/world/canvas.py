"""A picture and the anti-aliased shapes that can be painted on it, from distance fields."""

from __future__ import annotations

import numpy as np

from clipspm_lite.world.appearance import Colour

INK = np.array([38.0, 34.0, 40.0])  # the outline


class Canvas:
    """A picture of float pixels [H, W, 3] and the shapes that can be painted on it. All lengths are in pixels."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def _window(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The pixels between two corners, and the x [1, w] and y [h, 1] of their centres; None if there are none."""
        height, width = self.pixels.shape[:2]
        left, top = max(int(low[0]), 0), max(int(low[1]), 0)
        right, bottom = min(int(high[0]) + 1, width), min(int(high[1]) + 1, height)
        if right <= left or bottom <= top:
            return None
        x = np.arange(left, right)[None, :] + 0.5
        y = np.arange(top, bottom)[:, None] + 0.5
        return self.pixels[top:bottom, left:right], x, y

    def line(
        self, points: np.ndarray, radius: float, colour: Colour, outline: float = 0.0, opacity: float = 1.0
    ) -> None:
        """A thick line with round ends and joints through points [n, 2]; one point makes a disc."""
        reach = radius + outline + 1
        window = self._window(points.min(axis=0) - reach, points.max(axis=0) + reach)
        if window is None:
            return
        pixels, x, y = window
        nearest = np.full((y.shape[0], x.shape[1]), np.inf)
        for i in range(max(len(points) - 1, 1)):
            start = points[i]
            along = points[min(i + 1, len(points) - 1)] - start
            dx, dy = x - start[0], y - start[1]
            length = along @ along
            if length > 0:
                share = bound((dx * along[0] + dy * along[1]) / length)
                dx, dy = dx - share * along[0], dy - share * along[1]
            np.minimum(nearest, dx * dx + dy * dy, out=nearest)
        _blend(pixels, np.sqrt(nearest) - radius, colour, outline, opacity)

    def block(
        self, centre: np.ndarray, half: tuple[float, float], corner: float, angle: float, colour: Colour,
        outline: float = 0.0, opacity: float = 1.0,
    ) -> None:  # fmt: skip
        """A rectangle with round corners, turned clockwise by an angle."""
        reach = np.hypot(*half) + outline + 1
        window = self._window(centre - reach, centre + reach)
        if window is None:
            return
        pixels, x, y = window
        dx, dy, cos, sin = x - centre[0], y - centre[1], np.cos(angle), np.sin(angle)
        across = np.abs(cos * dx + sin * dy) - (half[0] - corner)
        down = np.abs(cos * dy - sin * dx) - (half[1] - corner)
        outside = np.sqrt(np.maximum(across, 0.0) ** 2 + np.maximum(down, 0.0) ** 2)
        _blend(pixels, outside + np.minimum(np.maximum(across, down), 0.0) - corner, colour, outline, opacity)


def bound(values: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """np.clip, which takes several times as long for small arrays."""
    return np.minimum(np.maximum(values, low), high)


def _blend(pixels: np.ndarray, distance: np.ndarray, colour: Colour, outline: float, opacity: float) -> None:
    """Paint where the distance to the shape is negative, with a soft edge one pixel wide and an inked outline."""
    inside = bound(0.5 - distance)[..., None]
    paint = np.array(colour)
    if outline > 0:
        covered = bound(0.5 + outline - distance)[..., None]
        pixels += covered * (INK + inside * (paint - INK) - pixels)
    else:
        pixels += (opacity * inside) * (paint - pixels)


def shade(colour: Colour, grey: float, share: float) -> Colour:
    """A colour mixed with a share of grey (255: lighter, 0: darker)."""
    red, green, blue = ((1 - share) * c + share * grey for c in colour)
    return red, green, blue
