import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.evaluation.comparison import compare, pairs_by_kind
from clipspm_lite.evaluation.results import (
    FIVE_WAY,
    MEASURES,
    ONE_BY_ONE,
    accuracy,
    bootstrap,
    per_seed,
    table,
)
from clipspm_lite.evaluation.scoring import evaluate, paired_difference
from clipspm_lite.model import baselines
from clipspm_lite.model.variants import ABLATIONS
from clipspm_lite.plots.ablations import estimate

CLASSES = sample_world("validation").classes[:8]


@pytest.fixture(scope="module")
def data():
    """Features of eight classes of the sample world, drawn so that methods are neither at chance nor perfect."""
    torch.manual_seed(0)
    centres = torch.randn(8, 1, 1, 16)
    features = (centres + 1.5 * torch.randn(8, 6, 4, 16)).flatten(0, 1)
    return EncodedDataset(CLASSES, (6,) * 8, features, centres[:, 0, 0] + torch.randn(8, 16))


@pytest.fixture(scope="module")
def heads():
    made = []
    for seed in (0, 1, 2):
        torch.manual_seed(seed)
        made.append(CLIPSPM(16, heads=2, head_dim=8, mlp_dim=16, preset="lite").eval())
    return made


@pytest.fixture(scope="module")
def results(data, heads):
    methods = {"zero-shot": [baselines.zero_shot], "otam": [baselines.otam], "head": heads}
    return compare(methods, data, references=("otam",), episodes=60, seed=4)


def test_every_pair_of_classes_is_of_one_kind(data):
    kinds = pairs_by_kind(data)
    listed = [frozenset(pair) for pairs in kinds.values() for pair in pairs]
    assert len(listed) == len(set(listed)) and set(listed) == {frozenset(p) for p in combinations(CLASSES, 2)}
    assert all(kinds.values())


def test_similar_pairs_are_those_that_look_alike(data):
    features = data.features.clone()
    features[:6] = features[24:30] + 0.01  # two classes that are no reversed pair
    kinds = pairs_by_kind(replace(data, features=features))
    assert kinds["similar"][0] == (CLASSES[0], CLASSES[4])


def test_counts_give_the_accuracies_of_evaluate(results, data, heads):
    for name, method in (("otam", baselines.otam), ("zero-shot", baselines.zero_shot)):
        assert accuracy(results, name) == pytest.approx(evaluate(method, data, episodes=60, seed=4).accuracy)
    scores = [evaluate(head, data, episodes=60, seed=4).accuracy for head in heads]
    assert per_seed(results, "head") == pytest.approx(scores)
    assert accuracy(results, "head") == pytest.approx(np.mean(scores))


@pytest.mark.parametrize("shot", [3, 5])
def test_more_shots_are_asked_of_the_same_methods(shot, results, data, heads):
    for name, method in (("otam", baselines.otam), ("head", heads[0])):
        scored = evaluate(method, data, shot=shot, episodes=60, seed=4).accuracy
        assert per_seed(results, name, f"5-way, {shot}-shot")[0] == pytest.approx(scored)


def test_every_measure_is_there_and_json_holds_it(results):
    assert set(results["asked"]) == set(MEASURES)
    assert json.loads(json.dumps(results))["rows"] == results["rows"]
    for row in results["rows"].values():
        for measure in MEASURES:
            for right in row["right"][measure]:
                assert all(0 <= r <= a for r, a in zip(right, results["asked"][measure], strict=True))


def test_only_a_head_with_padm_answers_otherwise_one_query_at_a_time(results, data, heads):
    assert accuracy(results, "otam", ONE_BY_ONE) == accuracy(results, "otam", FIVE_WAY)
    alone = evaluate(lambda *episode: heads[0](*episode, inductive=True), data, episodes=60, seed=4)
    assert per_seed(results, "head", ONE_BY_ONE)[0] == pytest.approx(alone.accuracy)


def test_differences_are_taken_episode_by_episode(results, data):
    ours, other = (evaluate(m, data, episodes=60, seed=4) for m in (baselines.zero_shot, baselines.otam))
    points, interval = paired_difference(ours, other)
    assert results["rows"]["zero-shot"]["difference"]["otam"] == pytest.approx(
        {"points": points, "interval": interval}
    )


def fake(right, asked=10):
    """Results of rows given as right answers [seeds, classes]."""
    return {
        "asked": {FIVE_WAY: [asked] * len(next(iter(right.values()))[0])},
        "rows": {name: {"right": {FIVE_WAY: rows}} for name, rows in right.items()},
    }


def test_bootstrap_covers_the_mean_and_is_the_same_each_time():
    results = fake({"a": [[2, 9, 5, 7], [4, 8, 6, 6], [3, 9, 9, 5]]})
    low, high = bootstrap(results, "a")
    assert low < accuracy(results, "a") < high
    assert (low, high) == bootstrap(results, "a")


