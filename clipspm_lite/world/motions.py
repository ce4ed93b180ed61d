"""How the figure moves: one function a motion, always to the right or with the right side, forwards in time.

The other side is the mirror image and the opposite action the same frames backwards (see `scene.py`), so that
only the order of the frames tells an action from its reverse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clipspm_lite.world.figure import OUTWARDS, Body, Pose, arm, reach, shoulders
from clipspm_lite.world.randomness import Stream

RIGHT = 1
ANGLE = np.pi / 180


@dataclass
class Stage:
    """What a motion works with: the pose to fill in, the body, random numbers and the object's size."""

    pose: Pose
    body: Body
    rng: Stream
    sides: tuple[int, ...]  # the arms that act: (1,) or (0, 1)
    radius: float  # half the object's width

    def __post_init__(self) -> None:
        self.time = np.linspace(0.0, 1.0, len(self.pose.lean))

    def once(
        self, start: tuple[float, float] = (0.02, 0.34), length: tuple[float, float] = (0.32, 0.6)
    ) -> np.ndarray:
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

    def hold(self) -> None:
        """Both hands on the sides of the object."""
        for side in (0, 1):
            target = self.pose.thing[:, :2] + [OUTWARDS[side] * 0.85 * self.radius, 0.0]
            self.pose.arms[:, side] = reach(self.pose, self.body, side, target)

    def place_thing(
        self, x: np.ndarray | float, y: np.ndarray | float, turn: np.ndarray | float = 0.0
    ) -> None:
        """Where the object is."""
        self.pose.thing = np.stack(np.broadcast_arrays(x, y, turn, self.time)[:3], axis=-1)


