"""How the figure moves: one function per motion, always to the right or with the right side, forwards in time.

The other side is the mirror image, and the opposite action the same frames backwards (see `scene.py`), so
only the order of the frames tells an action from its reverse.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipspm_lite.world.figure import OUTWARDS, arm, reach
from clipspm_lite.world.performance import ANGLE, RIGHT, Performance, between

# Arms


def raise_arm(s: Performance) -> None:
    """From hanging down through the side to overhead."""
    u = s.once()
    low, high = s.rng.uniform(6, 20), s.rng.uniform(155, 178)
    s.set_arms(between(low, high, u), between(low - 8, high + s.rng.uniform(-5, 10), u))


def stretch_arm(s: Performance) -> None:
    """From folded, the hand at the shoulder, to straight out to the side."""
    u = s.once()
    out = s.rng.uniform(80, 100)
    s.set_arms(between(s.rng.uniform(30, 50), out, u), between(s.rng.uniform(185, 205), out, u))


def circle_arm(s: Performance) -> None:
    """A straight arm going round: out, up, in, down."""
    turns = s.rng.uniform(1.2, 2.0)
    angle = 360 * (turns * s.time + s.rng.uniform())
    s.set_arms(angle, angle - s.rng.uniform(0, 20))


def wave_arm(s: Performance) -> None:
    """The upper arm held up, the forearm going to and fro."""
    upper = s.rng.uniform(105, 135) + 4 * np.sin(s.beat(1, 2))
    s.set_arms(upper, 178 + s.rng.uniform(32, 48) * np.sin(s.beat(2.5, 4)))


def swing_arm(s: Performance) -> None:
    """A low pendulum in front of the body and out."""
    angle = s.rng.uniform(8, 20) + s.rng.uniform(38, 52) * np.sin(s.beat(1.5, 2.5))
    s.set_arms(angle, angle)


def flap_arm(s: Performance) -> None:
    """The arm out to the side, up and down like a wing."""
    phase, size = s.beat(2.2, 3.5), s.rng.uniform(28, 40)
    s.set_arms(90 + size * np.sin(phase), 90 + 1.4 * size * np.sin(phase - 0.7))


def hand_on_head(s: Performance) -> None:
    """The hand goes from hanging to the top of the head."""
    u = s.once()
    s.set_arms(between(s.rng.uniform(8, 20), s.rng.uniform(125, 138), u), between(5, s.rng.uniform(252, 262), u))


def hand_on_hip(s: Performance) -> None:
    """The hand goes from hanging a little away from the body to the hip, the elbow out."""
    u = s.once()
    low = s.rng.uniform(15, 28)
    s.set_arms(between(low, s.rng.uniform(42, 52), u), between(low, s.rng.uniform(-62, -50), u))


def _clap(s: Performance, height: float, apart: float) -> None:
    gap = 0.02 + apart * (0.5 + 0.5 * np.sin(s.beat(2.2, 3.6)))
    centre = s.pose.root + [0.0, height]
    for side in (0, 1):
        target = centre + np.stack([OUTWARDS[side] * gap, 0.3 * gap], axis=-1)
        s.pose.arms[:, side] = reach(s.pose, s.body, side, target)


def clap(s: Performance) -> None:
    """Clapping in front of the chest."""
    _clap(s, s.body.shoulder_height - s.rng.uniform(0.06, 0.12), s.rng.uniform(0.2, 0.28))


def clap_above_head(s: Performance) -> None:
    """Clapping with the arms up."""
    _clap(s, s.body.shoulder_height + 0.86 * s.body.arm, s.rng.uniform(0.2, 0.28))


# Head and body


def nod(s: Performance) -> None:
    """The head up and down."""
    s.pose.look[:, 1] = -0.35 + s.rng.uniform(0.75, 1.0) * np.sin(s.beat(2, 3.5))


def shake_head(s: Performance) -> None:
    """The head to the left and right."""
    s.pose.look[:, 0] = s.rng.uniform(0.8, 1.1) * np.sin(s.beat(2, 3.5))


def lean(s: Performance) -> None:
    """The body from upright to leaning right, arms hanging along."""
    s.pose.lean[:] = s.rng.uniform(26, 38) * ANGLE * s.once()


def sway(s: Performance) -> None:
    """The body from side to side."""
    wave = np.sin(s.beat(1.3, 2.3))
    s.pose.lean[:] = s.rng.uniform(15, 22) * ANGLE * wave
    s.pose.root[:, 0] = s.rng.uniform(0.02, 0.05) * wave
    s.pose.feet[:, :, 0] += OUTWARDS * 0.04 - s.pose.root[:, :1]


def sit_down(s: Performance) -> None:
    """The seat goes down behind the knees, the hands come to rest on the thighs."""
    u = s.once()
    drop = s.rng.uniform(0.19, 0.24)
    s.pose.root[:, 1] = -drop * u
    s.pose.knees[:] = 0.35
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, between(0.2, 0.6, u), between(0.1, -0.7, u))


def squat(s: Performance) -> None:
    """Down with the knees out and the arms forward, and up again."""
    u = 0.5 - 0.5 * np.cos(s.beat(1.0, 1.7))
    s.pose.root[:, 1] = -s.rng.uniform(0.18, 0.24) * u
    s.pose.feet[:, :, 0] += OUTWARDS * 0.06
    s.pose.knees[:] = 1.0
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, between(0.25, 1.35, u), between(0.1, 1.5, u))


def jumping_jacks(s: Performance) -> None:
    """Arms and legs out and in together."""
    u = 0.5 - 0.5 * np.cos(s.beat(1.8, 2.8))
    s.pose.root[:, 1] = -0.03 * u + 0.06 * np.sqrt(4 * u * (1 - u))
    s.pose.feet[:, :, 0] += OUTWARDS * s.rng.uniform(0.11, 0.15) * u[:, None]
    s.pose.feet[:, :, 1] = (0.06 * np.sqrt(4 * u * (1 - u)))[:, None]
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, between(0.2, 2.85, u), between(0.1, 2.9, u))


# Legs


def place_foot(s: Performance, angle: np.ndarray, length: np.ndarray | float) -> None:
    """The right foot at an angle (degrees) from the hip, at a share of the leg's length."""
    s.pose.feet[:, RIGHT, 0] = s.body.hip + s.body.leg * length * np.sin(angle * ANGLE)
    s.pose.feet[:, RIGHT, 1] = s.body.stand - s.body.leg * length * np.cos(angle * ANGLE)


