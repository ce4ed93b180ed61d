"""What `evaluate` scores, on which episodes, and what its intervals cover."""

from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
import psutil
import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.evaluation import evaluate, evaluate_pairs, paired_difference, pooled
from clipspm_lite.model.baselines import prototype, zero_shot

HEAD = dict(heads=2, head_dim=8, mlp_dim=16, preset="lite")


class Scores(NamedTuple):
    logits: torch.Tensor


def first_class(support, query, class_text):
    """Answers every query with the episode's first class."""
    logits = torch.zeros(*query.shape[:-2], class_text.shape[-2])
    logits[..., 0] = 1
    return Scores(logits)


def helped_by_others(support, query, class_text):
    """Answers by how a query differs from the episode's mean query: alone it knows nothing."""
    return prototype(support - support.mean((-4, -3), keepdim=True), query - query.mean(-3, keepdim=True), class_text)


def head(**changes):
    torch.manual_seed(0)
    return CLIPSPM(16, **HEAD | changes)


def same(one, other):
    return np.array_equal(one.per_episode, other.per_episode) and np.array_equal(one.confusion, other.confusion)


# --- what is scored


def test_a_model_is_scored_in_eval_mode_and_handed_back_in_the_mode_it_came_in(encoded):
    model = head(dropout=0.9, feedforward_dropout=0.9)
    expected = evaluate(model.eval(), encoded(), episodes=40)
    model.train()
    model.padm.eval()
    modes = [part.training for part in model.modules()]
    assert same(evaluate(model, encoded(), episodes=40), expected)
    with pytest.raises(ValueError, match="width"):
        evaluate(model, encoded(dim=8), episodes=40)
    assert [part.training for part in model.modules()] == modes


def test_one_query_at_a_time_no_query_helps_another(encoded):
    data = encoded(videos=10)
    alone = evaluate(helped_by_others, data, episodes=100, one_query_at_a_time=True)
    assert evaluate(helped_by_others, data, episodes=100).accuracy > alone.accuracy + 10
    model = head()
    alone = evaluate(model, data, queries=2, episodes=40, one_query_at_a_time=True)
    assert same(alone, evaluate(partial(model, inductive=True), data, queries=2, episodes=40))
    assert not same(alone, evaluate(model, data, queries=2, episodes=40))


@pytest.mark.parametrize(
    "answer", [lambda t: t, lambda t: Scores(None), lambda t: Scores(t[0]), lambda t: Scores(t * float("nan"))]
)
def test_an_answer_without_logits_of_the_right_shape_is_refused(answer, encoded):
    with pytest.raises(ValueError, match="method.*logits"):
        evaluate(lambda *episode: answer(zero_shot(*episode).logits), encoded(), episodes=5)


def test_too_small_a_data_set_is_refused(encoded):
    with pytest.raises(ValueError, match="way"):
        evaluate(prototype, encoded(classes=3), way=5)
    with pytest.raises(ValueError, match="action 0"):
        evaluate(prototype, encoded(videos=2), shot=2)


# --- on which episodes


def test_a_method_that_always_answers_the_first_class_is_at_chance_exactly(encoded):
    result = evaluate(first_class, encoded(), way=4, shot=2, queries=3, episodes=50)
    assert (result.accuracy, result.interval, result.episodes) == (25, 0, 50)


def test_the_same_seed_gives_the_same_episodes_whatever_the_batch_size(encoded):
    one, other = (evaluate(prototype, encoded(), episodes=37, seed=3, batch_size=b) for b in (5, 100))
    assert same(one, other) and not same(one, evaluate(prototype, encoded(), episodes=37, seed=4))


def test_memory_does_not_grow_with_the_number_of_episodes(encoded):
    data, taken = encoded(videos=20, frames=8, dim=512), []
    for episodes in (300, 2000):
        evaluate(first_class, data, shot=5, episodes=episodes, batch_size=30)
        taken.append(psutil.Process().memory_info().rss)
    assert taken[1] - taken[0] < 100_000_000


