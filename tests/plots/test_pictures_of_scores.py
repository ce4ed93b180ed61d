"""The pictures of results, training, episodes and comparisons show all of the data they are given."""

import numpy as np
import pytest
import torch
from made_up_table import made_up_table
from matplotlib.figure import Figure

from clipspm_lite import CLIPSPM, plots
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.evaluation.published import published_numbers
from clipspm_lite.plots import ablations, embeddings, episodes, results
from clipspm_lite.plots.ablations import Estimate, estimate
from clipspm_lite.plots.alignment import accuracy_dots
from clipspm_lite.plots.prototypes import accuracy_by_company
from clipspm_lite.plots.timeline import timelines
from clipspm_lite.plots.training import architecture, contrastive_losses, learning_curves
from clipspm_lite.recognition.over_time import Moment

ROWS = {
    "without this": Estimate(-2.0, 0.5, -4.0, 1.0, [-3.0, -1.0]),
    "without that": Estimate(0.0, None, -1.0, 2.0, [0.0]),
}


def points(lines):
    return [list(np.atleast_1d(line.get_xdata())) for line in lines]


def words(texts):
    return [text.get_text() for text in texts]


def test_estimates_show_value_both_intervals_and_every_seed():
    ax = ablations.estimates({"here": ROWS}, 0, "points").axes[0]
    shown = points(ax.lines)
    for expected in ([-4, 1], [-2.5, -1.5], [-3, -1], [-2], [-1, 2]):
        assert expected in shown
    assert words(ax.get_yticklabels()) == list(ROWS) and ax.get_xlabel() == "points"
    assert sum(line.get_linewidth() > 3 for line in ax.lines) == 1  # one row has an interval over episodes
    assert not any(line.get_linestyle() == ":" for line in ablations.estimates({"here": ROWS}, None, "x").axes[0].lines)


def test_the_legend_of_estimates_names_what_is_drawn_and_nothing_else():
    def named(*rows):
        (legend,) = ablations.estimates({"here": {str(n): row for n, row in enumerate(rows)}}, 0, "points").legends
        return words(legend.texts)

    assert named(*ROWS.values()) == [
        "mean over training seeds", "95 % over episodes", "95 % over seeds and classes", "one training seed"
    ]  # fmt: skip
    assert named(Estimate(0.0, None, -1.0, 2.0, [0.0])) == ["mean over training seeds", "95 % over seeds and classes"]


def test_draws_are_counted_and_all_intervals_named():
    intervals = {f"kind {n}": (-n, n) for n in range(1, 7)}
    above, below = ablations.draws([-1.0, 0.0, 0.0, 3.0], intervals, "points").axes
    assert sorted(bar.get_height() for bar in above.patches)[-3:] == [1, 1, 2]
    assert [text.strip() for text in words(below.texts)] == list(intervals)
    assert points(below.lines)[:6] == [[-n, n] for n in range(1, 7)]


def test_classes_are_sorted_and_each_seed_is_there():
    ax = ablations.by_class(np.array([[1.0, -5.0, 3.0], [3.0, -7.0, 5.0]]), ["a_b", "c", "d"], "points").axes[0]
    assert words(ax.get_yticklabels()) == ["c", "a b", "d"]
    assert [bar.get_width() for bar in ax.patches] == [-6, 2, 4]
    assert points(ax.lines)[:2] == [[-5, 1, 3], [-7, 3, 5]]


def test_class_spread_and_templates_show_every_run_best_first_and_the_interval():
    ax = episodes.class_spread([60.0, 62.0], [50.0, 55.0, 70.0], interval=2.0).axes[0]
    assert points(ax.lines) == [[60, 62], [50, 55, 70]]
    assert (ax.patches[0].get_x(), ax.patches[0].get_width()) == (59, 4)
    ax = embeddings.template_accuracies({"{}": (40.0, 1.0), "a {}": (60.0, 2.0)}, (55.0, 1.0), chance=20).axes[0]
    assert words(ax.get_yticklabels()) == ["a {}", "{}"]
    assert [60, 40] in points(ax.lines) and [55, 55] in points(ax.lines)


