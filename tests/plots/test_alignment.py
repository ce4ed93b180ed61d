"""The pictures of matching in time show the data they are given."""

import pytest
import torch

from clipspm_lite.plots.alignment import accuracy_dots, aligned_frames, predecessors, soft_paths


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
    assert len(ax.images) == 1 + 1 + 1
    discs = ax.collections[0]
    assert discs.get_offsets().tolist() == [[0.5, 0.5], [1.5, 1.5], [1.5, 2.5]]
    areas = discs.get_sizes()
    assert areas[0] == pytest.approx(2 * areas[1]) and areas[1] == areas[2]


def test_soft_paths_draw_named_paths_over_the_cells():
    table, frames = torch.rand(3, 3), torch.zeros(3, 3, 4, 4)
    paths = {"there": [(0, 0), (0, 1), (1, 2)], "back": [(0, 0), (1, 0), (2, 1)]}
    ax = soft_paths([table], [table], frames, [frames], ["t"], [paths]).axes[0]
    drawn = [line.get_xydata().tolist() for line in ax.lines]
    assert drawn[0] == [[0.5, 0.5], [1.5, 0.5], [2.5, 1.5]]  # x: support frame, y: query frame
    assert drawn[1] == [[0.5, 0.5], [0.5, 1.5], [1.5, 2.5]]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()


def test_a_walk_joins_all_pairs_and_frames_the_chosen_one():
    pairs = [(0, 0), (1, 1), (1, 2), (2, 3)]
    ax = aligned_frames(torch.zeros(3, 3, 4, 4), torch.ones(4, 3, 4, 4), {"there": pairs}, 2).axes[0]
    ends = [tuple(line.get_xdata()) for line in ax.lines]
    assert ends == [pytest.approx(((i + 0.5) / 3, (j + 0.5) / 4)) for i, j in pairs]
    widths = [line.get_linewidth() for line in ax.lines]
    assert widths.index(max(widths)) == 2 and widths.count(max(widths)) == 1
    above, below = ax.patches
    assert 1 / 3 < above.get_x() < 2 / 3 - above.get_width() + 0.01
    assert 2 / 4 < below.get_x() < 3 / 4


def test_accuracy_dots_put_every_method_on_every_row():
    results = {"one": {"a": (40.0, 2.0), "b": (60.0, 1.0)}, "two": {"a": (50.0, 2.0), "b": (70.0, 1.0)}}
    ax = accuracy_dots(results, chance=50, title="t").axes[0]
    dots = [container.lines[0] for container in ax.containers]
    assert [dot.get_xdata().tolist() for dot in dots] == [[40, 60], [50, 70]]
    assert len({dot.get_marker() for dot in dots}) == 2
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
