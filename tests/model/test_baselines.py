import pytest
import torch

from clipspm_lite.model import baselines
from clipspm_lite.model.otam import frame_distances, otam


@pytest.fixture
def episode():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*s, generator=generator) for s in ((2, 3, 2, 4, 8), (2, 5, 4, 8), (2, 3, 8))]


def test_zero_shot_looks_at_no_support_and_prototype_at_no_order(episode):
    support, query, class_text = episode
    assert torch.equal(
        baselines.zero_shot(support, query, class_text).logits, baselines.zero_shot(-support, query, class_text).logits
    )
    torch.testing.assert_close(
        baselines.prototype(support, query, class_text).logits,
        baselines.prototype(support, query.flip(-2), class_text).logits,
    )


def test_otam_is_minus_the_distance_to_the_mean_of_the_shots(episode):
    support, query, class_text = episode
    assert torch.equal(baselines.otam(*episode).logits, -otam(query, support.mean(-3)))


def test_bi_mhm_is_the_mean_over_shots_of_the_sets_distance_to_their_nearest_frames(episode):
    support, query, class_text = (tensor[0] for tensor in episode)
    logits = baselines.bi_mhm(support, query, class_text).logits
    for q, video in enumerate(query):
        for n, shots in enumerate(support):
            distances = []
            for shot in shots:
                d = frame_distances(video, shot).tolist()
                nearest_in_shot = [min(row) for row in d]
                nearest_in_query = [min(column) for column in zip(*d, strict=True)]
                distances.append(sum(nearest_in_shot) / 4 + sum(nearest_in_query) / 4)
            assert float(logits[q, n]) == pytest.approx(-sum(distances) / 2, abs=1e-5)


def test_bi_mhm_is_blind_to_the_order_of_frames_in_every_shot_and_otam_is_not(episode):
    support, query, class_text = episode
    one_reversed = support.clone()
    one_reversed[:, :, 0] = support[:, :, 0].flip(-2)
    torch.testing.assert_close(
        baselines.bi_mhm(one_reversed, query, class_text).logits, baselines.bi_mhm(*episode).logits
    )
    assert not torch.allclose(
        baselines.otam(one_reversed, query, class_text).logits, baselines.otam(*episode).logits, atol=1e-3
    )
