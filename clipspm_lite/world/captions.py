"""Sentences about one frame: the action's name, what things look like, and facts about the pose.

The facts are computed from the joints, so they are true; where a state is neither one thing nor the other, nothing
is said. Left and right are those of the picture.
"""

from __future__ import annotations

import random

import numpy as np

from clipspm_lite.world.figure import JOINTS
from clipspm_lite.world.scene import Scene
from clipspm_lite.world.taxonomy import PLACES

ACTION_TEMPLATES = (
    "{}", "a video of {}", "a clip of {}", "a photo of {}", "a frame of {}", "the action of {}", "this is {}",
    "the action is {}", "an example of {}", "we see {}", "a picture of {}", "a video that shows {}",
)  # fmt: skip
LOOK_TEMPLATES = (
    "a figure in {shirt} shirt",
    "a person in {trousers} trousers",
    "a person in {shirt} shirt and {trousers} trousers",
)
PLACE_TEMPLATES = ("a figure {place}", "a person in {shirt} shirt {place}", "a person in {trousers} trousers {place}")
THING_TEMPLATES = (
    "a figure and {colour} {thing}",
    "{colour} {thing} and a person in {shirt} shirt",
    "{article} {thing} {place}",
    "a person with {article} {thing}",
)
PARTNER_TEMPLATES = ("a figure and a {partner}", "a person and a {partner} {place}", "a {partner} in {other} shirt")


def captions(scene: Scene, frame: int, rng: random.Random) -> list[str]:
    """Three captions of one frame: the action (for a free pose: the pose), the look, the pose."""
    if scene.class_name is None:
        first = _pose_sentence(scene, frame, rng)
    else:
        first = rng.choice(ACTION_TEMPLATES).format(scene.class_name)
    return [first, _look_sentence(scene, frame, rng), _pose_sentence(scene, frame, rng)]


def pose_facts(scene: Scene, frame: int) -> list[str]:
    """All that is said about the pose in one frame."""
    facts = [*_arm_facts(scene, frame), *_leg_facts(scene, frame), *_body_facts(scene, frame)]
    return facts + _thing_facts(scene, frame) + _partner_facts(scene, frame)


def _pose_sentence(scene: Scene, frame: int, rng: random.Random) -> str:
    """Two or three facts about different things; most often one of them is about the arms."""
    arms, legs, body = _arm_facts(scene, frame), _leg_facts(scene, frame), _body_facts(scene, frame)
    groups = [legs, body, _thing_facts(scene, frame), _partner_facts(scene, frame)]
    chosen = [rng.choice(group) for group in groups if group]
    rng.shuffle(chosen)
    if arms and rng.random() < 0.8:
        chosen.insert(0, " and ".join(arms))
    chosen = chosen[: 2 if len(arms) == 2 else rng.choice((2, 3))]
    rng.shuffle(chosen)
    return ", ".join(chosen)


def _look_sentence(scene: Scene, frame: int, rng: random.Random) -> str:
    """Colours and things; half of the time a fact about the pose comes with them."""
    look, other = scene.appearance, scene.partner
    shown: list[tuple[str, ...]] = [LOOK_TEMPLATES, PLACE_TEMPLATES]
    shown += [THING_TEMPLATES] * (scene.thing is not None) + [PARTNER_TEMPLATES] * (other is not None)
    sentence = rng.choice(rng.choice(shown)).format(
        shirt=a_or_an(look.outfit.shirt_name),
        trousers=look.outfit.trousers_name,
        place=PLACES[look.place] if look.wall_name is None else f"in {a_or_an(look.wall_name)} room",
        colour=a_or_an(look.thing_name),
        article=a_or_an(scene.thing or "").split()[0],
        thing=scene.thing,
        partner=other and other.kind,
        other=other and a_or_an(other.outfit.shirt_name),
    )
    facts = pose_facts(scene, frame)
    return f"{sentence}, {rng.choice(facts)}" if rng.random() < 0.5 else sentence


def a_or_an(word: str) -> str:
    return f"an {word}" if word in ("orange", "umbrella") else f"a {word}"


def _from(scene: Scene, start: str, end: str, frame: int) -> np.ndarray:
    """From one joint to another in figure heights, x to the right and y up."""
    return (scene.joint(end, frame) - scene.joint(start, frame)) / scene.height * [1, -1]


def _holds(scene: Scene, frame: int, side: str) -> bool:
    """Whether a hand is on the object."""
    if scene.thing is None:
        return False
    return np.hypot(*(scene.joint(f"{side}_hand", frame) - scene.thing_path[frame, :2])) < 1.3 * scene.thing_radius


