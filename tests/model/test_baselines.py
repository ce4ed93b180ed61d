import pytest
import torch
from made_up_episode import close, random_episode

from clipspm_lite.model.baselines import bi_mhm, otam, prototype, zero_shot
from clipspm_lite.model.otam import frame_distances
from clipspm_lite.model.otam import otam as otam_distance


def test_zero_shot_looks_at_no_support_and_prototype_at_no_order():
    support, query, text, _ = random_episode(2)
    assert torch.equal(zero_shot(support, query, text).logits, zero_shot(-support, query, text).logits)
    close(prototype(support, query, text).logits, prototype(support, query.flip(-2), text).logits)


def test_otam_is_minus_the_distance_to_the_mean_of_the_shots():
    support, query, text, _ = random_episode(2)
    assert torch.equal(otam(support, query, text).logits, -otam_distance(query, support.mean(-3)))


def test_bi_mhm_is_the_mean_over_shots_of_the_sets_distance_to_their_nearest_frames():
    support, query, text, _ = random_episode()
    logits = bi_mhm(support, query, text).logits
    for q, video in enumerate(query):
        for n, shots in enumerate(support):
            distances = []
            for shot in shots:
                d = frame_distances(video, shot).tolist()
                nearest_in_shot = [min(row) for row in d]
                nearest_in_query = [min(column) for column in zip(*d, strict=True)]
                distances.append(sum(nearest_in_shot) / 4 + sum(nearest_in_query) / 4)
            assert float(logits[q, n]) == pytest.approx(-sum(distances) / 2, abs=1e-5)


def test_bi_mhm_is_blind_to_the_order_of_frames_in_every_shot_and_otam_is_not():
    support, query, text, _ = random_episode(2)
    reversed_shot = support.clone()
    reversed_shot[:, :, 0] = support[:, :, 0].flip(-2)
    close(bi_mhm(reversed_shot, query, text).logits, bi_mhm(support, query, text).logits)
    assert not torch.allclose(otam(reversed_shot, query, text).logits, otam(support, query, text).logits, atol=1e-3)
