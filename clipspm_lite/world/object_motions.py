"""How the figure moves an object, and how objects move by themselves; as in `motions.py`, always to the right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipspm_lite.world.figure import OUTWARDS, reach, shoulders
from clipspm_lite.world.motions import place_foot, walk
from clipspm_lite.world.performance import ANGLE, RIGHT, Performance, between, ease


def push(s: Performance) -> None:
    """Leaning onto a box and walking it to the right."""
    walk(s)
    s.pose.root[:, 1] -= 0.05
    s.pose.lean[:] = s.rng.uniform(16, 22) * ANGLE
    s.place_thing(s.pose.root[:, 0] + 0.27 + s.radius, s.radius)
    for side in (0, 1):  # both hands on the near side
        target = s.pose.thing[:, :2] + [-0.95 * s.radius, (0.75 - 0.5 * side) * s.radius]
        s.pose.arms[:, side] = reach(s.pose, s.body, side, target)


def throw(s: Performance) -> None:
    """The right arm draws back and throws; the object flies to the right and falls."""
    release = s.rng.uniform(0.32, 0.46)
    u = ease((s.time - release + 0.22) / 0.26)
    s.set_arms(between(s.rng.uniform(150, 165), 100, u), between(s.rng.uniform(215, 235), 85, u))
    s.pose.lean[:] = between(-10, 10, u) * ANGLE
    hand = shoulders(s.pose, s.body)[:, RIGHT] + s.pose.arms[:, RIGHT, 1] + [0.0, 0.6 * s.radius]
    flight = np.maximum(0.0, s.time - release)
    start = np.stack([np.interp(release, s.time, hand[:, axis]) for axis in (0, 1)])
    speed, rise, fall = s.rng.uniform(1.1, 1.5), s.rng.uniform(0.5, 0.9), s.rng.uniform(1.6, 2.2)
    path = start + np.stack([speed * flight, rise * flight - fall * flight**2], axis=-1)
    place = np.where((s.time < release)[:, None], hand, path)
    s.place_thing(place[:, 0], np.maximum(place[:, 1], s.radius), 6 * flight)


def _rolling(s: Performance, start: float, begin: float, speed: float) -> None:
    """The object on the floor, still until `begin` and then rolling to the right."""
    way = speed * np.maximum(0.0, s.time - begin) ** 1.1
    s.place_thing(start + way, s.radius, way / s.radius)


def kick_thing(s: Performance) -> None:
    """The right leg kicks an object that lies beside the foot; it shoots off to the right, hardly rising."""
    begin = s.rng.uniform(0.28, 0.45)
    away = np.clip((s.time - begin) / 0.13, -1.0, 2.0)
    s.pose.knees[:, RIGHT] = 1.0
    u = np.maximum(0.0, np.cos(0.5 * np.pi * np.clip(away - 0.5, -1, 1)))
    place_foot(s, between(3, s.rng.uniform(50, 62), u), 0.985 - 0.5 * u * (1 - u))
    s.pose.lean[:] = -8 * ANGLE * u
    _rolling(s, s.body.hip + 0.1 + s.radius, begin, s.rng.uniform(1.0, 1.4))
    flight = np.clip((s.time - begin) / (1 - begin), 0.0, 1.0)
    s.pose.thing[:, 1] += s.rng.uniform(0.25, 0.4) * np.sin(0.9 * np.pi * flight)


def roll(s: Performance) -> None:
    """Bending down to the right and rolling the object away with the hand."""
    begin = s.rng.uniform(0.25, 0.4)
    u = ease((s.time - begin + 0.15) / 0.3)
    s.pose.lean[:] = s.rng.uniform(38, 46) * ANGLE
    s.pose.root[:, 1] = -s.rng.uniform(0.16, 0.2)
    s.pose.feet[:, :, 0] += OUTWARDS * 0.05
    s.pose.knees[:] = 1.0
    start = 0.32
    _rolling(s, start, begin, s.rng.uniform(0.8, 1.2))
    target = np.stack([start - s.radius + 0.16 * u, np.full_like(u, 1.2 * s.radius)], axis=-1)
    s.pose.arms[:, RIGHT] = reach(s.pose, s.body, RIGHT, target)


def pick_up(s: Performance) -> None:
    """Crouching to the object on the floor and standing up with it in both hands."""
    begin = s.rng.uniform(0.02, 0.1)
    down = ease((s.time - begin) / 0.3)
    rise = ease((s.time - begin - s.rng.uniform(0.34, 0.42)) / s.rng.uniform(0.3, 0.4))
    crouch = down * (1 - rise)
    s.pose.root[:, 1] = -s.rng.uniform(0.22, 0.26) * crouch
    s.pose.feet[:, :, 0] += OUTWARDS * 0.07
    s.pose.knees[:] = 1.0
    height = s.body.shoulder_height - s.rng.uniform(0.2, 0.26)
    s.place_thing(0.0, between(s.radius, height, rise))
    rest = s.pose.arms.copy()
    s.hold()
    s.pose.arms[:] = between(rest, s.pose.arms, down[:, None, None, None])


def raise_thing(s: Performance) -> None:
    """The object in both hands from the waist to over the head."""
    u = s.once()
    high = s.body.shoulder_height + 0.8 * s.body.arm + s.rng.uniform(0.0, 0.04)
    s.place_thing(0.0, between(s.body.shoulder_height - s.rng.uniform(0.22, 0.28), high, u))
    s.hold()


def carry(s: Performance) -> None:
    """Walking to the right with the object in both hands."""
    walk(s)
    s.place_thing(s.pose.root[:, 0], s.pose.root[:, 1] + s.body.shoulder_height - s.rng.uniform(0.17, 0.23))
    s.hold()


def _beside(s: Performance) -> float:
    """Somewhere beside the figure, clear of its arms."""
    return (0.36 + s.rng.uniform(0.0, 0.2)) * s.rng.choice((-1, 1))


def thing_rises(s: Performance) -> None:
    """The object goes up by itself while the figure stands by."""
    u = s.once((0.0, 0.15), (0.65, 0.85))
    s.place_thing(_beside(s), between(s.radius, s.rng.uniform(1.0, 1.25), u), 0.1 * np.sin(6 * s.time))


def thing_bounces(s: Performance) -> None:
    """The object bounces in place."""
    up = np.abs(np.sin(0.5 * s.beat(2.5, 4.0)))
    s.place_thing(_beside(s), s.radius + s.rng.uniform(0.4, 0.65) * up)


def thing_travels(s: Performance) -> None:
    """The object moves over the floor to the right, past the figure's feet."""
    way = s.rng.uniform(1.1, 1.5) * (0.7 * s.time + 0.3 * s.once((0.0, 0.15), (0.7, 0.85)))
    s.place_thing(way - s.rng.uniform(0.45, 0.65), s.radius, way / s.radius)


OBJECT_MOTIONS: dict[str, Callable[[Performance], None]] = {
    function.__name__: function
    for function in (
        push, throw, kick_thing, roll, pick_up, raise_thing, carry, thing_rises, thing_bounces, thing_travels,
    )
}  # fmt: skip