def lift_leg(s: Performance) -> None:
    """The straight leg out to the side and up."""
    u = s.once()
    place_foot(s, between(4, s.rng.uniform(52, 70), u), 0.985)
    s.pose.lean[:] = -s.rng.uniform(4, 10) * ANGLE * u


def stretch_leg(s: Performance) -> None:
    """From folded, the foot at the other knee, to straight out and low."""
    u = s.once()
    s.pose.knees[:, RIGHT] = 1.0
    place_foot(
        s, between(s.rng.uniform(-14, -6), s.rng.uniform(38, 50), u), between(s.rng.uniform(0.52, 0.6), 0.985, u)
    )


def kick(s: Performance) -> None:
    """The leg is thrown out to the side and comes back, twice or so."""
    u = np.maximum(0.0, np.sin(s.beat(1.3, 2.2))) ** 1.5
    s.pose.knees[:, RIGHT] = 1.0
    place_foot(s, between(4, s.rng.uniform(58, 75), u), 0.985 - 0.9 * u * (1 - u))
    s.pose.lean[:] = -6 * ANGLE * u


def swing_leg(s: Performance) -> None:
    """The straight leg as a pendulum."""
    wave = np.sin(s.beat(1.5, 2.5))
    place_foot(s, s.rng.uniform(2, 6) + s.rng.uniform(24, 34) * wave, 0.96)
    s.pose.lean[:] = -5 * ANGLE * wave


# Going somewhere


def _step(s: Performance, phase: np.ndarray, stride: float, lift: float, swing: float, elbow: float) -> None:
    """Legs and arms of a gait to the right; a foot is in the air while it moves forwards."""
    for side in (0, 1):
        own = phase + np.pi * side
        s.pose.feet[:, side, 0] += stride * np.sin(own)
        s.pose.feet[:, side, 1] = lift * np.maximum(0.0, np.cos(own))
        s.pose.knees[:, side] = 0.5
        wave = OUTWARDS[side] * np.sin(own + np.pi)
        upper = 0.3 + swing * wave
        s.pose.arms[:, side] = arm(s.body, upper, upper + elbow)
    s.pose.root[:, 1] = -0.15 * stride + 0.15 * lift * np.cos(2 * phase)


