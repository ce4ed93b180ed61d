"""All methods on the same episodes."""

import json
from dataclasses import replace
from functools import partial
from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch import nn

from clipspm_lite import CLIPSPM, compare
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.evaluation import accuracy, evaluate, paired_difference, per_seed
from clipspm_lite.evaluation.comparison import choose_weights, pairs_by_kind
from clipspm_lite.evaluation.results import (
    BY_KIND,
    FIVE_WAY,
    MEASURES,
    ONE_BY_ONE,
    SAME_EPISODES,
    comparison_table,
    pack_answers,
    read_answers,
)
from clipspm_lite.model import baselines
from clipspm_lite.model.sub_actions import STAGE_METHODS, SubActions
from clipspm_lite.model.variants import ABLATIONS

CLASSES = sample_world("validation").classes[:8]
SIZES = dict(heads=2, head_dim=8, mlp_dim=16, preset="lite")


@pytest.fixture(scope="module")
def data():
    """Features of eight classes of the sample world, drawn so that methods are neither at chance nor perfect."""
    torch.manual_seed(0)
    centres = torch.randn(8, 1, 1, 16)
    features = (centres + 1.5 * torch.randn(8, 6, 4, 16)).flatten(0, 1)
    return EncodedDataset(CLASSES, (6,) * 8, features, centres[:, 0, 0] + torch.randn(8, 16))


class OwnHead(nn.Module):
    """A researcher's own: it subtracts the mean of the episode's queries, so that alone a query has nothing left."""

    def forward(self, support, query, class_text):
        support = support - support.mean((-4, -3), keepdim=True)
        return baselines.prototype(support, query - query.mean(-3, keepdim=True), class_text)


def small_head(seed=0, **changes):
    torch.manual_seed(seed)
    return CLIPSPM(16, **SIZES | changes)


@pytest.fixture(scope="module")
def heads():
    return [small_head(seed) for seed in (0, 1, 2)]


@pytest.fixture(scope="module")
def results(data, heads):
    methods = {"zero-shot": [baselines.zero_shot], "otam": [baselines.otam], "head": heads, "own": [OwnHead()]}
    return compare(methods, data, references=("otam",), episodes=60, seed=4)


def test_the_chosen_weights_are_right_at_least_as_often_as_every_other(data):
    sentences = data.class_text[:, None] + torch.randn(8, 3, 16, generator=torch.Generator().manual_seed(0))
    asked = dict(episodes=120, seed=3)

    def right(method):
        return evaluate(method, replace(data, stage_text=sentences), **asked).accuracy

    rows = choose_weights(replace(data, stage_text=sentences), **asked)
    assert rows.keys() == STAGE_METHODS.keys() and choose_weights(replace(data, stage_text=sentences), **asked) == rows
    others = {weights: right(SubActions(weights)) for weights in [*product((0.0, 1.0), repeat=5)][1:]}
    for name, allowed in (
        ("sub-actions", slice(5)),
        ("sub-actions without stages", slice(3)),
        ("stage text only", slice(3, 5)),
    ):
        beside = [right for weights, right in others.items() if sum(weights) == sum(weights[allowed])]
        assert right(rows[name]) >= max(beside) and sum(rows[name].weights) == sum(rows[name].weights[allowed])
    for chooses in (choose_weights, partial(evaluate, SubActions())):
        with pytest.raises(ValueError, match="stage_text"):
            chooses(data)


def test_no_pair_of_classes_is_of_two_kinds(data):
    kinds = pairs_by_kind(data)
    listed = [frozenset(pair) for pairs in kinds.values() for pair in pairs]
    assert len(listed) == len(set(listed)) and set(listed) < {frozenset(p) for p in combinations(CLASSES, 2)}
    assert all(kinds.values())


def test_similar_pairs_are_those_that_look_alike(data):
    features = data.features.clone()
    features[:6] = features[24:30] + 0.01  # two classes that are not a reversed pair
    kinds = pairs_by_kind(replace(data, features=features))
    assert kinds["similar"][0] == (CLASSES[0], CLASSES[4])


@pytest.mark.parametrize(
    "measure, settings", [(FIVE_WAY, {}), ("5-way, 3-shot", {"shot": 3}), ("5-way, 5-shot", {"shot": 5})]
)
def test_counts_give_the_accuracies_of_evaluate(measure, settings, results, data, heads):
    for name, versions in (("zero-shot", [baselines.zero_shot]), ("head", heads), ("own", [OwnHead()])):
        scores = [evaluate(m, data, episodes=60, seed=4, **settings).accuracy for m in versions]
        assert per_seed(results, name, measure) == pytest.approx(scores)
        assert accuracy(results, name, measure) == pytest.approx(np.mean(scores))


