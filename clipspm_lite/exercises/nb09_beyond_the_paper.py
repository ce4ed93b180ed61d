"""Exercises of notebook 09: the cores of three other methods, a module and a method of one's own."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipspm_lite.exercises.exercise import Exercise, known_mistake, matches, random_tensor, tensor_hint
from clipspm_lite.model import baselines
from clipspm_lite.model.head import cross_entropy_losses
from clipspm_lite.model.otam import frame_distances
from clipspm_lite.model.transformer import TransformerBlock


def set_distance(query: Tensor, support: Tensor) -> Tensor:
    """What the notebook uses in place of 09.1: Bi-MHM's distance of two videos ``[T, C]``."""
    distances = frame_distances(query, support)
    return distances.amin(1).mean() + distances.amin(0).mean()


def modulate(block: Callable[[Tensor], Tensor], support: Tensor, class_text: Tensor) -> Tensor:
    """What the notebook uses in place of 09.2: supports ``[N, K, T, C]`` after the block, beside their text."""
    texts = class_text[:, None, None].expand(-1, support.shape[1], 1, -1)
    return block(torch.cat([texts, support], dim=-2))[..., 1:, :]


def tuple_prototypes(query_keys: Tensor, support_keys: Tensor, support_values: Tensor) -> Tensor:
    """What the notebook uses in place of 09.3: for each query tuple the mix of support values, ``[P, d]``."""
    return (query_keys @ support_keys.T / support_keys.shape[-1] ** 0.5).softmax(-1) @ support_values


class MyHead(nn.Module):
    """What the notebook uses in place of 09.4: one learned matrix in front of OTAM."""

    loss_form = "mean"

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.config = {"model": "mine", "dim": dim}
        self.project = nn.Linear(dim, dim)

    def forward(self, support: Tensor, query: Tensor, class_text: Tensor, support_mask: Any = None) -> baselines.Scores:
        return baselines.otam(self.project(support), self.project(query), class_text)

    def losses(self, support: Tensor, query: Tensor, class_text: Tensor, query_labels: Tensor, mask: Any = None) -> Any:
        return cross_entropy_losses(self(support, query, class_text).logits, query_labels)


