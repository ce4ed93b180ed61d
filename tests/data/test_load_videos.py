"""Several videos are decoded at the same time, in order, and each is what `load_video` gives."""

import time

import pytest
import torch
from marked_video import numbers_in, write_marked_video

from clipspm_lite.data.decoding import video
from clipspm_lite.data.decoding.video import VideoError, load_video, load_videos


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    return [write_marked_video(folder / f"{n:02d}.mp4", 8 + n) for n in range(12)]


@pytest.mark.parametrize("workers", [1, 3, None])
@pytest.mark.parametrize("sampling", [{}, {"frames": 4, "size": 32, "resize": 40}])
def test_the_frames_are_bitwise_those_of_load_video_in_the_order_of_the_paths(paths, workers, sampling):
    loaded = list(load_videos(paths, workers=workers, **sampling))
    assert len(loaded) == len(paths)
    for path, frames in zip(paths, loaded, strict=True):
        assert torch.equal(frames, load_video(path, **sampling))


def test_a_broken_video_is_handed_out_as_its_error_and_the_others_are_read(paths, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_text("not a video")
    loaded = list(load_videos([*paths[:2], broken, tmp_path / "gone.mp4", paths[2]], frames=1, workers=2))
    assert [isinstance(one, VideoError) for one in loaded] == [False, False, True, True, False]
    assert "broken.mp4" in str(loaded[2]) and "gone.mp4" in str(loaded[3])
    assert numbers_in(loaded[4]) == [5]


def test_only_a_bounded_number_of_videos_is_decoded_ahead(paths, monkeypatch):
    decoded = []
    monkeypatch.setattr(video, "load_video", lambda path, *_, **__: decoded.append(path) or torch.zeros(()))
    loading = load_videos(iter(paths), workers=2)
    next(loading)
    time.sleep(0.1)
    assert len(decoded) <= 5
    loading.close()


def test_no_videos_are_read_by_a_known_number_of_workers():
    assert list(load_videos([])) == []
    with pytest.raises(ValueError, match="workers"):
        load_videos([], workers=0)