def test_an_estimate_is_the_rows_accuracy_or_its_difference_with_each_training_seeds():
    right = {"head": [[8, 6, 4], [9, 7, 2]], "otam": [[5, 5, 5]]}
    difference = {"otam": {"points": 10.0, "interval": 1.5}}
    results = {
        "shot": 1,
        "asked": {"5-way": [10, 10, 10], "reversed": [10, 10, 10]},
        "rows": {
            name: {"right": {"5-way": rows, "reversed": rows}, "interval": 2.0, "difference": difference}
            for name, rows in right.items()
        },
    }
    alone = estimate(results, "head")
    assert (alone.value, alone.half_width, alone.per_seed) == (60.0, 2.0, [60.0, 60.0])
    assert alone.low < 60 < alone.high
    against = estimate(results, "head", minus="otam")
    assert (against.value, against.half_width, against.per_seed) == (10.0, 1.5, [10.0, 10.0])
    assert estimate(results, "otam", minus="head").half_width is None  # the head was not a reference
    assert estimate(results, "head", "reversed").half_width is None
    figure = ablations.comparison_panels(results)
    assert [ax.get_title() for ax in figure.axes] == ["5-way 1-shot", "reversed pairs, 2-way"]
    assert words(figure.axes[0].get_yticklabels()) == ["head", "otam"]


def test_a_difference_is_ahead_or_behind_only_after_the_correction_and_open_elsewhere():
    right = {"best": [[9, 9, 8]], "otam": [[5, 6, 5]], "alike": [[4, 7, 5]]}
    results = {"asked": {"5-way": [10, 10, 10]}, "rows": {name: {"right": {"5-way": r}} for name, r in right.items()}}
    parts, pairs = {"novel": results}, [("best", "otam"), ("otam", "best"), ("alike", "otam")]
    found = ablations.verdicts(parts, pairs, ["5-way"])
    shown = [(round(points, 1), word) for of in found.values() for points, word in of.values()]
    assert shown == [(33.3, "ahead"), (-33.3, "behind"), (0.0, "open")]
    nothing = ablations.verdicts(parts, pairs, ["5-way"], correct=np.ones_like)
    assert {word for of in nothing.values() for _, word in of.values()} == {"open"}
    head, *lines = ablations.verdict_lines(found).splitlines()
    assert head.split()[-2:] == ["novel.", "all"] and lines[0].split() == ["best", "−", "otam", "+33.3", "ahead"]


def test_base_class_curves_show_every_training_seed_and_untrained_rows_as_levels():
    right = {"text, no order": [[7]], "trx": [[6], [8]], "trx, 4 base classes": [[3], [5]], "trx, chosen on": [[9]]}
    rows = {name: {"right": {"5-way": counts}} for name, counts in right.items()}
    results = {"shot": 1, "base_classes": [4, 20], "asked": {"5-way": [10]}, "rows": rows}
    ax = ablations.base_class_curves(results).axes[0]
    shown = [line.get_xydata().tolist() for line in ax.lines]
    assert shown[0] == [[4, 40], [20, 70]] and shown[1:3] == [[[4, 30], [4, 50]], [[20, 60], [20, 80]]]
    assert shown[3] == [[4, 70], [20, 70]] and len(shown) == 4 and words(ax.get_xticklabels()) == ["4", "20"]


def test_accuracy_dots_put_every_method_on_every_row():
    results = {f"method {n}": {"a": (40.0 + n, 2.0), "b": (60.0 + n, 1.0)} for n in range(12)}
    ax = accuracy_dots(results, chance=50, title="t").axes[0]
    dots = [container.lines[0] for container in ax.containers]
    assert [dot.get_xdata().tolist() for dot in dots] == [[40 + n, 60 + n] for n in range(12)]
    assert len({(dot.get_marker(), dot.get_color()) for dot in dots}) == 12
    assert words(ax.get_yticklabels()) == ["a", "b"] and words(ax.get_legend().get_texts()) == list(results)


