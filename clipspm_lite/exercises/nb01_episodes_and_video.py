"""Exercises of notebook 01: segment centres, the interval, drawing without overlap, pairs, and other classes."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from clipspm_lite.exercises.exercise import Exercise, real, whole

Rule = Callable[..., float]


def _whole_numbers(found: object, count: int) -> str | None:
    if isinstance(found, torch.Tensor | np.ndarray):
        found = found.tolist()
    if found is None or found is ...:
        return "It returns nothing yet: replace the … and return a list."
    if not isinstance(found, list | tuple):
        return f"Expected a list of {count} frame indices, found {type(found).__name__}."
    if len(found) != count:
        return f"Expected {count} indices, found {len(found)}: there is one a segment."
    if any(item is ... for item in found):
        return "There is a gap left: replace the … by the index of frame i."
    if any(real(item) is None for item in found):
        return f"Expected a list of {count} whole numbers, found {type(found[0]).__name__} in it."
    if any(whole(item) is None for item in found):
        return "A frame index is a whole number: round down with math.floor or //."
    return None


def _find_centres(answer: Callable[[int, int], list[int]]) -> str | None:
    mistakes: dict[str, Rule] = {
        "These are the starts of the segments: the centre is half a segment later, i + ½.": (
            lambda i, n, t: i * n // t
        ),
        "These are the ends of the segments: the centre is half a segment earlier.": (
            lambda i, n, t: (i + 1) * n // t - 1
        ),
        "Round down instead of to the nearest number: floor((i + ½) n / T).": (
            lambda i, n, t: round((i + 0.5) * n / t)
        ),
        "This spreads the indices from the first to the last frame; the centres stay inside their segments.": (
            lambda i, n, t: i * (n - 1) // (t - 1)
        ),
    }
    cases = [(24, 8), (10, 3), (25, 4), (3, 8), (101, 16)]
    for count, frames in cases:
        hint = _whole_numbers(answer(count, frames), frames)
        if hint is not None:
            return hint
    found = [[int(item) for item in answer(*case)] for case in cases]

    def by(rule: Rule) -> list[list[int]]:
        return [[int(rule(i, count, frames)) for i in range(frames)] for count, frames in cases]

    if found == by(lambda i, n, t: (2 * i + 1) * n // (2 * t)):
        return None
    for hint, rule in mistakes.items():
        if found == by(rule):
            return hint
    return f"For n = 10 and T = 3 the centres are [1, 5, 8], found {found[1]}."


def _number(found: object) -> str | None:
    if found is ... or found is None:
        return "It returns nothing yet: replace the …."
    if isinstance(found, torch.Tensor | np.ndarray) and found.ndim > 0:
        return f"Expected one number, found an array of shape {list(found.shape)}: forgotten mean or std?"
    try:
        value = float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return f"Expected a number, found {type(found).__name__}."
    return None if math.isfinite(value) else "The result is not finite: look for a division by 0."


def _mistaken(found: float, right: float, mistakes: Iterable[tuple[float, str]]) -> str | None:
    """None where found is right, else the hint of the mistake that gives the same number."""
    if math.isclose(found, right, rel_tol=1e-4, abs_tol=1e-6):
        return None
    for value, hint in mistakes:
        if math.isclose(found, value, rel_tol=1e-4, abs_tol=1e-6):
            return hint
    return f"Expected {right:.3f} here, found {found:.3f}."


def _find_half_width(answer: Callable[[np.ndarray], float]) -> str | None:
    shares = np.random.default_rng(0).integers(0, 6, 30) / 5
    spread = shares.std(ddof=1)
    right = 196 * spread / 30**0.5
    found = answer(shares)
    return _number(found) or _mistaken(
        float(found),
        right,
        [
            (196 * spread, "This is the spread of single episodes: the mean of E is √E times surer."),
            (196 * spread / 30, "Divide by the root of the number of episodes, not by the number."),
            (right / 100, "The answer is wanted in points: accuracies are shares in 0 … 1, so times 100."),
            (right / 1.96, "This is one standard error; 95 % of a bell curve lie within 1.96 of them."),
            (2 * right, "This is the whole width; the half-width stands behind the ±."),
            (
                196 * shares.std() / 30**0.5,
                "Nearly: the spread round a mean taken from the same data divides by E − 1 (ddof=1).",
            ),
        ],
    )


def _find_draw(answer: Callable[..., Any]) -> str | None:
    def draw(seed: int) -> tuple[list[int], list[int]]:
        support, query = answer(6, 2, 3, torch.Generator().manual_seed(seed))
        return [int(place) for place in support], [int(place) for place in query]

    first = answer(6, 2, 3, torch.Generator().manual_seed(0))
    if first is None or first is ... or (isinstance(first, tuple) and any(p is None or p is ... for p in first)):
        return "It returns nothing yet: replace the … and return two lists, (support, query)."
    if not isinstance(first, tuple | list) or len(first) != 2:
        return f"Expected two lists, (support, query), found {type(first).__name__}."
    for name, part in zip(("support", "query"), first, strict=True):
        if not isinstance(part, list | tuple | torch.Tensor | np.ndarray):
            return f"Expected two lists, (support, query); {name} is {type(part).__name__}."
        if any(whole(place) is None for place in part):
            return f"Expected video numbers in {name}, found {list(part)}."
    draws = [draw(seed) for seed in range(60)]
    for support, query in draws:
        if (len(support), len(query)) != (2, 3):
            return f"With shot=2 and queries=3 expected 2 and 3 videos, found {len(support)} and {len(query)}."
        if not set(support + query) <= set(range(6)):
            return "Video numbers of a class with 6 videos run from 0 to 5."
    if any(set(support) & set(query) for support, query in draws):
        return "A video is both support and query in the same episode: draw all of them at once, then cut."
    if any(len(set(support)) < 2 or len(set(query)) < 3 for support, query in draws):
        return "A video is drawn twice: draw without putting back."
    if draws != [draw(seed) for seed in range(60)]:
        return "The same generator state gave two different draws: use the generator for every random choice."
    if len({tuple(support) for support, _ in draws}) < 15:
        return "The draws hardly differ: every video must have the same chance to be a support video."
    return _unfair([draw(seed) for seed in range(1200)])


def _unfair(draws: list[tuple[list[int], list[int]]]) -> str | None:
    """A hint where some videos of 6 are support or query more often than others, or only in some company."""
    support, query = (Counter(place for draw in draws for place in draw[part]) for part in (0, 1))
    for name, times, share in (("support", support, 1 / 3), ("query", query, 1 / 2)):
        odd = max(range(6), key=lambda place: abs(times[place] / len(draws) - share))
        if abs(times[odd] / len(draws) - share) > 0.06:
            return (
                f"Video {odd} is {name} in {100 * times[odd] / len(draws):.0f} of 100 draws, expected "
                f"{100 * share:.0f}: every video must have the same chance."
            )
    if len({(frozenset(first), frozenset(second)) for first, second in draws}) < 60:
        return "Some choices of videos never come up together: draw each video on its own."
    return None


def _find_paired(answer: Callable[[np.ndarray, np.ndarray], tuple[float, float]]) -> str | None:
    rng = np.random.default_rng(1)
    hard = rng.uniform(0.2, 0.9, 200)
    other = np.round(np.clip(hard + rng.normal(0, 0.1, 200), 0, 1), 1)
    ours = np.round(np.clip(hard + 0.05 + rng.normal(0, 0.1, 200), 0, 1), 1)

    def width(shares: np.ndarray) -> float:
        return 196 * float(shares.std(ddof=1)) / 200**0.5

    found = answer(ours, other)
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "Return two numbers: the mean difference and its half-width."
    mean, half = found
    difference = 100 * float((ours - other).mean())
    hint = (
        _number(mean)
        or _number(half)
        or _mistaken(
            float(mean),
            difference,
            [
                (-difference, "The sign: ours minus other."),
                (difference / 100, "The difference is wanted in points: times 100."),
            ],
        )
    )
    return hint or _mistaken(
        float(half),
        width(ours - other),
        [
            (
                (width(ours) ** 2 + width(other) ** 2) ** 0.5,
                "This is the unpaired interval: it throws away that both saw the same episodes. "
                "Subtract episode by episode first.",
            ),
            (width(ours) + width(other), "Half-widths don't add up; and the episodes are paired: subtract first."),
            (width(ours), "This is the interval of one method; the question is about the differences."),
        ],
    )


def _find_class_interval(answer: Callable[[np.ndarray], float]) -> str | None:
    accuracies = np.random.default_rng(2).uniform(30, 95, 24)
    found = answer(accuracies)
    hint = _number(found)
    if hint is not None:
        return hint
    error = float(accuracies.std(ddof=1)) / 24**0.5
    ratio = float(found) / (1.96 * error)
    if 0.85 < ratio < 1.15:
        return None
    if ratio < 0.05:
        return "All draws have the same mean: draw as many classes as there are, but with putting back."
    if 0.4 < ratio < 0.6:
        return "This is about one standard error: 95 % need 1.96 of them, or the 2.5 and 97.5 per cent points."
    if 1.8 < ratio < 2.2:
        return "This is the whole width; the half-width stands behind the ±."
    if 4 < ratio < 6:
        return "This is the spread of single classes; the question is how far their mean would move."
    return f"Expected about {1.96 * error:.1f} points here, found {float(found):.1f}."


CENTRES = '''
def segment_centres(count, frames):
    """Indices of the centre frames of `frames` equal segments of a video of `count` frames."""
    return [{gap} for i in range(frames)]
'''
HALF_WIDTH = '''
def half_width(per_episode):
    """Half-width in points of the 95 % interval of a mean; per_episode [E], shares in 0 … 1."""
    return {gap}
'''
DRAW = '''
def draw_videos(videos, shot, queries, generator):
    """Support and query video numbers (two lists) of one class that has `videos` videos."""
    {body}
    return support, query
'''
PAIRED = '''
def paired_difference(ours, other):
    """Mean of ours − other and its 95 % half-width, in points; both [E], shares on the same episodes."""
    {body}
    return mean, half
'''
CLASS_INTERVAL = '''
def class_interval(class_accuracy):
    """95 % half-width in points of the mean over classes, if other classes had been drawn; class_accuracy [N], %."""
    rng = np.random.default_rng(0)
    means = {gap}
    return {end}
'''
END = "(np.percentile(means, 97.5) - np.percentile(means, 2.5)) / 2"
DRAWN = "[rng.choice(class_accuracy, len(class_accuracy)).mean() for _ in range(5000)]"

EXERCISES = {
    "01.1": Exercise(
        "the centres of the segments",
        1,
        5,
        stub=CENTRES.format(gap="..."),
        solution=CENTRES.format(gap="(2 * i + 1) * count // (2 * frames)"),
        find=_find_centres,
        importance=2,
        task="Fill the gap: the centre index of segment i. The answer is whole numbers.",
        idea="The centre of segment i lies half a segment after its start, at i + ½ segments of n / T frames each.",
        template="return [... // (2 * frames) for i in range(frames)]",
        why="Times 2 above and below the line keeps everything whole: (2i + 1) n // 2T rounds (i + ½) n / T down.",
    ),
    "01.2": Exercise(
        "the half-width of the interval",
        1,
        8,
        stub=HALF_WIDTH.format(gap="..."),
        solution=HALF_WIDTH.format(gap="100 * 1.96 * per_episode.std(ddof=1) / len(per_episode) ** 0.5"),
        find=_find_half_width,
        importance=3,
        task="Write section 3's formula for shares in 0 … 1, with the answer in points.",
        idea="The error of a mean is the spread of single episodes divided by the root of their number.",
        template="error = ...\nreturn 100 * 1.96 * error",
        why=(
            "`ddof=1` because the mean itself was taken from the same episodes. It falls with √E: four times "
            "the episodes halve it."
        ),
    ),
    "01.3": Exercise(
        "support and query without overlap",
        2,
        12,
        stub=DRAW.format(body="support, query = ..., ..."),
        solution=DRAW.format(
            body="order = torch.randperm(videos, generator=generator).tolist()\n"
            "    support, query = order[:shot], order[shot : shot + queries]"
        ),
        find=_find_draw,
        importance=3,
        task=(
            "Draw `shot` support and `queries` query videos of one class. No video may be drawn twice, every "
            "video has the same chance, and all chance comes from the given `torch.Generator`."
        ),
        idea="Shuffle all videos once, then cut: what is cut from one shuffled list cannot overlap.",
        template="order = torch.randperm(videos, generator=generator).tolist()\nsupport, query = ...",
        why="One permutation gives every video the same chance and makes support and query disjoint without a test.",
    ),
    "01.4": Exercise(
        "the interval of a difference",
        2,
        10,
        stub=PAIRED.format(body="mean, half = ..., ..."),
        solution=PAIRED.format(
            body="difference = ours - other\n"
            "    mean = 100 * difference.mean()\n"
            "    half = 100 * 1.96 * difference.std(ddof=1) / len(difference) ** 0.5"
        ),
        find=_find_paired,
        importance=3,
        task=(
            "Two methods were scored on the same episodes. Give the mean of *ours − other* and the half-width "
            "of its 95 % interval, in points."
        ),
        idea="Subtract episode by episode first; then it is the interval of one list of numbers.",
        template="difference = ...\nmean = 100 * difference.mean()\nhalf = ...",
        why=(
            "What makes an episode hard is hard for both, and cancels in the difference. So the paired interval"
            " is the narrower one."
        ),
    ),
    "01.5": Exercise(
        "an interval over classes",
        3,
        20,
        stub=CLASS_INTERVAL.format(gap="...", end="..."),
        solution=CLASS_INTERVAL.format(gap=DRAWN, end=END),
        find=_find_class_interval,
        importance=2,
        task=(
            "How far would the mean move with other classes? Use the *bootstrap*: draw as many classes as there"
            " are, **with** putting back, thousands of times; take the mean of each draw, and from the means "
            "the half-width that holds 95 %. Then try it on `per_class`, and on `by_class`, the paired "
            "differences of section 3. What do you conclude about *otam is better than prototype*?"
        ),
        idea="A draw with putting back from the classes that there are imitates meeting other classes.",
        template=(
            "means = [rng.choice(...).mean() for _ in range(5000)]\n"
            "return (np.percentile(means, 97.5) - np.percentile(means, 2.5)) / 2"
        ),
        why=(
            "On `per_class` it gives about the ± of section 3; on `by_class` a little over 1 point, and the "
            "difference is about 1. The interval over episodes says that *otam is better than prototype*; over "
            "classes, the two cannot be told apart."
        ),
    ),
}
