"""The pictures of PADM show the data they are given."""

import numpy as np
import pytest
import torch

from clipspm_lite.plots import prototypes as draw

NAMES = ["sit", "stand", "wave"]


def test_who_sees_whom_has_a_row_an_output_and_attention_in_two_blocks():
    ax = draw.who_sees_whom(way=2, shot=1, queries=3).axes[0]
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert rows == ["û1", "û2", "support 1.1′", "support 2.1′", "anchor â", "query 1′", "query 2′", "query 3′"]
    attended = {text.get_position() for text in ax.texts if text.get_text() == "●"}
    below = {(column, row) for column in (2, 3, 4) for row in range(4, 8)}
    assert attended == {(column, row) for column in (0, 1) for row in range(4)} | below
    assert len(ax.texts) == 8 * 5


def test_distance_matrices_show_both_on_one_scale():
    before, after = torch.eye(3), 10 * torch.eye(3)
    figure = draw.distance_matrices(before, after, NAMES)
    meshes = [ax.collections[0] for ax in figure.axes[:2]]
    assert [mesh.get_array().reshape(-1).tolist() for mesh in meshes] == [
        before.flatten().tolist(),
        after.flatten().tolist(),
    ]
    assert meshes[0].get_clim() == meshes[1].get_clim() == (0, 10)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == NAMES


def test_prototype_maps_join_each_query_to_its_class():
    numbers = torch.Generator().manual_seed(0)
    centres = [torch.randn(3, 4, 8, generator=numbers) for _ in range(2)]
    videos = [centre[[2, 0]] for centre in centres]  # queries exactly at their prototypes
    figure = draw.prototype_maps(centres, videos, [2, 0], NAMES)
    for ax in figure.axes[:2]:
        assert len(ax.lines) == 2
        for line in ax.lines:
            x, y = line.get_data()
            assert x[0] == pytest.approx(x[1], abs=1e-5) and y[0] == pytest.approx(y[1], abs=1e-5)


@pytest.mark.parametrize("label, verdicts", [(0, ["answer", "true class"]), (1, ["true class, answer"])])
def test_stacked_distances_show_excess_answer_and_truth(label, verdicts):
    parts = {"one": torch.tensor([3.0, 1.0, 2.0]), "two": torch.tensor([-4.0, -5.0, -4.5])}
    ax = draw.stacked_distances(parts, NAMES, label).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [2, 0, 1, 1, 0, 0.5]
    notes = [text.get_text() for text in ax.texts]
    assert "0.0" in notes[1] and "answer" in notes[1] and "true class" in notes[label]
    assert sum("(" in note for note in notes) == len(verdicts)


def test_logit_changes_hide_the_exchanged_query():
    changes = torch.tensor([[1.0, -2.0, 0.5], [9.0, 9.0, 9.0]])
    ax = draw.logit_changes(changes, exchanged=1, names=NAMES).axes[0]
    assert [text.get_text() for text in ax.texts] == ["+1.0", "-2.0", "+0.5"]
    assert ax.collections[0].get_clim() == (-2, 2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["query 1", "query 2 (exchanged)"]


def test_class_bias_is_drawn_around_its_mean():
    ax = draw.class_bias({"all": torch.tensor([1.0, 2.0, 3.0]), "one": torch.tensor([0.0, 0.0, 3.0])}, NAMES).axes[0]
    assert [bar.get_height() for bar in ax.patches] == [-1, 0, 1, -1, -1, 2]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["all", "one"]


def test_accuracy_by_company_shows_every_value():
    accuracies = {
        "together": {"full": (90.0, 1.0), "part": (80.0, 2.0)},
        "alone": {"full": (60.0, 1.5), "part": (70.0, 1.0)},
    }
    ax = draw.accuracy_by_company(accuracies, chance=20).axes[0]
    assert [text.get_text() for text in ax.texts] == ["90.0", "60.0", "80.0", "70.0"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["together", "alone"]


def test_paths_lie_where_they_are_put_and_the_anchor_is_a_star():
    paths = np.arange(12, dtype=float).reshape(2, 3, 2)
    anchor = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    queries = np.array([[0.0, 1.0], [9.0, 9.0]])
    figure = draw.prototype_paths(paths, queries, [0, 1], ["sit", "stand"], anchor, (0, 12, 0, 12))
    ax = figure.axes[0]
    drawn = {line.get_marker(): line for line in ax.lines if len(line.get_xdata()) == 3}
    assert set(drawn) == {"o", "s", "*"}
    np.testing.assert_array_equal(drawn["s"].get_xydata(), paths[1])
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), [[0, 1], [6, 7], [1, 2]])  # firsts
    assert [text.get_text() for text in figure.texts] == ["sit", "stand", "anchor"]


def test_prototype_distances_write_every_value_and_the_anchors_row():
    table = torch.tensor([[0.0, 1.5], [1.5, -0.001], [0.7, 0.8]])
    ax = draw.prototype_distances(table, ["sit", "stand"], (0, 2), "OTAM distance").axes[0]
    texts = [text.get_text() for text in ax.texts]
    assert texts[:6] == ["0.00", "1.50", "1.50", "0.00", "0.70", "0.80"]
    assert texts[6:] == ["1 sit", "2 stand", "anchor"]
    assert ax.images[0].get_clim() == (0, 2)


def test_distances_by_frame_leave_out_the_class_itself():
    rows = {"sit": torch.zeros(3), "stand": torch.ones(3), "anchor": torch.full((3,), 0.5)}
    figure = draw.distances_by_frame(rows, "sit", "1 − cosine")
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[1, 1, 1], [0.5, 0.5, 0.5]]
    assert [text.get_text() for text in figure.texts] == ["stand", "anchor"]
