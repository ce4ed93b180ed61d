"""What is behind the figure: wall and ground, what makes a place, and clutter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clipspm_lite.world.appearance import Appearance, Colour
from clipspm_lite.world.canvas import Canvas, bound

MARGIN = 0.1  # how far the background goes on beyond the picture, for the camera


@dataclass
class Sketch:
    """A background being painted, in shares of the picture, and the random numbers that decide its details."""

    canvas: Canvas
    size: int
    horizon: float
    chances: np.ndarray

    def __post_init__(self) -> None:
        self._used = 0

    def any(self, low: float = 0.0, high: float = 1.0) -> float:
        """The next random number."""
        self._used += 1
        return low + (high - low) * float(self.chances[(self._used - 1) % len(self.chances)])

    def _pixels(self, x: float, y: float) -> np.ndarray:
        return (np.array([x, y]) + MARGIN) * self.size

    def block(self, x: float, y: float, half: tuple[float, float], colour: Colour, opacity: float = 1.0) -> None:
        """A rectangle around (x, y)."""
        pixels = (half[0] * self.size, half[1] * self.size)
        self.canvas.block(self._pixels(x, y), pixels, 0.0, 0.0, colour, opacity=opacity)

    def line(self, points: list[tuple[float, float]], radius: float, colour: Colour, opacity: float = 1.0) -> None:
        """A thick line; one point makes a disc."""
        pixels = np.stack([self._pixels(*point) for point in points])
        self.canvas.line(pixels, radius * self.size, colour, opacity=opacity)

    def fir(self, x: float, height: float, colour: Colour) -> None:
        """A fir tree that stands on the horizon."""
        self.block(x, self.horizon - 0.1 * height, (0.012, 0.1 * height), (95, 66, 44))
        for step in range(4):
            y = self.horizon - height * (0.25 + 0.2 * step)
            wide = height * (0.3 - 0.07 * step)
            self.line([(x - wide, y), (x, y - 0.16 * height), (x + wide, y)], 0.05 * height, colour)


def _ice(s: Sketch) -> None:
    for i in range(4):
        s.fir(s.any(0.26 * i - 0.05, 0.26 * i + 0.15), s.any(0.16, 0.3), (96, 140, 130))
    s.line([(-0.1, s.horizon), (1.1, s.horizon)], 0.022, (250, 252, 255))
    for _ in range(7):  # scratches of skates
        x, y, way = s.any(0, 1), s.any(s.horizon + 0.05, 1.05), s.any(0.08, 0.25)
        s.line([(x - way, y + s.any(-0.03, 0.03)), (x, y), (x + way, y + s.any(-0.04, 0.04))], 0.006, (140, 180, 212))


def _pool(s: Sketch) -> None:
    s.line([(-0.1, s.horizon), (1.1, s.horizon)], 0.02, (235, 240, 240))
    for lane in range(3):
        y = s.horizon + 0.07 + 0.1 * lane
        for i in range(16):
            s.line([(-0.08 + 0.078 * i, y)], 0.013, (220, 60, 60) if i % 2 else (245, 245, 245))
    x = s.any(0.08, 0.92)
    for side in (-0.04, 0.04):
        s.line([(x + side, s.horizon - 0.16), (x + side, s.horizon + 0.1)], 0.012, (225, 230, 235))
    for step in range(3):
        s.line(
            [(x - 0.04, s.horizon - 0.1 + 0.07 * step), (x + 0.04, s.horizon - 0.1 + 0.07 * step)],
            0.009,
            (225, 230, 235),
        )


def _beach(s: Sketch) -> None:
    s.block(0.5, s.horizon - 0.07, (0.65, 0.07), (38, 112, 184))
    for _ in range(6):
        x, y = s.any(0, 1), s.any(s.horizon - 0.12, s.horizon - 0.02)
        s.line([(x - 0.06, y), (x, y - 0.012), (x + 0.06, y)], 0.006, (225, 240, 250))
    s.line([(s.any(0.1, 0.9), s.any(0.08, 0.22))], 0.075, (255, 226, 110))
    x, top = s.any(0.06, 0.94), s.horizon - s.any(0.35, 0.45)
    s.line([(x, s.horizon + 0.03), (x + 0.02, s.horizon - 0.2), (x + 0.05, top)], 0.017, (140, 98, 62))
    for dx, dy in ((-0.17, 0.05), (-0.12, -0.07), (0.02, -0.1), (0.15, -0.06), (0.18, 0.06)):
        s.line(
            [(x + 0.05, top), (x + 0.05 + 0.6 * dx, top + dy - 0.03), (x + 0.05 + dx, top + dy + 0.03)],
            0.018,
            (48, 138, 72),
        )


def _snow(s: Sketch) -> None:
    for i in range(3):
        s.line([(s.any(0.4 * i - 0.1, 0.4 * i + 0.2), s.horizon + 0.12)], s.any(0.16, 0.24), (232, 236, 244))
    for i in range(3):
        s.fir(s.any(0.4 * i - 0.05, 0.4 * i + 0.2), s.any(0.25, 0.42), (46, 92, 78))
    for _ in range(22):
        s.line([(s.any(-0.05, 1.05), s.any(-0.05, 0.95))], 0.011, (252, 253, 255))


def _grass(s: Sketch) -> None:
    s.line([(s.any(0.1, 0.9), s.any(0.06, 0.16))], 0.06, (255, 232, 130))
    for i in range(2):
        x, top = s.any(0.5 * i, 0.5 * i + 0.45), s.horizon - s.any(0.24, 0.34)
        s.line([(x, s.horizon + 0.02), (x, top)], 0.022, (118, 82, 52))
        for dx, dy in ((-0.07, 0.03), (0.07, 0.03), (0.0, -0.06)):
            s.line([(x + dx, top + dy)], 0.085, (58, 128, 58))
    for _ in range(14):
        s.line(
            [(s.any(-0.05, 1.05), s.any(s.horizon + 0.04, 1.05))],
            0.01,
            (250, 235, 120) if s.any() < 0.5 else (250, 250, 250),
        )


def _road(s: Sketch) -> None:
    x = -0.1
    while x < 1.1:
        wide, high, grey = s.any(0.09, 0.15), s.any(0.26, 0.5), s.any(105, 165)
        s.block(x + wide, s.horizon - 0.5 * high, (wide, 0.5 * high), (grey + 25, grey, grey - 12))
        for row in range(int(high / 0.11)):
            for column in (-0.5, 0.5):
                s.block(x + wide * (1 + column), s.horizon - high + 0.06 + 0.11 * row, (0.024, 0.03), (250, 236, 160))
        x += 2 * wide + 0.01
    s.block(0.5, s.horizon + 0.012, (0.65, 0.014), (200, 200, 200))
    for i in range(5):
        s.block(-0.02 + 0.27 * i, s.horizon + 0.2, (0.075, 0.014), (245, 245, 240))


def _stage(s: Sketch) -> None:
    for i in range(13):
        s.block(-0.08 + 0.1 * i, 0.5 * s.horizon - 0.05, (0.022, 0.5 * s.horizon + 0.08), (168, 38, 56))
    for i in range(7):
        s.line([(-0.08 + 0.2 * i, -0.04)], 0.1, (190, 48, 62))
    for i in range(4):
        y = s.horizon + 0.07 * (i + 1)
        s.block(0.5, y, (0.65, 0.004), (112, 72, 42))
    for x in (s.any(0.1, 0.4), s.any(0.6, 0.9)):
        s.line([(x, -0.1), (x + s.any(-0.2, 0.2), s.horizon + 0.1)], 0.07, (255, 240, 190), opacity=0.3)


def _kitchen(s: Sketch) -> None:
    y = s.horizon - 0.12
    s.block(0.5, y + 0.07, (0.65, 0.09), (150, 108, 76))
    s.block(0.5, y - 0.03, (0.65, 0.018), (96, 98, 104))
    for i in range(6):
        s.line([(-0.02 + 0.2 * i, y + 0.06)], 0.012, (235, 225, 200))
    x = s.any(0.15, 0.85)
    s.block(x, y - 0.085, (0.075, 0.04), (70, 72, 80))
    s.line([(x + 0.07, y - 0.1), (x + 0.15, y - 0.115)], 0.01, (50, 50, 56))
    x, top = s.any(0.2, 0.8), s.any(0.14, 0.2)
    s.block(x, top + 0.1, (0.2, 0.014), (140, 100, 70))
    for i in range(4):
        cup = [(205, 70, 60), (70, 120, 190), (240, 190, 60), (90, 160, 110)][i]
        s.block(x - 0.14 + 0.095 * i, top + 0.05, (0.028, 0.036), cup)
    x = 0.1 if x > 0.5 else 0.9
    s.block(x, 0.2, (0.1, 0.13), (250, 250, 250))
    s.block(x, 0.2, (0.085, 0.115), (165, 210, 240))


DETAILS: dict[str, Callable[[Sketch], None]] = {
    "ice": _ice, "pool": _pool, "beach": _beach, "snow": _snow, "grass": _grass, "road": _road, "stage": _stage,
    "kitchen": _kitchen,
}  # fmt: skip


def resample(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The picture [H, W, ...] at fractional row and column positions, linearly between pixels."""
    for axis, places in ((0, rows), (1, columns)):
        places = bound(places, 0.0, picture.shape[axis] - 1.000001)
        first = places.astype(int)
        share = (places - first).reshape([-1 if i == axis else 1 for i in range(picture.ndim)])
        near = np.take(picture, first, axis=axis)
        change = np.take(picture, first + 1, axis=axis)
        change -= near
        change *= share
        near += change
        picture = near
    return picture