def test_accuracy_by_shot_draws_values_and_intervals():
    ax = embeddings.accuracy_by_shot([1, 5], {"names": [(50, 2), (51, 1)], "examples": [(40, 3), (70, 2)]}, 20).axes[0]
    names, examples = ax.containers
    assert list(names.lines[0].get_ydata()) == [50, 51] and list(examples.lines[0].get_ydata()) == [40, 70]
    spans = [segment[:, 1].tolist() for segment in examples.lines[2][0].get_segments()]
    assert spans == [[37, 43], [68, 72]] and words(ax.get_legend().get_texts()) == ["names", "examples"]


def test_the_timeline_shows_every_frame_and_every_choice():
    pictures, ax = episodes.frame_timeline(torch.rand(6, 3, 4, 4), [0, 2, 4], [[1, 3, 5], [0, 3, 4]]).axes
    assert len(pictures.images) == 6 and len(ax.patches) == 3
    assert points(ax.lines) == [[0, 2, 4], [1, 3, 5], [0, 3, 4]]
    assert words(ax.get_yticklabels()) == ["segment centres", "random draw 1", "random draw 2"]


def test_episode_draws_mark_support_and_query_videos_in_their_class_row():
    sampler, first = EpisodeSampler([4, 5, 6], way=2, shot=2, queries=1, seed=0), (0, 4, 9)
    listed = [(e.classes, e.support, e.query) for e in map(sampler.__getitem__, range(3))]
    figure = episodes.episode_draws(listed, [4, 5, 6], ["a", "b", "c"])
    for ax, (_, support, query) in zip(figure.axes, listed, strict=True):
        shown = [
            [first[int(row)] + column for column, row in line.get_xydata()]
            for line in ax.lines
            if line.get_marker() in "so"
        ]
        assert shown == [[video for videos in support for video in videos], list(query)]


def test_intervals_that_miss_the_reference_are_crosses():
    ax = episodes.interval_pieces({"one": ([50.0, 60.0, 58.0], [3.0, 3.0, 3.0])}, reference=59.0).axes[0]
    held, missed = (container.lines[0] for container in ax.containers)
    assert missed.get_ydata().tolist() == [50] and missed.get_marker() == "x"
    assert held.get_ydata().tolist() == [58, 60]
    assert words(ax.get_legend().get_texts()) == ["holds the mean of all: 2", "misses it: 1"]


def test_picked_checkpoints_and_mean_texts_have_a_style_for_every_label():
    ax = episodes.picked_checkpoints([1, 10], {f"way {n}": [0, n] for n in range(12)}).axes[0]
    assert [list(line.get_ydata()) for line in ax.lines[1:]] == [[0, n] for n in range(12)]
    assert len({(line.get_marker(), line.get_color()) for line in ax.lines[1:]}) == 12
    assert words(ax.get_xticklabels()) == ["1", "10"]
    means = {f"mean {n}": torch.tensor([0.5, n / 12]) for n in range(12)}
    ax = episodes.mean_texts(torch.eye(2), means, ["a", "b"]).axes[0]
    assert np.allclose([line.get_xydata()[0] for line in ax.lines[2:]], torch.stack(list(means.values())))
    assert words(ax.texts) == ["a", "b"]


def test_accuracy_by_company_and_accuracy_bars_show_every_value():
    company = {"together": {"full": (90.0, 1.0), "part": (80.0, 2.0)}, "alone": {"full": (60.0, 1.5), "part": (70, 1)}}
    ax = accuracy_by_company(company, chance=20).axes[0]
    assert words(ax.texts) == ["90.0", "60.0", "80.0", "70.0"] and words(ax.get_yticklabels()) == list(company)
    ax = plots.accuracy_bars({"one": (40.0, 2.0), "two": (60.0, 1.0)}, chance=20, title="t").axes[0]
    assert [bar.get_width() for bar in ax.patches] == [40, 60]
    assert words(ax.texts) == ["40.0 ± 2.0", "60.0 ± 1.0"]


