"""Exercises of notebook 01: frames of a clip, the draw of an episode, the interval, pairs, and other classes."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from clipspm_lite.data.decoding import frame_indices
from clipspm_lite.evaluation.results import half_width
from clipspm_lite.exercises.episode_draws import draw_episode, find_draw
from clipspm_lite.exercises.exercise import Exercise, numbers_hint, numbers_in, real, whole

Rule = Callable[..., float]


def _whole_numbers(found: object, count: int) -> str | None:
    if isinstance(found, torch.Tensor | np.ndarray):
        found = found.tolist()
    if found is None or found is ...:
        return "It returns nothing yet: replace the … and return a list."
    if not isinstance(found, list | tuple):
        return f"Expected a list of {count} frame indices, found {type(found).__name__}."
    if len(found) != count:
        return f"Expected {count} indices, found {len(found)}: there is one per segment."
    if any(item is ... for item in found):
        return "There is a gap left: replace the … by the index of frame i."
    if any(real(item) is None for item in found):
        return f"Expected a list of {count} whole numbers, found {type(found[0]).__name__} in it."
    if any(whole(item) is None for item in found):
        return "A frame index is a whole number: round down with math.floor or //."
    return None


def _find_frames(answer: Callable[[int, Sequence[float]], list[int]]) -> str | None:
    mistakes: dict[str, Rule] = {
        "These are the starts of the segments: where inside a segment the frame lies, its offset says.": (
            lambda i, offset, n, t: i * n // t
        ),
        "These are the ends of the segments: where inside a segment the frame lies, its offset says.": (
            lambda i, offset, n, t: (i + 1) * n // t - 1
        ),
        "These are the centres whatever the offsets say: i + offset, not always i + ½.": (
            lambda i, offset, n, t: (i + 0.5) * n / t
        ),
        "The offset is a share of a segment, not of a frame: add it to i before you multiply by n / T.": (
            lambda i, offset, n, t: i * n / t + offset
        ),
        "Round down instead of to the nearest number: floor((i + offset) n / T).": (
            lambda i, offset, n, t: round((i + offset) * n / t)
        ),
    }
    cases = [(24, [0.5] * 8), (25, [0.5, 0.9, 0.05, 0.3]), (3, [0.5, 0.9] * 4), (101, [0.3, 0.85, 0.6] * 5)]
    for count, offsets in cases:
        hint = _whole_numbers(answer(count, offsets), len(offsets))
        if hint is not None:
            return hint
    found = [[int(item) for item in answer(*case)] for case in cases]

    def by(rule: Rule) -> list[list[int]]:
        return [[int(rule(i, o, n, len(offsets))) for i, o in enumerate(offsets)] for n, offsets in cases]

    if found == by(lambda i, offset, n, t: (i + offset) * n / t):
        return None
    for hint, rule in mistakes.items():
        if found == by(rule):
            return hint
    return f"For n = 25 and the offsets {cases[1][1]} the frames are {frame_indices(*cases[1])}, found {found[1]}."


def _width(shares: np.ndarray) -> float:
    return 196 * float(shares.std(ddof=1)) / len(shares) ** 0.5


def _find_half_width(answer: Callable[[np.ndarray], float]) -> str | None:
    for episodes in (30, 12):
        shares = np.random.default_rng(0).integers(0, 6, episodes) / 5
        spread, right = shares.std(ddof=1), _width(shares)
        mistakes = {
            "This is the spread of single episodes; that of a mean of E is √E times smaller.": 196 * spread,
            "Divide by the root of the number of episodes, not by the number.": 196 * spread / episodes,
            "The answer is wanted in points: accuracies are shares in 0 … 1, so times 100.": right / 100,
            "This is one standard error; 95 % of a bell curve lie within 1.96 of them.": right / 1.96,
            "This is the whole width; the half-width stands behind the ±.": 2 * right,
            "Nearly: the spread round a mean taken from the same data divides by E − 1 (ddof=1).": (
                196 * shares.std() / episodes**0.5
            ),
        }
        if hint := numbers_hint(answer(shares), right, mistakes, f"For {episodes} episodes: "):
            return hint
    return None


def _paired_difference(ours: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The library's, of shares instead of evaluations."""
    return 100 * float((ours - other).mean()), half_width(ours - other)


def _find_paired(answer: Callable[[np.ndarray, np.ndarray], tuple[float, float]]) -> str | None:
    rng = np.random.default_rng(1)
    for episodes in (200, 50):
        hard = rng.uniform(0.2, 0.9, episodes)
        ours, other = (np.round(np.clip(hard + rng.normal(more, 0.1, episodes), 0, 1), 1) for more in (0.05, 0))
        found = numbers_in(answer(ours, other), 2)
        if isinstance(found, str):
            return found
        difference, half = _paired_difference(ours, other)
        hint = numbers_hint(
            found[0],
            difference,
            {
                "The sign: ours minus other.": -difference,
                "The difference is wanted in points: times 100.": difference / 100,
            },
            "The mean: ",
        ) or numbers_hint(
            found[1],
            half,
            {
                "This is the unpaired interval: it throws away that both saw the same episodes. "
                "Subtract episode by episode first.": math.hypot(_width(ours), _width(other)),
                "Half-widths don't add up; and the episodes are paired: subtract first.": _width(ours) + _width(other),
                "This is the interval of one method; the question is about the differences.": _width(ours),
            },
            "The half-width: ",
        )
        if hint is not None:
            return hint
    return None


