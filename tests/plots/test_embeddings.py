"""The pictures of notebook 02 show the data they are given."""

import numpy as np
import pytest
import torch

from clipspm_lite.plots.embeddings import (
    StageMap,
    accuracy_by_shot,
    clips_and_names,
    cosine_histograms,
    frame_scores,
    maps,
    stage_maps,
    template_accuracies,
)


def test_clips_and_names_marks_the_largest_cosine_of_each_clip_right_or_wrong():
    clips = [torch.rand(3, 3, 8, 8)] * 2
    figure = clips_and_names(clips, torch.tensor([[0.9, 0.1], [0.7, -0.2]]), ["sit", "stand"], [0, 1])
    strips, tables = figure.axes[::2], figure.axes[1::2]
    assert [ax.images[0].get_array().shape for ax in strips] == [(8, 24, 3)] * 2
    titles = [ax.get_title(loc="left") for ax in strips]
    assert titles == ["clip 1, name 1: sit", "clip 2, name 2: stand"]
    written = [[text.get_text() for text in ax.texts] for ax in tables]
    assert written == [["0.90 ✓", "0.10"], ["0.70 ✗", "-0.20"]]
    assert [label.get_text() for label in tables[0].get_xticklabels()] == ["name 1", "name 2"]


def test_templates_stand_best_first_beside_all_together():
    figure = template_accuracies({"{}": (40.0, 1.0), "a {}": (60.0, 2.0)}, (55.0, 1.0), chance=20)
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a {}", "{}"]
    points = next(line for line in ax.lines if line.get_marker() == "o")
    assert list(points.get_xdata()) == [60, 40]
    assert any(list(line.get_xdata()) == [55, 55] for line in ax.lines)
    assert "20 %" in ax.get_xlabel()


def test_cosine_histograms_name_each_group_with_its_mean():
    groups = {"one": torch.full((2, 3), 0.5), "two": torch.tensor([-0.5, 0.0])}
    figure = cosine_histograms({"same": groups, "other": {"three": torch.zeros(4)}})
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["same", "other"]
    ax = figure.axes[0]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["one (mean 0.50)", "two (mean -0.25)"]
    assert len({patch.get_linestyle() for patch in ax.patches}) == 2
    marked = [line.get_xdata()[0] for line in ax.lines]
    assert marked == pytest.approx([0.5, -0.25])


def test_maps_place_videos_and_sentences_and_the_chosen_class():
    video, text = np.arange(8.0).reshape(4, 2), -np.arange(6.0).reshape(3, 2)
    chosen = np.array([True, False, False, False]), np.array([False, False, True])
    figure = maps({"here": (video, text), "there": (2 * video, text)}, chosen, "sit")
    assert [ax.get_title() for ax in figure.axes] == ["here", "there"]
    places = [points.get_offsets() for points in figure.axes[1].collections]
    for found, expected in zip(places, (2 * video, text, 2 * video[:1], text[2:]), strict=True):
        assert np.array_equal(found, expected)
    assert [text.get_text() for text in figure.legends[0].get_texts()][2:] == ["video: sit", "sentence: sit"]
    assert len(maps({"here": (video, text)}).axes[0].collections) == 2


def test_frame_scores_draw_one_curve_a_name_below_each_clip():
    cosines = {"up": torch.rand(4, 2), "down": torch.rand(4, 2)}
    figure = frame_scores({title: torch.rand(4, 3, 8, 8) for title in cosines}, cosines, ["rise", "fall"])
    strips, curves = figure.axes[:2], figure.axes[2:]
    assert [ax.get_title() for ax in strips] == ["up", "down"]
    for ax, values in zip(curves, cosines.values(), strict=True):
        drawn = np.stack([line.get_ydata() for line in ax.lines], axis=-1)
        assert np.allclose(drawn, values.numpy())
    assert len({line.get_linestyle() for line in curves[0].lines}) == 2


def test_accuracy_by_shot_draws_values_and_intervals():
    figure = accuracy_by_shot([1, 5], {"names": [(50, 2), (51, 1)], "examples": [(40, 3), (70, 2)]}, 20)
    ax = figure.axes[0]
    names, examples = ax.containers
    assert list(names.lines[0].get_ydata()) == [50, 51] and list(examples.lines[0].get_ydata()) == [40, 70]
    spans = [segment[:, 1].tolist() for segment in examples.lines[2][0].get_segments()]
    assert spans == [[37, 43], [68, 72]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["names", "examples"]


def stage_points(ax):
    return [points.get_offsets() for points in ax.collections]


def test_stage_maps_draw_every_point_on_each_map_with_where_it_came_from():
    places = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    before = np.array([[1.0, 1.0], [2.0, 2.0], [np.nan, np.nan]])
    shown = {"t-SNE": StageMap(places, (0, 6, 0, 6), before), "PCA": StageMap(2 * places, (-9, 9, -9, 9))}
    figure = stage_maps(shown, ["clip", "clip", "anchor"], [0, 1, None], ["sit", "stand"], chosen=2)
    one, other = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["t-SNE", "PCA"]
    assert one.get_xlim() == (0, 6) and other.get_xlim() == (-9, 9)
    clips, anchor, of_sit, of_stand, ring = stage_points(other)
    assert clips.tolist() == [[0, 2], [4, 6]] and anchor.tolist() == ring.tolist() == [[8, 10]]
    assert of_sit.tolist() == [[0, 2]] and of_stand.tolist() == [[4, 6]]
    grey = one.lines[0].get_xydata()
    np.testing.assert_array_equal(grey[:2], [[1, 1], [0, 1]])
    assert not other.lines
    assert [text.get_text() for text in figure.texts] == ["clip", "anchor", "1", "sit", "2", "stand"]


def test_colours_mean_class_role_or_split():
    point = StageMap(np.arange(8.0).reshape(4, 2), (0, 8, 0, 8))
    arguments = {"one": point}, ["clip", "name"] * 2, [0, 0, 1, 2], ["sit", "stand", "wave"]

    def colours(**how):
        clip, name = stage_maps(*arguments, **how).axes[0].collections[:2]
        return [tuple(color) for color in np.concatenate([clip.get_facecolors(), name.get_facecolors()])]

    by_class = colours()  # points 0, 2 (clips of 0 and 1), then 1, 3 (names of 0 and 2)
    assert by_class[0] == by_class[2] and len(set(by_class)) == 3
    by_role = colours(colour="role")
    assert by_role[0] == by_role[1] != by_role[2] == by_role[3]
    by_split = colours(colour="split", parts=["base", "base", "novel"])
    assert by_split[0] == by_split[1] == by_split[2] != by_split[3]
    figure = stage_maps(*arguments, colour="split", parts=["base", "base", "novel"])
    assert "wave (novel)" in [text.get_text() for text in figure.texts]
