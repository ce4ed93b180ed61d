"""The picture of an answer shows the data it is given."""

import torch

from clipspm_lite.plots.answers import ranking


def test_a_ranking_has_a_bar_an_action_from_the_top_and_the_clip_above():
    figure = ranking(torch.rand(4, 3, 8, 8), {"sit": 0.75, "stand": 0.2, "wave": 0.05})
    strip, bars = figure.axes
    assert strip.images[0].get_array().shape == (8, 32, 3)
    assert [bar.get_width() for bar in bars.patches] == [0.75, 0.2, 0.05]
    assert [text.get_text() for text in bars.texts] == ["75 %", "20 %", "5 %"]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["sit", "stand", "wave"]
    assert bars.yaxis_inverted()
