"""What a user relies on with every method, trained or not: symmetries, batching, masks, clear errors."""

import inspect
import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_episode import DESCRIPTIONS, DIM, METHODS, QUERIES, SHOT, WAY, build, close, random_episode

from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.model.heads import HEADS, build_head, describe_head


@pytest.fixture(params=DESCRIPTIONS)
def head(request):
    return build(request.param)


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


def test_every_kind_of_head_is_tried_here():
    assert {build(name).config.model for name in DESCRIPTIONS} == set(HEADS)


def test_logits_are_the_same_whatever_the_query_labels_are(head):
    support, query, class_text, labels = random_episode()
    first = head.losses(support, query, class_text, labels)
    other = head.losses(support, query, class_text, (labels + 1) % WAY)
    assert torch.equal(first.logits, other.logits)
    assert torch.equal(first.logits, head(support, query, class_text).logits)
    assert not torch.equal(first.cross_entropy, other.cross_entropy)


@pytest.mark.parametrize("inductive", [False, True])
def test_permuting_shots_classes_or_queries_permutes_the_answer_and_nothing_else(method, inductive):
    support, query, class_text, _ = random_episode()
    how = {"inductive": inductive} if isinstance(method, torch.nn.Module) else {}

    def logits(*episode):
        return method(*episode, **how).logits

    expected = logits(support, query, class_text)
    classes, queries = torch.tensor([2, 0, 1]), torch.tensor([3, 1, 4, 0, 2])
    close(logits(support.flip(1), query, class_text), expected)
    close(logits(support[classes], query, class_text[classes]), expected[:, classes])
    close(logits(support, query[queries], class_text), expected[queries])


def test_inductive_scores_each_query_as_an_episode_of_its_own(head):
    support, query, class_text, _ = random_episode()
    together = head(support, query, class_text, inductive=True).logits
    alone = [head(support, query[q : q + 1], class_text).logits for q in range(QUERIES)]
    close(together, torch.cat(alone))


def test_lengths_of_features_count_only_where_they_are_not_scaled(head):
    support, query, text, _ = random_episode()
    lengths = [DIM**0.5 / features.norm(dim=-1, keepdim=True) for features in (support, query, text)]
    by_hand = []
    for scaled in (True, False):
        model = build_head(describe_head(head) | {"normalize_features": scaled}).eval()
        model.load_state_dict(head.state_dict())
        answers = [model(a * support, b * query, c * text).logits for a, b, c in ((1, 1, 1), (3, 2, 5), lengths)]
        assert torch.allclose(answers[0], answers[1], rtol=1e-5, atol=1e-5) == scaled
        by_hand.append(answers[2])
    if getattr(head.config, "frames", "whole") == "whole":  # the others are scaled once more
        close(*by_hand)


def test_a_batch_of_episodes_equals_episodes_one_by_one(method):
    support, query, class_text, labels = random_episode(2, 3)
    mask = torch.ones(2, 3, WAY, SHOT, dtype=torch.bool)
    mask[0, 1, 2, 1] = False
    together = method(support, query, class_text, mask).logits
    assert together.shape == (2, 3, QUERIES, WAY)
    for i, j in [(0, 0), (0, 1), (1, 2)]:
        episode = support[i, j], query[i, j], class_text[i, j]
        close(method(*episode, mask[i, j]).logits, together[i, j])
        if isinstance(method, torch.nn.Module):
            losses = method.losses(support, query, class_text, labels, mask)
            for term, batched in zip(method.losses(*episode, labels[i, j], mask[i, j]), losses, strict=True):
                close(batched[i, j], term)


def test_a_masked_shot_enters_neither_answer_nor_loss_nor_gradient(head):
    support, query, class_text, labels = random_episode(shot=1)
    padded = torch.cat([support, torch.full_like(support, float("nan"))], dim=1).requires_grad_()
    mask = torch.tensor([[True, False]] * WAY)
    gradients = []
    for episode in ((support, query, class_text, labels), (padded, query, class_text, labels, mask)):
        losses = head.losses(*episode)
        head.zero_grad()
        losses.total.backward()
        gradients.append([*losses, *(p.grad for p in head.parameters() if p.grad is not None)])
    for without, masked in zip(*gradients, strict=True):
        close(masked, without)
    assert padded.grad.isfinite().all() and (padded.grad[:, 1] == 0).all()


