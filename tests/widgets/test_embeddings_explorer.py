"""The embeddings explorer: its points are the model's, stages share one frame, each control moves what it should."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from clipspm_lite import CLIPSPM
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.widgets.embeddings import cloud_of, embeddings_explorer, layouts
from clipspm_lite.widgets.gallery import Gallery


@pytest.fixture
def explorer(gallery):
    return embeddings_explorer(gallery, episodes=3)


def test_each_control_changes_its_pictures_only(explorer, changed_by):
    assert explorer.status.value == ""
    assert changed_by(explorer, "stage", "after SPM") == {"map"}
    assert changed_by(explorer, "perplexity", 3) == {"map"}
    assert changed_by(explorer, "colour", "role") == {"map"}
    assert changed_by(explorer, "point", 5) == {"map", "clips"}
    assert changed_by(explorer, "episode", 1) == {"map", "clips"}
    assert "map" in changed_by(explorer, "points", explorer.controls["points"].options[1])


def test_captions_and_hints_follow(explorer):
    assert "raw CLIP" in explorer.pictures["map"].value and "perplexity 10" in explorer.pictures["map"].value
    explorer.controls["stage"].value = "after PADM"
    assert "after PADM" in explorer.pictures["map"].value
    assert "one plane for all stages" in explorer.pictures["map"].value
    label, value = explorer.controls["point"].options[-1]
    explorer.controls["point"].value = value
    assert label == "anchor" and "ringed: anchor" in explorer.pictures["map"].value
    assert '<span title="anchor"' in explorer.pictures["map"].value
    explorer.controls["stage"].value = "raw CLIP"
    assert "anchor isn&#x27;t there yet" in explorer.pictures["map"].value
    assert '<span title="anchor"' not in explorer.pictures["map"].value


def test_point_names_follow_the_episode_and_a_point_that_is_gone_breaks_nothing(explorer, gallery):
    large, small = explorer.controls["points"].options[1], explorer.controls["points"].options[0]
    explorer.controls["points"].value = large
    explorer.controls["point"].value = len(explorer.controls["point"].options) - 1
    explorer.controls["points"].value = small
    assert explorer.status.value == ""
    drawn = EpisodeSampler(gallery.data.videos_per_class, 4, 2, 3, 0)[0]
    name = gallery.names[drawn.classes[0]]
    assert explorer.controls["point"].options[0][0] == f"{name}: support 1"


def test_the_points_are_the_models_own_outputs(gallery):
    episode = EpisodeSampler(gallery.data.videos_per_class, 4, 2, 3, 0)[0]
    cloud = cloud_of(gallery, episode)
    batch = gather(gallery.data.features, gallery.data.class_text, [episode])
    with torch.inference_mode():
        output = gallery.model(batch.support, batch.query, batch.class_text)

    def assert_is(stage, kind, vectors):
        rows = [n for n, point in enumerate(cloud.points) if point.kind == kind]
        expected = torch.nn.functional.normalize(vectors, dim=-1).numpy()
        np.testing.assert_allclose(cloud.vectors[stage][rows], expected, atol=1e-5)

    assert_is("after SPM", "query clip", output.spm.query[0].mean(-2))
    assert_is("after SPM", "generated prompt", output.spm.query_token[0, :, 0])
    assert_is("raw CLIP", "generated prompt", output.spm.query_prompt[0, :, 0])
    assert_is("after SPM", "support's prompt", output.spm.support_token[0].flatten(0, 2))
    assert_is("after PADM", "prototype", output.padm.prototypes[0].mean(-2))
    assert_is("after PADM", "anchor", output.padm.anchor[0].mean(-2))
    assert_is("raw CLIP", "class text", batch.class_text[0])
    assert cloud.answers == tuple(output.logits[0].argmax(-1).tolist())
    videos = [point.videos for point in cloud.points if point.kind == "query clip"]
    assert videos == [(video,) for video in episode.query]


def test_colour_by_split_is_there_where_the_split_is_known(gallery, changed_by):
    assert "split" not in embeddings_explorer(gallery, episodes=1).controls["colour"].options
    known = replace(gallery, parts=("base", "base", "validation", "validation"))
    explorer = embeddings_explorer(known, episodes=1)
    assert changed_by(explorer, "colour", "split") == {"map"}


@pytest.mark.parametrize("method", ["t-SNE", "PCA"])
def test_what_does_not_change_does_not_move_much(method):
    """Two equal stages: PCA's places are equal; t-SNE's begin where they were, and neighbours stay neighbours."""
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(4), 8, 0) + 0.05 * rng.standard_normal((32, 4))
    vectors = {"one": points, "two": points.copy()}
    vectors["one"] = np.concatenate([points, np.full((1, 4), np.nan)])
    vectors["two"] = np.concatenate([points, points[:1] + 0.01])
    places = layouts(vectors, method, 5)
    assert np.isnan(places["one"][-1]).all() and not np.isnan(places["two"]).any()
    moved = np.linalg.norm(places["two"][:32] - places["one"][:32], axis=1)
    assert moved.mean() < (1e-9 if method == "PCA" else 0.5)


def test_coinciding_points_stay_together():
    points = np.random.default_rng(0).standard_normal((20, 4))
    points[10:] = points[:10]
    places = layouts({"one": points, "two": points}, "t-SNE", 3)
    np.testing.assert_array_equal(places["two"][10:], places["two"][:10])


def test_a_model_without_parts_says_so(gallery):
    sizes = dict(heads=1, head_dim=4, mlp_dim=4)
    for without, stages in (("with_spm", 2), ("with_padm", 2)):
        other = CLIPSPM(16, **sizes, **{without: False}).eval()
        explorer = embeddings_explorer(Gallery(gallery.dataset, gallery.data, other), episodes=1)
        assert len(explorer.controls["stage"].options) == stages
        assert f"This model has no {without[5:].upper()}" in explorer.pictures["map"].value
        explorer.controls["stage"].index = stages - 1
        assert explorer.status.value == ""


def test_a_generated_support_prompt_is_drawn_as_such(gallery):
    model = CLIPSPM(16, heads=1, head_dim=4, mlp_dim=4, support_text="generated").eval()
    cloud = cloud_of(
        Gallery(gallery.dataset, gallery.data, model),
        EpisodeSampler(gallery.data.videos_per_class, 2, 2, 1)[0],
    )
    of = {
        kind: [n for n, p in enumerate(cloud.points) if p.kind == kind]
        for kind in ("class text", "support's prompt")
    }
    assert not np.allclose(*(cloud.vectors["raw CLIP"][rows[0]] for rows in of.values()), atol=1e-3)


def test_a_class_with_one_video_is_refused_with_its_name(gallery):
    keep = [*range(1), *range(gallery.starts[1], len(gallery.data.features))]
    counts = (1, *gallery.data.videos_per_class[1:])
    data = replace(gallery.data, videos_per_class=counts, features=gallery.data.features[keep])
    dataset = replace(gallery.dataset, videos=(gallery.dataset.videos[0][:1], *gallery.dataset.videos[1:]))
    with pytest.raises(ValueError, match=gallery.data.classes[0]):
        embeddings_explorer(Gallery(dataset, data, gallery.model))


def test_nothing_is_kept_of_old_pictures(explorer):
    def alive():
        gc.collect()
        return sum(type(thing) is Figure for thing in gc.get_objects())

    explorer.controls["point"].value = 1
    before = alive()
    for number in range(30):
        explorer.controls["colour"].value = ("role", "class")[number % 2]
    assert alive() <= before
