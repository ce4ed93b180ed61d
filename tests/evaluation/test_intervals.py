"""Numbers out of the counts that a comparison leaves: no model is needed for these."""

import json
import math

import numpy as np
import pytest

from clipspm_lite.evaluation import accuracy, bootstrap, half_width, per_seed
from clipspm_lite.evaluation.results import FIVE_WAY, comparison_table
from clipspm_lite.plots.ablations import estimate


def fake(right, asked=10):
    """Results of rows given as right answers [seeds, classes]."""
    same = {"interval": 1.26, "difference": {"a": {"points": -2.0, "interval": None}}}
    rows = {name: {"right": {FIVE_WAY: counts}} | same for name, counts in right.items()}
    return {"shot": 1, "asked": {FIVE_WAY: [asked] * len(next(iter(right.values()))[0])}, "rows": rows}


def test_the_interval_is_196_standard_errors_in_points_and_of_one_value_there_is_none():
    values = np.array([0.2, 0.4, 0.6, 1.0])
    assert half_width(values) == pytest.approx(100 * 1.96 * values.std(ddof=1) / 2)
    assert math.isnan(half_width(values[:1]))


def test_accuracies_are_of_all_queries_and_of_each_seed():
    results = fake({"a": [[2, 9], [4, 8]]})
    assert per_seed(results, "a") == [55, 60] and accuracy(results, "a") == 57.5


def test_bootstrap_of_a_constant_difference_has_no_width():
    results = fake({"a": [[2, 9, 5], [4, 8, 6]], "b": [[1, 8, 4], [3, 7, 5]], "untrained": [[1, 8, 4]]})
    assert bootstrap(results, "a", minus="b") == pytest.approx((10, 10))
    low, high = bootstrap(results, "a", minus="untrained")
    assert low < high


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_bootstrap_of_rows_with_unequal_numbers_of_seeds_holds_their_difference(seeds):
    rows = {"a": [[9, 9], [5, 5], [1, 1]], "b": [[1, 1], [7, 7], [4, 4], [4, 4]][:seeds]}
    results = fake(rows)
    for name, minus in (("a", "b"), ("b", "a")):
        low, high = bootstrap(results, name, minus=minus)
        assert low < accuracy(results, name) - accuracy(results, minus) < high
        assert (low, high) == bootstrap(results, name, minus=minus)
        drawn = estimate(results, name, minus=minus)
        assert np.mean(drawn.per_seed) == pytest.approx(drawn.value)


def test_bootstrap_of_unequal_seeds_is_as_wide_as_both_rows_are_uncertain():
    results = fake({"a": [[9], [5], [1]], "b": [[8], [2]], "c": [[5]]})
    widths = {minus: np.ptp(bootstrap(results, "a", minus=minus)) for minus in ("b", "c")}
    assert widths["b"] > 1.2 * widths["c"]


def test_bootstrap_varies_seeds_and_classes():
    for results in (fake({"a": [[0, 10]] * 3}), fake({"a": [[0, 0], [5, 5], [10, 10]]})):
        assert np.ptp(bootstrap(results, "a")) > 50


@pytest.mark.filterwarnings("error")
def test_a_draw_of_classes_of_which_none_was_asked_says_nothing():
    results = fake({"a": [[4, 8, 0, 0, 0, 0]]})
    results["asked"][FIVE_WAY] = [10, 10, 0, 0, 0, 0]  # two classes of six in such pairs
    assert bootstrap(results, "a") == pytest.approx((40, 80))


MISTYPED = {
    "name": lambda results: bootstrap(results, "otm"),
    "minus": lambda results: bootstrap(results, "a", minus="otm"),
    "measure": lambda results: bootstrap(results, "a", "otm"),
    "name of a table": lambda results: comparison_table(results, "a", ["otm"]),
    "reference": lambda results: comparison_table(results, "otm"),
}


@pytest.mark.parametrize("wrong", MISTYPED)
def test_a_mistyped_row_or_measure_is_named_beside_those_there_are(wrong):
    argument, known = wrong.split()[0], FIVE_WAY if "measure" in wrong else "a"
    with pytest.raises(ValueError, match=f"{argument}.*{known}.*otm"):
        MISTYPED[wrong](fake({"a": [[1, 2]]}))


def test_a_table_shows_an_interval_only_where_there_is_one():
    results = fake({"a": [[2, 9]], "b": [[4, 8], [6, 6]]})
    lines = comparison_table(results, "a").splitlines()
    assert lines[2:] == ["| a | 55.0 ± 1.3 |  |", "| b | 60.0 ± 1.3 | -2.0 |"]
    assert comparison_table(results).splitlines()[2:] == ["| a | 55.0 ± 1.3 |", "| b | 60.0 ± 1.3 |"]
    results["rows"]["a"]["interval"] = None
    assert comparison_table(json.loads(json.dumps(results)), "a", ["a"]).endswith("| a | 55.0 |  |")
