"""The pictures of clips, features, prompts and prototypes show all of the data they are given."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from clipspm_lite import plots
from clipspm_lite.plots import diagrams, embeddings, motion, prompts
from clipspm_lite.plots import prototypes as draw
from clipspm_lite.plots.alignment import aligned_frames, predecessors, soft_paths
from clipspm_lite.plots.base import COLORS
from clipspm_lite.plots.prompts import two_prompts

NAMES = ["sit", "stand", "wave"]
MANY = [f"class {n}" for n in range(12)]


def words(texts):
    return [text.get_text() for text in texts]


def test_film_strips_show_every_clip_with_its_name_and_frames_in_order():
    frames = torch.stack([torch.full((3, 4, 4), value) for value in (0.0, 0.5, 1.0)])
    figure = plots.film_strips({"up": frames, "down": frames.flip(0)})
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["up", "down"]
    rows = [ax.images[0].get_array()[0, ::4, 0].tolist() for ax in figure.axes]
    assert rows == [[0, 0.5, 1], [1, 0.5, 0]]
    plots.film_strip(ax := Figure().subplots(), frames)
    assert ax.images[0].get_array().shape == (4, 12, 3)


def test_soft_paths_show_costs_weights_and_both_clips():
    cost = torch.tensor([[0.1, 0.9], [0.5, 0.2], [0.3, 0.4]])
    path = torch.tensor([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]])
    x, y = torch.zeros(3, 3, 4, 4), torch.ones(2, 3, 4, 4)
    ax, other = soft_paths([cost, 1 - cost], [path, path], x, [y, y], ["same", "reversed"]).axes[:2]
    assert (ax.get_title(), other.get_title()) == ("same", "reversed")
    assert torch.equal(torch.as_tensor(other.images[0].get_array().data), 1 - cost) and len(ax.images) == 3
    discs = ax.collections[0]
    assert discs.get_offsets().tolist() == [[0.5, 0.5], [1.5, 1.5], [1.5, 2.5]]
    areas = discs.get_sizes()
    assert areas[0] == pytest.approx(2 * areas[1]) and areas[1] == areas[2] and not ax.lines
    (line,) = soft_paths([cost], [path], x, [y], ["same"], diagonal=True).axes[0].lines
    assert line.get_xydata().tolist() == [[0, 0], [2, 3]]


def test_a_walk_joins_all_pairs_and_frames_the_chosen_one():
    pairs = [(0, 0), (1, 1), (1, 2), (2, 3)]
    ax = aligned_frames(torch.zeros(3, 3, 4, 4), torch.ones(4, 3, 4, 4), {"there": pairs}, 2).axes[0]
    ends = [tuple(line.get_xdata()) for line in ax.lines]
    assert ends == [pytest.approx(((i + 0.5) / 3, (j + 0.5) / 4)) for i, j in pairs]
    widths = [line.get_linewidth() for line in ax.lines]
    assert widths.index(max(widths)) == 2 and widths.count(max(widths)) == 1
    above, below = ax.patches
    assert 1 / 3 < above.get_x() < 2 / 3 - above.get_width() + 0.01 and 2 / 4 < below.get_x() < 3 / 4


def test_clips_and_names_marks_the_largest_cosine_of_each_clip_right_or_wrong():
    clips, cosines = [torch.rand(3, 3, 8, 8)] * 2, torch.tensor([[0.9, 0.1], [0.7, -0.2]])
    axes = embeddings.clips_and_names(clips, cosines, ["sit", "stand"], [0, 1]).axes
    assert [ax.get_title(loc="left") for ax in axes[::2]] == ["clip 1, name 1: sit", "clip 2, name 2: stand"]
    assert [words(ax.texts) for ax in axes[1::2]] == [["0.90 ✓", "0.10"], ["0.70 ✗", "-0.20"]]
    assert words(axes[1].get_xticklabels()) == ["name 1", "name 2"]


def test_both_directions_show_the_softmax_of_rows_and_of_columns_with_the_pairs_boxed():
    logits = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    _, rows, columns = embeddings.both_directions(torch.rand(2, 3, 8, 8), ["sit", "stand"], logits).axes
    assert words(rows.texts) == ["0.88", "0.12", "0.50", "0.50"]
    assert words(columns.texts) == ["0.73", "0.27", "0.27", "0.73"]
    assert [(box.get_x() + 0.46, box.get_y() + 0.46) for box in rows.patches] == [(0, 0), (1, 1)]


def test_cosine_histograms_name_each_group_with_its_mean():
    groups = {f"group {n}": torch.full((2, 3), n / 8) for n in range(6)}
    figure = embeddings.cosine_histograms({"same": groups, "other": {"three": torch.zeros(4)}})
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["same", "other"]
    ax = figure.axes[0]
    assert words(ax.get_legend().get_texts()) == [f"group {n} (mean {n / 8:.2f})" for n in range(6)]
    assert len({(patch.get_linestyle(), patch.get_edgecolor()) for patch in ax.patches}) == 6
    assert [line.get_xdata()[0] for line in ax.lines] == pytest.approx([n / 8 for n in range(6)])


def test_maps_place_videos_and_sentences_and_the_chosen_class():
    video, text = np.arange(8.0).reshape(4, 2), -np.arange(6.0).reshape(3, 2)
    chosen = np.array([True, False, False, False]), np.array([False, False, True])
    figure = embeddings.maps({"here": (video, text), "there": (2 * video, text)}, chosen, "sit")
    places = [points.get_offsets() for points in figure.axes[1].collections]
    for found, expected in zip(places, (2 * video, text, 2 * video[:1], text[2:]), strict=True):
        assert np.array_equal(found, expected)
    assert words(figure.legends[0].get_texts())[2:] == ["video: sit", "sentence: sit"]
    assert len(embeddings.maps({"here": (video, text)}).axes[0].collections) == 2


def test_frame_scores_draw_one_curve_per_name_below_each_clip():
    cosines = {"up": torch.rand(4, 5), "down": torch.rand(4, 5)}
    clips = {title: torch.rand(4, 3, 8, 8) for title in cosines}
    axes = embeddings.frame_scores(clips, cosines, MANY[:5]).axes
    assert [ax.get_title() for ax in axes[:2]] == ["up", "down"]
    for ax, values in zip(axes[2:], cosines.values(), strict=True):
        assert np.allclose(np.stack([line.get_ydata() for line in ax.lines], axis=-1), values.numpy())
        assert len({(line.get_linestyle(), line.get_marker()) for line in ax.lines}) == 5
    with pytest.raises(ValueError):
        embeddings.frame_scores(clips, cosines, MANY[:4])


def test_stage_maps_draw_every_point_on_each_map_with_where_it_came_from():
    places = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    before = np.array([[1.0, 1.0], [2.0, 2.0], [np.nan, np.nan]])
    shown = {
        "t-SNE": embeddings.StageMap(places, (0, 6, 0, 6), before),
        "PCA": embeddings.StageMap(2 * places, (-9, 9, -9, 9)),
    }
    figure = embeddings.stage_maps(shown, ["clip", "clip", "anchor"], [0, 1, None], ["sit", "stand"], chosen=2)
    one, other = figure.axes
    assert one.get_title() == "t-SNE" and one.get_xlim() == (0, 6) and other.get_xlim() == (-9, 9)
    clips, anchor, ring = (points.get_offsets().tolist() for points in other.collections)
    assert clips == [[0, 2], [4, 6]] and anchor == ring == [[8, 10]]
    np.testing.assert_array_equal(one.lines[0].get_xydata()[:2], [[1, 1], [0, 1]])
    assert len(one.lines) == 3 and len(other.lines) == 2, "only one map says where its points came from"
    assert words(figure.texts) == ["clip", "anchor", "1", "sit", "2", "stand"]


def test_a_class_has_its_number_once_at_its_centre_with_lines_to_its_points():
    shown = {"PCA": embeddings.StageMap(np.array([[0.0, 0.0], [9.0, 9.0], [2.0, 4.0], [7.0, 1.0]]), (0, 9, 0, 9))}
    ax = embeddings.stage_maps(shown, ["clip"] * 4, [0, 1, 0, None], ["sit", "stand"]).axes[0]
    assert [(text.get_text(), text.get_position()) for text in ax.texts] == [("1", (1, 2)), ("2", (9, 9))]
    np.testing.assert_array_equal(ax.lines[0].get_xydata()[[0, 1, 3, 4]], [[0, 0], [1, 2], [2, 4], [1, 2]])


def test_marks_in_one_place_are_told_apart_on_a_stage_map():
    places = np.array([[0.0, 0.0], [0.0, 0.0], [0.01, 0.0], [3.0, 3.0]])
    kinds = ["support clip", "query clip", "prototype", "class text"]
    shown = dict.fromkeys(("t-SNE", "PCA"), embeddings.StageMap(places, (-1, 4, -1, 4)))
    ax = embeddings.stage_maps(shown, kinds, [0] * 4, ["sit"]).axes[0]
    hollow = [len(mark.get_facecolors()) == 0 for mark in ax.collections]
    assert hollow == [False, False, True, True], "clips are filled, the others hollow"


def test_every_case_and_every_gate_has_its_panel():
    cases = {name: torch.tensor([0.25, 0.5, 0.25]) for name in MANY}
    shares, gates = motion.frame_shares(cases).axes, prompts.gate_values(cases).axes
    assert [ax.get_title() for ax in shares] == [ax.get_title() for ax in gates] == MANY
    assert [bar.get_height() for bar in shares[11].patches] == [0.25, 0.5, 0.25]
    first = prompts.gate_values({"video": torch.tensor([[0.1, 0.1], [0.1, 0.9]])}).axes[0]
    heights = [bar.get_height() for bar in first.patches]
    assert sum(heights) == pytest.approx(100) and max(heights) == pytest.approx(75)


def test_answers_to_changes_show_every_clip_their_mean_and_what_has_no_length():
    cosines = {"m": {"still": torch.tensor([float("nan")] * 2), "reversed": torch.tensor([-1.0, -0.5])}}
    lengths = {"m": {"still": torch.zeros(2), "reversed": torch.tensor([0.5, 1.5])}}
    upper, lower = motion.answers_to_changes(cosines, lengths).axes
    assert words(upper.texts) == ["no length"] and not lower.texts
    drawn = [list(line.get_xdata()) for line in upper.lines]
    assert [-1, -0.5] in drawn and [-0.75, -0.75] in drawn
    assert [0.5, 1.5] in [list(line.get_xdata()) for line in lower.lines]
    assert words(lower.get_yticklabels()) == ["still", "reversed"]


def test_lengths_by_class_are_sorted_and_marked_classes_hatched():
    lengths = {"sit_down": torch.tensor([3.0, 5.0]), "wave": torch.tensor([1.0, 1.0])}
    ax = motion.lengths_by_class(lengths, ["wave"], "there and back", "one way").axes[0]
    assert words(ax.get_yticklabels()) == ["wave", "sit down"]
    assert {bar.get_width(): bar.get_hatch() for bar in ax.patches} == {1: "//", 4: ""}
    assert words(ax.get_legend().get_texts()) == ["there and back", "one way"]


def test_bars_of_heads_show_every_head():
    heads = {name: {"length": n + 1.0, "loss": n + 80.4} for n, name in enumerate(MANY)}
    length, loss = motion.motion_of_heads(heads, "a title").axes
    assert [bar.get_height() for bar in length.patches] == [n + 1 for n in range(12)]
    assert words(loss.texts) == [f"{n + 80.4:.0f}" for n in range(12)] and loss.get_ylabel() == "loss"


def test_features_of_twins_are_compared_channel_by_channel_with_the_first():
    values = torch.tensor([[4.0, 0.0, -2.0], [-8.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    ax = motion.features_of_twins({"m": values}, ["original", "reversed", "still"]).axes[0]
    turned, still = (line.get_xydata() for line in ax.lines if line.get_marker() == ".")
    np.testing.assert_allclose(turned, [[0.2, 0.4], [0, 0], [-0.1, -0.2]], atol=1e-6)  # y runs downwards
    np.testing.assert_allclose(still, [[1.2, 0], [1, 0], [0.9, 0]], atol=1e-6)
    said = ["m\n(to ± 8)", "2.00 × as long, cos -1.00", "0.00 × as long", "reversed", "still"]
    assert words(ax.texts) == said
    rows = torch.tensor([[2.0, 0], [0, 1], [0, 0]])
    assert motion.compared_with_first(rows) == [(1, 1), (0.5, 0), (0, None)]


def test_prompt_maps_say_how_far_prompts_lie_along_one_line():
    line = torch.tensor([[-1.0], [0.0], [3.0]]) * torch.tensor([3.0, 0.0, 4.0])
    one, other = prompts.prompt_maps({"line": line, "all": torch.eye(3)}).axes
    assert one.get_title().startswith("line\n100 % along one line") and "mean cosine 0.00" in other.get_title()
    x, y = one.lines[0].get_xydata().T
    np.testing.assert_allclose(sorted(abs(x - x[1])), [0, 0.75, 2.25], atol=1e-4)  # lengths 5, 0 and 15
    np.testing.assert_allclose(y, 0, atol=1e-4)


def test_a_diagram_has_a_box_per_name_with_its_shape_and_an_arrow_per_pair():
    ax = diagrams.data_flow({"f": ((0, 0), [8, 2]), "m": ((2, 1), [2])}, {"MFE": (1, 0)}, [("f", "MFE")]).axes[0]
    assert words(ax.texts) == ["f\n[8, 2]", "m\n[2]", "MFE", ""] and len(ax.patches) == 3
    assert ax.texts[-1].arrow_patch.patchA is ax.patches[0] and ax.texts[-1].xy == (1, 0)


def test_diagrams_of_components_carry_the_shapes_of_what_they_are_given():
    video = torch.zeros(8, 4)
    fusion = words(diagrams.semantic_fusion(video, video[:1]).axes[0].texts)
    assert {"[p ; f̃]\n[9, 4]", "f′\n[8, 4]", "p′\n[1, 4]"} <= set(fusion)
    episode = torch.zeros(3, 2, 8, 4), torch.zeros(6, 8, 4), torch.zeros(3, 4)
    spm = words(diagrams.spm(*episode).axes[0].texts)
    assert {"p̂\n[6, 1, 4]", "prototypes\n[3, 8, 4]", "D_SPM\n[6, 3]"} <= set(spm)
    assert {"Φ(f)\n[8, 4]", "backward\n[7, 4]", "m\n[4]"} <= set(words(diagrams.mfe(video).axes[0].texts))
    assert {"m′\n[4]", "‖m deep − m′‖²\na number"} <= set(words(diagrams.hsmr(video).axes[0].texts))


def test_who_sees_whom_has_every_video_twice_and_colours_what_the_last_query_reaches():
    ax = draw.who_sees_whom(torch.zeros(2, 1, 3, 4), torch.zeros(3, 3, 4)).axes[0]
    inputs = {"support 1", "support 2", "query 1", "query 2", "query 3"}
    means, said = {"u1", "u2", "A"}, set(words(ax.texts))
    assert inputs | means | {f"{name}′" for name in inputs | means} | {"D_PADM", "D_anchor"} <= said
    assert any("support [2, 1, 3, 4]" in text for text in said) and any("D_PADM [3, 2]" in text for text in said)
    colors = [text.arrow_patch.get_edgecolor() for text in ax.texts if getattr(text, "arrow_patch", None)]
    orange = sum(color[:3] == COLORS[1] for color in colors)
    assert (orange, len(colors) - orange) == (3 + 2 + 3 + 8, 2 + 4 + 4)


@pytest.mark.parametrize("label, verdicts", [(0, 2), (1, 1)])
def test_stacked_distances_show_excess_answer_and_truth(label, verdicts):
    parts = {"one": torch.tensor([3.0, 1.0, 2.0]), "two": torch.tensor([-4.0, -5.0, -4.5])}
    ax = draw.stacked_distances(parts, NAMES, label).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [2, 0, 1, 1, 0, 0.5]
    notes = words(ax.texts)
    assert "0.0" in notes[1] and "answer" in notes[1] and "true class" in notes[label]
    assert sum("(" in note for note in notes) == verdicts


def test_logit_changes_hide_the_exchanged_query_and_class_bias_is_around_its_mean():
    ax = draw.logit_changes(torch.tensor([[1.0, -2.0, 0.5], [9.0, 9.0, 9.0]]), exchanged=1, names=NAMES).axes[0]
    assert words(ax.texts) == ["+1.0", "-2.0", "+0.5"] and ax.collections[0].get_clim() == (-2, 2)
    assert words(ax.get_yticklabels()) == ["query 1", "query 2 (exchanged)"]
    ax = draw.class_bias({"all": torch.tensor([1.0, 2, 3]), "one": torch.tensor([0.0, 0, 3])}, NAMES).axes[0]
    assert [bar.get_height() for bar in ax.patches] == [-1, 0, 1, -1, -1, 2]
    assert words(ax.get_legend().get_texts()) == ["all", "one"]


def test_paths_lie_where_they_are_put_and_the_anchor_is_a_star():
    paths, queries = np.arange(12, dtype=float).reshape(2, 3, 2), np.array([[0.0, 1.0], [9.0, 9.0]])
    anchor = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    figure = draw.prototype_paths(paths, queries, [0, 1], ["sit", "stand"], anchor, (0, 12, 0, 12))
    ax = figure.axes[0]
    drawn = {line.get_marker(): line for line in ax.lines if len(line.get_xdata()) == 3}
    assert set(drawn) == {"o", "s", "*"}
    np.testing.assert_array_equal(drawn["s"].get_xydata(), paths[1])
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), [[0, 1], [6, 7], [1, 2]])  # firsts
    assert words(figure.texts) == ["sit", "stand", "anchor"]


def test_prototype_distances_write_every_value_and_the_anchors_row():
    table = torch.tensor([[0.0, 1.5], [1.5, -0.001], [0.7, 0.8]])
    ax = draw.prototype_distances(table, ["sit", "stand"], (0, 2), "OTAM distance").axes[0]
    assert words(ax.texts)[:6] == ["0.00", "1.50", "1.50", "0.00", "0.70", "0.80"]
    assert words(ax.texts)[6:] == ["1 sit", "2 stand", "anchor"] and ax.images[0].get_clim() == (0, 2)


def test_names_beside_a_map_stay_on_the_figure_however_many_there_are():
    names, way = [f"class {n}" for n in range(24)], 24
    paths = np.zeros((way, 1, 2))
    for figure in (
        draw.prototype_paths(paths, paths[:, 0], range(way), names, np.zeros((1, 2)), (-1, 1, -1, 1)),
        draw.distances_by_frame({name: torch.ones(3) for name in names}, names[0], "d"),
        embeddings.stage_maps(
            {"PCA": embeddings.StageMap(np.ones((way, 2)), (0, 2, 0, 2))}, ["clip"] * way, range(way), names
        ),
    ):
        shown = {text.get_text() for text in figure.texts if 0 <= text.get_position()[1] <= 1}
        assert set(names[1:]) <= shown


def test_predecessors_draw_every_cell_and_one_arrow_for_each_cell_looked_at():
    ax = predecessors(2, 3, lambda row, column: [(row, column - 1)] if column else []).axes[0]
    assert [text for text in words(ax.texts) if text] == [f"D[{r},{c}]" for r in range(2) for c in range(3)]
    arrows = [(text.xyann, text.xy) for text in ax.texts if not text.get_text()]
    assert arrows == [((c - 1, r), (c, r)) for r in range(2) for c in (1, 2)]


def test_two_prompts_show_both_clips_and_only_the_supports_name():
    figure = two_prompts(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4), "raising a box")
    strips = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title(loc="left") for ax in strips] == ["support", "query"]
    assert [float(ax.images[0].get_array().max()) for ax in strips] == [0, 1]
    named = ["raising a box" in ax.texts[0].get_text() for ax in figure.axes if ax.texts]
    assert named == [True, False]
