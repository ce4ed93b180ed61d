"""The prototypes explorer: its prototypes and anchor are the model's, its stages share one plane and one scale."""

import numpy as np
import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.model.otam import otam
from clipspm_lite.widgets import prototypes
from clipspm_lite.widgets.gallery import Gallery
from clipspm_lite.widgets.prototypes import (
    AVERAGED,
    BY_FRAME,
    PADM,
    RAW,
    SPM,
    on_one_plane,
    prototypes_explorer,
    stages_of,
)

ALL = {"map", "distances", "frames"}


@pytest.fixture
def explorer(gallery):
    return prototypes_explorer(gallery)


@pytest.fixture
def drawn(gallery):
    return EpisodeSampler(gallery.data.videos_per_class, 4, 2)[0]


@pytest.mark.parametrize(
    ("control", "value", "pictures"),
    [
        ("way", 3, ALL),
        ("shot", 2, ALL),
        ("seed", 2, ALL),
        ("number", 7, ALL),
        ("pair", (0, 1), ALL),
        ("classes", (0, 2, 3), ALL),
        ("stage", SPM, ALL),
        ("stage", PADM, ALL),
        ("view", BY_FRAME, {"map", "distances"}),
        ("chosen", 3, {"frames"}),
    ],
)
def test_a_control_changes_its_pictures_and_only_those(explorer, control, value, pictures, changed_by):
    assert changed_by(explorer, control, value) == pictures


def test_the_stages_are_the_models_own(gallery, drawn):
    stages = stages_of(gallery, drawn)
    batch = gather(gallery.data.features, gallery.data.class_text, [drawn])
    support, query, text = batch.support[0], batch.query[0], batch.class_text[0]
    with torch.inference_mode():
        output = gallery.model(support, query, text)
        raw = gallery.model.prepare(support, query, text, None)[0].mean(1)
    torch.testing.assert_close(stages[RAW].prototypes, raw)
    torch.testing.assert_close(stages[SPM].prototypes, output.spm.prototypes)
    torch.testing.assert_close(stages[PADM].prototypes, output.padm.prototypes)
    torch.testing.assert_close(stages[PADM].anchor, output.padm.anchor[0])
    assert stages[RAW].anchor is None


def test_the_anchor_before_attention_is_what_padm_starts_from(gallery, drawn, monkeypatch):
    seen = []
    original = type(gallery.model.padm)._attend
    monkeypatch.setattr(
        type(gallery.model.padm),
        "_attend",
        lambda self, tokens, *rest: seen.append(tokens) or original(self, tokens, *rest),
    )
    stages = stages_of(gallery, drawn)
    torch.testing.assert_close(stages[SPM].anchor, seen[1][0])


def test_distances_are_otam_by_frame_and_cosines_of_means_averaged(gallery, drawn):
    stage = stages_of(gallery, drawn)[PADM]
    by_frame, averaged = stage.distances(BY_FRAME), stage.distances(AVERAGED)
    assert by_frame.shape == averaged.shape == (5, 4)
    torch.testing.assert_close(by_frame[:4], otam(stage.prototypes, stage.prototypes))
    torch.testing.assert_close(by_frame[4], otam(stage.anchor[None], stage.prototypes)[0])
    means = stage.prototypes.mean(1)
    expected = 1 - torch.cosine_similarity(means[0], means[1], dim=0)
    torch.testing.assert_close(averaged[0, 1], expected)


@pytest.mark.parametrize("averaged", [True, False])
def test_stages_on_one_plane_share_centre_and_size(gallery, drawn, averaged):
    plane = on_one_plane(stages_of(gallery, drawn), averaged=averaged)
    left, right, bottom, top = plane.limits
    assert 0 < plane.share <= 100
    for paths, queries, anchor in plane.places.values():
        assert paths.shape == (4, 1 if averaged else 8, 2) and queries.shape == (4, 2)
        for points in (paths, queries, *([] if anchor is None else [anchor])):
            assert ((points > (left, bottom)) & (points < (right, top))).all()
    centres = [paths.reshape(-1, 2).mean(0) for paths, _, _ in plane.places.values()]
    np.testing.assert_allclose(centres, np.broadcast_to(centres[0], (3, 2)), atol=1e-4)


def test_the_heatmap_follows_the_stage_on_one_scale(explorer, monkeypatch):
    calls = []
    original = prototypes.prototype_distances
    monkeypatch.setattr(prototypes, "prototype_distances", lambda *x: calls.append(x) or original(*x))
    for stage in (SPM, PADM, RAW):
        explorer.controls["stage"].value = stage
    assert [len(table) for table, *_ in calls] == [5, 5, 4]
    assert len({limits for _, _, limits, _ in calls}) == 1


@pytest.mark.parametrize(("without", "stages"), [("with_spm", 2), ("with_padm", 2)])
def test_a_model_without_a_part_lacks_its_stage(gallery, without, stages):
    model = CLIPSPM(16, heads=2, head_dim=8, mlp_dim=16, **{without: False}).eval()
    explorer = prototypes_explorer(Gallery(gallery.dataset, gallery.data, model))
    assert len(explorer.controls["stage"].options) == stages
    explorer.controls["stage"].index = stages - 1
    assert explorer.status.value == ""
