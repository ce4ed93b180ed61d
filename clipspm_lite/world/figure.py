"""The figure: how long its limbs are, and from a pose to the places of its joints.

Lengths are in figure heights, x to the right, y up from the floor. Angles are in radians; a limb's angle is 0 when
it hangs down and grows outwards (away from the body) and up. Side 0 is the picture's left, side 1 its right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipspm_lite.world.randomness import Stream

JOINTS = (
    "head", "neck", "pelvis",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_hand", "right_hand",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_foot", "right_foot",
)  # fmt: skip
OUTWARDS = np.array([-1.0, 1.0])  # the x direction that leads away from the body, by side


@dataclass(frozen=True)
class Body:
    """Lengths of one figure."""

    leg: float
    torso: float
    arm: float
    head: float
    shoulder: float  # half the width
    hip: float  # half the width

    @classmethod
    def random(cls, rng: Stream) -> Body:
        """A figure about 1 high."""
        leg = rng.uniform(0.40, 0.46)
        head = rng.uniform(0.095, 0.115)
        return cls(
            leg=leg,
            torso=0.98 - leg - 2 * head,
            arm=rng.uniform(0.37, 0.42),
            head=head,
            shoulder=rng.uniform(0.085, 0.105),
            hip=rng.uniform(0.045, 0.06),
        )

    @property
    def stand(self) -> float:
        """Height of the pelvis when the figure stands."""
        return 0.985 * self.leg

    @property
    def shoulder_height(self) -> float:
        """Height of the shoulders when the figure stands upright."""
        return self.stand + 0.92 * self.torso


@dataclass
class Pose:
    """A pose for each of F frames; a motion fills it in."""

    root: np.ndarray  # [F, 2] pelvis: x, and height above the standing height
    lean: np.ndarray  # [F] torso to the right
    head_tilt: np.ndarray  # [F] head to the right, on top of the lean
    look: np.ndarray  # [F, 2] where the face turns: right, up (1 is far)
    arms: np.ndarray  # [F, 2 sides, 2, 2] elbow and hand as seen from the shoulder, x outwards
    feet: np.ndarray  # [F, 2 sides, 2] place of the foot from the pelvis' x and the floor
    knees: np.ndarray  # [F, 2 sides] how much of a knee's bend goes outwards (the rest goes to the viewer)
    thing: np.ndarray  # [F, 3] place of the object, if there is one, and its turn

    @classmethod
    def rest(cls, body: Body, frames: int, rng: Stream) -> Pose:
        """Standing still, the same in each frame; what a motion doesn't move stays like this.

        So an arm that has nothing to do with the action may be anywhere: up, on the hip, out to the side.
        """
        feet = np.zeros((frames, 2, 2))
        feet[:, :, 0] = OUTWARDS * (body.hip + rng.uniform(0.01, 0.08))
        arms = np.zeros((frames, 2, 2, 2))
        for side in (0, 1):
            upper = rng.uniform(0.15, 0.35)
            hanging = upper, upper - rng.uniform(0.0, 0.25)
            arms[:, side] = arm(body, *(random_arm(rng) if rng.chance(0.25) else hanging))
        look = np.zeros((frames, 2))
        look[:, 0] = rng.uniform(-1, 1) * rng.chance(0.4)
        return cls(
            root=np.zeros((frames, 2)),
            lean=np.full(frames, np.radians(rng.uniform(-8, 8))),
            head_tilt=np.zeros(frames),
            look=look,
            arms=arms,
            feet=feet,
            knees=np.full((frames, 2), 0.6),
            thing=np.zeros((frames, 3)),
        )

    def mirrored(self) -> Pose:
        """Left and right exchanged."""
        flip = np.array([-1.0, 1.0])
        return Pose(
            root=self.root * flip,
            lean=-self.lean,
            head_tilt=-self.head_tilt,
            look=self.look * flip,
            arms=self.arms[:, ::-1],
            feet=self.feet[:, ::-1] * flip,
            knees=self.knees[:, ::-1],
            thing=self.thing * np.array([-1.0, 1.0, -1.0]),
        )

    def backwards(self) -> Pose:
        """The same frames in reverse order."""
        return Pose(**{name: value[::-1] for name, value in vars(self).items()})


def limb(angle: np.ndarray | float) -> np.ndarray:
    """Unit vector [..., 2], x outwards, of a limb at an angle."""
    return np.stack([np.sin(angle), -np.cos(angle)], axis=-1)


def arm(body: Body, upper: np.ndarray | float, forearm: np.ndarray | float) -> np.ndarray:
    """Elbow and hand, [..., 2, 2], of an arm with these angles of upper arm and forearm."""
    elbow = 0.5 * body.arm * limb(upper)
    return np.stack([elbow, elbow + 0.5 * body.arm * limb(forearm)], axis=-2)


def random_arm(rng: Stream) -> tuple[float, float]:
    """Angles of upper arm and forearm: mostly clear states, such as up, out or down, sometimes anything."""
    state = rng.uniform()
    if state < 0.3:
        upper = rng.uniform(0, 25)
        forearm = upper - rng.uniform(0, 15)
    elif state < 0.5:
        upper = rng.uniform(150, 180)
        forearm = upper + rng.uniform(-10, 15)
    elif state < 0.65:
        upper = rng.uniform(75, 105)
        forearm = upper + rng.uniform(-10, 10)
    elif state < 0.73:  # hand on the head
        upper, forearm = rng.uniform(122, 140), rng.uniform(248, 262)
    elif state < 0.81:  # hand on the hip
        upper, forearm = rng.uniform(42, 52), rng.uniform(-65, -50)
    elif state < 0.88:  # folded
        upper, forearm = rng.uniform(30, 60), rng.uniform(180, 205)
    else:
        upper, forearm = rng.uniform(-20, 170), rng.uniform(-20, 200)
    return np.radians(upper), np.radians(forearm)


def _middle_joint(end: np.ndarray, length: float, pole: np.ndarray) -> np.ndarray:
    """Elbow or knee [..., 2] of a limb of two equal halves from the origin to `end`.

    It bends to where `pole` points; what of the bend is not across the limb goes to the viewer and is not seen.
    """
    distance = np.maximum(np.hypot(end[..., 0], end[..., 1]), 1e-6)[..., None]
    bend = 0.5 * np.sqrt(np.maximum(length**2 - distance**2, 0.0))
    across = np.stack([-end[..., 1], end[..., 0]], axis=-1) / distance
    return 0.5 * end + bend * across * np.sum(across * pole, axis=-1, keepdims=True)


def shoulders(pose: Pose, body: Body) -> np.ndarray:
    """Places of the two shoulders, [F, 2 sides, 2]."""
    pelvis = pose.root + [0.0, body.stand]
    up = np.stack([np.sin(pose.lean), np.cos(pose.lean)], axis=-1)
    across = np.stack([up[:, 1], -up[:, 0]], axis=-1)
    centre = pelvis + 0.92 * body.torso * up
    return centre[:, None] + across[:, None] * (OUTWARDS * body.shoulder)[None, :, None]


def reach(pose: Pose, body: Body, side: int, target: np.ndarray) -> np.ndarray:
    """Elbow and hand [F, 2, 2] that bring the hand to a place [F, 2], or as near to it as the arm allows."""
    hand = (target - shoulders(pose, body)[:, side]) * [OUTWARDS[side], 1.0]
    distance = np.maximum(np.hypot(hand[:, 0], hand[:, 1]), 1e-6)
    hand = hand * np.minimum(1.0, body.arm / distance)[:, None]
    return np.stack([_middle_joint(hand, body.arm, np.array([0.8, -0.6])), hand], axis=1)


def joints(pose: Pose, body: Body) -> np.ndarray:
    """Places of the joints, [F, 15, 2], in the order of `JOINTS`."""
    pelvis = pose.root + [0.0, body.stand]
    up = np.stack([np.sin(pose.lean), np.cos(pose.lean)], axis=-1)
    across = np.stack([up[:, 1], -up[:, 0]], axis=-1)
    neck = pelvis + body.torso * up
    tilt = pose.lean + pose.head_tilt
    head = neck + 0.95 * body.head * np.stack([np.sin(tilt), np.cos(tilt)], axis=-1)
    head = head + 0.3 * body.head * pose.look

    mirror = np.stack([OUTWARDS, np.ones(2)], axis=-1)  # [2 sides, 2]
    shoulder = shoulders(pose, body)
    elbow, hand = np.moveaxis(shoulder[:, :, None] + pose.arms * mirror[:, None], 2, 0)

    hip = pelvis[:, None] + across[:, None] * (OUTWARDS * body.hip)[None, :, None]
    ground = np.stack([pose.root[:, 0], np.zeros(len(pelvis))], axis=-1)
    leg = (pose.feet + ground[:, None] - hip) * mirror
    distance = np.maximum(np.hypot(leg[..., 0], leg[..., 1]), 1e-6)
    leg = leg * np.minimum(1.0, body.leg / distance)[..., None]
    pole = np.stack([pose.knees, np.zeros_like(pose.knees)], axis=-1)
    knee = hip + mirror * _middle_joint(leg, body.leg, pole)
    foot = hip + mirror * leg
    parts = [head, neck, pelvis]
    for both in (shoulder, elbow, hand, hip, knee, foot):
        parts += [both[:, 0], both[:, 1]]
    return np.stack(parts, axis=1)