def test_an_episode_has_a_row_per_class_and_says_right_and_wrong():
    clip = torch.rand(4, 3, 8, 8)
    figure = plots.episode([clip] * 3, [clip] * 2, ["sit", "stand", "wave"], [0, 1], [0, 2])
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[::2] == ["support: sit", "support: stand", "support: wave"]
    assert titles[1::2] == ["query: ✓ sit", "query: ✗ answered wave, is stand", ""]
    with pytest.raises(ValueError):
        plots.episode([clip] * 3, [clip] * 2, ["sit", "stand"], [0, 1], [0, 1])


def test_an_episode_board_shows_one_moment_of_every_clip():
    clips = [torch.stack([torch.full((3, 8, 8), (10 * n + t) / 100) for t in range(4)]) for n in range(6)]
    figure = results.episode_board([clips[:2], clips[2:4]], clips[4:], ["sit", "stand"], [0, 1], [1, 1], frame=3)
    image = figure.axes[0].images[0].get_array()
    for row, shown in enumerate(([0, 1, 4], [2, 3, 5])):
        middle = image[8 * row + 4, :, 0]
        places = (4, 12, image.shape[1] - 4)
        assert [round(100 * float(middle[x])) for x in places] == [10 * n + 3 for n in shown]
    assert words(figure.texts)[:4] == ["1  sit", "✗ stand", "2  stand", "✓ stand"]
    assert words(figure.texts)[4:] == ["class", "support", "query", "answer"]


def test_measured_and_published_numbers_are_told_apart_by_filled_and_open_markers():
    table = made_up_table("ssv2_full", methods=("zero-shot", "otam", "clip-spm"))
    figure = results.beside_published(table)
    lines = [getattr(handle, "lines", [handle])[0] for handle in figure.axes[0].get_legend_handles_labels()[0]]
    names = figure.axes[0].get_legend_handles_labels()[1]
    shown = {
        name: (dict(line.get_xydata()), line.get_marker(), line.get_markerfacecolor() == "none")
        for name, line in zip(names, lines, strict=True)
    }
    for row in table["rows"]:
        places, _, is_open = shown[row["method"]]
        assert places[row["shot"]] == row["accuracy"] and not is_open
    expected: dict[str, dict[int, float]] = {}
    for shot in (1, 3, 5):
        for number in published_numbers("ssv2_full", "ViT-B/16", shot):
            expected.setdefault(f"reported: {number.source}", {})[shot] = number.accuracy
    for name, numbers in expected.items():
        assert shown[name][::2] == (numbers, True)
    assert len({marker for _, marker, _ in shown.values()}) == len(shown) == 8
    legend = words(figure.legends[0].get_texts())
    assert legend[:3] == ["zero-shot", "otam", "clip-spm"] and set(legend) == set(shown)
    title = figure.axes[0].get_title()
    assert "made-up data" in title and "5-way, 10,000 episodes, seed 0" in title


def test_confusions_tell_reversed_pairs_by_colour_and_hatch():
    rows = [("a_b", "c", 50.0), ("d", "e", 30.0), ("c", "a_b", 20.0)]
    ax = plots.confusions(rows, [("c", "a_b")]).axes[0]
    assert [bar.get_width() for bar in ax.patches if bar.get_hatch()] == [50, 20]
    assert words(ax.get_yticklabels()) == ["a b → c", "d → e", "c → a b"]


