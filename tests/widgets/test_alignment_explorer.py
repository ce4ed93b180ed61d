"""The alignment explorer: each control changes its pictures, and what is said and drawn are the model's own numbers."""

import gc
import re
from dataclasses import replace
from itertools import pairwise, product

import pytest
import torch
from matplotlib.figure import Figure

from clipspm_lite import CLIPSPM
from clipspm_lite.model.otam import SMOOTHING, align, align_one_way, frame_distances, otam
from clipspm_lite.widgets import alignment
from clipspm_lite.widgets.alignment import BOTH, DIRECTIONS, alignment_explorer
from clipspm_lite.widgets.gallery import Gallery

TABLE = torch.rand(5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.fixture
def explorer(gallery):
    return alignment_explorer(gallery)


def shown(explorer):
    return {name: picture.value for name, picture in explorer.pictures.items()}


@pytest.mark.parametrize(
    ("control", "value", "pictures"),
    [
        ("query_class", 2, {"matrix", "pairs"}),
        ("query_clip", 4, {"matrix", "pairs"}),
        ("support_class", 3, {"matrix", "pairs"}),
        ("support_clip", 2, {"matrix", "pairs"}),
        ("features", "fused", {"matrix", "pairs"}),
        ("features", "centred", {"matrix", "pairs"}),
        ("smoothing", 0.1, {"matrix"}),
        ("direction", "every query frame is met", {"matrix", "pairs"}),
        ("step", 3, {"pairs"}),
    ],
)
def test_a_control_changes_its_pictures_and_only_those(explorer, control, value, pictures):
    before = shown(explorer)
    explorer.controls[control].value = value
    assert explorer.status.value == ""
    assert {name for name, text in shown(explorer).items() if text != before[name]} == pictures


def test_the_distance_is_the_librarys(explorer, gallery):
    videos = gallery.data.features
    expected = float(otam(videos[[0]], videos[[20]]))
    assert f"OTAM distance {expected:.2f} =" in explorer.pictures["matrix"].value
    centred = videos - videos.mean(1, keepdim=True)
    explorer.controls["features"].value = "centred"
    assert (
        f"OTAM distance {float(otam(centred[[0]], centred[[20]])):.2f} =" in explorer.pictures["matrix"].value
    )


def test_fused_frames_are_those_of_the_models_forward_pass(explorer, gallery):
    videos, classes = gallery.data.features, [1, 0, 2, 3]  # the support's, the query's, and those after it
    support = videos[[gallery.starts[number] for number in classes]].unsqueeze(1)
    with torch.inference_mode():
        output = gallery.model(support, videos[[0]], gallery.data.class_text[classes])
    explorer.controls["features"].value = "fused"
    assert f"OTAM distance {float(output.spm.distance[0, 0]):.2f} =" in explorer.pictures["matrix"].value


def test_a_model_without_spm_says_so_and_goes_on(gallery):
    bare = CLIPSPM(16, heads=2, head_dim=8, mlp_dim=16, with_spm=False).eval()
    explorer = alignment_explorer(replace(gallery, model=bare))
    explorer.controls["features"].value = "fused"
    assert "has no SPM" in explorer.status.value
    explorer.controls["features"].value = "centred"
    assert explorer.status.value == ""


def test_another_lambda_follows_its_definition():
    """A plain recursion with any λ, on a table small enough to list its paths."""
    for smoothing in (0.05, SMOOTHING, 2.0):
        weights = [torch.exp(-cost / smoothing) for cost in paths_one_way(TABLE).values()]
        expected = -smoothing * torch.log(torch.stack(weights).sum())
        found = alignment.smoothed(align_one_way, TABLE, smoothing)
        torch.testing.assert_close(found, expected)


def paths_one_way(table):
    """Every path through the table as (entry rows of each column, way out) → cost."""
    rows, columns = table.shape
    found = {}
    for walk in product(range(rows), repeat=columns):
        if any(b - a not in (0, 1) for a, b in pairwise(walk)):
            continue
        cost = sum(table[i, j] for j, i in enumerate(walk))
        for first in range(
            walk[0] + 1
        ):  # column 1 may be walked down, entered from two cells but in the first row
            above = sum((table[i, 0] for i in range(first, walk[0])), torch.zeros(()))
            for way_in, way_out in product(range(1 + (first > 0)), range(1 + (walk[-1] < rows - 1))):
                found[walk, first, way_in, way_out] = cost + above
    return found


def test_the_most_probable_path_is_the_cheapest_of_all_and_its_share_is_right():
    costs = paths_one_way(TABLE)
    cheapest = min(costs, key=lambda path: costs[path])[0]
    found = alignment.most_probable_path(TABLE, align_one_way)
    assert found == [(i, j) for j, i in enumerate(cheapest)]
    weights = {path: float(torch.exp(-cost / 0.2)) for path, cost in costs.items()}
    alone = sum(weight for path, weight in weights.items() if path[0] == cheapest and path[1] == cheapest[0])
    share = alignment.share_of_path(TABLE, found, align_one_way, 0.2)
    assert share == pytest.approx(alone / sum(weights.values()))


def test_it_has_a_step_a_frame_even_where_all_paths_cost_the_same():
    for table in (torch.zeros(8, 8), torch.full((8, 8), 0.3), torch.full((2, 2), -1e-7)):
        for name, direction in DIRECTIONS.items():
            path = alignment.most_probable_path(table, direction)
            met = 1 if "support" in name else 0
            assert [cell[met] for cell in path] == list(range(len(table)))
            other = [cell[1 - met] for cell in path]
            assert all(b - a in (0, 1) for a, b in pairwise(other))


def test_the_soft_path_is_the_derivative_and_both_directions_add_up():
    leaf = TABLE.clone().requires_grad_()
    (expected,) = torch.autograd.grad(align(leaf), leaf)
    found = sum(alignment.soft_path(TABLE, direction, SMOOTHING) for direction in DIRECTIONS.values())
    torch.testing.assert_close(found, expected)


def test_a_step_names_the_pair_it_shows(explorer, gallery):
    explorer.controls["direction"].value = "every support frame is met"
    costs = frame_distances(gallery.data.features[0], gallery.data.features[20])
    path = alignment.most_probable_path(costs, align_one_way)
    for step in (1, 5, 8):
        explorer.controls["step"].value = step
        i, j = path[step - 1]
        said = f"query frame {i + 1} with support frame {j + 1}, d = {float(costs[i, j]):.3f}"
        picture = explorer.pictures["pairs"].value
        assert said in picture and f"Step {step} of 8" in re.search('alt="([^"]*)"', picture)[1]


def test_a_class_with_fewer_clips_shortens_the_slider(gallery):
    videos = gallery.dataset.videos
    dataset = replace(gallery.dataset, videos=(videos[0], videos[1][:1], *videos[2:]))
    kept = [*range(21), *range(40, 80)]
    features = gallery.data.features[kept]
    data = replace(gallery.data, videos_per_class=dataset.videos_per_class, features=features)
    explorer = alignment_explorer(Gallery(dataset, data, gallery.model))
    explorer.controls["query_clip"].value = 15
    explorer.controls["query_class"].value = 1
    assert explorer.controls["query_clip"].value == 1 and explorer.status.value == ""
    assert f"Query {gallery.names[1]} 1," in explorer.pictures["matrix"].value


def test_it_starts_with_the_methods_own_settings(explorer):
    assert explorer.controls["direction"].value == BOTH and explorer.controls["smoothing"].value == SMOOTHING


def test_no_figure_outlives_its_picture(explorer):
    for number in range(60):
        explorer.controls["step"].value = 1 + number % 8
    gc.collect()
    assert sum(type(thing) is Figure for thing in gc.get_objects()) <= 1
