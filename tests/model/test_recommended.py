"""The recommended model is its equation: distances of other methods, weighed, and names as far as supports agree."""

import pytest
import torch
from made_up_episode import DIM, WAY, close, random_episode
from torch.nn import functional as F

from clipspm_lite.model.baselines import bi_mhm, otam, otam_centred, zero_shot
from clipspm_lite.model.heads import build_head, describe_head
from clipspm_lite.model.recommended import PACE, TERMS, Recommended


def with_weights(**weights):
    """A head in which only the named terms count."""
    head = Recommended(DIM, wrong_names=0.5).eval()
    values = [weights.get(term.replace(", ", "_").replace(" ", "_"), 1e-12) for term in TERMS]
    head.log_weights.data = torch.tensor(values).log() / PACE
    return head


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
    assert type(head) is Recommended and head.log_weights.numel() == len(TERMS) and WAY > 1
    assert describe_head(head) == {"model": "recommended", "dim": DIM, "normalize_features": True, "wrong_names": 0.0}
