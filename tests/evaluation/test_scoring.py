from functools import partial
from typing import NamedTuple

import numpy as np
import psutil
import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.evaluation.results import half_width
from clipspm_lite.evaluation.scoring import evaluate, evaluate_pairs, paired_difference, pooled
from clipspm_lite.model.baselines import prototype, zero_shot


class Scores(NamedTuple):
    logits: torch.Tensor


def first_class(support, query, class_text):
    """Answers every query with the episode's first class."""
    logits = torch.zeros(*query.shape[:-2], class_text.shape[-2])
    logits[..., 0] = 1
    return Scores(logits)


def test_a_method_that_always_answers_the_first_class_is_at_chance_exactly(encoded):
    result = evaluate(first_class, encoded(), way=4, shot=2, queries=3, episodes=50)
    assert result.accuracy == 25
    assert result.interval == 0
    assert len(result.per_episode) == 50


def test_the_same_seed_gives_the_same_episodes_whatever_the_batch_size(encoded):
    data = encoded()
    one = evaluate(prototype, data, episodes=37, seed=3, batch_size=5)
    other = evaluate(prototype, data, episodes=37, seed=3, batch_size=100)
    assert np.array_equal(one.per_episode, other.per_episode)
    assert not np.array_equal(one.per_episode, evaluate(prototype, data, episodes=37, seed=4).per_episode)


def test_memory_does_not_grow_with_the_number_of_episodes(encoded):
    data = encoded(videos=20, frames=8, dim=512)
    taken = []
    for episodes in (300, 2000):
        evaluate(first_class, data, way=5, shot=5, episodes=episodes, batch_size=30)
        taken.append(psutil.Process().memory_info().rss)
    assert taken[1] - taken[0] < 100_000_000


def test_interval_is_196_standard_errors_in_points():
    values = np.array([0.2, 0.4, 0.6, 1.0])
    assert half_width(values) == pytest.approx(100 * 1.96 * values.std(ddof=1) / 2)


def test_confusion_counts_every_query_once_and_only_where_it_could_happen(encoded):
    result = evaluate(zero_shot, encoded(), way=3, queries=2, episodes=200)
    assert result.confusion.sum() == 200 * 3 * 2
    assert (result.confusion <= result.opportunities).all()
    assert np.diag(result.opportunities).sum() == 200 * 3 * 2
    assert np.diag(result.confusion).sum() == pytest.approx(result.per_episode.sum() * 3 * 2)
    overall = np.array(list(result.class_accuracy().values())) @ np.diag(result.opportunities) / (200 * 3 * 2)
    assert overall == pytest.approx(result.accuracy)
    worst = result.most_confused(3)
    assert all(asked != answered and 0 < rate <= 100 for asked, answered, rate in worst)
    assert [rate for *_, rate in worst] == sorted((rate for *_, rate in worst), reverse=True)


def test_paired_difference_needs_the_same_episodes(encoded):
    data = encoded()
    ours, other = (evaluate(m, data, episodes=60) for m in (prototype, first_class))
    difference, interval = paired_difference(ours, other)
    assert difference == pytest.approx(ours.accuracy - other.accuracy)
    assert interval > 0
    with pytest.raises(ValueError, match="same episodes"):
        paired_difference(ours, evaluate(prototype, data, episodes=61))


def test_pairs_are_scored_two_way_and_pairs_outside_the_data_are_left_out(encoded):
    data = encoded()
    pairs = [("action 0", "action 1"), ("action 4", "action 2"), ("action 1", "elsewhere")]
    results = evaluate_pairs(prototype, data, pairs, episodes=20)
    assert list(results) == pairs[:2]
    assert results[pairs[1]].classes == ("action 4", "action 2")
    accuracy, _ = pooled(results.values())
    assert accuracy == pytest.approx(np.mean([result.accuracy for result in results.values()]))
    with pytest.raises(ValueError, match="none of them"):
        evaluate_pairs(prototype, data, pairs[2:])


def test_too_small_a_data_set_is_refused(encoded):
    with pytest.raises(ValueError, match="way"):
        evaluate(prototype, encoded(classes=3), way=5)
    with pytest.raises(ValueError):
        evaluate(prototype, encoded(videos=2), shot=2, queries=1)
    with pytest.raises(ValueError, match="episodes"):
        evaluate(prototype, encoded(), episodes=0)


@pytest.mark.parametrize("changes", [{}, {"support_text": "generated"}, {"with_spm": False}])
@pytest.mark.parametrize("shot", [1, 2])
def test_supports_fused_once_a_data_set_give_the_answers_of_fusing_them_in_every_episode(changes, shot):
    torch.manual_seed(0)
    data = EncodedDataset(("a", "b", "c"), (4, 3, 5), torch.randn(12, 4, 16), torch.randn(3, 16))
    head = CLIPSPM(16, heads=2, head_dim=8, mlp_dim=16, preset="lite", **changes).eval()
    settings = dict(way=3, shot=shot, episodes=40, seed=3)
    for method in (head, partial(head, inductive=True)):
        known, anew = (evaluate(m, data, **settings) for m in (method, lambda *e, m=method: m(*e)))
        assert np.array_equal(known.per_episode, anew.per_episode)
        assert np.array_equal(known.confusion, anew.confusion)


def test_a_supports_semantic_fusion_is_computed_once_a_video(monkeypatch):
    torch.manual_seed(0)
    data = EncodedDataset(("a", "b", "c"), (4, 3, 5), torch.randn(12, 4, 16), torch.randn(3, 16))
    head = CLIPSPM(16, heads=2, head_dim=8, mlp_dim=16, preset="lite").eval()
    fused = []
    monkeypatch.setattr(
        head.fusion,
        "forward",
        lambda f, p: fused.append(len(f.flatten(0, -3))) or (f, p.expand(*f.shape[:-2], 1, 16)),
    )
    evaluate(head, data, way=3, shot=2, episodes=40, batch_size=10)
    assert fused == [12, 30, 30, 30, 30]  # every video, then the queries of four batches
