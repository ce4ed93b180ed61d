"""Class names read as words."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipspm_lite.data.benchmarks import class_key
from clipspm_lite.data.names import printable, readable


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ApplyEyeMakeup", "apply eye makeup"),
        ("raising_both_arms", "raising both arms"),
        ("Pushing [something] off of [something]", "pushing something off of something"),
        ("Lifting (it) up completely, then dropping it", "lifting it up completely, then dropping it"),
        ("TVShow", "tv show"),
        ("jump2", "jump 2"),
        ("3DPrinting", "3d printing"),
        ("100mRun", "100m run"),
        ("playing-guitar", "playing-guitar"),
        ("__a__b ", "a b"),
    ],
)
def test_folder_names_become_words(name, words):
    assert readable(name) == words


@given(st.text())
def test_a_readable_name_stays_as_it_is(name):
    words = readable(name)
    assert readable(words) == words or not name.isascii()
    assert not set("[](){}_\n") & set(words)


def test_a_file_name_is_changed_only_where_it_must_be():
    assert printable(Path("été.mp4")) == "été.mp4"
    assert printable("two\nlines.mp4") == r"two\nlines.mp4"


def test_names_in_every_script_keep_their_letters():
    assert readable(unicodedata.normalize("NFD", "Żonglowanie_Piłką")) == "żonglowanie piłką"
    names = ["挥手", "跳绳", "żonglowanie", "zonglowanie", "कि", "की", "прыжок", "jump 1", "jump 2"]
    assert len({class_key(name) for name in names}) == len(names)
    spellings = ["Jump_Rope", "JumpRope", "jump [rope]", "jump-rope"]
    assert {class_key(name) for name in spellings} == {"jumprope"}
    assert class_key(unicodedata.normalize("NFD", "arrêter")) == class_key("arrêter")
