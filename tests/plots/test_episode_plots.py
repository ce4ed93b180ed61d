"""The pictures of notebook 01 show the data they are given."""

import numpy as np
import torch

from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.plots import episodes as plots


def test_the_timeline_shows_every_frame_and_every_choice():
    figure = plots.frame_timeline(torch.rand(6, 3, 4, 4), [0, 2, 4], [[1, 3, 5], [0, 3, 4]])
    pictures, ax = figure.axes
    assert len(pictures.images) == 6
    assert [list(line.get_xdata()) for line in ax.lines] == [[0, 2, 4], [1, 3, 5], [0, 3, 4]]
    assert len(ax.patches) == 3
    assert [label.get_text() for label in ax.get_yticklabels()] == ["segment centres", "random draw 1", "random draw 2"]


def test_episode_draws_mark_support_and_query_videos_in_their_class_row():
    sampler = EpisodeSampler([4, 5, 6], way=2, shot=2, queries=1, seed=0)
    listed = [sampler[index] for index in range(3)]
    figure = plots.episode_draws(listed, [4, 5, 6], ["a", "b", "c"])
    assert len(figure.axes) == 3
    first = (0, 4, 9)
    for ax, episode in zip(figure.axes, listed, strict=True):
        support, query = [line for line in ax.lines if line.get_marker() in "so"]
        shown = [first[int(row)] + column for column, row in zip(support.get_xdata(), support.get_ydata(), strict=True)]
        assert shown == [video for videos in episode.support for video in videos]
        shown = [first[int(row)] + column for column, row in zip(query.get_xdata(), query.get_ydata(), strict=True)]
        assert shown == list(episode.query)


def test_intervals_that_miss_the_reference_are_crosses():
    figure = plots.interval_pieces({"one": ([50.0, 60.0, 58.0], [3.0, 3.0, 3.0])}, reference=59.0)
    held, missed = figure.axes[0].containers
    assert missed.lines[0].get_ydata().tolist() == [50] and missed.lines[0].get_marker() == "x"
    assert held.lines[0].get_ydata().tolist() == [58, 60]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["holds the mean of all: 2", "misses it: 1"]


def test_class_spread_shows_both_kinds_of_run_and_the_interval():
    ax = plots.class_spread([60.0, 62.0], [50.0, 55.0, 70.0], interval=2.0).axes[0]
    assert [list(line.get_xdata()) for line in ax.lines] == [[60, 62], [50, 55, 70]]
    left, right = np.asarray(ax.patches[0].get_extents().transformed(ax.transData.inverted()))[:, 0]
    assert round(left) == 59 and round(right) == 63


def test_picked_checkpoints_have_a_line_a_way_told_apart_by_marker_too():
    ax = plots.picked_checkpoints([1, 10], {"on test": [0, 2], "on validation": [0, 0]}).axes[0]
    _, on_test, on_validation = ax.lines
    assert list(on_test.get_ydata()) == [0, 2] and list(on_validation.get_ydata()) == [0, 0]
    assert on_test.get_marker() != on_validation.get_marker()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10"]


def test_mean_texts_are_drawn_where_they_are():
    means = {"balanced": torch.tensor([0.5, 0.5]), "one class": torch.tensor([0.75, 0.25])}
    ax = plots.mean_texts(torch.eye(2), means, ["a", "b"]).axes[0]
    points = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in ax.lines[2:]]
    assert points == [([0.5], [0.5]), ([0.75], [0.25])]
    assert [text.get_text() for text in ax.texts] == ["a", "b"]
