"""Exercises of notebook 08: paired intervals, a draw of the bootstrap, Holm's correction, what a table says."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from clipspm_lite.evaluation.results import half_width, holm
from clipspm_lite.exercises.exercise import Exercise, numbers_hint, wrong_verdict


def half_widths(ours: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """What the notebook uses in place of 08.1: half-widths of the mean difference, paired and unpaired, in points."""
    return half_width(ours - other), float(np.hypot(half_width(ours), half_width(other)))


def one_draw(right: np.ndarray, asked: np.ndarray, seeds: np.ndarray, classes: np.ndarray) -> float:
    """What the notebook uses in place of 08.2: the accuracy in one draw, in per cent."""
    return float(100 * right[seeds][:, classes].sum() / (len(seeds) * asked[classes].sum()))


def _find_half_widths(answer: Callable[[np.ndarray, np.ndarray], tuple[float, float]]) -> str | None:
    generator = np.random.default_rng(0)
    for episodes in (40, 15):
        hard = generator.integers(0, 4, episodes)
        ours, other = (np.minimum(hard + generator.integers(0, more, episodes), 5) / 5 for more in (3, 2))
        paired, unpaired = half_widths(ours, other)
        mistakes = {
            "The two are exchanged: paired first. Pairing makes the interval narrower here, not wider.": (
                unpaired,
                paired,
            ),
            "Unpaired: independent errors do not add up, their squares do.": (
                paired,
                half_width(ours) + half_width(other),
            ),
            "Paired: take the difference of each episode first, then its spread.": (unpaired, unpaired),
            "The answer is wanted in points: accuracies are shares in 0 … 1, so times 100.": (
                paired / 100,
                unpaired / 100,
            ),
            "That is the spread of single episodes: the mean over E of them is √E times surer.": (
                paired * episodes**0.5,
                unpaired * episodes**0.5,
            ),
        }
        if hint := numbers_hint(answer(ours, other), (paired, unpaired), mistakes, f"For {episodes} episodes: "):
            return hint
    return None


def _find_one_draw(answer: Callable[..., float]) -> str | None:
    right = np.array([[9.0, 10.0, 2.0, 30.0], [5.0, 14.0, 4.0, 22.0], [7.0, 18.0, 3.0, 10.0]])
    asked = np.array([10.0, 20.0, 5.0, 40.0])
    for seeds, classes in (np.array([2, 0, 2]), np.array([3, 1, 1, 0])), (np.array([1, 1]), np.array([2, 0, 2])):
        counts, queries = right[: len(seeds), : len(classes)], asked[: len(classes)]
        rows, expected = counts[seeds][:, classes], one_draw(counts, queries, seeds, classes)
        once = counts[np.unique(seeds)][:, np.unique(classes)]
        mistakes = {
            "This is a mean of the classes' accuracies: a class that was asked more often must count more.": (
                100 * (rows / queries[classes]).mean()
            ),
            "Drawn with replacement: what was drawn twice counts twice.": (
                100 * once.sum() / (len(once) * queries[np.unique(classes)].sum())
            ),
            "Only the classes are drawn here, the training seeds are left as they are.": (
                100 * counts[:, classes].sum() / (len(counts) * queries[classes].sum())
            ),
            "Only the training seeds are drawn here, the classes are left as they are.": (
                100 * counts[seeds].sum() / (len(seeds) * queries.sum())
            ),
            "Wanted in per cent: times 100.": expected / 100,
            "Divide by the number of training seeds too: every seed was asked the same queries.": (
                expected * len(seeds)
            ),
        }
        if hint := numbers_hint(answer(counts, queries, seeds, classes), expected, mistakes):
            return hint
    return None


def _find_holm(answer: Callable[[np.ndarray], Any]) -> str | None:
    for p in (np.array([0.03, 0.01, 0.5]), np.array([0.02, 0.04, 0.03, 0.6, 0.021])):
        expected, sorted_ = holm(p), np.sort(p)
        found = answer(p.copy())
        if found is None or found is ...:
            return "It returns nothing yet: replace the …."
        values = np.asarray(found, dtype=float)
        if values.shape != p.shape:
            return f"Expected {len(p)} numbers, one per p-value, found the shape {list(values.shape)}."
        if np.allclose(values, expected, rtol=1e-6):
            continue
        times = np.arange(len(p), 0, -1)
        for hint, other in {
            "That is Bonferroni's correction: only the smallest p-value is multiplied by all of them.": len(p) * p,
            "One falls below the one before: keep the largest so far.": (sorted_ * times)[p.argsort().argsort()],
            "They are right, and sorted: give them back in the order in which they came.": np.sort(expected),
            "The largest is multiplied by most: the smallest p-value takes the largest factor.": p
            * times[::-1][p.argsort().argsort()],
        }.items():
            if np.allclose(values.clip(max=1), other.clip(max=1), rtol=1e-6):
                return hint
        if values.max() > 1:
            return "A p-value is at most 1."
        return f"Expected {expected.round(3).tolist()} for {p.tolist()}, found {values.round(3).tolist()}."
    return None


# Letter → (whether it follows from the two result files, why the other answer is wrong).
CLAIMS: dict[str, tuple[bool, str]] = {
    "A": (True, "look at the row of otam: both kinds of interval, on both parts."),
    "B": (False, "an interval around zero says that we cannot tell the effect from zero, not that there is none."),
    "C": (
        False,
        "the narrower interval answers a smaller question; another lab also trains again and meets other classes.",
    ),
    "D": (True, "compare the two columns of the full model."),
    "E": (
        False,
        "one interval without zero and one around it are not compared: the difference needs its own interval.",
    ),
    "F": (True, "compare the panels of reversed and of context pairs: what stands still tells only the latter."),
    "G": (False, "nothing outside of this one small world, this backbone and this recipe was measured."),
}


def _find_claims(answer: Mapping[str, bool]) -> str | None:
    return wrong_verdict(answer, CLAIMS)


EXERCISES = {
    "08.1": Exercise(
        title="paired and unpaired",
        difficulty=1,
        minutes=8,
        stub='''def half_widths(ours, other):
    """Shares [E] in 0 … 1 of two methods on the same episodes → (paired, unpaired) half-widths, in points."""
    paired = ...
    unpaired = ...
    return paired, unpaired
''',
        solution='''def half_widths(ours, other):
    """Shares [E] in 0 … 1 of two methods on the same episodes → (paired, unpaired) half-widths, in points."""
    paired = 196 * (ours - other).std(ddof=1) / len(ours) ** 0.5
    unpaired = 196 * ((ours.var(ddof=1) + other.var(ddof=1)) / len(ours)) ** 0.5
    return paired, unpaired
''',
        find=_find_half_widths,
        library=lambda: half_widths,
        importance=3,
        task=(
            "How much does pairing help? Both half-widths of the mean difference of two methods: paired, from "
            "the differences of each episode; and as if the two had been scored on episodes of their own, where"
            " variances add up."
        ),
        idea="Paired: the spread of differences. Unpaired: variances add up.",
        template=(
            "paired = 196 * (...).std(ddof=1) / len(ours) ** 0.5\n"
            "unpaired = 196 * ((ours.var(ddof=1) + other.var(ddof=1)) / len(ours)) ** 0.5"
        ),
        why="The gap between the two is what the shared difficulty of episodes is worth.",
    ),
    "08.2": Exercise(
        title="one draw of the bootstrap",
        difficulty=2,
        minutes=12,
        stub='''def one_draw(right, asked, seeds, classes):
    """right [S, classes] counts, asked [classes], drawn places seeds [S] and classes [classes] → accuracy, %."""
    return ...
''',
        solution='''def one_draw(right, asked, seeds, classes):
    """right [S, classes] counts, asked [classes], drawn places seeds [S] and classes [classes] → accuracy, %."""
    drawn = right[seeds][:, classes]
    return 100 * drawn.sum() / (len(seeds) * asked[classes].sum())
''',
        find=_find_one_draw,
        library=lambda: one_draw,
        importance=2,
        task=(
            "Given the places that a draw came up with (some twice, some not at all), compute the accuracy in "
            "that draw. Weight each class by its queries."
        ),
        idea="Index seeds and classes by the drawn places; what was drawn twice stands there twice.",
        template="drawn = right[seeds][:, classes]\nreturn 100 * drawn.sum() / ...",
        why="Counts are added before the division, so a class counts by its queries.",
    ),
    "08.3": Exercise(
        title="Holm's correction",
        difficulty=2,
        minutes=10,
        stub='''def holm(p):
    """P-values [m] → Holm's, [m], in the same order."""
    order = p.argsort()
    corrected = ...
    return corrected
