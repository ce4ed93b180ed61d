"""Exercises of notebook 10: how typical a find is, and what a map of embeddings allows to say."""

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional as F

from clipspm_lite.exercises.exercise import Exercise, numbers_hint, random_tensor, wrong_verdict


def _find_share(answer: Callable[[Tensor, Tensor, float], object]) -> str | None:
    for clips, found in ((50, 0.5), (20, 0.8)):
        original = random_tensor(clips, 6, seed=1)
        turned = original + random_tensor(clips, 6, seed=2)

        def share(likeness: Tensor, at: float = found) -> float:
            return float((likeness < at).float().mean())

        right = share(F.cosine_similarity(original, turned, dim=-1))
        mistakes = {
            "This is the share above it: how many clips are turned even less.": 1 - right,
            "A cosine compares directions: divide by both lengths.": share((original * turned).sum(-1)),
            "One cosine per clip: take it along the last axis, C.": (
                share(F.cosine_similarity(original, turned, dim=0))
            ),
            "A share from 0 to 1 is wanted, not per cent.": 100 * right,
            "A share is wanted, not a number of clips: divide by V.": clips * right,
        }
        if hint := numbers_hint(answer(original, turned, found), right, mistakes, f"For a cosine of {found}: "):
            return hint
    return None


# Letter → (the sentence, whether it follows from the map, why the other answer is wrong).
CLAIMS: dict[str, tuple[str, bool, str]] = {
    "A": (
        "Two clips that lie on one spot of the PCA are near each other in CLIP's space.",
        False,
        "the plane shows two directions of many; they may differ in all others.",
    ),
    "B": (
        "Two clips that lie far apart on the PCA are at least that far apart in the space.",
        True,
        "a projection onto a plane never makes a distance longer.",
    ),
    "C": (
        "Group 1 lies twice as far from group 2 as from group 3 in the t-SNE, so it differs twice as much from it.",
        False,
        "t-SNE keeps neighbours; gaps between groups have no scale.",
    ),
    "D": (
        "The length of a grey line in the t-SNE is how far SPM moved the clip.",
        False,
        "each stage is fitted on its own; compare the cosines in the caption.",
    ),
    "E": (
        "On this map the base classes are tighter, so the head fits them better.",
        False,
        "this is one episode; a claim about classes needs many, and an interval.",
    ),
    "F": (
        "The length of a grey line in the PCA is at most how far SPM moved the clip.",
        True,
        "one plane shows all stages, and a projection never lengthens.",
    ),
}


def _find_claims(answer: Mapping[str, bool]) -> str | None:
    return wrong_verdict(answer, {letter: claim[1:] for letter, claim in CLAIMS.items()})


SHARE = '''
def share_below(original, turned, found):
    """Motion features [V, C] of clips and of their reversed twins, a cosine → share of clips whose cosine is lower."""
    cosines = ...
    return ...
'''

EXERCISES = {
    "10.1": Exercise(
        title="how typical is your find?",
        difficulty=1,
        minutes=5,
        stub=SHARE,
        solution=SHARE.replace("cosines = ...", "cosines = F.cosine_similarity(original, turned, dim=-1)").replace(
            "return ...", "return (cosines < found).float().mean()"
        ),
        find=_find_share,
        task=(
            "Find a clip in the explorer that its motion feature turns as far as possible when it is reversed, and "
            "read its cosine. Then count: what share of all clips has a cosine that is lower still? `original` and "
            "`turned` above are the features of all of them."
        ),
        idea="One cosine per clip, along the last axis; then the mean of a comparison.",
        template="cosines = F.cosine_similarity(original, turned, dim=-1)\nreturn ...",
        why="*Expected:* `share_below(original, turned, 0.95)` gives 0.008 for the sample clips. A search ends at the "
        "rarest clip, so what it finds is never typical. Only the count says how rare it is.",
    ),
    "10.2": Exercise(
        title="what may be read from a map?",
        difficulty=2,
        minutes=6,
        stub="follows = {" + ", ".join(f'"{letter}": ...' for letter in CLAIMS) + "}\n",
        solution="follows = {" + ", ".join(f'"{letter}": {claim[1]}' for letter, claim in CLAIMS.items()) + "}\n",
        find=_find_claims,
        task=(
            "Which of these follow from what the two maps show? Replace each `...` by `True` or `False`.\n\n"
            + "\n".join(f"- **{letter}.** {sentence}" for letter, (sentence, _, _) in CLAIMS.items())
        ),
        idea="A projection can only shorten, and t-SNE keeps neighbours only.",
        template='follows = {"A": False, "B": ..., "C": False, "D": ..., "E": False, "F": ...}',
        why="B and F hold because one plane shows every stage; the t-SNE has no scale that could be compared.",
    ),
}
