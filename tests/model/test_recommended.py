"""The recommended model is its equation: distances of other methods between mapped frames, weighed, and names."""

import pytest
import torch
from made_up_episode import DIM, WAY, close, random_episode
from torch.nn import functional as F

from clipspm_lite.model.baselines import bi_mhm, otam, otam_centred, zero_shot
from clipspm_lite.model.heads import build_head, describe_head
from clipspm_lite.model.recommended import PACE, PULL, TERMS, Recommended


def with_weights(**weights):
    """A head in which only the named terms count."""
    head = Recommended(DIM, wrong_names=0.5).eval()
    values = [weights.get(term.replace(", ", "_").replace(" ", "_"), 1e-12) for term in TERMS]
    head.log_weights.data = torch.tensor(values).log() / PACE
    return head


@pytest.mark.parametrize("share", [2.0, -0.1, float("nan")])
def test_a_share_is_from_0_to_1(share):
    with pytest.raises(ValueError, match="wrong_names"):
        Recommended(DIM, wrong_names=share)


def named_episode():
    """A shot per class that its class name and no other is like."""
    support, query, _, _ = random_episode(shot=1)
    return support, query, F.normalize(support, dim=-1).mean((1, 2))


@pytest.mark.parametrize(
    ("term", "method"), [("whole_as_a_set", bi_mhm), ("whole_in_order", otam), ("centred_in_order", otam_centred)]
)
def test_one_term_alone_is_the_method_that_it_is_named_after(term, method):
    support, query, text, _ = random_episode(2, shot=1)
    support, query = (DIM**0.5 * F.normalize(video, dim=-1) for video in (support, query))
    close(with_weights(**{term: 2.0})(support, query, text).logits, 2 * method(support, query, text).logits)


def test_terms_add_up_and_weights_are_what_they_are_multiplied_with():
    episode = random_episode(2)[:3]
    one, two = Recommended(DIM)(*episode), with_weights(what_moves=3.0)(*episode)
    assert list(one.terms) == list(TERMS)
    close(torch.stack([*one.terms.values()]).sum(0), -one.logits)
    close(two.terms["what moves"], 3 * one.terms["what moves"])
    assert with_weights(what_moves=3.0).weights["what moves"] == pytest.approx(3)


def test_names_count_as_far_as_the_supports_agree_with_them():
    support, query, text = named_episode()
    by_name = with_weights(name=50.0)
    assert torch.equal(
        by_name(support, query, text).logits.argmax(-1), zero_shot(support, query, text).logits.argmax(-1)
    )
    assert by_name(support, query, text).logits.std() > 1
    for useless in (text.roll(1, 0), torch.full_like(text, torch.nan), text[:1].expand_as(text)):
        assert float(by_name(support, query, useless).terms["name"].abs().max()) < 1e-4
    assert Recommended(DIM)(support, query, torch.full_like(text, torch.nan)).logits.isfinite().all()


def mapped(head, seed=0):
    """The head with some map of frames."""
    head.metric.data = torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(seed)) * head.dim / 1000
    return head


def test_the_map_changes_frames_before_their_distances_and_neither_names_nor_what_moves():
    support, query, text, _ = random_episode(2, shot=1)
    plain, head = Recommended(DIM, normalize_features=False), mapped(Recommended(DIM, normalize_features=False))
    ours, before = (model(support, query, text).terms for model in (head, plain))
    moved = plain(support + support @ head.change, query + query @ head.change, text).terms
    for term in TERMS:
        close(ours[term], (before if term in ("name", "what moves") else moved)[term])
    assert not ours["steps, in order"].allclose(before["steps, in order"])


def test_weights_learn_without_the_map_and_the_map_starts_at_none():
    support, query, text, labels = random_episode(2)
    gradients = []
    for head in (Recommended(DIM), mapped(Recommended(DIM)), mapped(Recommended(DIM), seed=1)):
        losses = head.eval().losses(support, query, text, labels)
        losses.total.sum().backward()
        gradients.append(head.log_weights.grad)
        assert head.metric.grad.abs().max() > 0
        assert torch.equal(losses.logits, head(support, query, text).logits)
    assert not Recommended(DIM).change.any()
    assert all(torch.equal(gradients[0], other) for other in gradients[1:])


def test_the_loss_pulls_the_map_back():
    episode, head = random_episode(2), mapped(Recommended(DIM)).eval()
    losses, without = head.losses(*episode), Recommended(DIM).eval().losses(*episode)
    close(losses.total, losses.cross_entropy + without.cross_entropy + PULL * head.change.square().sum())


def test_only_training_sees_wrong_names():
    support, query, text = named_episode()
    labels = torch.zeros(len(query), dtype=torch.long)
    head = with_weights(name=50.0)
    asked = head(support, query, text).logits
    assert torch.equal(head.losses(support, query, text, labels).logits, asked)
    torch.manual_seed(0)
    seen = [head.train().losses(support, query, text, labels).logits for _ in range(40)]
    assert 5 < sum(torch.equal(logits, asked) for logits in seen) < 35
    assert torch.equal(head(support, query, text).logits, asked)


def test_a_single_frame_shows_no_movement_and_is_answered():
    support, query, text = (x[..., :1, :] if x.ndim > 2 else x for x in random_episode()[:3])
    terms = Recommended(DIM)(support, query, text).terms
    assert all(term.isfinite().all() for term in terms.values())
    assert all((terms[name] == terms[name][0, 0]).all() for name in TERMS if "centred" in name or "steps" in name)


def test_the_preset_builds_it_and_no_other_model():
    head = build_head({"preset": "recommended", "dim": DIM, "wrong_names": 0.0})
    assert type(head) is Recommended and WAY > 1
    assert sum(weights.numel() for weights in head.parameters()) == len(TERMS) + DIM**2
    assert describe_head(head) == {"model": "recommended", "dim": DIM, "normalize_features": True, "wrong_names": 0.0}
