"""Explorers that move without a kernel: pictures, alt texts and links are all there, and little enough for a page."""

import re

import ipywidgets as widgets
import nbformat
import pytest
from ipywidgets.embed import dependency_state
from test_explorer import line, make

from clipspm_lite.exercises import frozen
from clipspm_lite.places import NOTEBOOKS
from clipspm_lite.widgets import base
from clipspm_lite.widgets.base import Explorer


def linked(box):
    """(control, its trait, what it moves, its trait) of every link in the states that a page would hold."""
    every = dependency_state([box])
    links = [one["state"] for one in every.values() if one["model_name"] == "LinkModel"]
    return sorted((*link["source"], *link["target"]) for link in links)


def test_each_pair_of_values_has_its_picture_and_the_page_alone_links_them():
    explorer, drawn = make()
    explorer.controls["name"].value = "b"
    before = len(drawn)
    box = explorer.frozen("both", height=[0, 3, 5], name="ab")
    (height, name), stack = box.children[0].children, box.children[1]
    assert drawn[before:] == ["both"] * 6 and explorer.controls["height"].value == 0
    assert list(height.options) == ["0", "3", "5"] and name.index == stack.children[0].selected_index == 1
    pictures = [picture.value for inner in stack.children for picture in inner.children]
    assert len(set(pictures)) == 6 and all('alt="a line"' in one for one in pictures)
    assert [re.search("<em>(.*)</em>", one)[1] for one in pictures] == ["a", "b"] * 3
    ids = [f"IPY_MODEL_{one.model_id}" for one in (height, stack, name, *stack.children)]
    outer, *inner = [
        (ids[0], "index", ids[1], "selected_index"),
        *((ids[2], "index", i, "selected_index") for i in ids[3:]),
    ]
    assert linked(box) == sorted([outer, *inner])


def test_one_control_moves_one_stack_and_long_names_are_a_list():
    controls = {"pace": base.choose("pace", [("very slowly indeed", 1), ("at a run", 9)])}
    box = Explorer("lines", controls, {"one": lambda pace: line([pace])}).frozen("one", pace=(9, 1))
    (pace,), stack = box.children[0].children, box.children[1]
    assert isinstance(pace, widgets.Dropdown) and list(pace.options) == ["at a run", "very slowly indeed"]
    assert pace.index == stack.selected_index == 1 and len(linked(box)) == 1


def test_what_a_page_should_not_hold_or_the_explorer_has_not_is_refused(monkeypatch):
    explorer, _ = make()
    for grid, named in (
        ({"height": range(61)}, "60"),
        ({"unused": [True]}, "unused"),
        ({}, "grid"),
        ({"name": "ac"}, "c"),
    ):
        with pytest.raises(ValueError, match=named):
            explorer.frozen("both", **grid)
    monkeypatch.setattr(base, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="1,000 bytes"):
        explorer.frozen("both", height=[0, 1])


def test_every_explorer_of_the_lessons_moves_on_the_page():
    for name in ("01", "02", "03", "04", "05", "06", "07", "10"):
        (path,) = NOTEBOOKS.glob(f"{name}_*.ipynb")
        cells = nbformat.read(path, as_version=4).cells
        shown = [c.id for c in cells if "(to be moved where a kernel runs" in str(c.get("outputs"))]
        assert shown and set(shown) == set(frozen.EXPLORERS[path.stem]), path.stem


def test_the_script_has_what_a_page_needs_and_may_stand_in_it():
    script = frozen.widgets_script()
    assert "StackView" in script and "Manager" in script and "/* EXTENSION */" not in script
    assert "</script" not in script and "<!--" not in script
