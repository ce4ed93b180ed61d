"""The right frames, from every kind of file that data sets and phones hold, and one clear error for the rest."""

import os

import av
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from marked_video import numbers_in, rotate_mp4, start_mp4_later, write_marked_video

from clipspm_lite.data.decoding.video import (
    MOST_FRAMES,
    VideoError,
    count_frames,
    frame_indices,
    load_video,
    load_videos,
)
from clipspm_lite.data.decoding.worker import decode

VP9 = {"codec": "libvpx-vp9", "b_frames": 0, "options": {"deadline": "realtime", "cpu-used": "8"}}
MPEG4 = {"codec": "mpeg4"}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="session")
def clip(folder):
    """An H.264 MP4 of 60 frames with B-frames."""
    return write_marked_video(folder / "clip.mp4", 60)


def centres(count, frames=8):
    return [(2 * i + 1) * count // (2 * frames) for i in range(frames)]


@pytest.mark.parametrize(
    ("name", "count", "settings"),
    [
        ("b_frames.mp4", 60, {"b_frames": 3}),
        ("b_frames.mov", 61, {}),
        ("hmdb_like.avi", 73, MPEG4),
        ("no_b_frames.avi", 60, MPEG4 | {"b_frames": 0}),
        ("h264.avi", 60, {}),
        ("vp9.webm", 60, VP9),
        ("h264.mkv", 60, {}),
        ("mpeg1.mpg", 250, {"codec": "mpeg1video"}),
        ("ten_bit.mp4", 30, {"pixel_format": "yuv420p10le"}),
        ("long.mp4", 2000, {}),
        ("long.avi", 2000, MPEG4),
        ("one_frame.mp4", 1, {}),
        ("one_frame.avi", 1, MPEG4),
        ("two_frames.mp4", 2, {}),
        ("three_frames.webm", 3, VP9),
    ],
)
def test_the_frames_are_the_centres_of_the_segments(folder, name, count, settings):
    path = write_marked_video(folder / name, count, **settings)
    video = load_video(path)
    assert video.shape == (8, 3, 48, 64) and video.dtype == torch.float32
    assert numbers_in(video) == centres(count)
    assert count_frames(path) == count


@pytest.mark.parametrize("width", [8, 24, 48, 65, 97])
def test_odd_and_narrow_videos_keep_their_size_and_pixels(folder, width):
    path = write_marked_video(folder / f"{width}.mp4", 20, width=width, height=97, pixel_format="yuv444p")
    video = load_video(str(path))
    assert video.shape == (8, 3, 97, width)
    assert numbers_in(video) == centres(20)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_phones_rotation_is_applied(folder, clip, degrees):
    video = load_video(rotate_mp4(clip, folder / f"turned_{degrees}.mp4", degrees))
    assert video.shape[-2:] == ((48, 64) if degrees == 180 else (64, 48))
    upright = video.rot90(degrees // 90, dims=(-2, -1))  # turns anticlockwise
    assert numbers_in(upright) == centres(60)


def test_frames_before_the_start_of_a_trimmed_clip_do_not_count(folder, clip):
    path = start_mp4_later(clip, folder / "trimmed.mp4", 8)
    assert numbers_in(load_video(path)) == [8 + number for number in centres(52)]
    assert count_frames(path) == 52


def test_colours_are_red_green_blue_between_0_and_1(folder):
    path = folder / "red.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        picture = av.VideoFrame(64, 48, "rgb24")
        picture.planes[0].update(bytes([255, 0, 0]) * 64 * 48)
        container.mux(stream.encode(picture))
        container.mux(stream.encode())
    red, green, blue = load_video(path).mean((0, 2, 3)).tolist()
    assert red > 0.95 and green < 0.05 and blue < 0.05
    assert load_video(path, size=20).aminmax().min >= 0 and load_video(path, size=20).aminmax().max <= 1


def test_size_gives_a_centred_square_of_the_resized_frame(folder, clip):
    assert load_video(clip, size=32).shape == (8, 3, 32, 32)
    full = load_video(clip, frames=2)
    assert torch.allclose(load_video(clip, 2, 48), full[..., 8:56], atol=1e-6)
    assert torch.allclose(load_video(clip, 2, 20, resize=48), full[..., 14:34, 22:42], atol=1e-6)
    upscaled = load_video(clip, size=96)
    assert upscaled.shape == (8, 3, 96, 96) and upscaled.is_contiguous()


def test_random_choices_repeat_with_their_generator_and_mirror_every_second_clip_as_a_whole(clip):
    def draw(seed, **flip):
        generator = torch.Generator().manual_seed(seed)
        return load_video(clip, 4, 32, random_segments=True, random_crop=True, generator=generator, **flip)

    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))
    mirrored = 0
    for seed in range(20):
        plain, flipped = draw(seed), draw(seed, random_flip=True)
        assert torch.equal(flipped, plain) or torch.equal(flipped, plain.flip(-1))
        mirrored += not torch.equal(flipped, plain)
    assert 4 <= mirrored <= 16