def ease(x: np.ndarray) -> np.ndarray:
    """0 before 0, 1 after 1, smooth between."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def between(a: np.ndarray | float, b: np.ndarray | float, u: np.ndarray) -> np.ndarray:
    """From a (u = 0) to b (u = 1)."""
    return a + (b - a) * u


# Arms


def raise_arm(s: Stage) -> None:
    """From hanging down through the side to overhead."""
    u = s.once()
    low, high = s.rng.uniform(6, 20), s.rng.uniform(155, 178)
    s.set_arms(between(low, high, u), between(low - 8, high + s.rng.uniform(-5, 10), u))


def stretch_arm(s: Stage) -> None:
    """From folded, the hand at the shoulder, to straight out to the side."""
    u = s.once()
    out = s.rng.uniform(80, 100)
    s.set_arms(between(s.rng.uniform(30, 50), out, u), between(s.rng.uniform(185, 205), out, u))


def circle_arm(s: Stage) -> None:
    """A straight arm going round: out, up, in, down."""
    turns = s.rng.uniform(1.2, 2.0)
    angle = 360 * (turns * s.time + s.rng.uniform())
    s.set_arms(angle, angle - s.rng.uniform(0, 20))


def wave_arm(s: Stage) -> None:
    """The upper arm held up, the forearm going to and fro."""
    upper = s.rng.uniform(105, 135) + 4 * np.sin(s.beat(1, 2))
    s.set_arms(upper, 178 + s.rng.uniform(32, 48) * np.sin(s.beat(2.5, 4)))


def swing_arm(s: Stage) -> None:
    """A low pendulum in front of the body and out."""
    angle = s.rng.uniform(8, 20) + s.rng.uniform(38, 52) * np.sin(s.beat(1.5, 2.5))
    s.set_arms(angle, angle)


def flap_arm(s: Stage) -> None:
    """The arm out to the side, up and down like a wing."""
    phase, size = s.beat(2.2, 3.5), s.rng.uniform(28, 40)
    s.set_arms(90 + size * np.sin(phase), 90 + 1.4 * size * np.sin(phase - 0.7))


def hand_on_head(s: Stage) -> None:
    """The hand goes from hanging to the top of the head."""
    u = s.once()
    s.set_arms(
        between(s.rng.uniform(8, 20), s.rng.uniform(125, 138), u), between(5, s.rng.uniform(252, 262), u)
    )


def hand_on_hip(s: Stage) -> None:
    """The hand goes from hanging a little away from the body to the hip, the elbow out."""
    u = s.once()
    low = s.rng.uniform(15, 28)
    s.set_arms(between(low, s.rng.uniform(42, 52), u), between(low, s.rng.uniform(-62, -50), u))


def _clap(s: Stage, height: float, apart: float) -> None:
    gap = 0.02 + apart * (0.5 + 0.5 * np.sin(s.beat(2.2, 3.6)))
    centre = s.pose.root + [0.0, height]
    for side in (0, 1):
        target = centre + np.stack([OUTWARDS[side] * gap, 0.3 * gap], axis=-1)
        s.pose.arms[:, side] = reach(s.pose, s.body, side, target)


def clap(s: Stage) -> None:
    """Clapping in front of the chest."""
    _clap(s, s.body.shoulder_height - s.rng.uniform(0.06, 0.12), s.rng.uniform(0.2, 0.28))


def clap_above_head(s: Stage) -> None:
    """Clapping with the arms up."""
    _clap(s, s.body.shoulder_height + 0.86 * s.body.arm, s.rng.uniform(0.2, 0.28))


# Head and body


def nod(s: Stage) -> None:
    """The head up and down."""
    s.pose.look[:, 1] = -0.35 + s.rng.uniform(0.75, 1.0) * np.sin(s.beat(2, 3.5))


def shake_head(s: Stage) -> None:
    """The head to the left and right."""
    s.pose.look[:, 0] = s.rng.uniform(0.8, 1.1) * np.sin(s.beat(2, 3.5))


def lean(s: Stage) -> None:
    """The body from upright to leaning right, arms hanging along."""
    s.pose.lean[:] = s.rng.uniform(26, 38) * ANGLE * s.once()


def sway(s: Stage) -> None:
    """The body from side to side."""
    wave = np.sin(s.beat(1.3, 2.3))
    s.pose.lean[:] = s.rng.uniform(15, 22) * ANGLE * wave
    s.pose.root[:, 0] = s.rng.uniform(0.02, 0.05) * wave
    s.pose.feet[:, :, 0] += OUTWARDS * 0.04 - s.pose.root[:, :1]


def sit_down(s: Stage) -> None:
    """The seat goes down behind the knees, the hands come to rest on the thighs."""
    u = s.once()
    drop = s.rng.uniform(0.19, 0.24)
    s.pose.root[:, 1] = -drop * u
    s.pose.knees[:] = 0.35
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, between(0.2, 0.6, u), between(0.1, -0.7, u))


def squat(s: Stage) -> None:
    """Down with the knees out and the arms forward, and up again."""
    u = 0.5 - 0.5 * np.cos(s.beat(1.0, 1.7))
    s.pose.root[:, 1] = -s.rng.uniform(0.18, 0.24) * u
    s.pose.feet[:, :, 0] += OUTWARDS * 0.06
    s.pose.knees[:] = 1.0
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, between(0.25, 1.35, u), between(0.1, 1.5, u))


def jumping_jacks(s: Stage) -> None:
    """Arms and legs out and in together."""
    u = 0.5 - 0.5 * np.cos(s.beat(1.8, 2.8))
    s.pose.root[:, 1] = -0.03 * u + 0.06 * np.sqrt(4 * u * (1 - u))
    s.pose.feet[:, :, 0] += OUTWARDS * s.rng.uniform(0.11, 0.15) * u[:, None]
    s.pose.feet[:, :, 1] = (0.06 * np.sqrt(4 * u * (1 - u)))[:, None]
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, between(0.2, 2.85, u), between(0.1, 2.9, u))


# Legs


def _foot(s: Stage, angle: np.ndarray, length: np.ndarray | float) -> None:
    """The right foot at an angle (degrees) from the hip, at a share of the leg's length."""
    s.pose.feet[:, RIGHT, 0] = s.body.hip + s.body.leg * length * np.sin(angle * ANGLE)
    s.pose.feet[:, RIGHT, 1] = s.body.stand - s.body.leg * length * np.cos(angle * ANGLE)


def lift_leg(s: Stage) -> None:
    """The straight leg out to the side and up."""
    u = s.once()
    _foot(s, between(4, s.rng.uniform(52, 70), u), 0.985)
    s.pose.lean[:] = -s.rng.uniform(4, 10) * ANGLE * u


