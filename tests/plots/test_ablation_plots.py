"""The pictures of a comparison show the data they are given."""

import numpy as np
import pytest

from clipspm_lite.plots.ablations import Estimate, by_class, comparison_panels, draws, estimate, estimates

ROWS = {
    "without this": Estimate(-2.0, 0.5, -4.0, 1.0, [-3.0, -1.0]),
    "without that": Estimate(0.0, None, -1.0, 2.0, [0.0]),
}


def lines(ax):
    return [line.get_xdata() for line in ax.lines]


def test_estimates_show_value_both_intervals_and_every_seed():
    ax = estimates({"here": ROWS}, 0, "points").axes[0]
    shown = [list(np.atleast_1d(data)) for data in lines(ax)]
    assert [-4.0, 1.0] in shown and [-2.5, -1.5] in shown and [-3.0, -1.0] in shown and [-2.0] in shown
    assert [-1.0, 2.0] in shown
    assert [label.get_text() for label in ax.get_yticklabels()] == list(ROWS)
    assert ax.get_xlabel() == "points"


def test_a_row_without_an_interval_over_episodes_has_no_bar():
    thick = [line for line in estimates({"here": ROWS}, 0, "points").axes[0].lines if line.get_linewidth() > 3]
    assert len(thick) == 1


@pytest.mark.parametrize("panels", [2, 3, 4])
def test_every_panel_has_its_title_and_one_scale(panels):
    figure = estimates({f"panel {p}": ROWS for p in range(panels)}, 50, "accuracy, %")
    assert [ax.get_title() for ax in figure.axes] == [f"panel {p}" for p in range(panels)]
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    for ax in figure.axes:
        assert any(set(np.atleast_1d(data)) == {50} for data in lines(ax))


def test_without_a_line_none_is_drawn():
    dotted = [line for line in estimates({"here": ROWS}, None, "points").axes[0].lines if line.get_linestyle() == ":"]
    assert not dotted


def test_draws_are_counted_and_intervals_named():
    above, below = draws([-1.0, 0.0, 0.0, 3.0], {"one": (-1, 3), "two": (0, 1)}, "points").axes
    assert sum(bar.get_height() for bar in above.patches) == 4
    assert max(bar.get_height() for bar in above.patches) == 2
    assert [text.get_text().strip() for text in below.texts] == ["one", "two"]
    assert [list(data) for data in lines(below)][:2] == [[-1, 3], [0, 1]]


def test_classes_are_sorted_and_each_seed_is_there():
    differences = np.array([[1.0, -5.0, 3.0], [3.0, -7.0, 5.0]])
    ax = by_class(differences, ["a_b", "c", "d"], "points").axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c", "a b", "d"]
    assert [bar.get_width() for bar in ax.patches] == [-6, 2, 4]
    assert list(ax.lines[0].get_xdata()) == [-5, 1, 3] and list(ax.lines[1].get_xdata()) == [-7, 3, 5]


@pytest.fixture(scope="module")
def results():
    """What a comparison of two trained heads and one untrained method could have given."""
    right = {"head": [[8, 6, 4], [9, 7, 2]], "otam": [[5, 5, 5]]}
    return {
        "shot": 1,
        "asked": {"5-way": [10, 10, 10], "reversed": [10, 10, 10]},
        "rows": {
            name: {
                "right": {"5-way": rows, "reversed": rows},
                "interval": 2.0,
                "difference": {"otam": {"points": 10.0, "interval": 1.5}},
            }
            for name, rows in right.items()
        },
    }


def test_an_estimate_is_the_rows_accuracy_or_its_difference_with_each_training_seeds(results):
    alone = estimate(results, "head")
    assert (alone.value, alone.half_width, alone.per_seed) == (60.0, 2.0, [60.0, 60.0])
    assert alone.low < 60 < alone.high
    against = estimate(results, "head", minus="otam")
    assert (against.value, against.half_width, against.per_seed) == (10.0, 1.5, [10.0, 10.0])
    assert estimate(results, "otam", minus="head").half_width is None  # the head was no reference
    assert estimate(results, "head", "reversed").half_width is None


def test_a_comparison_is_drawn_with_every_row_in_a_panel_a_measure(results):
    figure = comparison_panels(results)
    assert [ax.get_title() for ax in figure.axes] == ["5-way 1-shot", "reversed pairs, 2-way"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["head", "otam"]