def _find_set_distance(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    for frames in ((4, 4), (3, 5)):
        query, support = (random_tensor(n, 6, seed=seed, gradient=True) for seed, n in enumerate(frames))
        distances = frame_distances(query, support)
        there, back = distances.amin(1), distances.amin(0)
        mistakes = {
            "Only the query's frames look for their nearest: the support's do too.": there.mean(),
            "Only the support's frames look for their nearest: the query's do too.": back.mean(),
            "The frames' distances are added up: take their mean in each direction.": there.sum() + back.sum(),
            "Every frame meets all others: it should meet its nearest alone.": 2 * distances.mean(),
            "The two directions are averaged: add them.": (there.mean() + back.mean()) / 2,
            "That is the largest of the nearest distances (Hausdorff): take their mean.": there.amax() + back.amax(),
        }
        found, expected = answer(query, support), set_distance(query, support)
        if hint := known_mistake(found, expected, mistakes, query=query, support=support):
            return hint
    return None


def _find_modulate(answer: Callable[[Any, Tensor, Tensor], Any]) -> str | None:
    config = type("Config", (), dict(dim=8, heads=2, head_dim=4, mlp_dim=16, dropout=0.0, feedforward_dropout=0.0))
    torch.manual_seed(0)
    block = TransformerBlock(config).eval()
    for way, shot, frames in ((3, 2, 4), (2, 1, 5)):
        support, text = (random_tensor(way, *axes, 8, seed=shot, gradient=True) for axes in ((shot, frames), ()))
        joined = torch.cat([text[:, None, None].expand(-1, shot, 1, -1), support], dim=-2)
        mistakes = {
            "The text token is kept and the last frame dropped: drop the first token.": block(joined)[..., :-1, :],
            "The text token is still there: drop it, T frames come out.": block(joined),
            "The frames never meet the text: put it in front of them as a token.": block(support),
            "The text is added to every frame: put it in front of them as a token of its own.": block(
                support + text[:, None, None]
            ),
            "Nothing goes through the block.": support,
        }
        found, expected = answer(block, support, text), modulate(block, support, text)
        if hint := known_mistake(found, expected, mistakes, support=support, class_text=text):
            return hint
    return None


def _find_tuple_prototypes(answer: Callable[[Tensor, Tensor, Tensor], Any]) -> str | None:
    for tuples, others in ((3, 5), (4, 4)):
        sizes = (tuples, 6), (others, 6), (others, 5)
        asked, keys, values = (random_tensor(*size, seed=seed, gradient=True) for seed, size in enumerate(sizes))
        likeness = asked @ keys.T
        mistakes = {
            "The weights of a query's tuple must add up to 1 over the support's tuples: softmax over the last axis.": (
                (likeness / 6**0.5).softmax(0) @ values
            ),
            "The likeness is not divided by √d_k.": likeness.softmax(-1) @ values,
            "The likeness is divided by d_k: divide by √d_k.": (likeness / 6).softmax(-1) @ values,
            "It is the width of the keys that counts, not that of the values.": (likeness / 5**0.5).softmax(-1)
            @ values,
            "The keys are mixed: keys find, values are mixed.": (likeness / 6**0.5).softmax(-1) @ keys,
            "The likeness itself weighs: take its softmax.": likeness / 6**0.5 @ values,
        }
        inputs = dict(query_keys=asked, support_keys=keys, support_values=values)
        if hint := known_mistake(answer(*inputs.values()), tuple_prototypes(**inputs), mistakes, **inputs):
            return hint
    return None


def _find_head(answer: Callable[[int], Any]) -> str | None:
    torch.manual_seed(0)
    head = answer(8)
    if not isinstance(head, nn.Module):
        return f"Expected a class of nn.Module, found one of {type(head).__name__}."
    head.eval()  # dropout would make two calls differ
    if not any(weight.requires_grad for weight in head.parameters()):
        return "It has no weights to train: make some in __init__."
    support, query, text = (random_tensor(2, *s, 8, seed=len(s), gradient=True) for s in ((3, 2, 6), (4, 6), (3,)))
    result = head(support, query, text)
    if result is None or result is ...:
        return "It returns nothing yet: replace the … and return Scores."
    if not hasattr(result, "logits"):
        return f"It should return something with .logits, as Scores(logits); found {type(result).__name__}."
    if hint := _logits_hint(result.logits):
        return hint
    smaller = (random_tensor(*size, 6, seed=5) for size in ((2, 1, 4), (3, 4), (2,)))
    if hint := tensor_hint(answer(6)(*smaller).logits, torch.zeros(3, 2), tolerance=float("inf")):
        return f"For dim = 6 and supports [2, 1, 4, 6]: {hint}"
    if not result.logits.requires_grad:
        return "No gradient reaches its weights: let the logits depend on them, by torch's operations."
    labels = torch.tensor([[0, 1, 2, 0], [2, 1, 0, 1]])
    if not torch.allclose(head(support, query[:, :2], text).logits, result.logits[:, :2], atol=1e-3):
        return "A query's logits depend on the other queries: then a row depends on how queries are asked."
    if matches(head(support, random_tensor(2, 4, 6, 8, seed=0), text).logits, result.logits):
        return "Other queries get the same logits: the query does not enter."
    alone = [matches(head(support[:, :, [shot, shot]], query, text).logits, result.logits) for shot in (0, 1)]
    if alone[0] != alone[1]:
        return "Only some of a class's shots enter: all of them count."
    clips = random_tensor(20, 3, 1, 6, 8, seed=4)
    if (head(clips, clips.squeeze(2), random_tensor(20, 3, 8, seed=5)).logits.argmax(-1) != torch.arange(3)).all():
        return "A copy of a support never gets the largest logit of its own class: is the sign right?"
    losses: Callable[..., Any] = head.losses  # type: ignore[assignment]
    losses(support, query, text, labels).total.sum().backward()
    if not any(w.grad is not None and bool(w.grad.abs().sum() > 0) for w in head.parameters()):
        return "No gradient reaches its weights: let the logits depend on them, by torch's operations."
    return None if isinstance(head.config, dict) and head.config.get("dim") == 8 else "Keep config as it was given."


def _logits_hint(found: object) -> str | None:
    if not isinstance(found, Tensor) or tuple(found.shape) != (2, 4, 3) or not found.isfinite().all():
        return tensor_hint(found, torch.zeros(2, 4, 3))
    return None


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
    if hint := _logits_hint(found):
        return hint

    def differs(other: torch.Tensor, than: torch.Tensor = found) -> bool:
        return float((other - than).abs().max()) > 1e-3

    if differs(logits(support, query[:, :1], text), found[:, :1]):
        return "A query's logits depend on the other queries: then a row depends on how queries are asked."
    if differs(logits(support + 5 * random(2, 3, 2, 1, 8), query + 5 * random(2, 4, 1, 8), text)):
        return "The same vector added to all frames of a clip changes the logits: what stands still must not count."
    if not differs(logits(support[:, :, [0, 0]], query, text)):
        return "Only the first shot enters: all of a class's shots count."
    if not differs(logits(support, query.flip(-2), text)):
        return "A query played backwards gets the same logits: the method knows no order in time."
    return _finds_order(logits, random)


def _finds_order(logits: Callable[..., Tensor], random: Callable[..., Tensor]) -> str | None:
    """None for a method that finds a clip among the same clip and its reverse, at an even and an uneven pace."""
    steps = torch.linspace(-1, 1, 6)[:, None] * random(1, 8)
    up_down = torch.stack([steps, -steps])[None, :, None] + 3 * random(1, 2, 1, 1, 8)
    asked = torch.stack([steps, -steps])[None] + 3 * random(1, 2, 1, 8) + 0.05 * random(1, 2, 6, 8)
    if logits(up_down, asked, random(1, 2, 8)).argmax(-1).tolist() != [[0, 1]]:
        return "Two made-up clips, the same change forwards and backwards, are not told apart: is the sign right?"
    first, second = torch.eye(8)[:2]
    changes = torch.stack([first, first, second, second, second])  # now one, then another: no constant speed
    clips = torch.stack([F.pad(steps.cumsum(0), (0, 0, 1, 0)) for steps in (changes, changes.flip(0))])
    found = logits(clips[None, :, None], clips[None], random(1, 2, 8))[0]
    if (found.diagonal() < found.flip(-1).diagonal() - 1e-3).any():
        return "A clip is less like itself than like one with its changes in the reverse order: is one turned round?"
    clips = torch.stack([clips[0], clips[0].flip(0)])
    found = logits(clips[None, :, None], clips[None], random(1, 2, 8))[0]
    if (found.diagonal() <= found.flip(-1).diagonal() + 1e-3).any():
        return "A clip at an uneven pace is not more like itself than like itself played backwards."
    return None


EXERCISES = {
    "09.1": Exercise(
        title="frames as a set",
        difficulty=1,
        minutes=8,
        stub='''def set_distance(query, support):
    """Frames [T, C] of two videos → their Bi-MHM distance, a number."""
    distances = frame_distances(query, support)  # [T of query, T of support]
    return ...
''',
        solution='''def set_distance(query, support):
    """Frames [T, C] of two videos → their Bi-MHM distance, a number."""
    from clipspm_lite.model.otam import frame_distances

    distances = frame_distances(query, support)  # [T of query, T of support]
    return distances.amin(1).mean() + distances.amin(0).mean()
''',
        find=_find_set_distance,
        library=lambda: set_distance,
        task="Write the distance. The cost of two frames, 1 − cosine, is OTAM's.",
        idea="A row's least is a query frame's nearest, a column's least is a support frame's.",
        template="return distances.amin(1).mean() + ...",
        why="No place in time enters, so a clip and its reverse are the same set.",
    ),
    "09.2": Exercise(
        title="a name among the frames",
        difficulty=2,
        minutes=10,
        stub='''def modulate(block, support, class_text):
    """support [N, K, T, C], class_text [N, C] → the supports after the block, [N, K, T, C]."""
    tokens = ...
    return ...
''',
        solution='''def modulate(block, support, class_text):
    """support [N, K, T, C], class_text [N, C] → the supports after the block, [N, K, T, C]."""
    text = class_text[:, None, None].expand(-1, support.shape[1], 1, -1)  # the same for each shot
    tokens = torch.cat([text, support], dim=-2)
    return block(tokens)[..., 1:, :]
''',
        find=_find_modulate,
        library=lambda: modulate,
        task="Put each class's text in front of the frames of its support clips, send them through the block, and drop "
        "the text token.",
        idea="Make the text [N, K, 1, C], join it to the frames on the axis of time, and cut it off after the block.",
        template="text = class_text[:, None, None].expand(-1, support.shape[1], 1, -1)\n"
        "tokens = torch.cat([...], dim=-2)\nreturn block(tokens)[..., 1:, :]",
        why="Attention lets each frame take what it needs of the name. The name itself is not matched with the query.",
    ),
    "09.3": Exercise(
        title="which pairs of frames answer",
        difficulty=2,
        minutes=10,
        stub='''def tuple_prototypes(query_keys, support_keys, support_values):
    """Keys [P, d_k] of a query's tuples, keys [S, d_k] and values [S, d] of a class's → its answer to each, [P, d]."""
    weights = ...
    return ...
''',
        solution='''def tuple_prototypes(query_keys, support_keys, support_values):
    """Keys [P, d_k] of a query's tuples, keys [S, d_k] and values [S, d] of a class's → its answer to each, [P, d]."""
    weights = (query_keys @ support_keys.T / support_keys.shape[-1] ** 0.5).softmax(-1)  # [P, S]
    return weights @ support_values
''',
        find=_find_tuple_prototypes,
        library=lambda: tuple_prototypes,
        task="Write the attention: how much each tuple of a class's clips counts for each tuple of the query.",
        idea="Keys find, values are mixed, and the weights of a query's tuple add up to 1 over the class's tuples.",
        template="weights = (query_keys @ ... / support_keys.shape[-1] ** 0.5).softmax(-1)\n"
        "return weights @ support_values",
        why="So each tuple of the query gets a prototype of its own, made of those tuples that look like it.",
    ),
    "09.4": Exercise(
        title="a module of your own",
        difficulty=3,
        minutes=20,
        stub='''class MyHead(nn.Module):
    loss_form = "mean"

    def __init__(self, dim):
        super().__init__()
        self.config = {"model": "mine", "dim": dim}
        ...

    def forward(self, support, query, class_text, support_mask=None):
        """support [..., N, K, T, C], query [..., Q, T, C], class_text [..., N, C] → Scores with logits [..., Q, N]."""
        return ...

    def losses(self, support, query, class_text, query_labels, support_mask=None):
        return cross_entropy_losses(self(support, query, class_text).logits, query_labels)
''',
        solution='''class MyHead(nn.Module):
    loss_form = "mean"

    def __init__(self, dim):
        super().__init__()
        self.config = {"model": "mine", "dim": dim}
        self.project = nn.Linear(dim, dim)

    def forward(self, support, query, class_text, support_mask=None):
        """support [..., N, K, T, C], query [..., Q, T, C], class_text [..., N, C] → Scores with logits [..., Q, N]."""
        from clipspm_lite.model import baselines

        return baselines.otam(self.project(support), self.project(query), class_text)

    def losses(self, support, query, class_text, query_labels, support_mask=None):
        from clipspm_lite.model.head import cross_entropy_losses

        return cross_entropy_losses(self(support, query, class_text).logits, query_labels)
''',
        find=_find_head,
        importance=3,
        library=lambda: MyHead,
        task=(
            "Open: any module that learns and answers each query by itself. `baselines.otam`, `baselines.bi_mhm` and "
            "`baselines.Scores(logits)` are at hand. The library's is one matrix in front of OTAM."
        ),
        idea="Make weights in __init__, let them change the frames, and hand the frames to a distance that you know.",
        template="self.project = nn.Linear(dim, dim)\nreturn baselines.otam(..., self.project(query), class_text)",
        why="A distance that needs no training passes gradients on, so one matrix in front of it can learn.",
    ),
    "09.5": Exercise(
        title="a method blind to what stands still",
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
        task=(
            "Open, nothing is trained: write a method that gives the same logits when the same vector is added to all "
            "frames of a clip (a static background), finds a clip among itself and itself played backwards, and looks "
            'at each query alone. The checker tests these properties, not one formula. Then run `show_row("mine", '
            "my_method)`, and compare context with order classes."
        ),
        idea=(
            "A difference of neighbouring frames takes away what all frames share, and turns its sign when time does."
        ),
        template="support, query = (... for video in (support, query))\nreturn otam(support, query, class_text)",
        why="What is constant cancels in each difference, and OTAM keeps the order.",
    ),
}
