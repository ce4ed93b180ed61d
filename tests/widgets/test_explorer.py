"""What every explorer does: redraw what depends on a control and nothing else, say errors."""

import gc

import ipywidgets as widgets
from matplotlib.figure import Figure

from clipspm_lite.widgets.base import Explorer, Picture, play


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


def test_everything_is_drawn_at_the_start_and_only_what_depends_on_a_control_afterwards():
    explorer, drawn = make()
    assert drawn == ["one", "both"]
    explorer.controls["name"].value = "b"
    assert drawn[2:] == ["both"]
    explorer.controls["unused"].value = True
    assert len(drawn) == 3


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
    assert label.value == "play the frames"
    button.value = 5
    assert slider.value == 5 and (button.min, button.max) == (1, 8)
    assert not getattr(button, "playing", False)