def test_learning_curves_show_every_validation_of_every_run():
    keys = "step", "loss", "accuracy", "validation_accuracy", "validation_interval"
    history = [dict(zip(keys, (step, 1 / step, 60.0, 50.0 + step, 2.0), strict=True)) for step in (10, 20)]
    left, middle, right = learning_curves({f"run {n}": history[: 1 + n % 2] for n in range(12)}, chance=20).axes
    assert points(left.lines) == points(middle.lines)[:12] == [[10], [10, 20]] * 6 and len(right.containers) == 12
    solid = right.containers[1]
    assert solid.lines[0].get_ydata().tolist() == [60, 70]
    bars = [container.lines[2][0].get_segments() for container in right.containers]
    assert [bar[:, 1].tolist() for bar in bars[1]] == [[58, 62], [68, 72]]
    assert len({of_run[0][0, 0] for of_run in bars}) == 12, "bars of different runs lie side by side"
    assert max(of_run[0][0, 0] for of_run in bars) < 15, "nearer to their step than to the next"


def test_the_architecture_names_every_part_with_its_shape_and_stays_inside_its_axes():
    episode = torch.randn(3, 2, 4, 8), torch.randn(6, 4, 8), torch.randn(3, 8)
    model = CLIPSPM(8, heads=1, head_dim=4, mlp_dim=4).eval()
    (ax,) = architecture(*episode, model(*episode)).axes
    said = words(ax.texts)
    for part in ("support\n[3, 2, 4, 8]", "class text\n[3, 8]", "generated p̂\n[6, 1, 8]", "anchor A\n[1, 4, 8]"):
        assert part in said
    for part in ("SF", "prompt", "HSMR", "PADM", "D_SPM\n[6, 3]", "D_anchor\n[1, 3]", "logits\n[6, 3]"):
        assert any(part in text for text in said)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for patch in ax.patches:
        box = patch.get_path().get_extents()
        assert box.x0 >= left and box.x1 <= right and box.y0 >= bottom and box.y1 <= top


def test_show_gives_a_png_with_alt_text_and_the_caption(monkeypatch):
    shown = []
    monkeypatch.setattr("clipspm_lite.plots.base.display", lambda *things: shown.extend(things))
    plots.show(Figure((1, 1)), "A caption of [a_b](x).", "A bar.")
    image, caption = shown
    assert image.data.startswith(b"\x89PNG") and image.alt == "A bar."
    assert caption.data == "*A caption of \\[a_b\\](x).*"


def test_a_timeline_has_a_row_per_likely_action_a_cell_per_window_and_a_line_per_answer():
    def moment(start, end, **likely):
        return Moment(start, end, max(likely, key=likely.get), likely)

    first = [
        moment(0, 2, waving=0.9, raising_a_box=0.1, never=0.0),
        moment(2, 3, raising_a_box=0.6, waving=0.4, never=0),
    ]
    many = [moment(0, 5, **{f"action_{i}": (30 - i) / 1000 + 0.05 for i in range(30)})]
    figure = timelines({"one": first, "two $x$": many}, {"one": torch.rand(5, 3, 8, 8)})
    above, strip, below, _ = figure.axes
    assert strip.get_title(loc="left") == "one" and below.get_title(loc="left") == "two $x$" and strip.images
    assert words(above.get_yticklabels()) == ["waving", "raising a box"] and len(below.get_yticklabels()) == 12
    cells = above.collections[0]
    assert cells.get_array().tolist() == [[0.9, 0.4], [0.1, 0.6]] and cells.get_clim() == (0, 0.9)
    assert above.get_xlim() == (0, 3)
    lines = [[line.tolist() for line in ax.collections[-1].get_segments()] for ax in (above, below)]
    assert lines == [[[[0, 0], [2, 0]], [[2, 1], [3, 1]]], [[[0, 0], [5, 0]]]]


def test_losses_are_averaged_over_the_steps_that_a_mark_stands_for():
    (ax,) = contrastive_losses({"pose": [4.0, 2.0, 3.0, 1.0, 5.0]}, 4.8, mean_over=2).axes
    assert ax.lines[0].get_xydata().tolist() == [[1, 3], [3, 2], [4.5, 5]]
    assert set(ax.lines[1].get_ydata()) == {4.8}