def background(look: Appearance, size: int) -> np.ndarray:
    """Wall, ground, texture and clutter, [S, S, 3], with a margin around the picture."""
    full = round(size * (1 + 2 * MARGIN))
    place = (np.arange(full) + 0.5) / size - MARGIN  # shares of the picture
    grid = np.arange(full) / (full - 1)
    coarse, fine = (resample(grain, grid * (len(grain) - 1), grid * (len(grain) - 1)) for grain in look.grain)
    ground = bound((place - look.horizon) * size + 0.5)[:, None, None]
    wave = bound(3 * np.sin(2 * np.pi * place / look.pattern_size), -1.0, 1.0)
    if look.pattern == "stripes":
        pattern = np.broadcast_to(wave[None, :], (full, full))
    elif look.pattern == "tiles":
        pattern = wave[None, :] * wave[:, None]
    else:
        pattern = np.zeros((full, full))
    colour = np.array(look.wall) + ground * (np.array(look.ground) - np.array(look.wall))
    texture = 12 * coarse + 6 * fine + 5 * pattern * (1 - ground[..., 0])
    canvas = Canvas(colour + texture[..., None])
    if look.place in DETAILS:
        DETAILS[look.place](Sketch(canvas, size, look.horizon, look.chances))
    for shape in look.clutter:
        centre = (np.array([shape.x, shape.y]) + MARGIN) * size
        half = (shape.half_width * size, shape.half_height * size)
        canvas.block(centre, half, shape.corner * size, shape.angle, shape.colour, opacity=shape.opacity)
    return canvas.pixels
