"""A scene: everything that determines a clip, made from a class name and a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipspm_lite.world.appearance import Appearance, Outfit, random_appearance, random_outfit
from clipspm_lite.world.context_motions import CONTEXT_MOTIONS
from clipspm_lite.world.figure import JOINTS, Body, Pose, joints
from clipspm_lite.world.free import free_pose
from clipspm_lite.world.motions import BODY_MOTIONS
from clipspm_lite.world.object_motions import OBJECT_MOTIONS
from clipspm_lite.world.performance import Other, Performance
from clipspm_lite.world.randomness import Stream
from clipspm_lite.world.taxonomy import PARTNERS, PLACES, RECIPES, ActionRecipe

FRAMES = 24
FRAMES_PER_SECOND = 12

# Half the width of an object in figure heights, and how much it turns: a box slides, a ball rolls.
RADIUS = {
    "box": (0.15, 0.18), "ball": (0.1, 0.12), "balloon": (0.125, 0.15), "flag": (0.24, 0.29), "umbrella": (0.26, 0.3),
    "broom": (0.24, 0.29), "guitar": (0.22, 0.25), "drum": (0.2, 0.24), "board": (0.23, 0.27),
}  # fmt: skip
TURNS = {"box": 0.0, "balloon": 0.1}
HEIGHT = {"child": (0.55, 0.68), "friend": (0.92, 1.05), "giant": (1.25, 1.4)}  # of a second figure, in the first's


@dataclass(frozen=True, eq=False)
class Partner:
    """The second figure of a clip, as `Scene` describes the first."""

    kind: str  # of `PARTNERS`
    height: float
    body: Body
    outfit: Outfit
    joints: np.ndarray
    look: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """One clip. Places and lengths are shares of the picture, x to the right and y down, before the camera."""

    class_name: str | None  # None: a free pose
    seed: int
    appearance: Appearance
    height: float  # of the figure
    floor: float  # y of the floor under the figure
    body: Body
    joints: np.ndarray  # [F, 15, 2] in the order of `figure.JOINTS`
    look: np.ndarray  # [F, 2] where the face turns: right, up
    thing: str | None  # of `RADIUS`
    thing_radius: float
    thing_path: np.ndarray  # [F, 3] place and turn (clockwise, radians)
    partner: Partner | None
    distractor: np.ndarray  # [F, 3] place and wing angle of a small bird
    camera: np.ndarray  # [F, 3] centre and zoom

    def joint(self, name: str, frame: int) -> np.ndarray:
        """Place (x, y) of a joint in one frame."""
        return self.joints[frame, JOINTS.index(name)]


def make_scene(class_name: str | None, seed: int) -> Scene:
    """The scene of a class (or, for None, of free poses) and a seed: always the same one.

    Raises:
        ValueError: an unknown class.
    """
    if class_name is not None and class_name not in RECIPES:
        raise ValueError(f"class_name is {class_name!r}; expected one of the {len(RECIPES)} names in CLASSES, or None")
    rng = Stream(class_name, seed)
    if class_name is None:
        recipe = ActionRecipe(("free",), "right", rng.choice((None, None, None, *RADIUS)))
    else:
        recipe = RECIPES[class_name]
    # What has nothing to do with the action: any place, an object, a bystander.
    place = recipe.place or rng.choice(tuple(PLACES))
    thing = recipe.thing or (rng.choice(tuple(RADIUS)) if class_name and rng.chance(0.2) else None)
    kind = recipe.partner or (rng.choice(PARTNERS) if rng.chance(0.2) else None)
    body = Body.random(rng)
    radius = rng.uniform(*RADIUS[thing]) if thing else 0.0
    other = _second_figure(kind, rng) if kind else None
    pose = _perform(recipe, thing, body, radius, other, rng)

    height = rng.uniform(0.43, 0.52)
    floor = rng.uniform(0.82, 0.9)
    places, path = joints(pose, body) * height, pose.thing[:, :2] * height
    seconds = joints(other.pose, other.body) * height * other.scale if other else places
    x = _fit(np.concatenate([places[..., 0].ravel(), seconds[..., 0].ravel(), path[:, 0] if thing else []]), rng)
    to_picture, origin = np.array([1.0, -1.0]), [x, floor]
    turn = pose.thing[:, 2] * TURNS.get(thing or "", 1.0)
    appearance = random_appearance(rng, place, thing)
    partner = None
    if other and kind:
        outfit = random_outfit(rng, appearance.wall_name)
        own_height = height * other.scale
        partner = Partner(kind, own_height, other.body, outfit, seconds * to_picture + origin, other.pose.look)
    return Scene(
        class_name=class_name,
        seed=seed,
        appearance=appearance,
        height=height,
        floor=floor,
        body=body,
        joints=places * to_picture + origin,
        look=pose.look,
        thing=thing,
        thing_radius=radius * height,
        thing_path=np.concatenate([path * to_picture + origin, turn[:, None]], axis=1),
        partner=partner,
        distractor=_bird(rng),
        camera=_camera(rng),
    )


def _second_figure(kind: str, rng: Stream) -> Other:
    body = Body.random(rng)
    return Other(Pose.rest(body, FRAMES, rng), body, rng.uniform(*HEIGHT[kind]))


def _perform(
    recipe: ActionRecipe, thing: str | None, body: Body, radius: float, other: Other | None, rng: Stream
) -> Pose:
    """The poses of a recipe: a motion, small tremor, then mirrored or reversed as the recipe says."""
    motion = rng.choice(recipe.motions)
    mirrored = recipe.side == "left" or (recipe.side == "any" and rng.chance(0.5))
    sides = (0, 1) if recipe.side == "both" else (1,)
    stage = Performance(Pose.rest(body, FRAMES, rng), body, rng, sides, radius, other)
    if thing and not recipe.thing:
        beside = rng.choice((-1, 1)) * rng.uniform(0.3, 0.6)
        stage.place_thing(beside, rng.uniform(0.5, 1.1) if thing == "balloon" else radius)
    if other:  # a bystander, if the motion does not say otherwise
        other.stand_at(rng.choice((-1, 1)) * rng.uniform(0.45, 0.8))
    if motion == "free":
        free_pose(stage, has_thing=recipe.thing is not None)
    else:
        (BODY_MOTIONS | OBJECT_MOTIONS | CONTEXT_MOTIONS)[motion](stage)
    pose = stage.pose
    for moved in [pose, other.pose] if other else [pose]:
        moved.arms += _tremor((2, 2, 2), 0.012, rng)
        moved.feet += _tremor((2, 2), 0.006, rng)
        moved.root += _tremor((2,), 0.008, rng)
        moved.lean += _tremor((), 0.035, rng)
        moved.head_tilt += _tremor((), 0.06, rng)
        moved.look += _tremor((2,), 0.12, rng)
    if other and mirrored:
        other.pose = other.pose.mirrored()
    if mirrored:
        pose = pose.mirrored()
    if other and recipe.backwards:
        other.pose = other.pose.backwards()
    return pose.backwards() if recipe.backwards else pose


def _tremor(shape: tuple[int, ...], size: float, rng: Stream) -> np.ndarray:
    """Smooth noise [F, *shape], different for each clip: two slow waves."""
    time = np.linspace(0, 1, FRAMES).reshape(FRAMES, *[1] * len(shape))
    waves = [
        np.sin(2 * np.pi * (rng.uniforms(shape, 0.5, 2.5) * time + rng.uniforms(shape))) * rng.uniforms(shape)
        for _ in range(2)
    ]
    return size * (waves[0] + waves[1])


def _fit(everything: np.ndarray, rng: Stream) -> float:
    """A place x such that everything stays in the picture beside it, where there is room for that."""
    first, last = 0.11 - everything.min(), 0.89 - everything.max()
    return rng.uniform(first, last) if first < last else 0.5 * (first + last)


def _bird(rng: Stream) -> np.ndarray:
    """A small bird crossing the upper part of the picture."""
    time = np.linspace(0, 1, FRAMES)
    start, speed = rng.uniform(-0.1, 0.9), rng.uniform(0.15, 0.5) * rng.choice((-1, 1))
    height, swing = rng.uniform(0.06, 0.3), rng.uniform(0.0, 0.04)
    y = height + swing * np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * time + rng.uniform()))
    wing = 0.7 * np.sin(2 * np.pi * (rng.uniform(3, 5) * time + rng.uniform()))
    return np.stack([(start + speed * time + 0.1) % 1.2 - 0.1, y, wing], axis=1)


def _camera(rng: Stream) -> np.ndarray:
    """A slow pan and zoom."""
    u = np.linspace(-0.5, 0.5, FRAMES)
    zoom = 1.04 + rng.uniform(-0.02, 0.05) + rng.uniform(-0.05, 0.05) * u
    x, y = (0.5 + rng.uniform(-0.012, 0.012) + rng.uniform(-0.045, 0.045) * u for _ in range(2))
    return np.stack([x, y, zoom], axis=1)
