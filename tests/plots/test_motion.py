"""The pictures of motion show the data they are given."""

import torch

from clipspm_lite.plots import motion


def test_frame_shares_have_a_bar_a_frame():
    figure = motion.frame_shares({"a": torch.tensor([0.25, 0.5, 0.25]), "b": torch.tensor([-1.0, 0, 1])})
    assert [[bar.get_height() for bar in ax.patches] for ax in figure.axes] == [[0.25, 0.5, 0.25], [-1, 0, 1]]
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]


def test_answers_to_changes_show_every_clip_their_mean_and_what_has_no_length():
    cosines = {"m": {"still": torch.tensor([float("nan")] * 2), "reversed": torch.tensor([-1.0, -0.5])}}
    lengths = {"m": {"still": torch.zeros(2), "reversed": torch.tensor([0.5, 1.5])}}
    upper, lower = motion.answers_to_changes(cosines, lengths).axes
    assert [text.get_text() for text in upper.texts] == ["no length"] and not lower.texts
    drawn = [list(line.get_xdata()) for line in upper.lines]
    assert [-1, -0.5] in drawn and [-0.75, -0.75] in drawn
    assert [0.5, 1.5] in [list(line.get_xdata()) for line in lower.lines]
    assert [label.get_text() for label in lower.get_yticklabels()] == ["still", "reversed"]


def test_lengths_by_class_are_sorted_and_marked_classes_hatched():
    lengths = {"sit_down": torch.tensor([3.0, 5.0]), "wave": torch.tensor([1.0, 1.0])}
    ax = motion.lengths_by_class(lengths, ["wave"], "there and back", "one way").axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["wave", "sit down"]
    assert {bar.get_width(): bar.get_hatch() for bar in ax.patches} == {1: "//", 4: ""}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["there and back", "one way"]


def test_motion_of_heads_has_a_panel_a_quantity_and_a_bar_a_head():
    heads = {"start": {"length": 2.0, "loss": 86.4}, "trained": {"length": 1.0, "loss": 3.0}}
    figure = motion.motion_of_heads(heads, "a title")
    assert [ax.get_ylabel() for ax in figure.axes] == ["length", "loss"]
    assert [[bar.get_height() for bar in ax.patches] for ax in figure.axes] == [[2, 1], [86.4, 3]]
    assert [text.get_text() for text in figure.axes[1].texts] == ["86", "3.00"]


def test_features_of_twins_are_sorted_by_the_first_and_compared_with_it():
    values = torch.tensor([[3.0, 0.0, -4.0], [-6.0, 0.0, 8.0], [0.0, 0.0, 0.0]])
    figure = motion.features_of_twins({"m": values}, ["original", "reversed", "still"])
    ax = figure.axes[0]
    image = ax.images[0].get_array()[2:]  # two empty rows carry the heading
    assert image.tolist() == [[-0.5, 0.0, 0.375], [1.0, 0.0, -0.75], [0.0, 0.0, 0.0]]
    texts = [text.get_text() for text in ax.texts]
    assert texts[0] == "m (colours: ± 8)"
    assert "2.00 × as long, cosine -1.00" in texts and "0.00 × as long" in texts


def test_compared_with_first_gives_no_direction_to_what_has_no_length():
    assert motion.compared_with_first(torch.tensor([[2.0, 0], [0, 1], [0, 0]])) == [(1, 1), (0.5, 0), (0, None)]
    assert motion.compared_with_first(torch.tensor([[0.0, 0], [1, 0]]))[1][1] is None


def test_steps_of_twins_are_blocks_in_order_with_time_along_x():
    steps = {"original": torch.tensor([[1.0, 4.0], [2.0, 4.0]]), "still": torch.zeros(2, 2)}
    ax = motion.steps_of_twins(steps, "a title").axes[0]
    image = ax.images[0].get_array()
    assert image[:, :2].tolist() == [[1.0, 1.0], [0.25, 0.5]] and image[:, 3:].tolist() == [[0, 0], [0, 0]]
    assert image.mask[:, 2].all()
    assert [text.get_text() for text in ax.texts] == ["original", "still"]
    assert ax.get_title(loc="left") == "a title (colours: ± 4)"


def test_strips_of_twins_are_rows_of_one_film():
    clips = {"up": torch.zeros(3, 3, 4, 4), "down": torch.ones(3, 3, 4, 4)}
    ax = motion.strips_of_twins(clips).axes[0]
    image = ax.images[0].get_array()
    assert image.shape == (8, 12, 3) and image[:4].max() == 0 and image[4:].min() == 1
    assert [text.get_text() for text in ax.texts] == ["up", "down"]