def test_uneven_shots_equal_a_mask(method):
    """Classes with 2, 1, 2 shots: a class whose second shot is masked ignores what stands there."""
    support, query, class_text, _ = random_episode()
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    other = support.clone()
    other[1, 1] = torch.nan
    expected = method(support, query, class_text, mask).logits
    assert torch.equal(expected, method(other, query, class_text, mask).logits) and expected.isfinite().all()
    close(method(support, query, class_text, mask | True).logits, method(support, query, class_text).logits)


def test_a_head_is_built_again_from_its_description(head):
    again = build_head(json.loads(json.dumps(describe_head(head)))).eval()
    assert type(again) is type(head) and again.config == head.config
    again.load_state_dict(head.state_dict())
    for ours, theirs in zip(head.losses(*random_episode()), again.losses(*random_episode()), strict=True):
        assert torch.equal(ours, theirs)
    assert ("model" in describe_head(head)) == (head.config.model != "clip-spm")
    with pytest.raises(ValueError, match="other"):
        build_head(describe_head(head) | {"model": "other"})
    with pytest.raises(TypeError, match="head_width"):
        build_head(describe_head(head) | {"head_width": 3})
    for size in (0, -1, 1.5, "8", None):
        with pytest.raises(ValueError, match="dim"):
            build_head(describe_head(head) | {"dim": size})


LAYOUTS = {
    "strided": lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
    "turned": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2) if x.ndim > 1 else x,
    "expanded": lambda x: x.expand(3, *x.shape)[1],
}


@settings(max_examples=10, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 99),
    leading=st.lists(st.integers(1, 2), max_size=2),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    layout=st.sampled_from(list(LAYOUTS.values())),
)
def test_answers_and_losses_are_finite_however_tensors_lie_in_memory(seed, leading, scale, layout):
    *episode, labels = random_episode(*leading, seed=seed)
    episode = [scale * features for features in episode]
    for method in METHODS.values():
        logits = method(*episode).logits
        assert logits.isfinite().all()
        close(method(*map(layout, episode)).logits, logits, 1e-3 * max(1, float(logits.detach().abs().max())))
        if isinstance(method, torch.nn.Module):
            assert all(term.isfinite().all() for term in method.losses(*map(layout, (*episode, labels))))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_query_that_is_not_finite_never_gets_a_finite_answer(method, value):
    support, query, class_text, _ = random_episode()
    query[0, 1, 2] = value
    assert not method(support, query, class_text).logits[0].isfinite().any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floating_dtypes_are_taken_where_all_are_of_it(method, dtype):
    if isinstance(method, torch.nn.Module):
        method = build_head(describe_head(method)).to(dtype).eval()
    logits = method(*(features.to(dtype) for features in random_episode()[:3])).logits
    assert logits.dtype == dtype and logits.isfinite().all()


WRONG = {
    "support, an axis too few": ("support", lambda s, q, t: (s[0], q, t)),
    "support, no shot": ("support", lambda s, q, t: (s[:, :0], q, t)),
    "support, another width": ("width", lambda s, q, t: (s[..., :6], q[..., :6], t[..., :6])),
    "support, an array": ("support", lambda s, q, t: (s.numpy(), q, t)),
    "query, other frames": ("query", lambda s, q, t: (s, q[:, :2], t)),
    "query, none": ("query", lambda s, q, t: (s, q[:0], t)),
    "class_text, another way": ("class_text", lambda s, q, t: (s, q, t[:2])),
    "mask, another shape": ("support_mask", lambda s, q, t: (s, q, t, torch.ones(WAY, 3, dtype=torch.bool))),
    "mask, none left": ("support_mask", lambda s, q, t: (s, q, t, torch.zeros(WAY, SHOT, dtype=torch.bool))),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_tensors_that_do_not_form_an_episode_are_refused_by_name(method, wrong):
    name, spoil = WRONG[wrong]
    if name == "width" and inspect.isfunction(method):
        return  # what has no weights takes any width
    with pytest.raises((ValueError, TypeError), match=name):
        method(*spoil(*random_episode()[:3]))


def test_labels_that_are_not_classes_of_the_episode_are_refused(head):
    support, query, class_text, labels = random_episode()
    for bad in (labels[:2], labels.float(), labels + WAY, labels - WAY):
        with pytest.raises(ValueError, match="query_labels"):
            head.losses(support, query, class_text, bad)


def test_evaluation_takes_every_head(head, encoded):
    result = evaluate(head, encoded(dim=DIM, frames=4), way=3, shot=2, episodes=30)
    assert result.per_episode.shape == (30,) and 0 < result.accuracy <= 100
