"""The alignment explorer: what is said and drawn are the model's own numbers."""

import re
from dataclasses import replace

import pytest
import torch
from conftest import seen

from clipspm_lite.model.otam import SMOOTHING, align_one_way, frame_distances, otam
from clipspm_lite.plots.paths import most_probable_path
from clipspm_lite.widgets.alignment import BOTH, alignment_explorer
from clipspm_lite.widgets.gallery import Gallery


@pytest.fixture
def explorer(gallery):
    return alignment_explorer(gallery)


def test_the_distance_is_the_librarys(explorer, gallery):
    videos = gallery.data.features
    assert explorer.controls["directions"].label == BOTH and explorer.controls["smoothing"].value == SMOOTHING
    expected = float(otam(videos[[0]], videos[[20]]))
    assert f"OTAM distance {expected:.2f} =" in seen(explorer, "matrix")
    centred = videos - videos.mean(1, keepdim=True)
    explorer.controls["features"].value = "centred"
    expected = float(otam(centred[[0]], centred[[20]]))
    assert f"OTAM distance {expected:.2f} =" in seen(explorer, "matrix")


def test_fused_frames_are_those_of_the_models_forward_pass(explorer, gallery):
    videos, classes = gallery.data.features, [1, 0, 2, 3]  # the support's, the query's, and those after it
    support = videos[[gallery.starts[number] for number in classes]].unsqueeze(1)
    with torch.inference_mode():
        output = gallery.model(support, videos[[0]], gallery.data.class_text[classes])
    explorer.controls["features"].value = "fused"
    assert f"OTAM distance {float(output.spm.distance[0, 0]):.2f} =" in seen(explorer, "matrix")


def test_a_step_names_the_pair_it_shows(explorer, gallery):
    explorer.controls["directions"].value = ("every support frame is met",)
    costs = frame_distances(gallery.data.features[0], gallery.data.features[20])
    path = most_probable_path(costs, align_one_way)
    for step in (1, 5, 8):
        explorer.controls["step"].value = step
        i, j = path[step - 1]
        said = f"query frame {i + 1} with support frame {j + 1}, d = {float(costs[i, j]):.3f}"
        picture = seen(explorer, "pairs")
        assert said in picture and f"Step {step} of 8" in re.search('alt="([^"]*)"', picture)[1]


def test_a_class_with_fewer_clips_shortens_the_slider(gallery):
    videos = gallery.dataset.videos
    dataset = replace(gallery.dataset, videos=(videos[0], videos[1][:1], *videos[2:]))
    features = gallery.data.features[[*range(21), *range(40, 80)]]
    data = replace(gallery.data, videos_per_class=dataset.videos_per_class, features=features)
    explorer = alignment_explorer(Gallery(dataset, data, gallery.model))
    explorer.controls["query_clip"].value = 15
    explorer.controls["query_class"].value = 1
    assert explorer.controls["query_clip"].value == 1 and explorer.status.value == ""
    assert f"Query {gallery.names[1]} 1," in seen(explorer, "matrix")
