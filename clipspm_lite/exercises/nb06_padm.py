"""Exercises of notebook 06: attention at each frame position, class tokens, transduction, an anchor for each query."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipspm_lite.exercises.exercise import Exercise, known_mistake, matches, numbers_hint, random_tensor, tensor_hint
from clipspm_lite.model.clip_fsar import CLIPFSARConfig
from clipspm_lite.model.padm import PADM
from clipspm_lite.model.transformer import TransformerBlock

WAY, SHOT, QUERIES, FRAMES, WIDTH = 3, 2, 4, 5, 6


def _episode() -> tuple[Tensor, Tensor]:
    return random_tensor(WAY, SHOT, FRAMES, WIDTH, seed=6), random_tensor(QUERIES, FRAMES, WIDTH, seed=7)


def _block() -> TransformerBlock:
    sizes: dict[str, Any] = dict(heads=2, head_dim=4, mlp_dim=8, dropout=0.0, feedforward_dropout=0.0)
    block = TransformerBlock(CLIPFSARConfig(WIDTH, **sizes))
    with torch.no_grad():
        for number, parameter in enumerate(block.parameters()):
            parameter.copy_(random_tensor(*parameter.shape, seed=number) / 2)
    return block.eval()


def _attend(block: Any, tokens: Tensor, videos: Tensor) -> tuple[Tensor, Tensor]:
    """`PADM._attend` as a function, without a mask."""
    return PADM(block)._attend(tokens, videos, None)


def _find_attend(answer: Callable[..., Any]) -> str | None:
    block, numbers = _block(), (WAY, QUERIES)
    for leading in ((), (2,)):
        tokens, videos = (random_tensor(*leading, n, FRAMES, WIDTH, seed=n, gradient=True) for n in numbers)
        found = answer(block, tokens, videos)
        if isinstance(found, Tensor):
            return "That is one tensor. Give back two, tokens and videos: split it along the axis before the frames."
        if not isinstance(found, tuple | list) or len(found) != 2:
            return f"Expected two tensors, tokens and videos; found {type(found).__name__}."
        together = torch.cat([tokens, videos], dim=-3)
        by_position = block(together.transpose(-2, -3))
        mistakes = {
            "The attention runs over the frames of each video. The block attends along the axis before the last: "
            "bring the videos there and the frame positions in front of it, and bring them back afterwards.": (
                block(together)
            ),
            "All frames of all videos are one set here; each frame position is a set of its own.": (
                block(together.flatten(-3, -2)).view(together.shape)
            ),
            "Tokens and videos stay among themselves here. Both belong to one set: attend first, split afterwards.": (
                torch.cat([block(x.transpose(-2, -3)).transpose(-2, -3) for x in (tokens, videos)], dim=-3)
            ),
        }
        expected = by_position.transpose(-2, -3)
        parts = expected.split(numbers, dim=-3)
        if all(map(matches, found, parts[::-1])):
            return "The values are right, the order is not: the tokens come first, then the videos."
        for name, value, right in zip(("tokens", "videos"), found, parts, strict=True):
            if not isinstance(value, Tensor) or value.shape != right.shape:
                return f"{name}: {tensor_hint(value, right)}"
        hint = known_mistake(torch.cat([*found], dim=-3), expected, mistakes, tokens=tokens, videos=videos)
        if hint is not None:
            return hint
    return None


def _find_share(answer: Callable[[int, int], object]) -> str | None:
    for shots, queries in ((1, 5), (1, 25), (5, 10)):
        expected = shots / (shots + queries)
        mistakes = {
            "That is right for one shot only: a prototype is a sum over K supports too, divided by K.": (
                1 / (shots + queries)
            ),
            "That is the share of the queries in a class token; asked is that of the supports.": 1 - expected,
            "That is supports per query. A class token is divided by all of its members, supports included.": (
                shots / queries
            ),
            "That is how many times the difference of the prototypes is larger: turn it over.": 1 / expected,
        }
        if hint := numbers_hint(answer(shots, queries), expected, mistakes, f"For K = {shots} and Q = {queries}: "):
            return hint
    return None


def _scores(support: Tensor, query: Tensor) -> Tensor:
    return query.mean(-2) @ support.mean((1, 2)).T


def _centred(support: Tensor, query: Tensor) -> Tensor:
    return _scores(support, query - query.mean(0))


def _with_a_small_bias(support: Tensor, query: Tensor) -> Tensor:
    return 100 * _scores(support, query) + query.mean(0).mean() * torch.arange(len(support))


def _with_rounding(support: Tensor, query: Tensor) -> Tensor:
    return _scores(support, query) + 1e-7 * len(query)


def _find_test(answer: Callable[..., object]) -> str | None:
    support, query = _episode()
    methods: list[tuple[Callable[..., Tensor], bool, str]] = [
        (_scores, False, "A method that scores every query by itself was called transductive. Did you change the "
         "query whose logits you compare?"),
        (_centred, True, "A method that takes the mean of all queries off was called inductive. "
         "Another order of the queries does not change their mean: ask without the others."),
        (_with_a_small_bias, True, "The queries shift this method's logits by a little and change none of its answers. "
         "Compare logits, not answers."),
        (_with_rounding, False, "Rounding alone was called transductive. A sum over more clips may end in other last "
         "digits: compare with a tolerance, torch.allclose(…, atol=1e-4)."),
    ]  # fmt: skip
    for method, expected, hint in methods:
        found = answer(method, support.clone(), query.clone())
        if isinstance(found, Tensor | np.ndarray) and found.ndim == 0:
            found = found.item()
        if not isinstance(found, bool | np.bool_):
            return f"Expected True or False, found {type(found).__name__}."
        if bool(found) != expected:
            return hint
    return None


def _find_anchors(answer: Any) -> str | None:
    support, query = _episode()
    found = answer(support.clone(), query.clone())
    hint = tensor_hint(found, query, tolerance=float("inf"))
    if hint is not None:
        return hint
    other = query.clone()
    other[0] += 1
    moved = (answer(support, other) - found).abs().flatten(1).amax(1)
    if (moved[1:] > 1e-5).any():
        return "Exchanging the first query moves the anchors of the others: the mean still runs over all queries."
    if moved[0] <= 1e-5:
        return "A query does not enter its own anchor: it is the same whatever the query is."
    moves = [not matches(answer(support + shot[:, None, None], query), found) for shot in torch.eye(SHOT)]
    if not any(moves):
        return "The supports do not enter: an anchor that is the query itself pulls it nowhere."
    if not all(moves):
        return "Only some of a class's shots enter: all of them count."
    shuffled = answer(support[[2, 0, 1]], query)
    if (shuffled - found).abs().max() > 1e-5:
        return "Another order of the classes gives other anchors: all classes must count alike."
    alike = answer(query[0].expand(WAY, SHOT + 1, *query[0].shape), query[:1])
    if not matches(alike, query[:1]):
        return "If all videos are the same, the anchor must be that video too: take means, not sums."
    return None


EXERCISES = {
    "06.1": Exercise(
        title="attention over a set of videos, at each frame position",
        difficulty=2,
        minutes=10,
        stub='''
def attend(block, tokens, videos):
    """tokens [..., M, T, C], videos [..., V, T, C] → both again, after they attended to each other.

    block attends along the axis before the last. Each frame position is a set of its own, of M + V members.
    """
    together = torch.cat([tokens, videos], dim=-3)  # [..., M + V, T, C]
    attended = ...  # [..., M + V, T, C]
    return ..., ...
'''.strip(),
        solution='''
def attend(block, tokens, videos):
    """tokens [..., M, T, C], videos [..., V, T, C] → both again, after they attended to each other.

    block attends along the axis before the last. Each frame position is a set of its own, of M + V members.
    """
    together = torch.cat([tokens, videos], dim=-3)  # [..., M + V, T, C]
    attended = block(together.transpose(-2, -3)).transpose(-2, -3)
    return attended.split([tokens.shape[-3], videos.shape[-3]], dim=-3)
'''.strip(),
        find=_find_attend,
        importance=3,
        task=(
            "With the axes as they come, `[M + V, T, C]`, the block would attend over the *frames of each video*, "
            "without an error. Fill the gaps. Then PADM below is built with yours."
        ),
        idea="Bring the videos to the axis before the last, and the frame positions in front; afterwards back.",
        template="attended = block(together.transpose(...)).transpose(...)\n"
        "return attended.split([tokens.shape[-3], videos.shape[-3]], dim=...)",
        why="Counted from the end, the axes are the same with a batch and without. Frame positions do not meet.",
        library=lambda: _attend,
    ),
    "06.2": Exercise(
        title="what is left of the supports",
        difficulty=1,
        minutes=5,
        stub='''
def share_of_supports(shots, queries):
    """K shots per class, Q queries → the factor between the two differences, a number between 0 and 1."""
    return ...
'''.strip(),
        solution='''
def share_of_supports(shots, queries):
    """K shots per class, Q queries → the factor between the two differences, a number between 0 and 1."""
    return shots / (shots + queries)
'''.strip(),
        find=_find_share,
        importance=2,
        task=(
            "Two class tokens differ by their supports alone. Their difference is the difference of the two "
            "*prototypes* (means over K shots) times a factor. Which one, with K shots and Q queries? "
            "And what does it become for 100 queries and one shot?"
        ),
        idea="Write both differences with the sums over supports; the queries cancel out.",
        template="# prototypes: (S₁ − S₂) / K        class tokens: (S₁ − S₂) / ...\nreturn shots / ...",
        why="*Expected:* `share_of_supports(1, 100)` gives 0.0099. With 100 queries a hundredth is left: all class "
        "tokens are then nearly the mean of the queries.",
    ),
    "06.3": Exercise(
        title="a test for transduction",
        difficulty=2,
        minutes=12,
        stub='''
def is_transductive(method, support, query):
    """method(support, query) → logits [Q, N]. True if the logits of a query depend on the other queries."""
    return ...
'''.strip(),
        solution='''
def is_transductive(method, support, query):
    """method(support, query) → logits [Q, N]. True if the logits of a query depend on the other queries."""
    together = method(support, query)
    alone = torch.cat([method(support, one[None]) for one in query])
    return not torch.allclose(together, alone, atol=1e-4)
'''.strip(),
        find=_find_test,
        importance=3,
        task=(
            "Somebody hands you a method and does not say how it works inside. "
            "Find out by calling it whether it is transductive. support is `[N, K, T, C]`, query `[Q, T, C]`."
        ),
        idea="Ask each query alone, and compare with what it got in company.",
        template="together = method(support, query)\n"
        "alone = torch.cat([method(support, ...) for one in query])\nreturn ...",
        why="Logits are compared and not answers, as an answer can survive a shift; the tolerance is for rounding.",
    ),
    "06.4": Exercise(
        title="an anchor for each query",
        difficulty=3,
        minutes=20,
        stub='''
def anchors(support, query):
    """support [N, K, T, C], query [Q, T, C] → [Q, T, C]: an anchor for each query that knows no other query."""
    return ...
'''.strip(),
        solution='''
def anchors(support, query):
    """support [N, K, T, C], query [Q, T, C] → [Q, T, C]: an anchor for each query that knows no other query."""
    shots = support.shape[1]
    class_tokens = (support.sum(1) + query[:, None]) / (shots + 1)  # [Q, N, T, C]
    return class_tokens.mean(1)
'''.strip(),
        find=_find_anchors,
        importance=1,
        task=(
            "Open: the anchor is the same for all queries, and moves when one of them is exchanged. Invent an "
            "anchor for each query that depends on that query and on the supports of\n"
            "all classes alike, and on no other query. The checker tests these properties, not one formula."
        ),
        idea="Make the class tokens of each query alone, then average over classes.",
        template=(
            "shots = support.shape[1]\n"
            "class_tokens = (support.sum(1) + query[:, None]) / ...  # [Q, N, T, C]\n"
            "return ..."
        ),
        why="A mean over all classes treats them alike, and only one query enters each anchor.",
    ),
}
