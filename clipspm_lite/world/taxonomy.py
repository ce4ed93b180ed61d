"""The names of the actions, what each is made of, and how they are split.

There are two kinds. An *order* class is verb x part x direction x object: how the figure moves tells it, and its place,
props and bystanders are random. A *context* class is verb x place, verb x prop or verb x partner: what is seen in any
frame tells it, and how the figure moves differs from clip to clip.

Left and right are always the left and right of the picture: the figure faces the viewer, its "left arm" is the arm on
the picture's left side.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

PLACES = {
    "ice": "on ice", "pool": "in a pool", "beach": "on a beach", "snow": "in the snow", "grass": "on the grass",
    "road": "on a road", "stage": "on a stage", "kitchen": "in a kitchen", "room": "in a room",
}  # fmt: skip
PARTNERS = ("child", "friend", "giant")


@dataclass(frozen=True)
class ActionRecipe:
    """How a class is made: motions of `motions.py`, turned round in space or in time, and what else is to be seen."""

    motions: tuple[str, ...]  # each clip shows one of them
    side: str = "right"  # "left": the motion mirrored; "both": on both sides of the figure; "any": either
    thing: str | None = None  # "box", "ball", "balloon" or a prop
    backwards: bool = False  # the same frames in reverse order
    place: str | None = None  # of `PLACES`; None: any
    partner: str | None = None  # of `PARTNERS`; None: perhaps a bystander
    context: bool = False


def _order() -> tuple[dict[str, ActionRecipe], list[tuple[str, str]]]:
    """The recipes of the order classes by name, and the pairs that are each other's reverse in time."""
    recipes: dict[str, ActionRecipe] = {}
    pairs: list[tuple[str, str]] = []

    def single(name: str, motion: str, side: str = "right") -> None:
        recipes[name] = ActionRecipe((motion,), side)

    def pair(name: str, reverse: str, motion: str, side: str = "right", thing: str | None = None) -> None:
        recipes[name] = ActionRecipe((motion,), side, thing)
        recipes[reverse] = ActionRecipe((motion,), side, thing, backwards=True)
        pairs.append((name, reverse))

    for side, arm in (("left", "the left arm"), ("right", "the right arm"), ("both", "both arms")):
        pair(f"raising {arm}", f"lowering {arm}", "raise_arm", side)
        single(f"waving {arm}", "wave_arm", side)
    for side in ("left", "right"):
        pair(f"stretching out the {side} arm", f"folding in the {side} arm", "stretch_arm", side)
        pair(f"circling the {side} arm outwards", f"circling the {side} arm inwards", "circle_arm", side)
        pair(f"leaning to the {side}", f"straightening up from the {side}", "lean", side)
        single(f"kicking with the {side} leg", "kick", side)
    single("swinging the left arm", "swing_arm", "left")
    single("swinging both arms", "swing_arm", "both")
    single("flapping the left arm", "flap_arm", "left")
    single("flapping both arms", "flap_arm", "both")
    pair("putting the left hand on the head", "taking the left hand off the head", "hand_on_head", "left")
    pair("lifting the left leg", "putting down the left leg", "lift_leg", "left")
    single("clapping the hands", "clap")
    for verb, motion in (("walking", "walk"), ("running", "run"), ("hopping", "hop"), ("jumping", "jump")):
        pair(f"{verb} to the right", f"{verb} to the left", motion)
    single("running in place", "run_in_place")
    single("hopping in place", "hop_in_place")
    single("jumping in place", "jump_in_place")
    pair("sitting down", "standing up", "sit_down")
    single("squatting", "squat")
    single("swaying", "sway")
    for side, other in (("left", "right"), ("right", "left")):
        pair(f"pushing a box to the {side}", f"pulling a box to the {other}", "push", side, "box")
    for thing in ("balloon", "ball"):
        pair(f"throwing a {thing} to the left", f"catching a {thing} from the left", "throw", "left", thing)
    for thing in ("box", "ball"):
        pair(f"picking up a {thing}", f"putting down a {thing}", "pick_up", thing=thing)
    for thing in ("box", "ball", "balloon"):
        pair(f"raising a {thing}", f"lowering a {thing}", "raise_thing", thing=thing)
    pair("a balloon rising", "a balloon falling", "thing_rises", thing="balloon")
    return recipes, pairs


