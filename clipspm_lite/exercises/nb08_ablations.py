"""Exercises of notebook 08: paired intervals, a draw of the bootstrap, what a table allows to say, an own row."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from clipspm_lite.exercises.exercise import Exercise, tensor_hint


def _numbers(found: Any, count: int) -> str | None:
    if found is None or found is ...:
        return "It returns nothing yet: replace the …."
    values = list(np.atleast_1d(found)) if isinstance(found, np.ndarray) else found
    values = list(values) if isinstance(values, tuple | list) else [values]
    if any(value is ... or value is None for value in values):
        return "There is a gap left: replace each …."
    if len(values) != count:
        return f"Expected {count} {'number' if count == 1 else 'numbers'}, found {len(values)}."
    if any(np.ndim(value) for value in values):
        return "Expected single numbers, found an array: forgotten mean, std or sum?"
    odd = [value for value in values if not isinstance(value, int | float | np.number | torch.Tensor)]
    if odd:
        return f"Expected a number, found {type(odd[0]).__name__}."
    if not all(np.isfinite(float(value)) for value in values):
        return "The result is not finite: look for a division by 0."
    return None


def _find_half_widths(answer: Callable[[np.ndarray, np.ndarray], tuple[float, float]]) -> str | None:
    generator = np.random.default_rng(0)
    hard = generator.integers(0, 4, 40)
    ours, other = (
        np.minimum(hard + generator.integers(0, 3, 40), 5) / 5,
        np.minimum(hard + generator.integers(0, 2, 40), 5) / 5,
    )

    def half(values: np.ndarray) -> float:
        return 196 * float(values.std(ddof=1)) / len(values) ** 0.5

    paired, unpaired = half(ours - other), float(np.hypot(half(ours), half(other)))
    result = answer(ours, other)
    hint = _numbers(result, 2)
    if hint is not None:
        return hint
    found = [float(value) for value in result]

    def near(first: float, second: float) -> bool:
        return bool(np.allclose(found, [first, second], rtol=1e-4))

    if near(paired, unpaired):
        return None
    if near(unpaired, paired):
        return "The two are exchanged: paired first. Pairing makes the interval narrower here, not wider."
    if near(paired, half(ours) + half(other)):
        return "Unpaired: independent errors do not add up, their squares do."
    if near(unpaired, unpaired):
        return "Paired: take the difference of each episode first, then its spread."
    if near(paired / 100, unpaired / 100):
        return "The answer is wanted in points: accuracies are shares in 0 … 1, so times 100."
    if near(paired * 40**0.5, unpaired * 40**0.5):
        return "That is the spread of single episodes: the mean over E of them is √E times surer."
    if np.isclose(found[0], paired, rtol=1e-4):
        return f"Paired is right. Unpaired: expected {unpaired:.2f} here, found {found[1]:.2f}."
    return f"Expected ({paired:.2f}, {unpaired:.2f}) here, found ({found[0]:.2f}, {found[1]:.2f})."


def _find_one_draw(answer: Callable[..., float]) -> str | None:
    right = np.array([[9.0, 10.0, 2.0, 30.0], [5.0, 14.0, 4.0, 22.0], [7.0, 18.0, 3.0, 10.0]])
    asked = np.array([10.0, 20.0, 5.0, 40.0])
    seeds, classes = np.array([2, 0, 2]), np.array([3, 1, 1, 0])
    rows = right[seeds][:, classes]
    expected = float(100 * rows.sum() / (len(seeds) * asked[classes].sum()))
    result = answer(right, asked, seeds, classes)
    hint = _numbers(result, 1)
    if hint is not None:
        return hint
    found = float(np.ravel(result)[0])
    once = right[np.unique(seeds)][:, np.unique(classes)]
    mistakes = {
        "This is a mean of the classes' accuracies: a class that was asked more often must count more.": (
            100 * (rows / asked[classes]).mean()
        ),
        "Drawn with replacement: what was drawn twice counts twice.": (
            100 * once.sum() / (len(once) * asked[np.unique(classes)].sum())
        ),
        "Only the classes are drawn here, the training seeds are left as they are.": (
            100 * right[:, classes].sum() / (len(right) * asked[classes].sum())
        ),
        "Only the training seeds are drawn here, the classes are left as they are.": (
            100 * right[seeds].sum() / (len(seeds) * asked.sum())
        ),
        "Wanted in per cent: times 100.": expected / 100,
        "Divide by the number of training seeds too: every seed was asked the same queries.": expected * len(seeds),
    }
    if np.isclose(found, expected, rtol=1e-6):
        return None
    for mistake, value in mistakes.items():
        if np.isclose(found, value, rtol=1e-6):
            return mistake
    return f"Expected {expected:.3f} here, found {found:.3f}."


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
    if not isinstance(answer, Mapping):
        return f"Expected a dict with a True or False for each letter, found {type(answer).__name__}."
    missing = [letter for letter in CLAIMS if answer.get(letter, ...) is ...]
    if missing:
        return f"There is no verdict yet on {', '.join(missing)}: True or False."
    odd = [
        letter
        for letter in CLAIMS
        if not isinstance(answer[letter], bool | np.bool_ | int) or answer[letter] not in (0, 1)
    ]
    if odd:
        return f"Expected True or False for {odd[0]}, found {answer[odd[0]]!r}."
    wrong = [letter for letter, (follows, _) in CLAIMS.items() if bool(answer[letter]) != follows]
    return f"{wrong[0]}: {CLAIMS[wrong[0]][1]}" if wrong else None


def _find_method(answer: Callable[..., Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    support, query, text = random(2, 3, 2, 6, 8), random(2, 4, 6, 8), random(2, 3, 8)

    def logits(*episode: torch.Tensor) -> torch.Tensor:
        return answer(*episode).logits  # type: ignore[no-any-return]

    result = answer(support, query, text)
    if result is None or result is ...:
        return "It returns nothing yet: replace the … and return Scores."
    if not hasattr(result, "logits"):
        kind = type(result).__name__
        return f"A method returns something with .logits, for example baselines.Scores(logits); found {kind}."
    found = result.logits
    if not isinstance(found, torch.Tensor) or tuple(found.shape) != (2, 4, 3) or not found.isfinite().all():
        return tensor_hint(found, torch.zeros(2, 4, 3))

    def differs(other: torch.Tensor, than: torch.Tensor = found) -> bool:
        return float((other - than).abs().max()) > 1e-3

    if differs(logits(support, query[:, :1], text), found[:, :1]):
        return "A query's logits depend on the other queries: then a row depends on how queries are asked."
    if differs(logits(support + 5 * random(2, 3, 2, 1, 8), query + 5 * random(2, 4, 1, 8), text)):
        return "The same vector added to all frames of a clip changes the logits: what stands still must not count."
    if not differs(logits(support, query.flip(-2), text)):
        return "A query played backwards gets the same logits: the method knows no order in time."
    steps = torch.linspace(-1, 1, 6)[:, None] * random(1, 8)
    up_down = torch.stack([steps, -steps])[None, :, None] + 3 * random(1, 2, 1, 1, 8)
    asked = torch.stack([steps, -steps])[None] + 3 * random(1, 2, 1, 8) + 0.05 * random(1, 2, 6, 8)
    if logits(up_down, asked, random(1, 2, 8)).argmax(-1).tolist() != [[0, 1]]:
        return "Two made-up clips, the same change forwards and backwards, are not told apart: is the sign right?"
    return None


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
    ),
    "08.3": Exercise(
        title="which sentence follows?",
        difficulty=2,
        minutes=12,
        stub='follows = {"A": ..., "B": ..., "C": ..., "D": ..., "E": ..., "F": ..., "G": ...}\n',
        solution='follows = {"A": True, "B": False, "C": False, "D": True, "E": False, "F": True, "G": False}\n',
        find=_find_claims,
    ),
    "08.4": Exercise(
        title="a row of your own, blind to what stands still",
        difficulty=3,
        minutes=25,
        stub='''def my_method(support, query, class_text):
    """support [..., N, K, T, C], query [..., Q, T, C], class_text [..., N, C] → Scores with logits [..., Q, N]."""
    return ...
''',
        solution='''def my_method(support, query, class_text):
    """support [..., N, K, T, C], query [..., Q, T, C], class_text [..., N, C] → Scores with logits [..., Q, N]."""
    from clipspm_lite.model.baselines import otam

    support, query = (video[..., 1:, :] - video[..., :-1, :] for video in (support, query))
    return otam(support, query, class_text)
''',
        find=_find_method,
    ),
}