def stretch_leg(s: Stage) -> None:
    """From folded, the foot at the other knee, to straight out and low."""
    u = s.once()
    s.pose.knees[:, RIGHT] = 1.0
    _foot(
        s,
        between(s.rng.uniform(-14, -6), s.rng.uniform(38, 50), u),
        between(s.rng.uniform(0.52, 0.6), 0.985, u),
    )


def kick(s: Stage) -> None:
    """The leg is thrown out to the side and comes back, twice or so."""
    u = np.maximum(0.0, np.sin(s.beat(1.3, 2.2))) ** 1.5
    s.pose.knees[:, RIGHT] = 1.0
    _foot(s, between(4, s.rng.uniform(58, 75), u), 0.985 - 0.9 * u * (1 - u))
    s.pose.lean[:] = -6 * ANGLE * u


def swing_leg(s: Stage) -> None:
    """The straight leg as a pendulum."""
    wave = np.sin(s.beat(1.5, 2.5))
    _foot(s, s.rng.uniform(2, 6) + s.rng.uniform(24, 34) * wave, 0.96)
    s.pose.lean[:] = -5 * ANGLE * wave


# Going somewhere


def _step(s: Stage, phase: np.ndarray, stride: float, lift: float, swing: float, elbow: float) -> None:
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


def _travel(s: Stage, distance: float) -> None:
    s.pose.root[:, 0] += distance * (0.8 * s.time + 0.2 * s.once((0.0, 0.1), (0.85, 1.0)))


def walk(s: Stage) -> None:
    """Steps to the right."""
    _step(s, s.beat(1.6, 2.2), s.rng.uniform(0.09, 0.12), 0.08, 0.3, -0.1)
    _travel(s, s.rng.uniform(0.6, 0.9))


def run(s: Stage) -> None:
    """Quick, high steps to the right, the elbows bent."""
    _step(s, s.beat(3.0, 3.8), s.rng.uniform(0.12, 0.15), s.rng.uniform(0.18, 0.22), 0.5, 1.6)
    _travel(s, s.rng.uniform(0.95, 1.25))


def walk_in_place(s: Stage) -> None:
    """Steps on the spot."""
    _step(s, s.beat(1.6, 2.2), 0.012, s.rng.uniform(0.09, 0.13), 0.3, -0.1)


def run_in_place(s: Stage) -> None:
    """Quick, high steps on the spot, the elbows bent."""
    _step(s, s.beat(3.0, 3.8), 0.015, s.rng.uniform(0.19, 0.23), 0.5, 1.6)


def hop_in_place(s: Stage) -> None:
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


def hop(s: Stage) -> None:
    """Hops on one leg to the right."""
    hop_in_place(s)
    _travel(s, s.rng.uniform(0.55, 0.85))


def jump_in_place(s: Stage) -> None:
    """Crouching and jumping high with both legs, the arms swinging up."""
    wave = np.sin(s.beat(1.4, 2.2))
    up, down = np.maximum(0.0, wave), np.maximum(0.0, -wave)
    height = s.rng.uniform(0.2, 0.28)
    s.pose.root[:, 1] = height * up - 0.14 * down
    s.pose.feet[:, :, 1] = (1.05 * height * up)[:, None]
    s.pose.knees[:] = 0.9
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, 0.5 + 0.9 * up - 0.2 * down, 0.6 + 1.4 * up - 0.4 * down)


def jump(s: Stage) -> None:
    """Jumps to the right."""
    jump_in_place(s)
    _travel(s, s.rng.uniform(0.6, 0.9))


def slide(s: Stage) -> None:
    """Gliding to the right, legs apart and still, arms out for balance."""
    s.pose.feet[:, :, 0] += OUTWARDS * s.rng.uniform(0.09, 0.13)
    s.pose.root[:, 1] = -0.05
    _travel(s, s.rng.uniform(0.7, 1.0))
    for side in (0, 1):
        s.pose.arms[:, side] = arm(s.body, s.rng.uniform(0.9, 1.2), s.rng.uniform(1.0, 1.4))


# With an object


