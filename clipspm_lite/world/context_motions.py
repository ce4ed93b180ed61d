"""What the figure does with a prop, with a second figure or in water; as in `motions.py`, always to the right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipspm_lite.world.figure import OUTWARDS, arm, shoulders
from clipspm_lite.world.motions import sway, travel, walk, walk_in_place
from clipspm_lite.world.performance import ANGLE, RIGHT, Other, Performance, between


def swim(s: Performance) -> None:
    """Low in the water, the arms going round in turn."""
    phase = s.beat(1.4, 2.4)
    s.pose.root[:, 1] = -0.1 + 0.02 * np.sin(2 * phase)
    for side in (0, 1):
        angle = phase + np.pi * side
        s.pose.arms[:, side] = arm(s.body, angle, angle - 0.3)
    travel(s, s.rng.uniform(0.2, 0.7))


def _in_hand(s: Performance, turn: np.ndarray | float) -> None:
    """The object in the right hand."""
    hand = shoulders(s.pose, s.body)[:, RIGHT] + s.pose.arms[:, RIGHT, 1]
    s.place_thing(hand[:, 0], hand[:, 1], turn)


def wave_prop(s: Performance) -> None:
    """The arm up, the prop going to and fro."""
    swing = np.sin(s.beat(1.6, 3.0))
    s.set_arms(s.rng.uniform(95, 125) + 8 * swing, s.rng.uniform(140, 170) - 18 * swing)
    _in_hand(s, s.rng.uniform(0.35, 0.6) * swing)


def dance_with_prop(s: Performance) -> None:
    """Swaying, the prop held out."""
    sway(s)
    swing = np.sin(s.beat(0.8, 1.6))
    s.set_arms(s.rng.uniform(70, 100) + 10 * swing, s.rng.uniform(90, 150) + 15 * swing)
    _in_hand(s, s.rng.uniform(0.1, 0.3) * swing)


def carry_prop(s: Performance) -> None:
    """Walking, or walking on the spot, with the prop against the shoulder."""
    s.rng.choice((walk, walk_in_place))(s)
    s.set_arms(s.rng.uniform(20, 45) + 0 * s.time, s.rng.uniform(120, 150) + 0 * s.time)
    _in_hand(s, s.rng.uniform(-0.2, 0.3))


def lift_prop(s: Performance) -> None:
    """The prop in both hands, up and down."""
    up = 0.5 - 0.5 * np.cos(s.beat(1.0, 2.0))
    s.place_thing(0.0, between(s.body.shoulder_height - 0.12, s.body.shoulder_height + 0.75 * s.body.arm, up))
    s.hold()


def beat_prop(s: Performance) -> None:
    """The prop before the body, both hands on it, going up and down in turn."""
    s.place_thing(
        s.rng.uniform(-0.04, 0.04), s.body.shoulder_height - s.rng.uniform(0.2, 0.28), s.rng.uniform(-0.1, 0.1)
    )
    s.hold()
    phase = s.beat(2.0, 3.6)
    for side in (0, 1):
        s.pose.arms[:, side, 1, 1] += 0.05 + 0.05 * np.sin(phase + np.pi * side)


def hammer_prop(s: Performance) -> None:
    """The right arm comes down on the prop beside the figure, again and again."""
    s.place_thing(s.rng.uniform(0.32, 0.4), s.radius + s.rng.uniform(0.18, 0.3))
    down = np.abs(np.sin(0.5 * s.beat(2.0, 3.4)))
    s.set_arms(between(150, 65, down), between(s.rng.uniform(170, 200), 60, down))
    s.pose.lean[:] = s.rng.uniform(4, 12) * ANGLE


def _other(s: Performance) -> Other:
    """The second figure, which a recipe of these motions always has."""
    assert s.other is not None
    return s.other


def _chest(s: Performance) -> float:
    """A height that both figures reach easily."""
    other = _other(s)
    return min(s.body.shoulder_height, other.body.shoulder_height * other.scale) - 0.08


def shake_hands(s: Performance) -> None:
    """One hand of each, going up and down between them."""
    other, apart = _other(s), s.rng.uniform(0.44, 0.54)
    other.stand_at(apart)
    y = _chest(s) - s.rng.uniform(0.0, 0.08) + s.rng.uniform(0.03, 0.06) * np.sin(s.beat(2.0, 3.6))
    meet = np.stack([np.full_like(y, 0.5 * apart), y], axis=-1)
    s.reach_with(RIGHT, meet)
    other.reach(1 - RIGHT, meet)


def hug(s: Performance) -> None:
    """Close together, the arms around each other, swaying a little."""
    other, apart = _other(s), s.rng.uniform(0.17, 0.23)
    swing = s.rng.uniform(0.02, 0.04) * np.sin(s.beat(0.8, 1.8))
    s.pose.root[:, 0] += swing
    other.stand_at(apart + swing)
    y = np.full_like(swing, _chest(s))
    for side in (0, 1):
        s.reach_with(side, np.stack([swing + apart + 0.06 * OUTWARDS[side], y - 0.04], axis=-1))
        other.reach(side, np.stack([swing + 0.06 * OUTWARDS[side], y], axis=-1))


def shove(s: Performance) -> None:
    """Both hands against the other, who gives way."""
    other, apart = _other(s), s.rng.uniform(0.34, 0.4)
    push = 0.5 - 0.5 * np.cos(s.beat(1.0, 2.0))
    s.pose.lean[:] = between(6, s.rng.uniform(18, 26), push) * ANGLE
    x = apart + s.rng.uniform(0.08, 0.16) * push
    other.stand_at(x)
    other.pose.lean[:] = s.rng.uniform(6, 14) * ANGLE * push
    for side in (0, 1):
        s.reach_with(side, np.stack([x - 0.08, np.full_like(x, _chest(s) + 0.06 * side)], axis=-1))


def dance_with_partner(s: Performance) -> None:
    """Hand in hand, both hands, swaying from side to side."""
    other, apart = _other(s), s.rng.uniform(0.42, 0.52)
    swing = np.sin(s.beat(1.2, 2.2))
    s.pose.root[:, 0] += 0.05 * swing
    other.stand_at(apart + 0.05 * swing, 0.02 * np.abs(swing))
    s.pose.lean[:] = s.rng.uniform(6, 12) * ANGLE * swing
    other.pose.lean[:] = s.rng.uniform(6, 12) * ANGLE * swing
    for side in (0, 1):
        y = _chest(s) + (0.12 if side == RIGHT else -0.1) + 0.05 * swing
        meet = np.stack([0.5 * apart + 0.05 * swing, y], axis=-1)
        s.reach_with(side, meet)
        other.reach(1 - side, meet)


CONTEXT_MOTIONS: dict[str, Callable[[Performance], None]] = {
    function.__name__: function
    for function in (
        swim, wave_prop, dance_with_prop, carry_prop, lift_prop, beat_prop, hammer_prop,
        shake_hands, hug, shove, dance_with_partner,
    )
}  # fmt: skip
