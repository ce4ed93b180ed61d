"""The pictures of notebook 05 show the data they are given."""

import pytest
import torch

from clipspm_lite.plots.prompts import cosine_matrices, gate_values, loss_bars, two_prompts


def test_two_prompts_show_both_clips_and_only_the_supports_name():
    support, query = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    figure = two_prompts(support, query, "raising a box")
    strips = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title(loc="left") for ax in strips] == ["support", "query"]
    assert [float(ax.images[0].get_array().max()) for ax in strips] == [0, 1]
    words = [ax.texts[0].get_text() for ax in figure.axes if ax.texts]
    assert "raising a box" in words[0] and "raising a box" not in words[1]


def test_gate_values_are_shares_of_all_values_with_their_mean():
    figure = gate_values({"video": torch.tensor([[0.1, 0.1], [0.1, 0.9]]), "prompt": torch.full((5,), 0.5)})
    first, second = figure.axes
    heights = [bar.get_height() for bar in first.patches]
    assert sum(heights) == pytest.approx(100) and max(heights) == pytest.approx(75)
    assert first.get_title() == "video"
    assert second.get_legend().get_texts()[0].get_text() == "mean 0.50"


def test_cosine_matrices_share_a_scale_and_leave_the_diagonal_out_of_the_mean():
    matrix = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    figure = cosine_matrices({"one": matrix, "two": -matrix})
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == ["one\nmean 0.50", "two\nmean -0.50"]
    for ax, shown in zip(panels, (matrix, -matrix), strict=True):
        assert torch.equal(torch.as_tensor(ax.images[0].get_array().data), shown)
        assert ax.images[0].get_clim() == (-1, 1)


def test_loss_bars_have_a_group_a_term_and_a_hatch_a_model():
    figure = loss_bars({"on": {"L_cons": 2.0, "L_text": 4.0}, "off": {"L_cons": 20.0, "L_text": 40.0}})
    ax = figure.axes[0]
    assert [bar.get_width() for bar in ax.patches] == [2, 4, 20, 40]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["L_cons", "L_text"]
    assert len({bar.get_hatch() or "" for bar in ax.patches}) == 2
    assert ax.get_xlim()[0] == 0 and ax.get_xlim()[1] > 40