def travel(s: Performance, distance: float) -> None:
    s.pose.root[:, 0] += distance * (0.8 * s.time + 0.2 * s.once((0.0, 0.1), (0.85, 1.0)))


def walk(s: Performance) -> None:
    """Steps to the right."""
    _step(s, s.beat(1.6, 2.2), s.rng.uniform(0.09, 0.12), 0.08, 0.3, -0.1)
    travel(s, s.rng.uniform(0.6, 0.9))


def run(s: Performance) -> None:
    """Quick, high steps to the right, the elbows bent."""
    _step(s, s.beat(3.0, 3.8), s.rng.uniform(0.12, 0.15), s.rng.uniform(0.18, 0.22), 0.5, 1.6)
    travel(s, s.rng.uniform(0.95, 1.25))


def walk_in_place(s: Performance) -> None:
    """Steps on the spot."""
    _step(s, s.beat(1.6, 2.2), 0.012, s.rng.uniform(0.09, 0.13), 0.3, -0.1)


def run_in_place(s: Performance) -> None:
    """Quick, high steps on the spot, the elbows bent."""
    _step(s, s.beat(3.0, 3.8), 0.015, s.rng.uniform(0.19, 0.23), 0.5, 1.6)


def hop_in_place(s: Performance) -> None:
    """Hops on the left leg, the other foot held up."""
    up = np.abs(np.sin(0.5 * s.beat(2.6, 3.6)))
    height = s.rng.uniform(0.08, 0.12)
    s.pose.root[:, 1] = height * up - 0.05 * (1 - up)
    s.pose.feet[:, :, 1] = (height * up)[:, None]
    s.pose.feet[:, RIGHT, 1] += s.rng.uniform(0.15, 0.2)
    s.pose.feet[:, 1 - RIGHT, 0] *= 0.3
    s.pose.knees[:, RIGHT] = 1.0
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, 0.6 + 0.3 * up, 0.9 + 0.5 * up)


def hop(s: Performance) -> None:
    """Hops on one leg to the right."""
    hop_in_place(s)
    travel(s, s.rng.uniform(0.55, 0.85))


def jump_in_place(s: Performance) -> None:
    """Crouching and jumping high with both legs, the arms swinging up."""
    wave = np.sin(s.beat(1.4, 2.2))
    up, down = np.maximum(0.0, wave), np.maximum(0.0, -wave)
    height = s.rng.uniform(0.2, 0.28)
    s.pose.root[:, 1] = height * up - 0.14 * down
    s.pose.feet[:, :, 1] = (1.05 * height * up)[:, None]
    s.pose.knees[:] = 0.9
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, 0.5 + 0.9 * up - 0.2 * down, 0.6 + 1.4 * up - 0.4 * down)


def jump(s: Performance) -> None:
    """Jumps to the right."""
    jump_in_place(s)
    travel(s, s.rng.uniform(0.6, 0.9))


def slide(s: Performance) -> None:
    """Gliding to the right, legs apart and still, arms out for balance."""
    s.pose.feet[:, :, 0] += OUTWARDS * s.rng.uniform(0.09, 0.13)
    s.pose.root[:, 1] = -0.05
    travel(s, s.rng.uniform(0.7, 1.0))
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, s.rng.uniform(0.9, 1.2), s.rng.uniform(1.0, 1.4))


BODY_MOTIONS: dict[str, Callable[[Performance], None]] = {
    function.__name__: function
    for function in (
        raise_arm, stretch_arm, circle_arm, wave_arm, swing_arm, flap_arm, hand_on_head, hand_on_hip,
        clap, clap_above_head, nod, shake_head, lean, sway, sit_down, squat, jumping_jacks,
        lift_leg, stretch_leg, kick, swing_leg,
        walk, run, walk_in_place, run_in_place, hop, hop_in_place, jump, jump_in_place, slide,
    )
}  # fmt: skip
