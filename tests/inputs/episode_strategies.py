"""Hypothesis strategies: episodes as they should be, laid out in memory in any way, and episodes that are none."""

from dataclasses import dataclass, replace

import torch
from hypothesis import strategies as st
from torch import Tensor

WIDTH = 8
FRAMES = 3  # what TRX needs


@dataclass(frozen=True)
class Given:
    """An episode's arguments, in the order of the calls."""

    support: Tensor
    query: Tensor
    class_text: Tensor
    support_mask: Tensor | None
    query_labels: Tensor

    @property
    def asked(self):
        return self.support, self.query, self.class_text, self.support_mask

    @property
    def learnt(self):
        return self.support, self.query, self.class_text, self.query_labels, self.support_mask


ANY_LEADING = st.lists(st.integers(1, 2), max_size=2)


@st.composite
def episodes(draw, leading=ANY_LEADING):
    """Sound ones: any leading axes, few classes, shots, queries and frames, with a mask or without."""
    axes = draw(leading)
    way, shot, queries = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    frames, scale = draw(st.integers(FRAMES, 5)), draw(st.sampled_from([1e-3, 1.0, 30.0]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))

    def features(*shape):
        return scale * torch.randn(*axes, *shape, generator=generator)

    mask = None
    if draw(st.booleans()):
        mask = torch.rand(*axes, way, shot, generator=generator) < 0.5
        mask[..., 0] = True
    support = features(way, shot, frames, WIDTH)
    if draw(st.booleans()):
        support = torch.zeros_like(support)  # black videos, or a text of nothing, are no reason to fail
    return Given(
        support,
        features(queries, frames, WIDTH),
        features(way, WIDTH),
        mask,
        torch.randint(way, (*axes, queries), generator=generator),
    )


def strided(tensor):
    """The same values, every second entry of a larger tensor."""
    spread = torch.full((*tensor.shape[:-1], 2 * tensor.shape[-1]), 7).to(tensor.dtype)
    spread[..., ::2] = tensor
    return spread[..., ::2]


def turned(tensor):
    """The same values, with the last two axes laid out the other way round."""
    return tensor.transpose(-1, -2).contiguous().transpose(-1, -2) if tensor.ndim > 1 else strided(tensor)


def tracked(tensor):
    """The same values, part of a graph."""
    return tensor.clone().requires_grad_() * 1 if tensor.is_floating_point() else tensor


def expanded(tensor):
    """The same values with a leading axis that takes no memory, taken off again."""
    return tensor.expand(3, *tensor.shape)[1]


LAYOUTS = (strided, turned, tracked, expanded)


@st.composite
def laid_out(draw, given):
    """The same episode, each tensor laid out in memory in another way."""
    fields = ("support", "query", "class_text", "support_mask", "query_labels")
    layouts = {name: draw(st.sampled_from(LAYOUTS)) for name in fields}
    return replace(
        given,
        **{name: layout(t) for name, layout in layouts.items() if (t := getattr(given, name)) is not None},
    )


def spoil(name, how):
    return lambda given: replace(given, **{name: how(getattr(given, name))})


def wrong_tensors(name):
    """Ways to make one argument of a sound episode wrong, by a word for it."""
    ways = {
        "no tensor": lambda t: t.numpy(),
        "a list": lambda t: t.tolist(),
        "nothing": lambda t: "text",
        "an axis too few": lambda t: t.flatten(0, 1) if t.ndim > 1 else t.sum(),
        "an axis too many": lambda t: t.unsqueeze(-2),
        "no frame, shot or class": lambda t: t[..., :0, :] if t.ndim > 1 else t[:0],
        "another width": lambda t: torch.cat([t, t[..., :1]], dim=-1),
        "whole numbers": lambda t: t.long(),
        "complex": lambda t: t.to(torch.complex64),
        "double": lambda t: t.double(),
        "half": lambda t: t.half(),
        "on another device": lambda t: t.to("meta"),
        "huge": lambda t: t.new_zeros(()).expand(10**6, *t.shape, 10**6),
        "sparse": lambda t: t.to_sparse(),
    }
    return {f"{name}: {word}": spoil(name, how) for word, how in ways.items()}


WRONG_EPISODES = wrong_tensors("support") | wrong_tensors("query") | wrong_tensors("class_text")


def masked(make):
    return lambda given: replace(given, support_mask=make(given.support.shape[:-2]))


WRONG_MASKS = {
    "support_mask: none of the shots": masked(lambda shape: torch.zeros(shape, dtype=torch.bool)),
    "support_mask: numbers": masked(torch.ones),
    "support_mask: another shape": masked(lambda shape: torch.ones(*shape, 1, dtype=torch.bool)),
    "support_mask: for one class": masked(lambda shape: torch.ones(shape[-2], dtype=torch.bool)),
    "support_mask: no tensor": masked(lambda shape: True),
    "support_mask: on another device": masked(
        lambda shape: torch.ones(shape, dtype=torch.bool, device="meta")
    ),
}
WRONG_LABELS = {
    "query_labels: too large": spoil("query_labels", lambda t: t + 99),
    "query_labels: negative": spoil("query_labels", lambda t: t - 99),
    "query_labels: floats": spoil("query_labels", lambda t: t.float()),
    "query_labels: int32": spoil("query_labels", lambda t: t.int()),
    "query_labels: booleans": spoil("query_labels", lambda t: t.bool()),
    "query_labels: one too many": spoil("query_labels", lambda t: torch.cat([t, t[..., :1]], dim=-1)),
    "query_labels: one-hot": spoil("query_labels", lambda t: torch.stack([t, t], dim=-1)),
    "query_labels: a list": spoil("query_labels", lambda t: t.tolist()),
    "query_labels: on another device": spoil("query_labels", lambda t: t.to("meta")),
}