''',
        solution='''def holm(p):
    """P-values [m] → Holm's, [m], in the same order."""
    order = p.argsort()
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return corrected[order.argsort()]
''',
        find=_find_holm,
        library=lambda: holm,
        task=(
            "Write it for a numpy array. `np.maximum.accumulate` keeps the largest so far, and `order.argsort()` "
            "undoes the sorting."
        ),
        idea="Sort, multiply, keep the largest so far, cut at 1, undo the sorting.",
        template="corrected = np.maximum.accumulate(p[order] * ...).clip(max=1)\nreturn corrected[order.argsort()]",
        why="The smallest p-value must stand against all m, the next only against those that are left.",
    ),
    "08.4": Exercise(
        title="which sentence follows?",
        difficulty=2,
        minutes=12,
        stub='follows = {"A": ..., "B": ..., "C": ..., "D": ..., "E": ..., "F": ..., "G": ...}\n',
        solution='follows = {"A": True, "B": False, "C": False, "D": True, "E": False, "F": True, "G": False}\n',
        find=_find_claims,
        importance=3,
        task=(
            "Which of these follow from the two result files? Replace each `...` by `True` or `False`.\n"
            "\n"
            "- **A.** In 5-way episodes the full model is ahead of OTAM on validation and on novel classes, "
            "whichever interval one takes.\n"
            '- **B.** Where the interval of "without …" contains zero, that part has no effect.\n'
            "- **C.** The interval over episodes is narrower than that over seeds and classes, so it says "
            "better what another lab would find.\n"
            "- **D.** Asked one query at a time, the full transductive model loses more than ten points on "
            "validation classes.\n"
            "- **E.** One part's row is ahead or behind, another's is open; so the first part matters more than"
            " the second.\n"
            '- **F.** On both parts, "otam centred" is ahead of the full model on reversed pairs and behind it '
            "on context pairs.\n"
            "- **G.** With a large CLIP on filmed videos, SPM is worth about as many points as here."
        ),
        idea="Ask of each sentence which interval it needs, and whether it is in the files.",
        template='follows = {"A": True, "B": ..., "C": ..., "D": True, "E": ..., "F": True, "G": ...}',
        why="B, C, E and G take an interval for more than it says.",
    ),
}