def _arm_state(scene: Scene, frame: int, side: str) -> str | None:
    """What an arm does: a word or two that go after "the left arm is", or None if it is between states."""
    hand = _from(scene, f"{side}_shoulder", f"{side}_hand", frame) * [-1 if side == "left" else 1, 1]
    on_head = np.hypot(*_from(scene, "head", f"{side}_hand", frame)) < 1.35 * scene.body.head
    if on_head and not _holds(scene, frame, side):
        return "on the head"
    elbow_out = abs(_from(scene, f"{side}_shoulder", f"{side}_elbow", frame)[0])
    on_hip = np.hypot(*_from(scene, f"{side}_hip", f"{side}_hand", frame)) < 0.13 and elbow_out > 0.11
    if on_hip and not _holds(scene, frame, side):
        return "on the hip"
    reach, angle = np.hypot(*hand) / scene.body.arm, np.degrees(np.arctan2(hand[0], -hand[1]))
    if reach < 0.45:
        return "folded"
    if reach < 0.75:
        return "bent"
    if angle < -20 and angle > -100:
        return "across the body"
    if -20 <= angle < 32:
        return "down"
    if 38 <= angle < 65:
        return "half down"
    if 70 <= angle < 108:
        return "out to the side"
    if 113 <= angle < 138:
        return "half up"
    if angle >= 143 or angle <= -150:
        return "up"
    return None


def _arm_facts(scene: Scene, frame: int) -> list[str]:
    states = {side: _arm_state(scene, frame, side) for side in ("left", "right")}
    if states["left"] == states["right"] and states["left"] is not None:
        state = states["left"]
        if state.startswith("on the"):
            return [f"both hands are {state}" + ("s" if state == "on the hip" else "")]
        return [f"both arms are {state}"]
    return [
        f"the {side} {'hand' if state.startswith('on the') else 'arm'} is {state}"
        for side, state in states.items()
        if state is not None
    ]


def _leg_facts(scene: Scene, frame: int) -> list[str]:
    lifted = {side: (scene.floor - scene.joint(f"{side}_foot", frame)[1]) / scene.height for side in ("left", "right")}
    length = {side: np.hypot(*_from(scene, f"{side}_hip", f"{side}_foot", frame)) / scene.body.leg for side in lifted}
    facts = []
    if min(lifted.values()) > 0.06:
        facts.append("both feet are in the air")
    for side, other in (("left", "right"), ("right", "left")):
        if lifted[side] - lifted[other] > 0.09:
            facts.append(f"the {side} leg is lifted")
            out = _from(scene, f"{side}_hip", f"{side}_foot", frame)[0] * (-1 if side == "left" else 1)
            if length[side] < 0.8:
                facts.append(f"the {side} leg is folded")
            elif out > 0.2:
                facts.append(f"the {side} leg is out to the side")
            return facts
    apart = _from(scene, "left_foot", "right_foot", frame)[0]
    if max(length.values()) < 0.78:
        facts.append("the knees are bent")
    elif min(length.values()) > 0.93:
        if apart > 0.26:
            facts.append("the legs are apart")
        elif apart < 0.22:
            facts.append("the legs are straight")
    return facts


def _body_facts(scene: Scene, frame: int) -> list[str]:
    """Lean, head and place; never empty."""
    facts = []
    spine = _from(scene, "pelvis", "neck", frame)
    lean = np.degrees(np.arctan2(spine[0], spine[1]))
    if abs(lean) > 14:
        facts.append(f"the body leans to the {'right' if lean > 0 else 'left'}")
    elif abs(lean) < 5:
        facts.append("the body is upright")
    turn, tip = scene.look[frame]
    if abs(turn) > 0.55:
        facts.append(f"the head looks to the {'right' if turn > 0 else 'left'}")
    if abs(tip) > 0.55:
        facts.append(f"the head looks {'up' if tip > 0 else 'down'}")
    x = scene.joint("pelvis", frame)[0]
    place = "on the left" if x < 0.42 else "on the right" if x > 0.58 else "in the middle"
    return [*facts, f"the figure is {place}"]


def _partner_facts(scene: Scene, frame: int) -> list[str]:
    """Where a second figure is."""
    if scene.partner is None:
        return []
    x = (scene.partner.joints[frame, JOINTS.index("pelvis")] - scene.joint("pelvis", frame))[0] / scene.height
    side = "right" if x > 0 else "left"
    return [f"a {scene.partner.kind} is {'close to' if abs(x) < 0.6 else f'to the {side} of'} the figure"]


def _thing_facts(scene: Scene, frame: int) -> list[str]:
    """Where the object is, if there is one."""
    if scene.thing is None:
        return []
    thing = f"the {scene.thing}"
    place = scene.thing_path[frame, :2]
    offset = (place - scene.joint("pelvis", frame)) / scene.height * [1, -1]
    holding = [side for side in ("left", "right") if _holds(scene, frame, side)]
    facts = []
    if len(holding) == 2:
        facts.append(f"both hands are on {thing}")
    elif holding:
        facts.append(f"the {holding[0]} hand is on {thing}")
    else:
        facts.append(f"the figure does not hold {thing}")
    above = (scene.floor - place[1] - scene.thing_radius) / scene.height
    facts.append(f"{thing} is on the floor" if above < 0.03 else f"{thing} is in the air")
    if place[1] < scene.joint("head", frame)[1]:
        facts.append(f"{thing} is above the head" if abs(offset[0]) < 0.15 else f"{thing} is high")
    elif 0.03 <= above < 0.3:
        facts.append(f"{thing} is low")
    if abs(offset[0]) > 0.2:
        facts.append(f"{thing} is to the {'right' if offset[0] > 0 else 'left'} of the figure")
    elif abs(offset[0]) < 0.1:
        facts.append(f"{thing} is in front of the figure")
    return facts
