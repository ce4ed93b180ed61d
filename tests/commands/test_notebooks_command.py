"""The command `notebooks`: a course of one's own, in which nothing is written over."""

import re

import pytest

from clipspm_lite.home import REPOSITORY
from clipspm_lite.places import NOTEBOOKS


def test_it_copies_the_course_says_where_and_does_so_again(tmp_path, run):
    course = tmp_path / "my course"
    for _ in range(2):
        assert str(course) in run("notebooks", course).out
    expected = {path.name for path in NOTEBOOKS.glob("*.ipynb")} | {"README.md"}
    assert {path.name for path in course.iterdir()} == expected and len(expected) > 12
    for path in course.iterdir():
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(((?:\.\./|\w+\.ipynb)[^)#\\]*)", text):
            assert target in expected, f"{path.name} links to {target}"
    assert f"]({REPOSITORY}/blob/main/clipspm_lite/model/SPEC.md)" in (course / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["03_matching_in_time.ipynb", "README.md"])
def test_a_file_that_the_reader_changed_stops_it_before_anything_is_written(name, tmp_path, run):
    (tmp_path / name).write_text("mine")
    printed = run("notebooks", tmp_path, status=1)
    assert printed.err.startswith("error: ") and name in printed.err and len(printed.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"