def test_one_query_at_a_time_is_asked_of_every_method(results, data, heads):
    assert accuracy(results, "otam", ONE_BY_ONE) == accuracy(results, "otam", FIVE_WAY)
    alone = evaluate(partial(heads[0], inductive=True), data, episodes=60, seed=4)
    assert per_seed(results, "head", ONE_BY_ONE)[0] == pytest.approx(alone.accuracy)
    assert alone.accuracy != per_seed(results, "head")[0]
    # Alone, a query of the researcher's head equals the queries' mean: every class is as likely.
    assert accuracy(results, "own") > 40 and accuracy(results, "own", ONE_BY_ONE) < 30


def test_every_measure_is_there_and_json_holds_it(results, data):
    assert set(results["asked"]) == set(MEASURES) - {*BY_KIND, "context"}  # no class of these is told by its place
    assert json.loads(json.dumps(results, allow_nan=False))["rows"] == results["rows"]
    for row, measure in product(results["rows"].values(), results["asked"]):
        for right in row["right"][measure]:
            assert all(0 <= r <= a for r, a in zip(right, results["asked"][measure], strict=True))
    single = compare({"otam": [baselines.otam]}, data, references=["otam"], episodes=1)  # has no interval
    assert json.loads(json.dumps(single, allow_nan=False))["rows"]["otam"]["interval"] is None
    assert " ± " not in comparison_table(single, "otam")


def test_classes_that_a_place_tells_are_asked_apart(data, monkeypatch):
    kinds = list(CLASSES[:5]), list(CLASSES[5:])
    monkeypatch.setattr("clipspm_lite.evaluation.comparison.classes_by_kind", lambda classes: kinds)
    pairs = pairs_by_kind(data)
    assert all(set(pair) <= set(kinds[0]) for pair in pairs["context"]) and list(pairs)[1] == "context"
    assert not any(set(pair) <= set(kinds[0]) for pair in pairs["similar"])
    results = compare({"otam": [baselines.otam]}, data, episodes=30)
    asked = results["asked"]["5-way, context"]
    assert all(asked[:5]) and not any(asked[5:]) and "5-way, order" not in results["asked"]  # three classes are too few
    few = evaluate(baselines.otam, data.subset(kinds[0]), episodes=30)
    assert accuracy(results, "otam", "5-way, context") == pytest.approx(few.accuracy)
    brief = compare({"otam": [baselines.otam]}, data, episodes=30, brief=True)
    assert list(brief["asked"]) == [FIVE_WAY, "5-way, context"]


def test_answers_are_kept_small_and_whole(results, data, heads, tmp_path):
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results))
    for measure, settings in (
        (FIVE_WAY, {}),
        ("5-way, 5-shot", {"shot": 5}),
        (ONE_BY_ONE, {"one_query_at_a_time": True}),
    ):
        listed, right = read_answers(file)["head"][measure]
        scored = [evaluate(head, data, episodes=60, seed=4, **settings) for head in heads]
        assert np.array_equal(right, [one.answers == 0 for one in scored])
        assert [listed[name] for name in SAME_EPISODES[2:]] == [getattr(scored[0], name) for name in SAME_EPISODES[2:]]
    many = evaluate(baselines.otam, data, episodes=2000)
    assert len(json.dumps(pack_answers([many]))) < 4000


def test_differences_are_taken_episode_by_episode(results, data):
    ours, other = (evaluate(m, data, episodes=60, seed=4) for m in (baselines.zero_shot, baselines.otam))
    assert [*results["rows"]["zero-shot"]["difference"]["otam"].values()] == pytest.approx(
        paired_difference(ours, other)
    )


def test_an_unknown_reference_is_refused_before_anything_is_scored(data):
    def method(*_):
        pytest.fail("scored")

    with pytest.raises(ValueError, match="references.*a, b.*'c'"):
        compare({"a": [method], "b": [method]}, data, references=["c"])


def test_a_table_has_a_row_per_method_and_a_column_per_measure(results):
    lines = comparison_table(results, "otam").splitlines()
    assert len(lines) == 2 + 4 and lines[3].startswith("| otam | ") and "|  |" in lines[3]
    for measure, shown in (("5-way, 5-shot", "5-way, 5-shot, %"), ("reversed", "reversed pairs, 2-way, %")):
        column = lines[0].split(" | ").index(shown)
        assert lines[2].split(" | ")[column].startswith(f"{accuracy(results, 'zero-shot', measure):.1f}")
    few = comparison_table(results, "otam", ["head"], [FIVE_WAY, "similar"]).splitlines()
    assert len(few) == 3 and few[0].count("|") == 5


def test_every_ablation_changes_the_answer_or_the_loss_of_the_full_model(data):
    episode = data.features[:4].unflatten(0, (2, 2)), data.features[4:7], data.class_text[:2]
    labels = torch.tensor([0, 1, 1])
    still = dict(dropout=0.0, feedforward_dropout=0.0)
    full = small_head(**still)
    for name, changes in ABLATIONS.items():
        other = small_head(**still | changes)
        other.load_state_dict(full.state_dict() | {"motion_loss_weight": other.motion_loss_weight})
        same = torch.equal(full(*episode).logits, other(*episode).logits)
        assert same == (name in ("without HSMR", "without consistency"))
        assert full.losses(*episode, labels).total != other.losses(*episode, labels).total
