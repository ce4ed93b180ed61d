"""How an object or a prop is drawn, with marks that show its kind and how it turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clipspm_lite.world.appearance import Colour
from clipspm_lite.world.canvas import Canvas, shade

WOOD: Colour = (150, 108, 66)


@dataclass
class Object:
    """What to paint an object with: lengths in its radius, x along it and y down."""

    canvas: Canvas
    place: np.ndarray  # pixels
    radius: float
    turn: float  # clockwise
    colour: Colour
    outline: float

    def line(self, points: list[tuple[float, float]], radius: float, colour: Colour, inked: bool = True) -> None:
        """A thick line; one point makes a disc."""
        along = np.array([np.cos(self.turn), np.sin(self.turn)])
        down = np.array([-along[1], along[0]])
        path = np.stack([self.place + self.radius * (x * along + y * down) for x, y in points])
        self.canvas.line(path, radius * self.radius, colour, self.outline if inked else 0.0)

    def block(
        self, x: float, y: float, half: tuple[float, float], colour: Colour, corner: float = 0.0, inked: bool = True
    ) -> None:
        """A rectangle around (x, y)."""
        along = np.array([np.cos(self.turn), np.sin(self.turn)])
        centre = self.place + self.radius * (x * along + y * np.array([-along[1], along[0]]))
        size = (half[0] * self.radius, half[1] * self.radius)
        outline = self.outline if inked else 0.0
        self.canvas.block(centre, size, corner * self.radius, self.turn, colour, outline)


def _box(o: Object) -> None:
    o.block(0, 0, (1, 1), o.colour, 0.1)
    o.block(0, 0, (0.16, 1), shade(o.colour, 255.0, 0.55), inked=False)
    o.block(0, 0, (1, 0.06), shade(o.colour, 0.0, 0.4), inked=False)


def _ball(o: Object) -> None:
    o.line([(0, 0)], 1.0, o.colour)
    o.line([(-0.75, 0), (0.75, 0)], 0.2, shade(o.colour, 255.0, 0.55), inked=False)


def _balloon(o: Object) -> None:
    o.line([(0, 1.0), (0.12, 1.6), (-0.1, 2.1)], 0.05, (90, 90, 90), inked=False)
    o.line([(0, 1.08)], 0.18, shade(o.colour, 0.0, 0.4))
    o.line([(0, -0.08), (0, 0.08)], 0.94, o.colour)
    o.line([(-0.35, -0.4)], 0.2, shade(o.colour, 255.0, 0.55), inked=False)


def _flag(o: Object) -> None:
    o.line([(0, 0.7), (0, -2.0)], 0.07, WOOD)
    o.block(0.75, -1.45, (0.7, 0.5), o.colour)
    o.block(0.75, -1.45, (0.7, 0.15), shade(o.colour, 255.0, 0.7), inked=False)


def _umbrella(o: Object) -> None:
    o.line([(0, 0.5), (0, -1.5)], 0.06, (60, 60, 66))
    dome = [(-1.15, -1.0), (-0.8, -1.4), (0.0, -1.62), (0.8, -1.4), (1.15, -1.0)]
    o.line(dome, 0.26, o.colour)
    o.line([(-0.3, -1.3), (0.0, -1.65), (0.3, -1.3)], 0.1, shade(o.colour, 255.0, 0.6), inked=False)


def _broom(o: Object) -> None:
    o.line([(0, 0.6), (0, -1.5)], 0.07, WOOD)
    o.block(0, -1.75, (0.5, 0.14), (120, 60, 40))
    for x in (-0.4, -0.2, 0.0, 0.2, 0.4):
        o.line([(x, -1.9), (1.4 * x, -2.4)], 0.1, (228, 190, 92), inked=False)


def _guitar(o: Object) -> None:
    o.line([(0.2, -0.1), (1.75, -0.6)], 0.1, (84, 56, 38))
    o.line([(-0.45, 0.1)], 0.62, o.colour)
    o.line([(0.2, -0.1)], 0.45, o.colour)
    o.line([(-0.45, 0.1), (0.2, -0.1)], 0.42, o.colour, inked=False)
    o.line([(-0.1, 0.0)], 0.2, (50, 34, 26), inked=False)


def _drum(o: Object) -> None:
    o.block(0, 0.15, (0.95, 0.6), o.colour)
    for x in (-0.6, 0.0, 0.6):
        o.line([(x - 0.3, -0.4), (x, 0.7), (x + 0.3, -0.4)], 0.05, (250, 240, 200), inked=False)
    o.block(0, -0.5, (1.0, 0.2), (248, 246, 238), 0.18)


def _board(o: Object) -> None:
    o.block(0, 0, (1.25, 0.75), WOOD)
    o.block(0, 0, (1.08, 0.58), (38, 88, 70), inked=False)
    o.line([(-0.75, -0.2), (-0.1, -0.25), (0.6, -0.15)], 0.06, (240, 245, 240), inked=False)
    o.line([(-0.7, 0.2), (0.3, 0.22)], 0.06, (240, 245, 240), inked=False)


DRAWINGS: dict[str, Callable[[Object], None]] = {
    "box": _box, "ball": _ball, "balloon": _balloon, "flag": _flag, "umbrella": _umbrella, "broom": _broom,
    "guitar": _guitar, "drum": _drum, "board": _board,
}  # fmt: skip
