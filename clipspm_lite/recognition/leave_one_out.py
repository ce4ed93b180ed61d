"""Choosing a method on one's own few clips: leave one out, and what so few answers allow to be said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, sqrt

import torch
from scipy.stats import binomtest

from clipspm_lite.data.names import printable
from clipspm_lite.model.heads import Head, scored_in_eval_mode
from clipspm_lite.recognition.recogniser import Support, ask, method_name

CONFIDENCE = erf(1.96 / sqrt(2))  # 95 %, as the 1.96 standard errors of `evaluate`'s intervals


@dataclass(frozen=True)
class LeaveOneOut:
    """Every clip that could be held out, asked of each method with the remaining clips as support.

    Attributes:
        classes: names of the actions.
        asked: the action, as a place in ``classes``, of each clip that was asked.
        answers: for each method, in the order given, the action it answered for each of them.
        never_asked: actions with a single clip, or copies of one, which cannot be held out. They were possible answers.
    """

    classes: tuple[str, ...]
    asked: tuple[int, ...]
    answers: dict[str, tuple[int, ...]]
    never_asked: tuple[str, ...]

    def right(self, method: str) -> int:
        """How many clips the method named correctly."""
        return sum(a == b for a, b in zip(self.asked, self.answers[method], strict=True))

    def interval(self, method: str) -> tuple[float, float]:
        """95 % interval (Wilson's) of the share that it would name correctly, in per cent.

        It assumes independent clips. Those of one person in one place are not: for others it is too narrow.
        """
        answers = binomtest(self.right(method), len(self.asked))
        interval = answers.proportion_ci(CONFIDENCE, method="wilson")
        return 100 * float(interval.low), 100 * float(interval.high)

    @property
    def best(self) -> str:
        """The method with the most right answers; of several, the one that was given first."""
        return max(self.answers, key=self.right)

    def only_right(self, one: str, other: str) -> int:
        """How many clips ``one`` gets right and ``other`` does not."""
        return sum(
            a == truth != b
            for truth, a, b in zip(self.asked, self.answers[one], self.answers[other], strict=True)
        )

    def chance_of_difference(self, one: str, other: str) -> float:
        """Two-sided sign test: how often two equally good methods would differ at least so much on these clips.

        Only the clips that one of them gets right and the other does not can tell them apart.
        """
        wins, losses = self.only_right(one, other), self.only_right(other, one)
        return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0

    @property
    def as_good(self) -> tuple[str, ...]:
        """The methods that these clips cannot tell from the best one (sign test, 5 %)."""
        return tuple(
            method
            for method in self.answers
            if method != self.best and self.chance_of_difference(self.best, method) >= 0.05
        )

    def __str__(self) -> str:
        asked = len(self.asked)
        lines = [f"leave-one-out: {asked} clips of {len(set(self.asked))} actions could be asked"]
        if self.never_asked:
            alone = ", ".join(map(printable, self.never_asked))
            lines[0] += f" ({alone} not: a second clip is needed to hold one out)"
        for method in self.answers:
            right, (low, high) = self.right(method), self.interval(method)
            share = f"{100 * right / asked:3.0f} % (95 % interval {low:.0f} to {high:.0f} %)"
            lines.append(f"  {method:12} {right:3d} right, {share}")
        lines.append(f"chosen: {self.best} (its share is optimistic: it was selected on this score)")
        chance = 100 / len(self.classes)
        if self.interval(self.best)[0] <= chance:
            lines.append(f"these clips cannot tell it from guessing ({chance:.0f} %)")
        for other in self.as_good:
            ours, theirs = self.only_right(self.best, other), self.only_right(other, self.best)
            alone = f"{ours} are right by it alone, {theirs} by {other} alone"
            lines.append(f"these clips cannot tell it from {other}: {alone}")
        return "\n".join(lines)


@torch.inference_mode()
def leave_one_out(methods: Sequence[str | Head], support: Support) -> LeaveOneOut:
    """Ask every method for each clip of ``support``, with that clip (and copies of it) taken away from its action.

    Each clip is asked by itself. An action has one clip fewer than the recogniser will have, so the shares are a little
    low for it.

    Args:
        methods: as for `Recogniser`, of different names; the simplest first, as `LeaveOneOut.best` prefers it among
            equals.

    Raises:
        ValueError: no methods or two of one name, or no action has two different clips, so none can be held out.
    """
    names = [method_name(method) for method in methods]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"methods: expected different ones, found {', '.join(names) or 'none'}")
    asked: list[int] = []
    answers: list[list[int]] = [[] for _ in methods]
    with scored_in_eval_mode(*methods):
        for action, shot in support.mask.nonzero().tolist():
            query = support.features[action, shot]
            mask = support.mask.clone()
            mask[action] &= ~(support.features[action] == query).flatten(1).all(-1)
            if not mask[action].any():
                continue
            asked.append(action)
            remaining = replace(support, mask=mask)
            for method, answered in zip(methods, answers, strict=True):
                answered.append(int(ask(method, remaining, query[None]).logits.argmax()))
    if not asked:
        raise ValueError(
            "no action has two different clips, so none can be held out: add clips, or name the method"
        )
    return LeaveOneOut(
        classes=support.classes,
        asked=tuple(asked),
        answers={name: tuple(answered) for name, answered in zip(names, answers, strict=True)},
        never_asked=tuple(c for i, c in enumerate(support.classes) if i not in asked),
    )
