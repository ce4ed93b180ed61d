"""A clip may be a folder of images or a record of a prepared folder, wherever it may be a video."""

import os
import signal
import time

import pytest
import torch
from marked_video import marked_frame, numbers_in, write_marked_video
from small_benchmarks import make_download, make_published_numbers_small
from torchvision.io import write_jpeg, write_png

from clipspm_lite import FeatureStore, load_backbone, load_video
from clipspm_lite.commands.main import main
from clipspm_lite.data.benchmarks import open_benchmark
from clipspm_lite.data.clips import INDEX, find_clip, find_clips
from clipspm_lite.data.datasets import DatasetError, open_folder
from clipspm_lite.data.decoding.video import VideoError, count_frames
from clipspm_lite.data.inspection import check_benchmark, check_folder
from clipspm_lite.data.prepared import prepare
from clipspm_lite.storage.tensors import write_tensors


def write_images(folder, frames, name="img_{:05d}.jpg", first=1, width=64, height=48):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(frames):
        picture = torch.from_numpy(marked_frame(number, width, height)).movedim(-1, 0)
        path = str(folder / name.format(number + first))
        write_png(picture, path) if path.endswith("png") else write_jpeg(picture, path, 95)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Two classes, each with two videos and a folder of images."""
    root = tmp_path_factory.mktemp("clips") / "source"
    for number, name in enumerate(("jump/a.mp4", "jump/b.avi", "run/c.mp4", "run/d.webm")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        codec = {".avi": "mpeg4", ".webm": "libvpx-vp9"}.get((root / name).suffix, "libx264")
        write_marked_video(root / name, 20 + number, codec=codec, b_frames=0 if "webm" in name else 2)
    for number, name in enumerate(("jump/frames_1", "run/v.avi")):
        write_images(root / name, 12 + number)
    return root


@pytest.fixture(scope="module")
def prepared(source):
    prepare(source, source.with_name("prepared"), workers=2)
    return source.with_name("prepared")


@pytest.mark.parametrize("name", ["{:05d}.jpg", "img_{}.jpeg", "frame-{}.png", "v_g01_c02 {:06d}.JPG"])
@pytest.mark.parametrize("first", [0, 1, 98])
def test_frame_i_is_the_ith_image_in_natural_order(tmp_path, name, first):
    clip = write_images(tmp_path / "clip", 30, name, first)
    (clip / ".hidden.jpg").write_bytes(b"")
    (clip / "Thumbs.db").write_bytes(b"")
    assert numbers_in(load_video(clip, 30)) == list(range(30)) and count_frames(clip) == 30
    assert numbers_in(load_video(clip, 4, 40, resize=44, random_segments=True, random_crop=False))[3] >= 22


@pytest.mark.parametrize("wrong", ["broken", "empty file", "other size", "other kind", "none"])
def test_an_image_folder_that_is_no_clip_is_one_error_that_names_it(tmp_path, wrong):
    clip = write_images(tmp_path / "clip", 0 if wrong == "none" else 9)
    bad = clip / "img_00005.jpg"
    if wrong in ("broken", "empty file"):
        bad.write_bytes(bad.read_bytes()[:300] if wrong == "broken" else b"")
    elif wrong == "other size":
        write_images(clip, 1, first=5, width=32)
    elif wrong == "other kind":
        write_images(clip, 9, name="flow_x_{:05d}.jpg")
    for read in (lambda path: load_video(path, 9), count_frames):
        with pytest.raises(VideoError, match="clip$" if wrong in ("other kind", "none") else "img_00005.jpg$"):
            read(clip)


def test_content_decides_what_an_image_folder_is(tmp_path):
    clip, other = write_images(tmp_path / "a", 5), write_images(tmp_path / "b", 5)
    stamp, sha256 = find_clip(clip).stamp(), find_clip(clip).sha256()
    assert sha256 == find_clip(other).sha256()
    (clip / "img_00002.jpg").rename(clip / "img_00009.jpg")
    assert sha256 != find_clip(clip).sha256() and stamp != find_clip(clip).stamp()


def test_class_folders_with_stray_images_are_not_taken_for_clips(source, tmp_path):
    (tmp_path / "root/jump").mkdir(parents=True)
    write_marked_video(tmp_path / "root/jump/a.mp4", 3)
    write_images(tmp_path / "root/jump", 1)
    assert find_clips(tmp_path / "root") == ["jump/a.mp4"] and open_folder(tmp_path / "root").classes == ("jump",)
    for name in ("root", "root/jump"):
        with pytest.raises(VideoError, match=f"folder.*{name}$"):
            load_video(tmp_path / name)
    assert open_folder(source).videos[1] == ("run/c.mp4", "run/d.webm", "run/v.avi")


def test_a_prepared_folder_is_taken_where_its_source_is(source, prepared, tmp_path):
    there, original = open_folder(prepared), open_folder(source)
    assert (there.classes, there.videos) == (original.classes, original.videos)
    for path, other in zip(there.paths, original.paths, strict=True):
        count = count_frames(other)
        frames = load_video(path, count)
        assert count_frames(path) == count and numbers_in(frames) == list(range(count))
        assert (frames - load_video(other, count)).abs().mean() < 0.02
        how = dict(resize=40, random_segments=True, random_crop=True, random_flip=True)
        pair = [load_video(p, 4, 36, generator=torch.Generator().manual_seed(3), **how) for p in (path, other)]
        assert (pair[0] - pair[1]).abs().mean() < 0.03
    store = FeatureStore(load_backbone("tiny", device="cpu"), tmp_path)
    features = [store.encode(paths) for paths in (there.paths, original.paths, there.paths)]
    assert torch.equal(features[0], features[2])
    assert torch.cosine_similarity(*features[:2], dim=-1).mean() > 0.99
    report = check_folder(prepared)
    assert report.ok and report.readable == {"jump": 3, "run": 3} and not report.remarks
    with pytest.raises(VideoError, match="folder.*jump$"):
        load_video(prepared / "jump")
    with pytest.raises(VideoError, match="none.mp4$"):
        load_video(prepared / "jump/none.mp4")
    with pytest.raises(DatasetError, match="hop"):
        open_folder(prepared, ["hop"])
    assert find_clips(prepared) == find_clips(source)


@pytest.mark.parametrize("name", ["hmdb51", "kinetics100", "ssv2_small"])
def test_a_prepared_benchmark_is_the_benchmark(name, tmp_path, monkeypatch):
    make_published_numbers_small(monkeypatch)
    lists = [*make_download(tmp_path / "download", name).values()][: 3 * (name != "hmdb51")]
    prepare(tmp_path / "download", tmp_path / "prepared", frames=4)
    videos = [open_benchmark(name, tmp_path / root, video_lists=lists).videos for root in ("download", "prepared")]
    assert videos[0] == videos[1] and check_benchmark(name, tmp_path / "prepared", lists).ok


def test_fewer_frames_and_smaller_pictures(source, tmp_path):
    prepare(source / "jump", tmp_path / "small", frames=5, shorter=24)
    clip = tmp_path / "small/a.mp4"
    assert numbers_in(load_video(clip, 5)) == [2, 6, 10, 14, 18] and load_video(clip, 5).shape[-2:] == (24, 32)
    with pytest.raises(ValueError, match="resize.*24"):
        load_video(clip, 5, 32)
    prepare(source / "jump", tmp_path / "large", shorter=48)
    assert load_video(tmp_path / "large/a.mp4", 5, 64).shape[-1] == 64, "the source was no larger"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_killed_run_goes_on_where_it_was(source, prepared, tmp_path, monkeypatch):
    again = tmp_path / "again"
    monkeypatch.setattr("clipspm_lite.data.prepared.ENOUGH", 0)  # a file for each clip
    child = os.fork()
    if child == 0:
        try:
            slow = lambda *what: (time.sleep(0.2), write_tensors(*what))  # noqa: E731
            monkeypatch.setattr("clipspm_lite.data.prepared.write_tensors", slow)
            prepare(source, again, workers=1)
        finally:
            os._exit(0)
    while len(files := list(again.glob("pictures_*"))) < 2:
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with pytest.raises(VideoError, match="again$"):
        open_folder(again)
    before = [file.read_bytes() for file in files]
    prepare(source, again, workers=1)
    assert [file.read_bytes() for file in files] == before and len(list(again.glob("pictures_*"))) == 6
    assert open_folder(again).videos == open_folder(prepared).videos and check_folder(again).ok


def test_clips_that_another_process_overwrote_are_missed(source, tmp_path, monkeypatch):
    monkeypatch.setattr("clipspm_lite.data.prepared.ENOUGH", 0)
    monkeypatch.setattr("clipspm_lite.data.prepared._files", lambda target: 0)  # as two would count at once
    with pytest.raises(OSError, match="another process"):
        prepare(source / "jump", tmp_path / "p")


def test_a_source_that_changed_is_refused_and_a_copy_of_it_is_not(source, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("a.mp4", "b.avi"):
        (copy / name).write_bytes((source / "jump" / name).read_bytes())
    prepare(copy, tmp_path / "prepared")
    os.utime(copy / "a.mp4", (0, 0))
    prepare(copy, tmp_path / "prepared")
    with pytest.raises(ValueError, match="frames"):
        prepare(copy, tmp_path / "prepared", frames=3)
    content = (copy / "b.avi").read_bytes()
    (copy / "b.avi").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(VideoError, match="b.avi"):
        prepare(copy, tmp_path / "prepared")
    for target in (copy / "inside", copy, source / "run"):
        with pytest.raises((ValueError, OSError)):
            prepare(copy, target)


@pytest.mark.parametrize("damage", ["picture", "cut", "table", "offsets", "newer", "missing", "no folder"])
def test_damage_is_one_error_that_names_it(source, tmp_path, damage):
    prepare(source / "jump", tmp_path / "p")
    pictures = next((tmp_path / "p").glob("pictures_*"))
    file, content = pictures, bytearray(pictures.read_bytes())
    data = 8 + int.from_bytes(content[:8], "little")
    if damage in ("picture", "table"):
        content[len(content) // 2 if damage == "picture" else data + 1] ^= 1
    elif damage == "cut":
        content = content[:-9]
    elif damage == "offsets":
        content = content.replace(b'"data_offsets":[0,', b'"data_offsets":[9,')
    elif damage == "newer":
        content = content.replace(b'version\\": 1', b'version\\": 2')
    elif damage == "no folder":
        file, content = tmp_path / "p" / INDEX, b"{}"
    file.write_bytes(content)
    if damage == "missing":
        pictures.unlink()
    with pytest.raises(VideoError, match=str(tmp_path / "p")) as error:
        for name in find_clips(tmp_path / "p"):
            count_frames(tmp_path / "p" / name)
    assert "\n" not in str(error.value)


def test_unreadable_clips_are_named_after_the_others_and_left_out_when_asked(source, tmp_path, capsys):
    root, target = tmp_path / "root", tmp_path / "prepared"
    for name in ("jump", "run"):
        (root / name).mkdir(parents=True)
        (root / name / "good.mp4").write_bytes((source / "jump/a.mp4").read_bytes())
    (root / "jump/bad.mp4").write_bytes(b"nothing")
    assert main(["prepare", str(root), str(target)]) == 1 and "bad.mp4" in capsys.readouterr().err
    assert main(["prepare", str(root), str(target), "--skip-unreadable"]) == 0 and "bad.mp4" in capsys.readouterr().out
    assert open_folder(target).videos_per_class == (1, 1) and "bad.mp4" in check_folder(target, 1).remarks[0]
    store = ["--store", str(tmp_path / "store"), "--support", str(target)]
    assert main(["predict", *store, str(target / "run/good.mp4"), str(write_images(tmp_path / "own", 9))]) == 0
