"""What every explorer does: redraw what depends on a control and nothing else, say errors."""

import gc

import ipywidgets as widgets
import pytest
from matplotlib.figure import Figure

from clipspm_lite.widgets.base import Explorer, Picture, choose, play, with_value


def line(values, caption="a caption"):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot(values)
    return Picture(figure, caption, "a line")


def make(**changes):
    drawn = []

    def one(height):
        drawn.append("one")
        return line([0, height])

    def both(height, name):
        drawn.append("both")
        if name == "broken":
            raise RuntimeError("no <clip>\nof that name")
        return line([height, 1], caption=name)

    controls = {
        "height": widgets.IntSlider(description="height", max=5),
        "name": widgets.Dropdown(description="name", options=["a", "b", "broken"]),
        "unused": widgets.Checkbox(description="unused"),
    }
    return Explorer("lines", controls, {"one": one, "both": both}, **changes), drawn


def test_a_picture_is_drawn_when_it_is_looked_at_and_what_it_depends_on_has_changed():
    explorer, drawn = make()
    assert drawn == ["one"]
    explorer.controls["name"].value = "b"
    explorer.controls["unused"].value = True
    assert drawn == ["one"]
    explorer.shown.value = "both"
    explorer.controls["name"].value = "a"
    assert drawn == ["one", "both", "both"]
    explorer.shown.value = "one"
    explorer.controls["height"].value = 2
    assert drawn == ["one", "both", "both", "one"]
    assert [place.layout.display for place in explorer.pictures.values()] == [None, "none"]


def test_a_control_without_effect_on_the_picture_is_grey():
    explorer, _ = make(idle={"height": lambda name: name == "b"})

    def grey():
        return {name for name, control in explorer.controls.items() if control.disabled}

    assert grey() == {"name", "unused"}
    explorer.shown.value = "both"
    assert grey() == {"unused"}
    explorer.controls["name"].value = "b"
    assert grey() == {"unused", "height"}


def test_a_static_picture_with_its_own_settings_leaves_the_explorer_as_it_is(monkeypatch):
    explorer, _ = make()
    seen = []
    monkeypatch.setattr(Picture, "show", lambda picture: seen.append(picture.caption))
    before = explorer.controls["name"].value, explorer.shown.value, explorer.pictures["both"].value
    explorer.static("both", name="b")
    explorer.static("both")
    assert seen == ["b", "a"]
    assert before == (explorer.controls["name"].value, explorer.shown.value, explorer.pictures["both"].value)
    with pytest.raises(ValueError, match="nothing"):
        explorer.static("both", nothing=1)


def test_the_option_of_a_slider_is_written_whole():
    long = choose("class", ["a", "putting <the left hand> on the head"])
    said = with_value(long).children[1]
    long.index = 1
    assert "putting &lt;the left hand&gt; on the head" in said.value and not long.readout
    short = choose("stage", ["raw CLIP", "after PADM"], "after PADM")
    assert with_value(short) is short and short.readout and short.index == 1


def test_what_is_derived_is_handed_on_and_its_controls_redraw_what_asks_for_it():
    seen = []

    def shown(twice, name):
        seen.append((twice, name))
        return line([twice])

    explorer = Explorer("lines", make()[0].controls, {"shown": shown}, derive={"twice": lambda height: 2 * height})
    explorer.controls["height"].value = 3
    explorer.controls["unused"].value = True
    assert seen == [(0, "a"), (6, "a")]


def test_an_error_is_shown_escaped_and_goes_away_and_the_collector_is_left_as_it_was():
    explorer, _ = make()
    explorer.shown.value = "both"
    explorer.controls["name"].value = "broken"
    assert explorer.status.value == "<strong>RuntimeError: no &lt;clip&gt; of that name</strong>" and gc.isenabled()
    gc.disable()
    try:
        explorer.controls["name"].value = "a"
        assert explorer.status.value == "" and not gc.isenabled()
    finally:
        gc.enable()


def test_a_slow_control_says_so_before_it_draws():
    explorer, _ = make(slow=["name"])
    said = []
    explorer.status.observe(lambda change: said.append(change["new"]), names="value")
    explorer.controls["height"].value = 2
    assert said == []
    explorer.controls["name"].value = "b"
    assert said == ["<em>computing …</em>", ""]


def test_play_moves_its_slider_and_waits_to_be_started():
    slider = widgets.IntSlider(description="frame", min=1, max=8)
    label, button = play(slider, "play the frames").children
    slider.disabled = True
    assert "play the frames" in label.value and button.disabled
    button.value = 5
    assert slider.value == 5 and (button.min, button.max) == (1, 8)
    assert not getattr(button, "playing", False)
