"""What a motion works with, and how values change smoothly between two others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipspm_lite.world.figure import OUTWARDS, Body, Pose, arm, reach
from clipspm_lite.world.randomness import Stream

RIGHT = 1
ANGLE = np.pi / 180


@dataclass
class Other:
    """The second figure. Its pose is in its own heights; `scale` of them are one height of the first figure."""

    pose: Pose
    body: Body
    scale: float

    def stand_at(self, x: np.ndarray | float, y: np.ndarray | float = 0.0) -> None:
        """Where its pelvis is beside the origin, and how far above its standing height, in the first's heights."""
        self.pose.root = np.stack(np.broadcast_arrays(x, y, self.pose.lean)[:2], axis=-1) / self.scale

    def reach(self, side: int, target: np.ndarray) -> None:
        """Bring a hand to a place [F, 2] in the first figure's heights."""
        self.pose.arms[:, side] = reach(self.pose, self.body, side, target / self.scale)


@dataclass
class Performance:
    """What a motion works with: the pose to fill in, the body, random numbers, the object's size, a second figure."""

    pose: Pose
    body: Body
    rng: Stream
    sides: tuple[int, ...]  # the arms that act: (1,) or (0, 1)
    radius: float  # half the object's width
    other: Other | None = None

    def __post_init__(self) -> None:
        self.time = np.linspace(0.0, 1.0, len(self.pose.lean))

    def once(self, start: tuple[float, float] = (0.02, 0.34), length: tuple[float, float] = (0.32, 0.6)) -> np.ndarray:
        """From 0 to 1 once [F]: a rest, a smooth movement, a hold."""
        begin = self.rng.uniform(*start)
        return ease((self.time - begin) / self.rng.uniform(*length))

    def beat(self, least: float, most: float) -> np.ndarray:
        """The phase [F] of something that is repeated `least` to `most` times in a clip, in radians."""
        return 2 * np.pi * (self.rng.uniform(least, most) * self.time + self.rng.uniform())

    def set_arms(self, upper: np.ndarray, forearm: np.ndarray) -> None:
        """The angles of the arms that act, in degrees."""
        for side in self.sides:
            self.pose.arms[:, side] = arm(self.body, upper * ANGLE, forearm * ANGLE)

    def reach_with(self, side: int, target: np.ndarray) -> None:
        """Bring a hand to a place [F, 2], or as near to it as the arm allows."""
        self.pose.arms[:, side] = reach(self.pose, self.body, side, target)

    def hold(self) -> None:
        """Both hands on the sides of the object."""
        for side in (0, 1):
            target = self.pose.thing[:, :2] + [OUTWARDS[side] * 0.85 * self.radius, 0.0]
            self.reach_with(side, target)

    def place_thing(self, x: np.ndarray | float, y: np.ndarray | float, turn: np.ndarray | float = 0.0) -> None:
        """Where the object is."""
        self.pose.thing = np.stack(np.broadcast_arrays(x, y, turn, self.time)[:3], axis=-1)


def ease(x: np.ndarray) -> np.ndarray:
    """0 before 0, 1 after 1, smooth between."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def between(a: np.ndarray | float, b: np.ndarray | float, u: np.ndarray) -> np.ndarray:
    """From a (u = 0) to b (u = 1)."""
    return a + (b - a) * u
