"""The pictures show the data they are given."""

import torch
from made_up_table import made_up_table
from matplotlib.figure import Figure

from clipspm_lite import plots
from clipspm_lite.evaluation.published import published_numbers
from clipspm_lite.evaluation.results import SHOTS
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.plots.results import beside_published, episode_board


def test_an_episode_has_a_row_a_class_and_says_right_and_wrong():
    clip = torch.rand(4, 3, 8, 8)
    figure = plots.episode([clip] * 3, [clip] * 2, ["sit", "stand", "wave"], [0, 1], [0, 2])
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert len(figure.axes) == 6
    assert titles[0] == "support: sit" and titles[1] == "query: ✓ sit"
    assert titles[3] == "query: ✗ answered wave, is stand"


def test_an_episode_board_shows_one_moment_of_every_clip():
    clips = [torch.stack([torch.full((3, 8, 8), (10 * n + t) / 100) for t in range(4)]) for n in range(6)]
    figure = episode_board([clips[:2], clips[2:4]], clips[4:], ["sit", "stand"], [0, 1], [1, 1], frame=3)
    image = figure.axes[0].images[0].get_array()
    assert image.shape[0] == 16
    for row, shown in enumerate(([0, 1, 4], [2, 3, 5])):
        middle = image[8 * row + 4, :, 0]
        places = (4, 12, image.shape[1] - 4)
        assert [round(100 * float(middle[x])) for x in places] == [10 * n + 3 for n in shown]
    texts = [text.get_text() for text in figure.texts]
    assert texts[:4] == ["1  sit", "✗ stand", "2  stand", "✓ stand"]
    assert texts[4:] == ["class", "support", "query", "answer"]


def test_a_film_strip_keeps_the_order_of_frames():
    frames = torch.stack([torch.full((3, 4, 4), value) for value in (0.0, 0.5, 1.0)])
    ax = Figure().subplots()
    plots.film_strip(ax, frames)
    image = ax.images[0].get_array()
    assert image.shape == (4, 12, 3)
    assert image[0, ::4, 0].tolist() == [0, 0.5, 1]


def test_film_strips_show_every_clip_with_its_name():
    figure = plots.film_strips({"up": torch.zeros(3, 3, 4, 4), "down": torch.ones(3, 3, 4, 4)})
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["up", "down"]
    assert [float(ax.images[0].get_array().mean()) for ax in figure.axes] == [0, 1]


def test_accuracy_bars_show_values_and_intervals():
    figure = plots.accuracy_bars({"one": (40.0, 2.0), "two": (60.0, 1.0)}, chance=20, title="t")
    ax = figure.axes[0]
    assert [bar.get_width() for bar in ax.patches] == [40, 60]
    assert [text.get_text() for text in ax.texts] == ["40.0 ± 2.0", "60.0 ± 1.0"]


def drawn(figure):
    """By its name in the legend, what is drawn: places, marker, and whether the marker is open."""
    (ax,) = figure.axes
    handles, names = ax.get_legend_handles_labels()
    lines = [handle.lines[0] if hasattr(handle, "lines") else handle for handle in handles]
    return {
        name: (
            dict(zip(line.get_xdata(), line.get_ydata(), strict=True)),
            line.get_marker(),
            line.get_markerfacecolor() == "none",
        )
        for name, line in zip(names, lines, strict=True)
    }


def test_measured_and_published_numbers_are_told_apart_by_filled_and_open_markers():
    results = made_up_table("ssv2_full", methods=("zero-shot", "otam", "clip-spm"))
    figure = beside_published(results)
    shown = drawn(figure)
    for row in results["rows"]:
        places, _, is_open = shown[row["method"]]
        assert places[row["shot"]] == row["accuracy"] and not is_open
    expected: dict[str, dict[int, float]] = {}
    for shot in SHOTS:
        for number in published_numbers("ssv2_full", "ViT-B/16", shot):
            expected.setdefault(f"reported: {number.source}", {})[shot] = number.accuracy
    for name, numbers in expected.items():
        assert shown[name][::2] == (numbers, True)
    assert len({marker for _, marker, _ in shown.values()}) == len(shown) == 8
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][:3] == ["zero-shot", "otam", "clip-spm"]
    assert {text.get_text() for text in legend.get_texts()} == set(shown)
    title = figure.axes[0].get_title()
    assert "made-up data" in title and "5-way, 10,000 episodes, seed 0" in title


def test_a_table_without_published_numbers_is_drawn_with_every_method():
    methods = (*TRAINING_FREE, "clip-spm")
    shown = drawn(beside_published(made_up_table(None, methods=methods)))
    assert list(shown) == list(methods) and not any(is_open for *_, is_open in shown.values())


def test_confusions_tell_reversed_pairs_by_colour_and_hatch():
    rows = [("a_b", "c", 50.0), ("d", "e", 30.0), ("c", "a_b", 20.0)]
    ax = plots.confusions(rows, [("c", "a_b")]).axes[0]
    hatched = [bar.get_width() for bar in ax.patches if bar.get_hatch()]
    assert hatched == [50, 20]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a b → c", "d → e", "c → a b"]


def test_show_gives_a_png_with_alt_text_and_the_caption(monkeypatch):
    shown = []
    monkeypatch.setattr("clipspm_lite.plots.base.display", lambda *things: shown.extend(things))
    plots.show(plots.accuracy_bars({"one": (40.0, 2.0)}, 20, "t"), "A caption.", "A bar.")
    image, caption = shown
    assert image.data.startswith(b"\x89PNG") and image.alt == "A bar."
    assert caption.data == "*A caption.*"
