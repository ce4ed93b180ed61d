"""Exercises of notebook 09: a method of one's own."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from clipspm_lite.exercises.exercise import Exercise, tensor_hint


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
    first, second = torch.eye(8)[:2]
    changes = torch.stack([first, first, second, second, second])
    clips = torch.stack([F.pad(steps.cumsum(0), (0, 0, 1, 0)) for steps in (changes, changes.flip(0))])
    found = logits(clips[None, :, None], clips[None], random(1, 2, 8))[0]
    if (found.diagonal() < found.flip(-1).diagonal() - 1e-3).any():
        return "A clip is less like itself than like one with its changes in the reverse order: is one turned round?"
    return None


EXERCISES = {
    "09.1": Exercise(
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
        importance=2,
        task=(
            "Open: write a method that gives the same logits when the same vector is added to all frames of a "
            "clip (a static background), other logits when a query is played backwards, and looks at each query"
            ' alone. The checker tests these properties, not one formula. Then run `show_row(fair_rows("mine", '
            'my_method), "mine")`, and compare context with order classes.'
        ),
        idea=(
            "A difference of neighbouring frames takes away what all frames share, and turns its sign when time does."
        ),
        template=("support, query = (... for video in (support, query))\nreturn otam(support, query, class_text)"),
        why="What is constant cancels in each difference, and OTAM keeps the order.",
    )
}
