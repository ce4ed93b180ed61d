"""The pictures of matching in time show the data they are given."""

import pytest
import torch

from clipspm_lite.plots.alignment import accuracy_dots, predecessors, soft_paths


def test_predecessors_draw_every_cell_and_one_arrow_for_each_cell_looked_at():
    figure = predecessors(2, 3, lambda row, column: [(row, column - 1)] if column else [])
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    assert [text.get_text() for text in texts] == [f"D[{r},{c}]" for r in range(2) for c in range(3)]
    arrows = [(text.xyann, text.xy) for text in figure.axes[0].texts if not text.get_text()]
    assert arrows == [((c - 1, r), (c, r)) for r in range(2) for c in (1, 2)]


def test_soft_paths_show_costs_weights_and_both_clips():
    cost = torch.tensor([[0.1, 0.9], [0.5, 0.2], [0.3, 0.4]])
    path = torch.tensor([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]])
    x, y = torch.zeros(3, 3, 4, 4), torch.ones(2, 3, 4, 4)
    figure = soft_paths([cost, 1 - cost], [path, path], x, [y, y], ["same", "reversed"])
    ax, other = figure.axes[:2]
    assert (ax.get_title(), other.get_title()) == ("same", "reversed")
    assert torch.equal(torch.as_tensor(ax.images[0].get_array().data), cost)
    assert torch.equal(torch.as_tensor(other.images[0].get_array().data), 1 - cost)
    assert len(ax.images) == 1 + 3 + 2
    discs = ax.collections[0]
    assert discs.get_offsets().tolist() == [[0.5, 0.5], [1.5, 1.5], [1.5, 2.5]]
    areas = discs.get_sizes()
    assert areas[0] == pytest.approx(2 * areas[1]) and areas[1] == areas[2]


def test_accuracy_dots_put_every_method_on_every_row():
    results = {"one": {"a": (40.0, 2.0), "b": (60.0, 1.0)}, "two": {"a": (50.0, 2.0), "b": (70.0, 1.0)}}
    ax = accuracy_dots(results, chance=50, title="t").axes[0]
    dots = [container.lines[0] for container in ax.containers]
    assert [dot.get_xdata().tolist() for dot in dots] == [[40, 60], [50, 70]]
    assert len({dot.get_marker() for dot in dots}) == 2
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
