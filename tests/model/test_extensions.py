"""Our changes to CLIP-SPM: without any it is CLIP-SPM, and each does what it says."""

import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.model.extensions import ExtendedCLIPSPM
from clipspm_lite.model.heads import build_head, describe_head
from clipspm_lite.model.otam import otam
from clipspm_lite.model.variants import EXTENSIONS

SIZES = dict(heads=2, head_dim=8, mlp_dim=16, preset="lite", dropout=0.0, feedforward_dropout=0.0)


@pytest.fixture
def episode():
    torch.manual_seed(0)
    return torch.randn(3, 2, 5, 16), torch.randn(4, 5, 16), torch.randn(3, 16)


def made(**changes):
    torch.manual_seed(1)
    return ExtendedCLIPSPM(16, **SIZES, **changes)


def test_without_any_change_it_is_clip_spm(episode):
    plain = CLIPSPM(16, **SIZES)
    same = made()
    same.load_state_dict(plain.state_dict())
    torch.testing.assert_close(same(*episode).logits, plain(*episode).logits, rtol=0, atol=0)
    labels = torch.tensor([0, 1, 2, 0])
    assert torch.equal(same.losses(*episode, labels).total, plain.losses(*episode, labels).total)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_every_change_that_is_compared_changes_answer_or_loss_and_can_be_built_again(name, episode):
    config = {"dim": 16, **SIZES, **EXTENSIONS[name]}
    torch.manual_seed(1)
    model, plain = build_head(config), made()
    assert build_head(describe_head(model)).config == model.config
    model.load_state_dict(plain.state_dict())
    labels = torch.tensor([0, 1, 2, 0])
    losses = []
    for head in (model, plain):
        torch.manual_seed(2)
        losses.append(head.losses(*episode, labels).total.item())
    assert losses[0] != losses[1]
    only_training = name == "antisymmetric motion"
    assert torch.equal(model.eval()(*episode).logits, plain.eval()(*episode).logits) == only_training


def test_what_stands_still_in_a_clip_does_not_reach_centred_frames(episode):
    model = made(frames="centred", normalize_features=False).eval()
    support, query, class_text = episode
    still = torch.randn(4, 1, 16)
    torch.testing.assert_close(
        model(support, query + still, class_text).logits, model(*episode).logits, rtol=1e-4, atol=1e-5
    )


def test_the_centred_distance_is_subtracted(episode):
    support, query, class_text = episode
    plain = made().eval()
    prepared, asked, _ = plain.prepare(*episode, None)
    still = prepared.mean(-2, keepdim=True), asked.mean(-2, keepdim=True)
    distance = otam(asked - still[1], (prepared - still[0]).mean(-3))
    torch.testing.assert_close(plain(*episode).logits - distance, made(centred_distance=True).eval()(*episode).logits)


def test_terms_make_up_the_logits_and_a_querys_own_anchor_gives_it_its_own_distances(episode):
    head = made(centred_distance=True, anchor="query").eval()
    output = head(*episode)
    own = otam(output.padm.query, output.padm.class_tokens)
    torch.testing.assert_close(output.terms["D_anchor"], own)
    assert list(output.terms) == ["½ D_SPM", "D_PADM", "D_anchor", "D_centred"]
    assert torch.equal(-sum(output.terms.values()), output.logits)
    torch.testing.assert_close(output.terms["D_PADM"], output.padm.distance)