def push(s: Stage) -> None:
    """Leaning onto a box and walking it to the right."""
    walk(s)
    s.pose.root[:, 1] -= 0.05
    s.pose.lean[:] = s.rng.uniform(16, 22) * ANGLE
    s.place_thing(s.pose.root[:, 0] + 0.27 + s.radius, s.radius)
    for side in (0, 1):  # both hands on the near side
        target = s.pose.thing[:, :2] + [-0.95 * s.radius, (0.75 - 0.5 * side) * s.radius]
        s.pose.arms[:, side] = reach(s.pose, s.body, side, target)


def throw(s: Stage) -> None:
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


def _rolling(s: Stage, start: float, begin: float, speed: float) -> None:
    """The object on the floor, still until `begin` and then rolling to the right."""
    way = speed * np.maximum(0.0, s.time - begin) ** 1.1
    s.place_thing(start + way, s.radius, way / s.radius)


def kick_thing(s: Stage) -> None:
    """The right leg kicks an object that lies beside the foot; it shoots off to the right, hardly rising."""
    begin = s.rng.uniform(0.28, 0.45)
    away = np.clip((s.time - begin) / 0.13, -1.0, 2.0)
    s.pose.knees[:, RIGHT] = 1.0
    u = np.maximum(0.0, np.cos(0.5 * np.pi * np.clip(away - 0.5, -1, 1)))
    _foot(s, between(3, s.rng.uniform(50, 62), u), 0.985 - 0.5 * u * (1 - u))
    s.pose.lean[:] = -8 * ANGLE * u
    _rolling(s, s.body.hip + 0.1 + s.radius, begin, s.rng.uniform(1.0, 1.4))
    flight = np.clip((s.time - begin) / (1 - begin), 0.0, 1.0)
    s.pose.thing[:, 1] += s.rng.uniform(0.25, 0.4) * np.sin(0.9 * np.pi * flight)


def roll(s: Stage) -> None:
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


def pick_up(s: Stage) -> None:
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


def raise_thing(s: Stage) -> None:
    """The object in both hands from the waist to over the head."""
    u = s.once()
    high = s.body.shoulder_height + 0.8 * s.body.arm + s.rng.uniform(0.0, 0.04)
    s.place_thing(0.0, between(s.body.shoulder_height - s.rng.uniform(0.22, 0.28), high, u))
    s.hold()


def carry(s: Stage) -> None:
    """Walking to the right with the object in both hands."""
    walk(s)
    s.place_thing(s.pose.root[:, 0], s.pose.root[:, 1] + s.body.shoulder_height - s.rng.uniform(0.17, 0.23))
    s.hold()


def _beside(s: Stage) -> float:
    """Somewhere beside the figure, clear of its arms."""
    return (0.36 + s.rng.uniform(0.0, 0.2)) * s.rng.choice((-1, 1))


def thing_rises(s: Stage) -> None:
    """The object goes up by itself while the figure stands by."""
    u = s.once((0.0, 0.15), (0.65, 0.85))
    s.place_thing(_beside(s), between(s.radius, s.rng.uniform(1.0, 1.25), u), 0.1 * np.sin(6 * s.time))


def thing_bounces(s: Stage) -> None:
    """The object bounces in place."""
    up = np.abs(np.sin(0.5 * s.beat(2.5, 4.0)))
    s.place_thing(_beside(s), s.radius + s.rng.uniform(0.4, 0.65) * up)


def thing_travels(s: Stage) -> None:
    """The object moves over the floor to the right, past the figure's feet."""
    way = s.rng.uniform(1.1, 1.5) * (0.7 * s.time + 0.3 * s.once((0.0, 0.15), (0.7, 0.85)))
    s.place_thing(way - s.rng.uniform(0.45, 0.65), s.radius, way / s.radius)


MOTIONS: dict[str, Callable[[Stage], None]] = {
    function.__name__: function
    for function in (
        raise_arm, stretch_arm, circle_arm, wave_arm, swing_arm, flap_arm, hand_on_head, hand_on_hip,
        clap, clap_above_head, nod, shake_head, lean, sway, sit_down, squat, jumping_jacks,
        lift_leg, stretch_leg, kick, swing_leg,
        walk, run, walk_in_place, run_in_place, hop, hop_in_place, jump, jump_in_place, slide,
        push, throw, kick_thing, roll, pick_up, raise_thing, carry, thing_rises, thing_bounces, thing_travels,
    )
}  # fmt: skip
