"""Exercises of notebook 11: how many clips a choice needs, windows over a long clip, a threshold for other clips."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from clipspm_lite.exercises.exercise import Exercise, numbers_hint, numbers_in


def _clips(gain: float, actions: int, wins: int = 6) -> int:
    return math.ceil(wins / gain / actions)


def _find_clips_per_action(answer: Callable[[float, int], object]) -> str | None:
    cases = [(0.25, 5), (0.15, 7), (0.4, 4), (0.13, 2)]
    mistakes: dict[str, Sequence[float]] = {
        "Both tails count: 2 · ½ⁿ must be below 0.05, and ½⁵ = 0.031 is only one of them.": (
            [_clips(*case, wins=5) for case in cases]
        ),
        "Only a share `gain` of the clips is won: it takes more clips than wins.": [_clips(1, n) for _, n in cases],
        "This is the number of clips in all: share them out over the actions.": [_clips(gain, 1) for gain, _ in cases],
        "Round up: with a clip too few the test says nothing.": [6 // (gain * actions) for gain, actions in cases],
        "Round up at the end: a clip is whole.": [6 / gain / actions for gain, actions in cases],
    }
    found = [answer(*case) for case in cases]
    return numbers_hint(found, [_clips(*case) for case in cases], mistakes, f"For gain and actions {cases}: ")


def _find_windows(answer: Callable[[float, float, float], object]) -> str | None:
    cases = [(60.0, 3.0, 2.0), (10.0, 3.5, 2.0), (21.5, 5.0, 4.0)]
    for length, shortest, example in cases:
        result = numbers_in(answer(length, shortest, example), 3)
        if isinstance(result, str):
            return f"{result} Wanted: window, stride, and how many windows."
        window, stride, count = result
        longest = shortest - example
        if not math.isclose(window, example):
            return f"The window: a head and its support know clips of {example:g} s; expected that, found {window:g}."
        if math.isclose(stride, example / 2) and not math.isclose(longest, example / 2):
            return f"The stride: half a window leaves out some actions of {shortest:g} s, or asks more than it must."
        if math.isclose(stride, shortest):
            return "The stride: then an action that begins just after a window has begun gets none of its own."
        if not math.isclose(stride, longest):
            return f"The stride: expected {longest:g} s for an action of {shortest:g} s, found {stride:g}."
        if not count.is_integer():
            return "The number of windows is whole: the last window ends with the clip, so round up."
        right = math.ceil((length - example) / longest) + 1
        if count == right - 1 and (length - example) % longest:
            return "The last window ends with the clip, even if it is nearer to the one before: round up."
        if count == right - 1:
            return "Strides are counted here: there is a window before the first of them, too."
        if count != right:
            return f"{length:g} s in strides of {longest:g} s: expected {right} windows, found {count:g}."
    return None


def _find_rejected(answer: Callable[[np.ndarray, np.ndarray], object]) -> str | None:
    rng = np.random.default_rng(3)
    for clips in (100, 40):
        known, other = rng.beta(4, 2, 2 * clips), rng.beta(2, 2, clips)
        found = numbers_in(answer(known, other))
        if isinstance(found, str):
            return found
        at = float(np.quantile(known, 0.1))
        right = float((other < at).mean())
        if abs(found[0] - right) < 1.1 / clips:  # a clip at the threshold may count or not
            continue
        mistakes = {
            "This is the threshold; the question is how many other clips lie below it.": at,
            "This is the share that still gets a name; asked is the share that is refused.": 1 - right,
            "The threshold is to keep nine in ten of the known clips: their 10th percentile, not their 90th.": (
                float((other < np.quantile(known, 0.9)).mean())
            ),
            "The threshold is chosen on the known clips: where it is needed, nobody has clips of all other things.": (
                float((other < np.quantile(other, 0.1)).mean())
            ),
            "A share from 0 to 1 is wanted, not per cent.": 100 * right,
        }
        return numbers_hint(found[0], right, mistakes)
    return None


CLIPS = '''
def clips_per_action(gain, actions):
    """Clips of each action that tell two methods apart, where one is right on a share `gain` more and loses none."""
    wins = ...
    return math.ceil(...)
'''
WINDOWS = '''
def windows_for(length, shortest, example):
    """Seconds of a long clip, of its shortest action, of an example → (window, stride, number of windows)."""
    window = ...
    stride = ...
    return window, stride, ...
'''
REJECTED = '''
def refused(known, other):
    """Probabilities of the answers to known and to other clips → share of the other clips that are refused."""
    return ...
'''

EXERCISES = {
    "11.1": Exercise(
        title="how many clips does a choice need?",
        difficulty=2,
        minutes=8,
        stub=CLIPS,
        solution=CLIPS.replace("wins = ...", "wins = 6  # 2 · ½⁶ = 0.031; five wins give 0.0625").replace(
            "math.ceil(...)", "math.ceil(wins / gain / actions)"
        ),
        find=_find_clips_per_action,
        importance=3,
        task=(
            "The sign test counts only the clips that one of two methods gets right. If one wins all n of them, chance "
            "alone would do so with probability 2 · ½ⁿ, and below 0.05 it tells the two apart. Suppose the better "
            "method is right on a share `gain` of all clips more, and never loses one. How many clips of each action "
            "do you film?"
        ),
        idea="First the fewest wins, then how many clips hold that many wins, then share them out and round up.",
        template="wins = ...  # the smallest n with 2 · ½ⁿ < 0.05\nreturn math.ceil(... / actions)",
        why=(
            "*Expected:* `clips_per_action(0.2, 5)` gives 6. This is the best case: a method that also loses clips "
            "needs more."
        ),
    ),
    "11.2": Exercise(
        title="windows over a long clip",
        difficulty=2,
        minutes=10,
        stub=WINDOWS,
        solution=WINDOWS.replace("window = ...", "window = example")
        .replace("stride = ...", "stride = shortest - window")
        .replace("stride, ...", "stride, math.ceil((length - window) / stride) + 1"),
        find=_find_windows,
        task=(
            "An action may start at any time. Choose the window by your examples, and then the *largest* stride with "
            "which every action of at least `shortest` seconds (longer than an example) has a window that lies wholly "
            "inside it. How many windows are that? The last one ends with the clip, as in `recognise_over_time`."
        ),
        idea="The worst case is an action that starts just after a window has started.",
        template="window = example\nstride = ...\nreturn window, stride, math.ceil((length - window) / stride) + 1",
        why=(
            "The next window may start at most shortest − window seconds after the action does. The closer the two "
            "lengths, the more windows: shorter examples make a long clip cheaper. *Expected:* "
            "`windows_for(60, 3, 2)` gives (2, 1, 59)."
        ),
    ),
    "11.3": Exercise(
        title="refuse what is none of them",
        difficulty=2,
        minutes=8,
        stub=REJECTED,
        solution=REJECTED.replace("return ...", "return float((other < np.quantile(known, 0.1)).mean())"),
        find=_find_rejected,
        task=(
            "Could a threshold on the probability refuse clips of something else? Choose the one that keeps nine in "
            "ten of the `known` clips, and return the share of the `other` clips that lie below it. Then call it with "
            "`sure` and `sure_of_others`."
        ),
        idea="The threshold is a percentile of the known clips; count the others below it.",
        template="threshold = np.quantile(known, ...)\nreturn float((other < threshold).mean())",
        why=(
            "A softmax compares the actions with each other. It does not know how far the clip is from all of them, so "
            "a folder with other clips helps and a threshold hardly does. *Expected:* about 0.2 for the drawn clips, "
            "8 of 42; another computer may refuse one more or less."
        ),
    ),
}
