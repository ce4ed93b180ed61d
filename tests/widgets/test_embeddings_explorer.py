"""The embeddings explorer: its points are the model's own, and its stages share one frame."""

import numpy as np
import pytest
import torch
from conftest import seen

from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.widgets.embeddings import cloud_of, embeddings_explorer, places_by_stage


@pytest.fixture
def drawn(gallery):
    return EpisodeSampler(gallery.data.videos_per_class, 4, 2, 3, 0)[0]


def test_captions_and_hints_follow(gallery):
    explorer = embeddings_explorer(gallery)
    controls = explorer.controls
    assert "raw CLIP" in seen(explorer, "map") and "perplexity 10" in seen(explorer, "map")
    controls["stage"].value = "after PADM"
    label, controls["point"].value = controls["point"].options[-1]
    for said in ("after PADM", "one plane for all stages", "ringed: anchor", '<span title="anchor"'):
        assert label == "anchor" and said in seen(explorer, "map")
    controls["stage"].value = "raw CLIP"
    drawn = seen(explorer, "map")
    assert "anchor isn&#x27;t there yet" in drawn and '<span title="anchor"' not in drawn


def test_point_names_follow_the_episode(gallery, drawn):
    controls = (explorer := embeddings_explorer(gallery)).controls
    before = controls["point"].options
    controls["point"].value = len(before) - 1
    controls["episode"].value = 3
    assert explorer.status.value == "" and controls["point"].options != before
    controls["episode"].value = 0
    assert controls["point"].options == before
    assert before[0][0] == f"{gallery.names[drawn.classes[0]]}: support 1"


@pytest.mark.parametrize("inductive", [False, True])
def test_the_points_are_the_models_own_outputs(with_head, drawn, inductive):
    """Queries are asked together; the answers are the model's, which may ask them one by one."""
    gallery = with_head(inductive=inductive)
    cloud = cloud_of(gallery, drawn)
    batch = gather(gallery.data.features, gallery.data.class_text, [drawn])
    given = batch.support, batch.query, batch.class_text
    with torch.inference_mode():
        output, answers = gallery.model(*given, inductive=False), gallery.model(*given).logits[0].argmax(-1)

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
    assert cloud.answers == tuple(answers.tolist())
    assert [point.videos for point in cloud.points if point.kind == "query clip"] == [(v,) for v in drawn.query]


def test_what_a_model_lacks_is_said_and_has_no_points(with_head, drawn):
    for head, said, gone in (
        (dict(with_spm=False), "no SPM", "generated prompt"),
        (dict(with_padm=False), "no PADM", "anchor"),
        (dict(with_anchor=False), "no anchor", "anchor"),
    ):
        gallery = with_head(**head)
        assert gone not in {point.kind for point in cloud_of(gallery, drawn).points}
        assert f"This model has {said}" in seen(embeddings_explorer(gallery), "map")


def test_a_generated_support_prompt_is_drawn_as_such(with_head, drawn):
    cloud = cloud_of(with_head(support_text="generated"), drawn)
    kinds = [point.kind for point in cloud.points]
    name, prompt = (cloud.vectors["raw CLIP"][kinds.index(k)] for k in ("class text", "support's prompt"))
    assert not np.allclose(name, prompt, atol=1e-3)


@pytest.mark.parametrize("method", ["t-SNE", "PCA"])
def test_what_does_not_change_does_not_move_much_and_coinciding_points_stay_together(method):
    """Two equal stages: PCA's places are equal; t-SNE's begin where they were, and neighbours stay neighbours."""
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(4), 8, 0) + 0.05 * rng.standard_normal((32, 4))
    vectors = {
        "one": np.concatenate([points, np.full((1, 4), np.nan)]),
        "two": np.concatenate([points, points[:1] + 0.01]),
    }
    places = places_by_stage(vectors, method, 5)
    assert np.isnan(places["one"][-1]).all() and not np.isnan(places["two"]).any()
    moved = np.linalg.norm(places["two"][:32] - places["one"][:32], axis=1)
    assert moved.mean() < (1e-9 if method == "PCA" else 0.5)
    twice = np.concatenate([rng.standard_normal((10, 4))] * 2)
    places = places_by_stage({"one": twice, "two": twice}, method, 3)["two"]
    np.testing.assert_allclose(places[10:], places[:10], atol=1e-9)