def _context() -> dict[str, ActionRecipe]:
    """The recipes of the context classes by name."""
    recipes: dict[str, ActionRecipe] = {}
    dance = ("sway", "swing_arm", "clap_above_head", "jumping_jacks", "circle_arm")
    in_place: dict[str, tuple[tuple[str, ...], str]] = {  # verb → its motions, and the places where it is done
        "skating": (("slide",), "ice road stage"),
        "swimming": (("swim",), "pool"),
        "jogging": (("run", "run_in_place"), "pool beach snow grass road"),
        "strolling": (("walk", "walk_in_place"), "ice beach snow grass road"),
        "dancing": (dance, "ice pool beach grass stage kitchen"),
        "playing": (("jump_in_place", "hop", "kick", "squat", "wave_arm"), "pool beach snow grass stage kitchen"),
    }
    for verb, (motions, places) in in_place.items():
        for place in places.split():
            recipes[f"{verb} {PLACES[place]}"] = ActionRecipe(motions, "any", place=place, context=True)
    with_prop: dict[str, tuple[tuple[str, ...], str]] = {  # verb → its motions, and the props that it is done with
        "waving": (("wave_prop",), "flag umbrella broom"),
        "dancing with": (("dance_with_prop",), "flag umbrella broom guitar drum"),
        "strolling with": (("carry_prop",), "flag umbrella broom guitar drum board"),
        "lifting": (("lift_prop",), "flag umbrella broom guitar drum board"),
        "playing": (("beat_prop",), "guitar drum"),
        "hammering": (("hammer_prop",), "drum board"),
    }
    for verb, (motions, props) in with_prop.items():
        for prop in props.split():
            article = "an" if prop == "umbrella" else "a"
            recipes[f"{verb} {article} {prop}"] = ActionRecipe(motions, "any", thing=prop, context=True)
    with_partner = {
        "shaking hands with": "shake_hands", "hugging": "hug", "shoving": "shove", "dancing with": "dance_with_partner",
    }  # fmt: skip
    for verb, motion in with_partner.items():
        for partner in PARTNERS:
            recipes[f"{verb} a {partner}"] = ActionRecipe((motion,), "any", partner=partner, context=True)
    return recipes


_order_recipes, _pairs = _order()
RECIPES = _order_recipes | _context()
CLASSES: tuple[str, ...] = tuple(RECIPES)
CONTEXT_CLASSES: tuple[str, ...] = tuple(name for name in CLASSES if RECIPES[name].context)
REVERSED_PAIRS: tuple[tuple[str, str], ...] = tuple(_pairs)


def _similar() -> tuple[tuple[str, str], ...]:
    """Pairs of names that differ in one word of a kind: the side, the object, the place, the partner."""
    kinds = (
        {"left", "right", "both"},
        {"ball", "balloon", "box"},
        {"flag", "umbrella", "broom", "guitar", "drum", "board"},
        set(PARTNERS),
        {phrase.replace(" ", "_") for phrase in PLACES.values()},
    )
    words = {name: name.replace("arms", "arm").replace("both", "the both").replace(" an ", " a ") for name in CLASSES}
    for phrase in PLACES.values():
        words = {name: text.replace(phrase, phrase.replace(" ", "_")) for name, text in words.items()}
    reverse = {frozenset(pair) for pair in REVERSED_PAIRS}
    found = []
    for i, a in enumerate(CLASSES):
        for b in CLASSES[i + 1 :]:
            first, second = words[a].split(), words[b].split()
            different = [{x, y} for x, y in zip(first, second, strict=False) if x != y]
            one_word = len(first) == len(second) and len(different) == 1
            if one_word and any(different[0] <= kind for kind in kinds) and frozenset((a, b)) not in reverse:
                found.append((a, b))
    return tuple(found)


SIMILAR_PAIRS: tuple[tuple[str, str], ...] = _similar()

_NOVEL = (
    "raising the right arm", "lowering the right arm", "waving both arms",
    "leaning to the right", "straightening up from the right",
    "running to the right", "running to the left", "jumping in place",
    "pushing a box to the right", "pulling a box to the left",
    "throwing a ball to the left", "catching a ball from the left",
    "raising a balloon", "lowering a balloon",
    "skating on a road", "dancing on ice", "jogging on a beach", "playing in a pool", "strolling in the snow",
    "waving an umbrella", "playing a guitar", "strolling with a board", "dancing with a flag",
    "hugging a child", "shoving a giant", "shaking hands with a friend",
)  # fmt: skip
_VALIDATION = (
    "stretching out the left arm", "folding in the left arm",
    "circling the right arm outwards", "circling the right arm inwards",
    "waving the left arm", "swinging both arms", "flapping the left arm", "kicking with the left leg",
    "hopping to the right", "hopping to the left",
    "picking up a ball", "putting down a ball",
    "raising a box", "lowering a box",
    "skating on a stage", "dancing on the grass", "strolling on a beach", "playing in a kitchen", "jogging in a pool",
    "waving a broom", "lifting a drum", "dancing with an umbrella", "strolling with a guitar",
    "hugging a giant", "shoving a friend", "dancing with a child",
)  # fmt: skip

Split = dict[str, tuple[str, ...]]


def _default_split() -> Split:
    held_out = {*_NOVEL, *_VALIDATION}
    return {"base": tuple(name for name in CLASSES if name not in held_out), "validation": _VALIDATION, "novel": _NOVEL}


def _study_split(seed: int, size: int = 10) -> Split:
    """A random split of the default base and validation classes; `size` classes of either kind are held out twice.

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
            alike = [other for other in held_out if RECIPES[other].context == RECIPES[name].context]
            if name not in base or len(alike) + len(group) > size:
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
