"""Exercises of notebook 06: class tokens, attention at each frame position, the score, an anchor for each query."""

from typing import Any

import torch
from torch import Tensor

from clipspm_lite.exercises.exercise import Exercise, known_mistake, matches, tensor_hint
from clipspm_lite.model.clip_fsar import CLIPFSARConfig
from clipspm_lite.model.transformer import TransformerBlock

WAY, SHOT, QUERIES, FRAMES, WIDTH = 3, 2, 4, 5, 6


def _episode() -> tuple[Tensor, Tensor]:
    numbers = torch.Generator().manual_seed(6)
    support = torch.randn(WAY, SHOT, FRAMES, WIDTH, generator=numbers)
    return support, torch.randn(QUERIES, FRAMES, WIDTH, generator=numbers)


def _block() -> TransformerBlock:
    block = TransformerBlock(
        CLIPFSARConfig(WIDTH, heads=2, head_dim=4, mlp_dim=8, dropout=0.0, feedforward_dropout=0.0)
    )
    numbers = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=numbers) / 2)
    return block.eval()


def _tokens(support: Tensor, query: Tensor) -> Tensor:
    return (support.sum(1) + query.sum(0)) / (support.shape[1] + len(query))


def _find_tokens(answer: Any) -> str | None:
    support, query = _episode()
    found = answer(support.clone(), query.clone())
    if matches(found, support.mean(1)):
        return "These are the plain prototypes: the queries are missing from the mean."
    if matches(found, (support.mean(1) + query.mean(0)) / 2):
        return (
            "This is a mean of two means. One mean over all K + Q videos gives each of them the same weight, "
            "and there are more queries than shots."
        )
    if matches(found, (support.sum(1) + query.sum(0)) / SHOT):
        return "The sum is right; it is divided by the K shots alone, not by all the videos that are in it."
    if matches(found, _tokens(support, query).mean(0, keepdim=True)):
        return "This is the anchor, the mean over classes: a class token for each class is asked for."
    return tensor_hint(found, _tokens(support, query))


def _find_attention(answer: Any) -> str | None:
    support, query = _episode()
    block, tokens, videos = _block(), _tokens(support, query), support.flatten(0, 1)
    together = torch.cat([tokens, videos])
    with torch.no_grad():
        by_position = block(together.transpose(0, 1))
        expected = by_position.transpose(0, 1)
        found = answer(block, tokens.clone(), videos.clone())
        over_frames = block(together)
        everything = block(together.flatten(0, 1)).view(together.shape)
        alone = block(videos.transpose(0, 1)).transpose(0, 1)
        reordered = block(torch.cat([videos, tokens]).transpose(0, 1)).transpose(0, 1)
    if matches(found, over_frames):
        return (
            "The attention runs over the frames of each video. The block attends along the axis before the last: "
            "bring the videos there and the frame positions in front of it, and bring them back afterwards."
        )
    if matches(found, everything):
        return "All frames of all videos are one set here; each frame position is a set of its own."
    if matches(found, by_position):
        return "The attention is right; its result still has the frame positions first: exchange the axes back."
    if matches(found, alone):
        return "The class tokens are missing: they stand in the set beside the videos."
    if matches(found, reordered):
        return "The values are right, the order is not: the tokens come first, then the videos."
    return tensor_hint(found, expected)


def _find_score(answer: Any) -> str | None:
    numbers = torch.Generator().manual_seed(7)
    spm, padm, anchor = (torch.randn(rows, WAY, generator=numbers) for rows in (QUERIES, QUERIES, 1))
    found = answer(spm.clone(), padm.clone(), anchor.clone())
    expected = -(spm / 2 + padm + anchor)
    mistakes = {
        "The sign: a small distance must give a large logit.": -expected,
        "The ½ of D_SPM is forgotten.": -(spm + padm + anchor),
        "The ½ belongs to D_SPM alone.": -(spm + padm + anchor) / 2,
        "Only D_SPM is negated: mind the brackets.": -spm / 2 + padm + anchor,
        "D_anchor is missing.": -(spm / 2 + padm),
    }
    return known_mistake(found, expected, mistakes)


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
    if (answer(support + 1, query) - found).abs().max() <= 1e-5:
        return "The supports do not enter: an anchor that is the query itself pulls it nowhere."
    shuffled = answer(support[[2, 0, 1]], query)
    if (shuffled - found).abs().max() > 1e-5:
        return "Another order of the classes gives other anchors: all classes must count alike."
    alike = answer(query[0].expand_as(support), query[:1])
    if not matches(alike, query[:1]):
        return "If all videos are the same, the anchor must be that video too: take means, not sums."
    return None


EXERCISES = {
    "06.1": Exercise(
        title="class tokens",
        difficulty=1,
        minutes=5,
        stub='''
def class_tokens(support, query):
    """support [N, K, T, C], query [Q, T, C] → u [N, T, C]: the mean over a class's supports and all queries."""
    members = ...
    total = ...
    return ...
'''.strip(),
        solution='''
def class_tokens(support, query):
    """support [N, K, T, C], query [Q, T, C] → u [N, T, C]: the mean over a class's supports and all queries."""
    members = support.shape[1] + len(query)
    total = support.sum(1) + query.sum(0)
    return total / members
'''.strip(),
        find=_find_tokens,
        importance=3,
        task=(
            "Fill in the three gaps: how many videos are in the mean, their sum for each class, and the class token."
        ),
        idea="One mean over K supports and Q queries: one sum, one division.",
        template="members = support.shape[1] + len(query)\ntotal = ... + ...\nreturn total / members",
        why="Every video counts alike, so with many queries the token is mostly theirs.",
    ),
    "06.2": Exercise(
        title="attention over the set, at each frame position",
        difficulty=2,
        minutes=10,
        stub='''
def attend(block, tokens, videos):
    """tokens [M, T, C], videos [V, T, C] → [M + V, T, C]; block attends along the axis before the last."""
    together = torch.cat([tokens, videos])
    ...
'''.strip(),
        solution='''
def attend(block, tokens, videos):
    """tokens [M, T, C], videos [V, T, C] → [M + V, T, C]; block attends along the axis before the last."""
    together = torch.cat([tokens, videos])
    by_position = together.transpose(0, 1)
    return block(by_position).transpose(0, 1)
'''.strip(),
        find=_find_attention,
        importance=3,
        task=(
            "Let tokens and videos attend to each other at each frame position, and give back the axes in the "
            "order in which they came, tokens first."
        ),
        idea=(
            "The block attends along the axis before the last: bring the videos there, and the frame positions "
            "in front."
        ),
        template="by_position = together.transpose(...)\nreturn block(by_position).transpose(...)",
        why="At each frame position the set is M tokens and V videos; positions do not see each other.",
    ),
    "06.3": Exercise(
        title="the score",
        difficulty=1,
        minutes=5,
        stub='''
def score(spm_distance, padm_distance, anchor_distance):
    """D_SPM [Q, N], D_PADM [Q, N], D_anchor [1, N] → logits [Q, N]."""
    return ...
'''.strip(),
        solution='''
def score(spm_distance, padm_distance, anchor_distance):
    """D_SPM [Q, N], D_PADM [Q, N], D_anchor [1, N] → logits [Q, N]."""
    return -(spm_distance / 2 + padm_distance + anchor_distance)
'''.strip(),
        find=_find_score,
        importance=2,
        task="Put the three distances together. The anchor's single row needs no repeating: it broadcasts.",
        idea="Distances are small for a good match, logits large.",
        template="return -(spm_distance / 2 + ...)",
        why="The anchor's row is the same for all queries: it raises or lowers whole classes.",
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