def test_confusion_counts_every_query_once_and_only_where_it_could_happen(encoded):
    result = evaluate(zero_shot, encoded(), way=3, queries=2, episodes=200)
    asked = np.diag(result.opportunities)
    assert result.confusion.sum() == asked.sum() == 200 * 3 * 2
    assert (result.confusion <= result.opportunities).all()
    assert np.array_equal(result.opportunities.sum(1), 3 * asked)
    assert np.array(list(result.class_accuracy().values())) @ asked / asked.sum() == pytest.approx(result.accuracy)
    worst = result.most_confused(3)
    assert all(asked != answered and 0 < rate <= 100 for asked, answered, rate in worst)
    assert [rate for *_, rate in worst] == sorted((rate for *_, rate in worst), reverse=True)


def test_a_class_that_was_never_asked_has_no_accuracy_and_one_episode_no_interval(encoded):
    result = evaluate(prototype, encoded(), episodes=1)
    unasked = np.diag(result.opportunities) == 0
    assert unasked.sum() == 1 and np.isnan(result.interval)
    assert np.array_equal(np.isnan([*result.class_accuracy().values()]), unasked)


# --- differences and intervals


def test_a_difference_is_taken_episode_by_episode(encoded):
    ours, other = (evaluate(method, encoded(), episodes=60) for method in (prototype, first_class))
    difference, interval = paired_difference(ours, other)
    assert difference == pytest.approx(ours.accuracy - other.accuracy)
    assert interval == replace(ours, per_episode=ours.per_episode - other.per_episode).interval > 0


@pytest.mark.parametrize("change", ["way=2", "shot=2", "queries=2", "seed=7", "episodes=21"])
def test_a_difference_of_other_episodes_is_refused_and_says_in_what(change, encoded):
    name, value = change.split("=")
    settings = dict(way=3, shot=1, queries=1, seed=0, episodes=20)
    ours = evaluate(prototype, encoded(), **settings)
    with pytest.raises(ValueError, match=name):
        paired_difference(ours, evaluate(prototype, encoded(), **settings | {name: int(value)}))
    for data in (encoded(videos=6), encoded(prefix="other")):
        with pytest.raises(ValueError, match="videos_per_class|classes"):
            paired_difference(ours, evaluate(prototype, data, **settings))


def test_pairs_are_scored_two_way_and_pairs_outside_the_data_are_left_out(encoded):
    pairs = [("action 0", "action 1"), ("action 4", "action 2"), ("action 1", "elsewhere")]
    results = evaluate_pairs(prototype, encoded(), pairs, episodes=20, shot=2)
    assert list(results) == pairs[:2]
    assert results[pairs[1]].classes == pairs[1] and results[pairs[1]].way == 2
    accuracy, _ = pooled(results.values())
    assert accuracy == pytest.approx(np.mean([result.accuracy for result in results.values()]))
    with pytest.raises(ValueError, match="pairs"):
        evaluate_pairs(prototype, encoded(), pairs[2:])


def test_pairs_that_share_a_class_have_different_episodes_and_others_the_listed_ones(encoded):
    names = encoded().classes
    pairs = list(combinations(names, 2))
    seeds = {pair: e.seed for pair, e in evaluate_pairs(prototype, encoded(), pairs, episodes=2, seed=5).items()}
    assert all(seeds[p] != seeds[q] for p in pairs for q in pairs if p != q and set(p) & set(q))
    apart = evaluate_pairs(prototype, encoded(), [names[:2], names[2:4]], episodes=2, seed=5)
    assert [result.seed for result in apart.values()] == [5, 5]


def test_the_pooled_interval_holds_what_it_says_over_other_episodes():
    torch.manual_seed(0)
    centres, loudness = torch.randn(8, 1, 1, 16), torch.linspace(0, 12, 6)[:, None, None]
    features = (centres + loudness * torch.randn(8, 6, 2, 16)).flatten(0, 1)  # a hard video is hard in all its pairs
    data = EncodedDataset(tuple("abcdefgh"), (6,) * 8, features, centres[:, 0, 0])
    pairs = list(combinations(data.classes, 2))
    found = [pooled(evaluate_pairs(prototype, data, pairs, episodes=6, seed=seed).values()) for seed in range(40)]
    accuracies, intervals = np.array(found).T
    assert (abs(accuracies - accuracies.mean()) < intervals).mean() > 0.85
