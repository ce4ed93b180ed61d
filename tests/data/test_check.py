"""`check` goes through a whole folder, past its bad files, and says what is wrong with which."""

import pytest
from marked_video import write_marked_video

from clipspm_lite.data.inspection import check_folder


@pytest.fixture
def root(tmp_path):
    """Two classes with two good videos each."""
    for name in ("left/a.mp4", "left/b.mp4", "right/a.mp4", "right/b.mp4"):
        path = tmp_path / "gestures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_marked_video(path, 10 + len(list(tmp_path.rglob("*.mp4"))))
    return tmp_path / "gestures"


def test_bad_videos_are_listed_with_the_reason_and_the_rest_is_read(root):
    (root / "left" / "a.mp4").write_text("no video")
    (root / "left" / "c.mp4").write_bytes(b"")
    write_marked_video(root / "left" / "d.avi", 12, codec="mpeg4")
    report = check_folder(root)
    assert not report.ok
    assert report.readable == {"left": 2, "right": 2}
    assert [line.rsplit("/")[-1] for line in report.problems] == ["a.mp4", "c.mp4"]
    assert "2 problems" in str(report).splitlines()[-1]


def test_a_class_with_too_few_readable_videos_is_a_problem(root):
    (root / "left" / "a.mp4").write_bytes(b"")
    (root / "still").mkdir()
    report = check_folder(root)
    assert any("1 readable videos, a class needs 2" in line and line.endswith("left") for line in report.problems)
    assert any("0 readable videos" in line and line.endswith("still") for line in report.problems)
    assert check_folder(root, minimum=0).problems == report.problems[:1]
    assert len(check_folder(root, minimum=3).problems) == 4


def test_equal_short_and_stray_files_are_remarks(root):
    (root / "right" / "copy.mp4").write_bytes((root / "left" / "a.mp4").read_bytes())
    write_marked_video(root / "right" / "short.mp4", 3)
    (root / "right" / "notes.txt").write_text("about")
    (root / "right" / "nested").mkdir()
    (root / "loose.mp4").write_bytes(b"")
    (root / ".hidden").write_text("")
    report = check_folder(root)
    assert report.ok
    named = ["loose.mp4", "nested", "notes.txt", "copy.mp4", "short.mp4"]
    assert [remark.rsplit("/")[-1] for remark in report.remarks] == named
    assert str(root / "left" / "a.mp4") in report.remarks[3] and report.remarks[4].startswith("3 frames")
