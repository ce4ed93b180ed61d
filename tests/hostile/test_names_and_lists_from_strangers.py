"""Names of classes and files that were made to do harm; tests/data/test_datasets.py has split files."""

import json
import os

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from clipspm_lite.commands.main import main
from clipspm_lite.data.names import on_terminal, printable, readable
from clipspm_lite.plots import answers, embeddings, prototypes
from clipspm_lite.plots.base import png, show
from clipspm_lite.widgets.base import Picture, as_html

NAMES = {
    "script": "<script>alert(1)</script>",
    "attribute": "\"><img src=x onerror='alert(1)'>",
    "mathtext": "$\\undefined{$",
    "half of mathtext": "costs $5",
    "mathtext that is right": "$\\alpha$",
    "terminal": "\x1b]0;title\x07\x1b[2Jwaving",
    "lines": "waving\nclip.mp4: running, 100 %",
    "right to left": "waving \u202egnivaw",
    "half a character": "waving \ud800",
    "not UTF-8": os.fsdecode(b"waving \xff"),
    "long": "waving " * 500,
    "link": "[click](javascript:alert(1))",
    "nothing": "___",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_draws_any_class_name_as_it_is(name):
    names = [readable(NAMES[name]), "sit"]
    clip = torch.zeros(4, 3, 8, 8)
    figures = [
        answers.ranking(clip, dict(zip(names, (0.7, 0.3), strict=True))),
        prototypes.prototype_distances(torch.eye(2), names, (0, 1), "distance"),
        embeddings.stage_maps(
            {"PCA": embeddings.StageMap(np.eye(2), (-1, 2, -1, 2), -np.eye(2))}, ["clip"] * 2, [0, 1], names
        ),
    ]
    for figure in figures:
        assert png(figure)[:4] == b"\x89PNG"


@pytest.mark.parametrize("name", NAMES)
def test_no_name_breaks_out_of_a_widget_or_a_caption(name, monkeypatch):
    text = readable(NAMES[name])
    picture = Picture(Figure((1, 1)), f"the clip {text}", f"a picture of {text}", ((0.5, 0.5, text),))
    page = as_html(picture)
    assert "<script" not in page and "<img src=x" not in page and page.count("<img") == 1
    shown = []
    monkeypatch.setattr("clipspm_lite.plots.base.display", lambda *objects: shown.extend(objects))
    show(picture.figure, picture.caption, picture.alt)
    caption = shown[1].data
    assert "<" not in caption and "](" not in caption.replace("\\]", "")
    assert "$" not in caption.replace("\\$", "")


def test_words_are_left_alone_on_a_terminal():
    assert on_terminal("a message\nof two lines, 挥手 ½") == "a message\nof two lines, 挥手 ½"


@pytest.mark.parametrize("name", ["terminal", "right to left", "half a character", "not UTF-8"])
def test_a_terminal_is_sent_no_control_characters(name, tmp_path, capsys):
    for text in (on_terminal(NAMES[name]), printable(NAMES[name]), readable(NAMES[name])):
        assert text.isprintable() and text.encode("utf-8")
    assert main(["check", str(tmp_path / NAMES[name])]) == 1 if name != "half a character" else True
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"format_version": 1, "novel": [NAMES[name]], "base": ["x"], "validation": ["y"]}))
    assert main(["evaluate", "--data", str(tmp_path), "--split", str(split), "--method", "otam"]) == 1
    printed = capsys.readouterr()
    assert "error: " in printed.err
    assert all(c.isprintable() or c in "\n\r" for c in printed.out + printed.err)
