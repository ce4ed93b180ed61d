"""Free poses: a figure drifting through random poses of no class. They teach words for poses, none for actions."""

from __future__ import annotations

import numpy as np

from clipspm_lite.world.figure import OUTWARDS, arm, random_arm, reach
from clipspm_lite.world.performance import ANGLE, Performance, ease


def _drift(s: Performance, values: list[float]) -> np.ndarray:
    """A smooth path [F] through values at evenly spaced times."""
    position = s.time * (len(values) - 1)
    left = np.minimum(position.astype(int), len(values) - 2)
    points = np.array(values)
    return points[left] + (points[left + 1] - points[left]) * ease(position - left)


def _legs(s: Performance, keys: int) -> None:
    """Standing, apart, bent, one leg lifted or in the air."""
    drop: list[float] = []
    height: list[float] = []
    apart: list[float] = []
    knees: list[float] = []
    lifts: tuple[list[float], list[float]] = ([], [])
    for _ in range(keys):
        state = s.rng.uniform()
        drop.append(s.rng.uniform(0.12, 0.25) if 0.35 < state < 0.55 else s.rng.uniform(0.0, 0.02))
        height.append(s.rng.uniform(0.08, 0.25) if state > 0.88 else 0.0)
        apart.append(s.rng.uniform(0.08, 0.16) if s.rng.chance(0.3) else s.rng.uniform(0.0, 0.04))
        side = int(s.rng.chance(0.5))
        lifts[side].append(s.rng.uniform(0.4, 1.0) if 0.6 < state < 0.88 else 0.0)
        lifts[1 - side].append(0.0)
        knees.append(s.rng.uniform(0.3, 1.0))
    fold = s.rng.chance(0.4)
    s.pose.root[:, 1] = _drift(s, height) - _drift(s, drop)
    s.pose.feet[:, :, 0] += OUTWARDS * _drift(s, apart)[:, None]
    s.pose.feet[:, :, 1] = _drift(s, height)[:, None]
    for side in (0, 1):
        lift = _drift(s, lifts[side])
        s.pose.knees[:, side] = _drift(s, knees)
        if fold:
            s.pose.feet[:, side, 1] += 0.28 * lift
        else:
            angle = 65 * ANGLE * lift
            s.pose.feet[:, side, 0] += OUTWARDS[side] * s.body.leg * np.sin(angle)
            s.pose.feet[:, side, 1] += s.body.stand * (1 - np.cos(angle))


def _thing(s: Performance, keys: int) -> None:
    """The object in one hand, in both, or somewhere else."""
    place = s.rng.uniform()
    if place < 0.3:
        x = _drift(s, [s.rng.uniform(-0.25, 0.25) for _ in range(keys)])
        y = _drift(s, [s.body.shoulder_height + s.rng.uniform(-0.35, 0.35) for _ in range(keys)])
        s.place_thing(s.pose.root[:, 0] + x, s.pose.root[:, 1] + y)
        s.hold()
    elif place < 0.45:
        target_x = s.rng.uniform(0.15, 0.4) * s.rng.choice((-1, 1))
        s.place_thing(s.pose.root[:, 0] + target_x, s.body.shoulder_height + s.rng.uniform(-0.2, 0.3))
        side = int(target_x > 0)
        s.pose.arms[:, side] = reach(s.pose, s.body, side, s.pose.thing[:, :2])
    else:
        x = _drift(s, [s.rng.uniform(-0.85, 0.85) for _ in range(keys)])
        y = _drift(s, [s.rng.uniform(0.0, 1.1) if s.rng.chance(0.6) else 0.0 for _ in range(keys)])
        s.place_thing(x, s.radius + y, x / s.radius)


def free_pose(s: Performance, has_thing: bool) -> None:
    """A smooth sequence of random poses; the parts change at times of their own."""
    keys = s.rng.choice((2, 3, 4))
    s.pose.root[:, 0] = _drift(s, [s.rng.uniform(-0.3, 0.3) for _ in range(keys)])
    s.pose.lean[:] = _drift(s, [s.rng.uniform(-38, 38) * s.rng.chance(0.35) * ANGLE for _ in range(keys)])
    s.pose.head_tilt[:] = _drift(s, [s.rng.uniform(-12, 12) * ANGLE for _ in range(keys)])
    if s.rng.chance(0.4):
        s.pose.look[:] = np.stack([_drift(s, [s.rng.uniform(-1, 1) for _ in range(4)]) for _ in range(2)], axis=-1)
    _legs(s, keys)
    together = s.rng.chance(0.25)
    angles = [[random_arm(s.rng) for _ in range(keys)] for _ in range(2)]
    for side in (0, 1):
        own = angles[0] if together else angles[side]
        upper, forearm = (_drift(s, [key[part] for key in own]) for part in (0, 1))
        s.pose.arms[:, side] = arm(s.body, upper, forearm)
    if has_thing:
        _thing(s, keys)