def test_bootstrap_of_a_constant_difference_has_no_width():
    results = fake({"a": [[2, 9, 5], [4, 8, 6]], "b": [[1, 8, 4], [3, 7, 5]], "untrained": [[1, 8, 4]]})
    assert bootstrap(results, "a", minus="b") == pytest.approx((10, 10))
    low, high = bootstrap(results, "a", minus="untrained")
    assert low < high


def test_bootstrap_varies_seeds_and_classes():
    only_classes = fake({"a": [[0, 10]] * 3})
    only_seeds = fake({"a": [[0, 0], [5, 5], [10, 10]]})
    for results in (only_classes, only_seeds):
        low, high = bootstrap(results, "a")
        assert high - low > 50


@pytest.mark.filterwarnings("error")
def test_a_draw_of_classes_of_which_none_was_asked_says_nothing():
    results = fake({"a": [[4, 8, 0, 0, 0, 0]]})
    results["asked"][FIVE_WAY] = [10, 10, 0, 0, 0, 0]  # two classes of six in such pairs
    assert bootstrap(results, "a") == pytest.approx((40, 80))


MISTYPED = {
    "name": lambda results: bootstrap(results, "otm"),
    "minus": lambda results: bootstrap(results, "otam", minus="otm"),
    "measure": lambda results: bootstrap(results, "otam", "otm"),
    "name ": lambda results: accuracy(results, "otm"),
    "measure ": lambda results: per_seed(results, "otam", "otm"),
    "name  ": lambda results: estimate(results, "otm"),
    "minus ": lambda results: estimate(results, "otam", minus="otm"),
    "names": lambda results: table(results, "otam", ["otm"]),
    "reference": lambda results: table(results, "otm"),
    "measure  ": lambda results: table(results, "otam", measures=["otm"]),
}


@pytest.mark.parametrize("wrong", MISTYPED)
def test_a_mistyped_row_or_measure_is_named_beside_those_there_are(wrong, results):
    known = FIVE_WAY if "measure" in wrong else "otam"
    with pytest.raises(ValueError, match=f"^{wrong.strip()}: expected one of .*{known}.*, found 'otm'$"):
        MISTYPED[wrong](results)


def test_what_cannot_be_compared_is_refused_before_anything_is_scored(data):
    def method(*_):
        pytest.fail("scored")

    with pytest.raises(ValueError, match="^references: expected one of a, b, found 'c'"):
        compare({"a": [method], "b": [method]}, data, references=["c"])
    with pytest.raises(ValueError, match="^methods: expected at least one trained version of 'b'"):
        compare({"a": [method], "b": []}, data)
    with pytest.raises(ValueError, match="^methods: expected at least one, found none"):
        compare({}, data)
    with pytest.raises(
        TypeError, match=r"^methods: expected a list of trained versions of 'a', .* use \[method\]"
    ):
        compare({"a": method}, data)
    with pytest.raises(TypeError, match="^data: expected an EncodedDataset, found a list: .*encode_dataset"):
        compare({"a": [method]}, [])


@pytest.mark.parametrize("wrong", [0, -1, "x", 1.5, None])
def test_draws_and_seed_of_a_bootstrap_are_whole_numbers(wrong):
    with pytest.raises(ValueError, match="draws: expected a whole number"):
        bootstrap(fake({"a": [[1, 2]]}), "a", draws=wrong)
    if wrong != 0:
        with pytest.raises(ValueError, match="seed: expected a whole number"):
            bootstrap(fake({"a": [[1, 2]]}), "a", seed=wrong)


def test_the_table_has_a_row_a_method_and_none_for_the_reference_difference(results):
    lines = table(results, "otam").splitlines()
    assert len(lines) == 2 + 3
    assert lines[3].startswith("| otam | ") and "|  |" in lines[3]
    for measure, shown in (("5-way, 5-shot", "5-way, 5-shot, %"), ("reversed", "reversed pairs, 2-way, %")):
        column = lines[0].split(" | ").index(shown)
        assert lines[2].split(" | ")[column].startswith(f"{accuracy(results, 'zero-shot', measure):.1f}")
    few = table(results, "otam", ["head"], [FIVE_WAY, "similar"]).splitlines()
    assert len(few) == 3 and few[0].count("|") == 5


def test_every_ablation_changes_the_answer_or_the_loss_of_the_full_model(data):
    episode = data.features[:4].unflatten(0, (2, 2)), data.features[4:7], data.class_text[:2]
    labels = torch.tensor([0, 1, 1])
    sizes = dict(heads=2, head_dim=8, mlp_dim=16, preset="lite", dropout=0.0, feedforward_dropout=0.0)
    torch.manual_seed(0)
    full = CLIPSPM(16, **sizes)
    for name, changes in ABLATIONS.items():
        other = CLIPSPM(16, **{**sizes, **changes})
        other.load_state_dict(full.state_dict() | {"motion_loss_weight": other.motion_loss_weight})
        same = torch.equal(full(*episode).logits, other(*episode).logits)
        assert same == (name in ("without HSMR", "without consistency"))
        assert full.losses(*episode, labels).total != other.losses(*episode, labels).total
