"""Every file of the corpus gives the right frames or one clear error, in time; folders of them are gone through."""

import json
import os
import re
import subprocess
import sys
import threading
import time

import pytest
from corpus import corpus, read, write
from marked_video import numbers_in, write_marked_video

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.decoding.video import VideoError, check_file, load_video
from clipspm_lite.data.inspection import check
from clipspm_lite.data.names import printable

CASES = {case.name: case for case in corpus()}


@pytest.mark.parametrize("case", CASES.values(), ids=[printable(name)[:40] for name in CASES])
def test_a_file_gives_the_right_frames_or_one_error_with_its_name(case, tmp_path):
    path = write(case, tmp_path)
    if path is None:
        pytest.skip("this system cannot have such a file")
    result = read(case, path)
    assert result.expected, result.got


BAD = (
    "empty.mp4",
    "text.mp4",
    "lfs.mp4",
    "half.avi",
    "noisy_middle.mp4",
    "sound.mp4",
    "dangling.mp4",
    "pipe.mp4",
)
GOOD = ("b_frames.avi", "vp8.webm", "3.mp4", "two\nlines.mp4", "-dash.mp4")


@pytest.fixture
def folder(tmp_path):
    """Two classes, a good and a bad half in each."""
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        for case in (*BAD, *GOOD):
            write(CASES[case], tmp_path / name)
    return tmp_path


def test_check_goes_on_past_bad_files_and_reports_them_at_the_end(folder):
    report = check(folder)
    assert report.readable == {"left": len(GOOD), "right": len(GOOD)}
    assert len(report.problems) == 2 * len(BAD)
    for problem in report.problems:
        assert len(problem.splitlines()) == 1
    for name in ("left", "right"):
        for bad in BAD:
            assert sum(p.endswith(f": {folder / name / bad}") for p in report.problems) == 1


def test_a_store_goes_on_past_bad_files_and_reports_them_at_the_end(folder, tmp_path):
    store = FeatureStore(load_backbone("tiny"), tmp_path / "store")
    paths = [folder / "left" / name for name in (*BAD, *GOOD)]
    with pytest.raises(VideoError) as error:
        store.encode(paths)
    lines = str(error.value).splitlines()
    assert lines[0].startswith(f"{len(BAD)} of {len(paths)} videos cannot be read")
    assert sorted(line.rsplit(": ", 1)[1] for line in lines[1:]) == sorted(map(str, paths[: len(BAD)]))
    encoded = store.path.stat().st_mtime_ns
    assert store.encode(paths[len(BAD) :]).shape[:2] == (len(GOOD), 8)
    assert store.path.stat().st_mtime_ns == encoded  # nothing was left to encode


def test_predict_names_the_action_in_the_good_videos_and_the_error_of_the_bad_ones(tmp_path):
    for action in ("up", "down"):
        (tmp_path / "actions" / action).mkdir(parents=True)
        write_marked_video(tmp_path / "actions" / action / "a.mp4", 12 + len(action))
    videos = [write(CASES[name], tmp_path) for name in ("empty.mp4", "vp8.webm", "half.avi", "3.mp4")]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "clipspm_lite",
            "predict",
            "--support",
            tmp_path / "actions",
            "--json",
            *videos,
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])["predictions"]
    assert [("action" in answer, "error" in answer) for answer in answers] == [
        (False, True),
        (True, False),
    ] * 2
    for answer in answers[::2]:
        assert re.search(f"{re.escape(answer['video'])}$", answer["error"])


def test_a_file_that_grows_while_it_is_read_gives_its_frames_or_one_error(tmp_path):
    source = write_marked_video(tmp_path / "source.mkv", 200, width=320, height=240)
    content, path = source.read_bytes(), tmp_path / "growing.mkv"
    path.write_bytes(content[:5000])

    def grow():
        with path.open("ab") as file:
            for start in range(5000, len(content), 500):
                file.write(content[start : start + 500])
                file.flush()
                time.sleep(0.002)

    writer = threading.Thread(target=grow)
    writer.start()
    errors = 0
    while writer.is_alive():
        try:
            assert numbers_in(load_video(path, 4)) == [25, 75, 125, 175]
        except VideoError as error:
            errors += 1
            assert str(error).endswith(f": {path}") and len(str(error).splitlines()) == 1
    writer.join()
    assert errors
    assert numbers_in(load_video(path, 4)) == [25, 75, 125, 175]


def test_a_file_that_vanishes_while_it_is_read_gives_its_frames_or_one_error(tmp_path):
    content = write_marked_video(tmp_path / "source.mp4", 100).read_bytes()
    path = tmp_path / "vanishing.mp4"
    for delay in (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05):
        path.write_bytes(content)
        timer = threading.Timer(delay, path.unlink)
        timer.start()
        try:
            assert numbers_in(load_video(path, 4)) == [12, 37, 62, 87]
        except VideoError as error:
            assert str(error).endswith(f": {path}") and len(str(error).splitlines()) == 1
        timer.join()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path):
    path = write(CASES["forbidden.mp4"], tmp_path)
    with pytest.raises(VideoError, match="permission"):
        load_video(path)


def test_a_permission_that_is_missing_is_one_error(tmp_path, monkeypatch):
    """As above, for those who run the tests as root."""
    path = write_marked_video(tmp_path / "clip.mp4", 3)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(VideoError, match=r"Permission denied.*clip\.mp4"):
        check_file(path)
