"""The drawings of other methods show what their tensors say."""

import pytest
import torch
from matplotlib.patches import FancyArrowPatch, Rectangle

from clipspm_lite.plots.methods import clip_fsar, nearest_frames, tuple_weights

CLIP = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def arrows(ax):
    """Where each arrow starts and ends, on the clips' axis of time."""
    return [tuple(end[0] for end in patch._posA_posB) for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def test_every_frame_has_an_arrow_to_its_nearest_and_the_title_the_distance():
    distances = torch.tensor([[0.1, 0.9], [0.5, 0.2], [0.3, 0.4]])
    forwards, backwards = nearest_frames(CLIP, {"a": CLIP[:2], "b": CLIP[:2]}, [distances, distances.flip(1)]).axes
    ends = [(1 / 6, 1 / 4), (3 / 6, 3 / 4), (5 / 6, 1 / 4), (1 / 4, 1 / 6), (3 / 4, 3 / 6)]
    assert arrows(forwards) == [pytest.approx(pair, abs=0.01) for pair in ends]
    assert arrows(backwards)[0] == pytest.approx((1 / 6, 3 / 4), abs=0.01)
    titles = [ax.get_title(loc="left") for ax in (forwards, backwards)]
    assert titles == ["a: D = 0.350", "b: D = 0.350"]  # 0.2, the mean of the rows' least, and 0.15, of the columns'


def test_clip_fsar_shows_name_frames_and_every_shape():
    keys = ("class text", "support", "query", "modulated", "related", "prototypes", "logits")
    shapes = {key: (number, 128) for number, key in enumerate(keys, 2)}
    (ax,) = clip_fsar("a name", CLIP, CLIP, shapes).axes
    text = " ".join(text.get_text() for text in ax.texts)
    assert "“a name”" in text and all(f"[{number}, 128]" in text for number in range(2, 9))
    assert len(ax.images) == 6


def test_tuple_weights_show_pairs_in_order_of_time_only_and_frame_the_largest():
    weights = torch.tensor([[[0, 0.2, 0.7], [0, 0, 0.1], [0, 0, 0]], [[0, 0.5, 0.1], [0, 0, 0.4], [0, 0, 0]]])
    query, up, down, _ = tuple_weights(CLIP, (0, 2), {"up": CLIP, "down": CLIP}, weights).axes
    assert [patch.get_x() for patch in query.patches] == [0, 2]
    shown = up.images[0].get_array()
    assert shown.mask.tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    assert [ax.get_title() for ax in (up, down)] == ["up", "down"]
    framed = [[patch.get_xy() for patch in ax.patches if isinstance(patch, Rectangle)] for ax in (up, down)]
    assert framed == [[(2, 0)], [(1, 0)]]
