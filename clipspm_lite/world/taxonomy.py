"""The names of the actions, what each is made of, and how they are split.

A name is verb x part x direction x object. Left and right are always the left and right of the picture:
the figure faces the viewer, its "left arm" is the arm on the picture's left side.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class ActionRecipe:
    """How a class is made: a motion of `motions.py`, turned round in space or in time."""

    motion: str
    side: str = "right"  # "left": the motion mirrored; "both": on both sides of the figure
    thing: str | None = None  # "box", "ball", "balloon"
    backwards: bool = False  # the same frames in reverse order


def _build() -> tuple[dict[str, ActionRecipe], list[tuple[str, str]]]:
    """All recipes by class name, and the pairs that are each other's reverse in time."""
    recipes: dict[str, ActionRecipe] = {}
    pairs: list[tuple[str, str]] = []

    def single(name: str, motion: str, side: str = "right", thing: str | None = None) -> None:
        recipes[name] = ActionRecipe(motion, side, thing)

    def pair(name: str, reverse: str, motion: str, side: str = "right", thing: str | None = None) -> None:
        recipes[name] = ActionRecipe(motion, side, thing)
        recipes[reverse] = ActionRecipe(motion, side, thing, backwards=True)
        pairs.append((name, reverse))

    for side, arm in (("left", "the left arm"), ("right", "the right arm"), ("both", "both arms")):
        pair(f"raising {arm}", f"lowering {arm}", "raise_arm", side)
        pair(f"stretching out {arm}", f"folding in {arm}", "stretch_arm", side)
        pair(f"circling {arm} outwards", f"circling {arm} inwards", "circle_arm", side)
        single(f"waving {arm}", "wave_arm", side)
        single(f"swinging {arm}", "swing_arm", side)
        single(f"flapping {arm}", "flap_arm", side)
    for side, hand, hip in (
        ("left", "the left hand", "the hip"),
        ("right", "the right hand", "the hip"),
        ("both", "both hands", "the hips"),
    ):
        pair(f"putting {hand} on the head", f"taking {hand} off the head", "hand_on_head", side)
        pair(f"putting {hand} on {hip}", f"taking {hand} off {hip}", "hand_on_hip", side)
    single("clapping the hands", "clap")
    single("clapping the hands above the head", "clap_above_head")
    single("nodding the head", "nod")
    single("shaking the head", "shake_head")
    for side in ("left", "right"):
        leg = f"the {side} leg"
        pair(f"lifting {leg}", f"putting down {leg}", "lift_leg", side)
        pair(f"stretching out {leg}", f"folding in {leg}", "stretch_leg", side)
        single(f"kicking with {leg}", "kick", side)
        single(f"swinging {leg}", "swing_leg", side)
        pair(f"leaning to the {side}", f"straightening up from the {side}", "lean", side)
    for verb, motion in (("walking", "walk"), ("running", "run"), ("hopping", "hop"), ("jumping", "jump")):
        pair(f"{verb} to the right", f"{verb} to the left", motion)
        single(f"{verb} in place", f"{motion}_in_place")
    pair("sliding to the right", "sliding to the left", "slide")
    pair("sitting down", "standing up", "sit_down")
    single("squatting", "squat")
    single("swaying", "sway")
    single("doing jumping jacks", "jumping_jacks")
    for side, other in (("left", "right"), ("right", "left")):
        pair(f"pushing a box to the {side}", f"pulling a box to the {other}", "push", side, "box")
        for thing in ("ball", "balloon"):
            pair(f"throwing a {thing} to the {side}", f"catching a {thing} from the {side}", "throw", side, thing)
            single(f"kicking a {thing} to the {side}", "kick_thing", side, thing)
        pair(f"rolling a ball to the {side}", f"stopping a ball from the {side}", "roll", side, "ball")
    for thing in ("box", "ball"):
        pair(f"picking up a {thing}", f"putting down a {thing}", "pick_up", thing=thing)
    for thing in ("box", "ball", "balloon"):
        pair(f"raising a {thing}", f"lowering a {thing}", "raise_thing", thing=thing)
        pair(f"carrying a {thing} to the right", f"carrying a {thing} to the left", "carry", thing=thing)
    for thing in ("ball", "balloon"):
        pair(f"a {thing} rising", f"a {thing} falling", "thing_rises", thing=thing)
        single(f"a {thing} bouncing", "thing_bounces", thing=thing)
    pair("a ball rolling to the right", "a ball rolling to the left", "thing_travels", thing="ball")
    pair("a box sliding to the right", "a box sliding to the left", "thing_travels", thing="box")
    return recipes, pairs


