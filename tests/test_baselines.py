import pytest
import torch

from clipspm_lite import baselines
from clipspm_lite.model.otam import otam

METHODS = [baselines.zero_shot, baselines.prototype, baselines.otam]


@pytest.fixture
def episode():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*s, generator=generator) for s in ((2, 3, 2, 4, 8), (2, 5, 4, 8), (2, 3, 8))]


@pytest.mark.parametrize("method", METHODS)
def test_one_logit_for_each_query_and_class_in_a_batch_of_episodes(method, episode):
    logits = method(*episode).logits
    assert logits.shape == (2, 5, 3)
    alone = method(*(tensor[1] for tensor in episode)).logits
    torch.testing.assert_close(logits[1], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_masked_shot_enters_nothing(method, episode):
    support, query, class_text = episode
    mask = torch.ones(2, 3, 2, dtype=torch.bool)
    mask[0, 1, 1] = False
    spoiled = support.clone()
    spoiled[0, 1, 1] = float("nan")
    expected = method(support[0, 1:2, :1], query[0], class_text[0, 1:2]).logits[:, 0]
    torch.testing.assert_close(method(spoiled, query, class_text, mask).logits[0, :, 1], expected)


def test_zero_shot_looks_at_no_support_and_prototype_at_no_order(episode):
    support, query, class_text = episode
    assert torch.equal(
        baselines.zero_shot(support, query, class_text).logits,
        baselines.zero_shot(-support, query, class_text).logits,
    )
    torch.testing.assert_close(
        baselines.prototype(support, query, class_text).logits,
        baselines.prototype(support, query.flip(-2), class_text).logits,
    )


def test_otam_is_minus_the_distance_to_the_mean_of_the_shots(episode):
    support, query, class_text = episode
    assert torch.equal(baselines.otam(*episode).logits, -otam(query, support.mean(-3)))


@pytest.mark.parametrize("method", METHODS)
def test_wrong_shapes_are_refused(method, episode):
    support, query, class_text = episode
    with pytest.raises(ValueError, match="class_text"):
        method(support, query, class_text[:, :2])
