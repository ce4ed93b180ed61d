"""Long clips: each window is answered by the frames in it, and the answers cover the clip from start to end."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torchvision.utils import save_image

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import VideoDataset, sample_world
from clipspm_lite.data.decoding.video import VideoError, count_frames, load_video
from clipspm_lite.recognition.over_time import recognise_over_time
from clipspm_lite.recognition.recogniser import Recogniser, Score

sys.path.append(str(Path(__file__).parents[1] / "data"))
from marked_video import numbers_in, write_marked_video


class Numbers:
    """Stands for a recogniser and its store: a frame's feature is its number, and windows are kept."""

    frames, resize = 4, 64

    def __init__(self):
        self.store, self.backbone, self.windows = self, SimpleNamespace(image_size=64), []

    def encode_clips(self, clips):
        return torch.tensor([[[number] for number in numbers_in(clip)] for clip in clips])

    def predict(self, features):
        assert features.shape == (1, 4, 1)
        self.windows.append(features.flatten().tolist())
        likely = 0.9 if features.float().mean() < 50 else 0.2
        ranking = [Score("early", likely, 0.0), Score("late", 1 - likely, 0.0)]
        return [SimpleNamespace(ranking=sorted(ranking, key=lambda score: -score.probability))]


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """Four seconds, 25 frames each."""
    return write_marked_video(tmp_path_factory.mktemp("marked") / "long.mp4", 100, width=64, height=64)


def test_a_window_has_its_own_frames_and_the_parts_cover_the_clip(marked):
    numbers = Numbers()
    moments = recognise_over_time(numbers, marked, window=1, stride=0.5)
    assert numbers.windows == [[int((i + 0.5) * 100 / 16) for i in range(k, k + 4)] for k in range(0, 13, 2)]
    assert [moment.start for moment in moments] == [0, *(moment.end for moment in moments[:-1])]
    assert [moment.end for moment in moments] == pytest.approx([0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 4])
    assert [moment.action for moment in moments] == ["early"] * 4 + ["late"] * 3
    assert moments[0].probabilities == pytest.approx({"early": 0.9, "late": 0.1})


@pytest.mark.parametrize(
    ("window", "stride", "last"), [(1.5, 1.5, [67, 77, 86, 95]), (9, 1, [12, 37, 62, 87]), (0.04, 9, [99, 99, 99, 99])]
)
def test_the_last_window_ends_with_the_clip(marked, window, stride, last):
    numbers = Numbers()
    moments = recognise_over_time(numbers, marked, window, stride)
    assert numbers.windows[-1] == pytest.approx(last, abs=2) and moments[-1].end == 4
    assert len(numbers.windows) == (1 if window > 4 else len({*map(tuple, numbers.windows)}))


def test_a_short_clip_is_answered_as_by_predict_and_images_as_their_video(tmp_path):
    world = sample_world("novel")
    known = VideoDataset(world.root, world.classes[:3], tuple(names[:2] for names in world.videos[:3]))
    recogniser = Recogniser("otam", FeatureStore(load_backbone("tiny"), tmp_path)).with_support(known)
    clip = world.root / world.videos[1][-1]
    (whole,) = recognise_over_time(recogniser, clip, 60)
    expected = {score.action: score.probability for score in recogniser.predict([clip])[0].ranking}
    assert (whole.start, whole.end) == (0, 2) and whole.probabilities == pytest.approx(expected, abs=1e-5)
    (tmp_path / "images").mkdir()
    for number, frame in enumerate(load_video(clip, frames=count_frames(clip))):
        save_image(frame, tmp_path / "images" / f"{number}.png")
    images, moments = (recognise_over_time(recogniser, path, 1, fps=12) for path in (tmp_path / "images", clip))
    assert len(moments) == 3
    for one, other in zip(images, moments, strict=True):
        assert one[:3] == other[:3] and one.probabilities == pytest.approx(other.probabilities, abs=1e-3)
    with pytest.raises(ValueError, match="fps: .*images"):
        recognise_over_time(recogniser, tmp_path / "images", 1)


def test_what_cannot_be_cut_into_windows_is_refused_by_name(marked, tmp_path):
    for window, stride in ((0, 1), (1, -1), (float("nan"), 1)):
        with pytest.raises(ValueError, match="window, stride and fps: .*above 0"):
            recognise_over_time(Numbers(), marked, window, stride)
    for path in (tmp_path, tmp_path / "nowhere.mp4"):
        with pytest.raises(VideoError, match=str(path)):
            recognise_over_time(Numbers(), path, 1)