@given(st.integers(1, 5000), st.integers(1, 64), st.integers(0, 2**32))
def test_random_frames_stay_in_their_segment_and_in_the_video(count, frames, seed):
    offsets = torch.rand(frames, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    indices = frame_indices(count, offsets)
    for i, index in enumerate(indices):
        assert i * count // frames <= index <= min(count - 1, (i + 1) * count // frames)
    assert frame_indices(count, torch.full((frames,), 0.5, dtype=torch.float64)) == centres(count, frames)


def written(path, content):
    path.write_bytes(content)
    return path


def truncated(path, folder):
    return written(folder / f"truncated{path.suffix}", path.read_bytes()[: path.stat().st_size // 2])


def damaged(path, folder):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 300] = bytes(300)
    return written(folder / f"damaged{path.suffix}", content)


def only_sound(folder):
    target = folder / "sound.mp4"
    with av.open(str(target), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        silence = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        silence.planes[0].update(bytes(4096))
        silence.sample_rate, silence.pts = 16000, 0
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    return target


def made(path, make, *arguments):
    make(*arguments, path)
    return path


CONTENTS = {  # what a file starts with, and what the error says
    "playlist": (b"#EXTM3U\n#EXTINF:5,\n/etc/passwd\n", "playlist"),
    "empty": (b"", "empty"),
    "text": (b"not a video\n" * 99, "not a video"),
    "web page": (b"\n<!DOCTYPE html><html>", "web page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
}
UNREADABLE = {name: (lambda d, c, b=start: written(d / "a.mp4", b), found) for name, (start, found) in CONTENTS.items()}
UNREADABLE |= {
    "link to nothing": (
        lambda folder, clip: made(folder / "dangling.mp4", os.symlink, "nowhere.mp4"),
        "a link to nothing",
    ),
    "missing": (lambda folder, clip: folder / "missing.mp4", "no such file"),
    "folder": (lambda folder, clip: folder, "folder"),
    "sound": (lambda folder, clip: only_sound(folder), "no video stream"),
    "truncated": (lambda folder, clip: truncated(clip, folder), "video"),
    "truncated AVI": (lambda d, clip: truncated(write_marked_video(d / "a.avi", 60, **MPEG4), d), "video"),
    "damaged": (lambda folder, clip: damaged(clip, folder), "damaged"),
    "transport stream": (lambda folder, clip: write_marked_video(folder / "b.ts", 60), "transport stream"),
}
if hasattr(os, "mkfifo"):  # which is not waited for
    UNREADABLE["pipe"] = (lambda folder, clip: made(folder / "pipe.mp4", os.mkfifo), "regular file")


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_one_line_with_the_reason_and_the_files_name(kind, tmp_path, clip):
    make, reason = UNREADABLE[kind]
    path = make(tmp_path, clip)
    with pytest.raises(VideoError) as error:
        load_video(path)
    (line,) = str(error.value).splitlines()
    assert reason in line and path.name in line


@pytest.mark.parametrize(
    "name", ["clip with spaces.mp4", "-dash.mp4", "http:clip.mp4", "été 動画.mp4", "two\nlines.mp4"]
)
def test_any_file_name_will_do_and_stays_on_one_line(tmp_path, monkeypatch, clip, name):
    monkeypatch.chdir(tmp_path)
    try:
        written(tmp_path / name, clip.read_bytes())
    except OSError:
        pytest.skip("this system forbids such a name")
    assert numbers_in(load_video(name)) == centres(60)
    written(tmp_path / name, b"no video")
    with pytest.raises(VideoError) as error:
        load_video(name)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"frames": 0}, "frames"),
        ({"frames": MOST_FRAMES + 1}, "frames"),
        ({"size": 112.5}, "size"),
        ({"size": 64, "resize": 32}, "resize"),
        ({"resize": 32}, "size"),
        ({"random_crop": True}, "size"),
    ],
)
def test_arguments_out_of_range_are_refused_before_the_file_is_opened(arguments, named):
    with pytest.raises(ValueError, match=named):
        load_video("there is no such file.mp4", **arguments)
    if "random_crop" not in arguments:
        with pytest.raises(ValueError, match=named):  # at the call, not when the first video is read
            load_videos([], **arguments)


@pytest.mark.parametrize("change", ["grows", "is exchanged", "is removed"])
def test_a_file_that_changes_while_it_is_read_is_refused_unless_it_is_gone(change, tmp_path, clip, monkeypatch):
    path, other = (written(tmp_path / name, clip.read_bytes()) for name in ("clip.mp4", "other.mp4"))

    def changing(*request):
        decoded = decode(*request)
        if change == "grows":
            path.write_bytes(clip.read_bytes() + b"more")
        else:
            path.unlink() if change == "is removed" else other.replace(path)
        return decoded

    monkeypatch.setattr("clipspm_lite.data.clips.decode", changing)
    if change == "is removed":
        assert numbers_in(load_video(path)) == centres(60)
    else:
        with pytest.raises(VideoError, match="changed.*clip.mp4$"):
            load_video(path)
