"""Choosing a method on one's own few clips: leave one out, and what so few answers allow to be said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, sqrt

import torch
from scipy.stats import binomtest

from clipspm_lite.data.names import printable
from clipspm_lite.model.heads import Head, scored_in_eval_mode
from clipspm_lite.recognition.recogniser import Support, ask, method_name

# Need no training, the simplest first. Distance correlation answers too much like the cosine to be one more choice.
CHOICES = ("zero-shot", "prototype", "bi-mhm", "otam", "otam centred")
CONFIDENCE = erf(1.96 / sqrt(2))  # 95 %, as the 1.96 standard errors of `evaluate`'s intervals


@dataclass(frozen=True)
class LeaveOneOut:
    """Every clip that could be held out, asked of each method with the remaining clips as support."""

    classes: tuple[str, ...]  # names of the actions, all of them possible answers
    asked: tuple[int, ...]  # the action, as a place in classes, of each clip that was asked
    answers: dict[str, tuple[int, ...]]  # of each method, in the order given, the action it answered for each of them
    never_asked: tuple[str, ...]  # actions with a single clip, or copies of one, which cannot be held out

    def right(self, method: str) -> int:
        """How many clips the method named correctly."""
        return sum(a == b for a, b in zip(self.asked, self.answers[method], strict=True))

    def interval(self, method: str) -> tuple[float, float]:
        """95 % interval (Wilson's) of the share that it would name correctly, in per cent.

        It assumes independent clips. Those of one person in one place are not: for others it is too narrow."""
        interval = binomtest(self.right(method), len(self.asked)).proportion_ci(CONFIDENCE, method="wilson")
        return 100 * float(interval.low), 100 * float(interval.high)

    @property
    def best(self) -> str:
        """The method with the most right answers; of several, the one that was given first."""
        return max(self.answers, key=self.right)

    def only_right(self, one: str, other: str) -> int:
        """How many clips ``one`` gets right and ``other`` does not."""
        answers = zip(self.asked, self.answers[one], self.answers[other], strict=True)
        return sum(a == truth != b for truth, a, b in answers)

    @property
    def as_good(self) -> tuple[str, ...]:
        """What a two-sided sign test at 5 %, on clips that only one of two gets right, cannot tell from the best."""
        others = (method for method in self.answers if method != self.best)
        counts = {other: (self.only_right(self.best, other), self.only_right(other, self.best)) for other in others}
        return tuple(m for m, (won, lost) in counts.items() if won == lost or binomtest(won, won + lost).pvalue >= 0.05)

    def __str__(self) -> str:
        asked, chance = len(self.asked), 100 / len(self.classes)
        lines = [f"leave-one-out: {asked} clips of {len(set(self.asked))} actions could be asked"]
        if self.never_asked:
            alone = ", ".join(map(printable, self.never_asked))
            lines[0] += f" ({alone} not: a second clip is needed to hold one out)"
        for method in self.answers:
            right, (low, high) = self.right(method), self.interval(method)
            share = f"{100 * right / asked:3.0f} % (95 % interval {low:.0f} to {high:.0f} %)"
            lines.append(f"  {method:12} {right:3d} right, {share}")
        lines.append(f"chosen: {self.best} (its share is optimistic: it was selected on this score)")
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

    An action then has one clip fewer than the recogniser will have, so the shares are a little low. Give the simplest
    method first, which `LeaveOneOut.best` prefers. Raises ValueError if no action has two clips, or two methods a name.
    """
    names = [method_name(method) for method in methods]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"methods: expected different ones, found {', '.join(names) or 'none'}")
    held_out = []
    for action, shot in support.mask.nonzero().tolist():
        query, mask = support.features[action, shot], support.mask.clone()
        mask[action] &= ~(support.features[action] == query).flatten(1).all(-1)
        if mask[action].any():
            held_out.append((action, replace(support, mask=mask), query[None]))
    if not held_out:
        raise ValueError("no action has two different clips, so none can be held out: add clips, or name the method")
    asked = tuple(action for action, _, _ in held_out)
    answers: dict[str, tuple[int, ...]] = {}
    with scored_in_eval_mode(*methods):
        for name, method in zip(names, methods, strict=True):
            answers[name] = tuple(int(ask(method, rest, query).logits.argmax()) for _, rest, query in held_out)
    never_asked = tuple(name for place, name in enumerate(support.classes) if place not in asked)
    return LeaveOneOut(support.classes, asked, answers, never_asked)