RECIPES, _pairs = _build()
CLASSES: tuple[str, ...] = tuple(RECIPES)
REVERSED_PAIRS: tuple[tuple[str, str], ...] = tuple(_pairs)


def _similar() -> tuple[tuple[str, str], ...]:
    """Pairs of names that differ in one word: the side, the part or the object."""
    slots = {"left", "right", "both", "ball", "balloon", "box"}
    words = {}
    for name in CLASSES:
        singular = name.replace("arms", "arm").replace("hands", "hand").replace("hips", "hip")
        words[name] = singular.replace("both", "the both").split()
    reverse = {frozenset(pair) for pair in REVERSED_PAIRS}
    found = []
    for i, a in enumerate(CLASSES):
        for b in CLASSES[i + 1 :]:
            if len(words[a]) != len(words[b]) or frozenset((a, b)) in reverse:
                continue
            different = [{x, y} for x, y in zip(words[a], words[b], strict=True) if x != y]
            if len(different) == 1 and different[0] <= slots:
                found.append((a, b))
    return tuple(found)


SIMILAR_PAIRS: tuple[tuple[str, str], ...] = _similar()

_NOVEL = (
    "raising the right arm", "lowering the right arm",
    "stretching out both arms", "folding in both arms",
    "circling the left arm outwards", "circling the left arm inwards",
    "putting the right hand on the head", "taking the right hand off the head",
    "waving both arms", "swinging the left arm", "flapping the right arm",
    "lifting the right leg", "putting down the right leg",
    "leaning to the right", "straightening up from the right",
    "running to the right", "running to the left", "jumping in place",
    "pushing a box to the right", "pulling a box to the left",
    "throwing a ball to the left", "catching a ball from the left",
    "raising a balloon", "lowering a balloon",
)  # fmt: skip
_VALIDATION = (
    "stretching out the left arm", "folding in the left arm",
    "circling the right arm outwards", "circling the right arm inwards",
    "putting the left hand on the hip", "taking the left hand off the hip",
    "waving the left arm", "swinging both arms", "flapping the left arm",
    "stretching out the left leg", "folding in the left leg", "kicking with the left leg",
    "hopping to the right", "hopping to the left",
    "throwing a balloon to the right", "catching a balloon from the right",
    "picking up a ball", "putting down a ball",
    "raising a box", "lowering a box",
    "carrying a ball to the right", "carrying a ball to the left",
    "a ball rising", "a ball falling",
)  # fmt: skip

Split = dict[str, tuple[str, ...]]


def _default_split() -> Split:
    held_out = {*_NOVEL, *_VALIDATION}
    return {"base": tuple(name for name in CLASSES if name not in held_out), "validation": _VALIDATION, "novel": _NOVEL}


def _study_split(seed: int, size: int = 20) -> Split:
    """A random split of the default base and validation classes.

    Reversed pairs stay together, and a class is held out only if all its words remain in base names.
    """
    rng = random.Random(seed)
    base = [name for name in CLASSES if name not in _NOVEL]
    partner = {a: b for pair in REVERSED_PAIRS for a, b in (pair, pair[::-1])}
    split: Split = {}
    for part in ("novel", "validation"):
        held_out: list[str] = []
        for name in rng.sample(base, len(base)):
            group = [name, partner[name]] if name in partner else [name]
            if name not in base or len(held_out) + len(group) > size:
                continue
            rest = [other for other in base if other not in group]
            seen = {word for other in rest for word in other.split()}
            unseen = (*group, *held_out, *split.get("novel", ()))
            if seen.issuperset(word for other in unseen for word in other.split()):
                held_out += group
                base = rest
        split[part] = tuple(held_out)
    return {"base": tuple(base), "validation": split["validation"], "novel": split["novel"]}


SPLITS: dict[str, Split] = {"default": _default_split(), "study_a": _study_split(1), "study_b": _study_split(2)}
