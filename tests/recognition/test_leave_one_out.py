"""Leave-one-out on a user's own clips: who was asked, what is claimed, and what so few clips cannot tell."""

from dataclasses import replace

import pytest
import torch
from scipy.stats import binomtest

from clipspm_lite import CLIPSPM
from clipspm_lite.model.heads import build_head
from clipspm_lite.recognition.leave_one_out import LeaveOneOut, leave_one_out
from clipspm_lite.recognition.recogniser import Support


def support_of(counts, noise=0.1):
    """Actions with these counts of clips around directions of their own."""
    generator = torch.Generator().manual_seed(0)
    centres, shots = torch.eye(16)[: len(counts)], max(counts)
    features = centres[:, None, None] + noise * torch.randn(len(counts), shots, 4, 16, generator=generator)
    mask = torch.tensor([[k < count for k in range(shots)] for count in counts])
    features = features.masked_fill(~mask[..., None, None], 0)
    names = tuple(f"action {i}" for i in range(len(counts)))
    return Support(names, features, mask, centres)


def result(asked, **answers):
    return LeaveOneOut(("a", "b", "c"), tuple(asked), {k: tuple(v) for k, v in answers.items()}, ())


def test_every_clip_is_asked_once_but_those_that_are_alone():
    left_out = leave_one_out(["zero-shot", "otam"], support_of([3, 1, 2]))
    assert left_out.asked == (0, 0, 0, 2, 2) and left_out.never_asked == ("action 1",)
    assert left_out.right("otam") == left_out.right("zero-shot") == 5
    assert "5 clips of 2 actions could be asked (action 1 not" in str(left_out)


def test_a_clip_is_not_recognised_by_itself_or_by_a_copy_of_itself():
    # Every clip is its own direction: whoever finds the right action has looked at the clip itself.
    support = support_of([2, 2, 2])
    clips = torch.eye(16)[:6].view(3, 2, 1, 16).expand(3, 2, 4, 16)
    # All actions are equally far, so the first is named.
    assert leave_one_out(["otam"], replace(support, features=clips)).answers["otam"] == (0,) * 6
    copies = replace(support, features=clips[:, :1].repeat(1, 2, 1, 1))
    with pytest.raises(ValueError, match="no action has two different clips"):
        leave_one_out(["otam"], copies)


def test_heads_are_asked_about_one_clip_at_a_time_without_dropout_and_keep_their_mode():
    torch.manual_seed(0)
    support, small = support_of([2, 3], noise=1.0), dict(dim=16, heads=2, head_dim=4, mlp_dim=8)
    head, other = CLIPSPM(**small).eval(), build_head({"model": "clip-fsar", **small})
    expected = []
    for action, shot in [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]:
        mask = support.mask.clone()
        mask[action, shot] = False
        query = support.features[action, shot][None]
        expected.append(int(head(support.features, query, support.class_text, mask).logits.argmax()))
    left_out = leave_one_out([head.train(), other], support)
    assert left_out.answers["clip-spm"] == tuple(expected) and head.training
    assert set(left_out.answers) == {"clip-spm", "clip-fsar"}
    with pytest.raises(ValueError, match="methods: .*clip-spm"):
        leave_one_out([head, head], support)


@pytest.mark.parametrize(("right", "asked"), [(0, 1), (1, 1), (3, 5), (10, 10), (17, 40), (0, 12)])
def test_the_interval_is_wilsons_and_stays_within_0_and_100(right, asked):
    left_out = result([0] * asked, only=[0] * right + [1] * (asked - right))
    expected = binomtest(right, asked).proportion_ci(method="wilson")
    assert left_out.interval("only") == pytest.approx((100 * expected.low, 100 * expected.high), abs=0.01)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (5, 0), (6, 0), (9, 2), (4, 4)])
def test_two_methods_are_told_apart_by_the_sign_test_on_clips_that_only_one_gets(wins, losses):
    ours = [0] * (wins + 3) + [1] * losses
    other = [1] * wins + [0] * 3 + [0] * losses
    left_out = result([0] * len(ours), ours=ours, other=other)
    chance = binomtest(wins, wins + losses).pvalue if wins + losses else 1
    assert left_out.as_good == (() if chance < 0.05 else ("other",))
    assert ("cannot tell it from other" in str(left_out)) == (chance >= 0.05)


def test_the_best_has_most_right_the_first_wins_a_tie_and_it_is_said_when_it_may_be_guessing():
    left_out = result([0, 1, 2, 0], first=[0, 1, 0, 1], second=[0, 1, 2, 1], third=[0, 1, 2, 2])
    assert left_out.best == "second" and [left_out.right(name) for name in left_out.answers] == [2, 3, 3]
    assert "cannot tell it from guessing (33 %)" in str(result([0, 1, 2], only=[0, 1, 1]))
    assert "guessing" not in str(result([0, 1, 2] * 4, only=[0, 1, 2] * 4))
