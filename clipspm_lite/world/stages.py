"""Three sentences per class: what the start, the middle and the end of its clips have in common.

They are counted, for all classes alike, over the poses of scenes that are in no clip. No picture is looked at.
"""

from __future__ import annotations

from collections import Counter

from clipspm_lite.world.captions import a_or_an, pose_facts
from clipspm_lite.world.scene import FRAMES, make_scene
from clipspm_lite.world.taxonomy import PLACES, RECIPES

STAGES = 3
FIRST_SEED, SCENES = 3_000_000, 40
FACTS = 2  # in a sentence


def stage_sentences(class_name: str) -> list[str]:
    """The sentences of start, middle and end. Each has the facts that are frequent then, more so than otherwise."""
    recipe = RECIPES[class_name]
    counts: list[Counter[str]] = [Counter() for _ in range(STAGES)]
    for seed in range(FIRST_SEED, FIRST_SEED + SCENES):
        scene = make_scene(class_name, seed)
        for frame in range(FRAMES):
            counts[frame * STAGES // FRAMES].update(pose_facts(scene, frame))
    clips = SCENES * FRAMES / STAGES
    subject = f"a figure {PLACES[recipe.place]}" if recipe.place else "a figure"
    if recipe.thing:
        subject = f"{subject} and {a_or_an(recipe.thing)}"
    if recipe.partner:
        subject = f"{subject} and {a_or_an(recipe.partner)}"
    sentences = []
    for own in counts:
        # How often now, and how much more often than over the whole clip; what is seldom true is not said.
        worth = {
            fact: (2 * number - sum(count[fact] for count in counts) / STAGES) / clips
            for fact, number in own.items()
            if number >= 0.5 * clips
        }
        best = sorted(worth, key=lambda fact: (-worth[fact], fact))[:FACTS]
        sentences.append(", ".join([subject, *best]))
    return sentences