def _find_class_interval(answer: Callable[[np.ndarray], float]) -> str | None:
    for classes in (24, 5):
        accuracies = np.random.default_rng(2).uniform(30, 95, classes)
        found = numbers_in(answer(accuracies))
        if isinstance(found, str):
            return found
        right = _width(accuracies) / 100 * (1 - 1 / classes) ** 0.5
        if any(math.isclose(found[0], 1.96 * accuracies.std(ddof=one) / classes**0.5) for one in (0, 1)):
            return "This is the formula of section 3, and nothing is drawn. Draw the classes: that needs no formula."
        for low, high, hint in (
            (0, 0.05, "All draws have the same mean: draw as many classes as there are, but with putting back."),
            (
                0.4,
                0.6,
                "This is about one standard error: 95 % need 1.96 of them, or the 2.5 and 97.5 per cent points.",
            ),
            (1.15, 1.6, "Classes are missing in every draw: draw as many as there are, with putting back."),
            (1.8, 2.2, "This is the whole width; the half-width stands behind the ±."),
            (4, 6, "This is the spread of single classes; the question is how far their mean would move."),
        ):
            if low <= found[0] / right < high:
                return hint
        if not 0.85 < found[0] / right < 1.15:
            return f"For {classes} classes: expected about {right:.1f} points, found {found[0]:.1f}."
    return None


FRAMES = '''
def choose_frames(count, offsets):
    """Index of one frame per segment of a clip of `count` frames; offsets [T] in [0, 1) say where inside it."""
    segments = len(offsets)
    return [{gap} for i, offset in enumerate(offsets)]
'''
HALF_WIDTH = '''
def half_width(per_episode):
    """Half-width in points of the 95 % interval of a mean; per_episode [E], shares in 0 … 1."""
    return {gap}
'''
DRAW = '''
def draw_episode(videos_per_class, way, shot, queries, seed, index):
    """Class numbers [way]; for each class its support videos [way][shot]; all queries, class after class."""
    rng = np.random.default_rng((seed, index))  # the same numbers whenever this episode is asked for
    first = np.cumsum([0, *videos_per_class]).tolist()  # the number of each class's first video
    classes = rng.permutation(len(videos_per_class))[:way].tolist()
    support, query = [], []
    for number in classes:
        {body}
    return classes, support, query
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
MEANS = "[rng.choice(class_accuracy, len(class_accuracy)).mean() for _ in range(5000)]"

EXERCISES = {
    "01.1": Exercise(
        "one frame from each segment",
        1,
        5,
        stub=FRAMES.format(gap="..."),
        solution=FRAMES.format(gap="math.floor((i + float(offset)) * count / segments)"),
        find=_find_frames,
        importance=2,
        task="Fill the gap: the index of the frame that stands for segment i, a whole number.",
        idea="Segment i starts at i segments of n / T frames each; the offset is a part of a segment.",
        template="return [math.floor(... * count / segments) for i, offset in enumerate(offsets)]",
        why="i + offset counts in segments, and n / T turns segments into frames. The same for test and training.",
        library=lambda: frame_indices,
    ),
    "01.2": Exercise(
        "the draw of an episode",
        2,
        12,
        stub=DRAW.format(
            body="videos = first[number] + ...  # shot + queries different places in the class\n"
            "        support.append(...)\n"
            "        query += ..."
        ),
        solution=DRAW.format(
            body="videos = first[number] + rng.permutation(videos_per_class[number])\n"
            "        support.append(videos[:shot].tolist())\n"
            "        query += videos[shot : shot + queries].tolist()"
        ),
        find=find_draw,
        importance=3,
        task=(
            "The classes are drawn; draw the videos. Of each class take `shot + queries` different videos, every "
            "video with the same chance and all chance from `rng`. The first `shot` are its support, a list in "
            "`support`; the others go into `query`, one flat list. A video's number is its place among all videos: "
            "those of class c are `first[c]`, `first[c] + 1`, …"
        ),
        idea="Shuffle all videos of a class once, then cut: what is cut from one shuffled list cannot overlap.",
        template=(
            "for number in classes:\n    videos = first[number] + rng.permutation(...)\n"
            "    support.append(videos[:shot].tolist())\n    query += ..."
        ),
        why=(
            "One permutation gives every video the same chance and makes support and query disjoint without a test. "
            "It is drawn anew for each class."
        ),
        library=lambda: draw_episode,
    ),
    "01.3": Exercise(
        "the half-width of the interval",
        1,
        8,
        stub=HALF_WIDTH.format(gap="..."),
        solution=HALF_WIDTH.format(gap="100 * 1.96 * per_episode.std(ddof=1) / len(per_episode) ** 0.5"),
        find=_find_half_width,
        importance=3,
        task="Write it for any number of episodes. Shares are in 0 … 1; the answer is in points.",
        idea="The error of a mean is the spread of single episodes divided by the root of their number.",
        template="error = ...\nreturn 100 * 1.96 * error",
        why=(
            "`ddof=1` because the mean itself was taken from the same episodes. It falls with √E: four times "
            "the episodes halve it."
        ),
        library=lambda: half_width,
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
        library=lambda: _paired_difference,
    ),
    "01.5": Exercise(
        "an interval over classes",
        3,
        20,
        stub=CLASS_INTERVAL.format(gap="...", end="..."),
        solution=CLASS_INTERVAL.format(gap=MEANS, end=END),
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
            "*Expected:* about 7.6 points on `per_class`, as in section 3, and 1.2 on `by_class`, where the "
            "difference is about 1. The interval over episodes says that *otam is better than prototype*; over "
            "classes, the two cannot be told apart."
        ),
    ),
}
