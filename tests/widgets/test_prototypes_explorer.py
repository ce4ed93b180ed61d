"""The prototypes explorer: its prototypes and anchor are the model's, its stages share one plane and one scale."""

import numpy as np
import pytest
import torch
from conftest import seen

from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.model.otam import otam
from clipspm_lite.widgets import prototypes
from clipspm_lite.widgets.gallery import AFTER_PADM, AFTER_SPM
from clipspm_lite.widgets.prototypes import on_one_plane, prototype_stages, prototypes_explorer


@pytest.fixture
def drawn(gallery):
    return EpisodeSampler(gallery.data.videos_per_class, 4, 2)[0]


def test_the_stages_are_the_models_own(gallery, drawn):
    stages = prototype_stages(gallery, drawn)
    batch = gather(gallery.data.features, gallery.data.class_text, [drawn])
    support, query, text = batch.support[0], batch.query[0], batch.class_text[0]
    with torch.inference_mode():
        output = gallery.model(support, query, text)
        raw = gallery.model.prepare(support, query, text, None)[0].mean(1)
    torch.testing.assert_close(stages[prototypes.BEFORE_TEXT].prototypes, raw)
    torch.testing.assert_close(stages[AFTER_SPM].prototypes, output.spm.prototypes)
    torch.testing.assert_close(stages[AFTER_PADM].prototypes, output.padm.prototypes)
    torch.testing.assert_close(stages[AFTER_PADM].anchor, output.padm.anchor[0])
    assert stages[prototypes.BEFORE_TEXT].anchor is None


@pytest.mark.parametrize(
    "head", [dict(with_anchor=False), {"model": "clip-spm-extended", "anchor": "query"}, dict(with_padm=False)]
)
def test_no_anchor_is_shown_that_the_model_does_not_score_with(head, with_head, drawn):
    gallery = with_head(**head)
    assert all(stage.anchor is None for stage in prototype_stages(gallery, drawn).values())
    explorer = prototypes_explorer(gallery)
    explorer.controls["stage"].value = AFTER_SPM
    assert "no anchor" in seen(explorer, "map")


def test_distances_are_otam_by_frame_and_cosines_of_means_averaged(gallery, drawn):
    stage = prototype_stages(gallery, drawn)[AFTER_PADM]
    by_frame, averaged = stage.distances(prototypes.BY_FRAME), stage.distances(prototypes.AVERAGED)
    assert by_frame.shape == averaged.shape == (5, 4)
    torch.testing.assert_close(by_frame[:4], otam(stage.prototypes, stage.prototypes))
    torch.testing.assert_close(by_frame[4], otam(stage.anchor[None], stage.prototypes)[0])
    means = stage.prototypes.mean(1)
    torch.testing.assert_close(averaged[0, 1], 1 - torch.cosine_similarity(means[0], means[1], dim=0))


@pytest.mark.parametrize("averaged", [True, False])
def test_stages_on_one_plane_share_centre_and_size(gallery, drawn, averaged):
    plane = on_one_plane(prototype_stages(gallery, drawn), averaged=averaged)
    left, right, bottom, top = plane.limits
    assert 0 < plane.share <= 100
    for paths, queries, anchor in plane.places.values():
        assert paths.shape == (4, 1 if averaged else 8, 2) and queries.shape == (4, 2)
        for points in (paths, queries, *([] if anchor is None else [anchor])):
            assert ((points > (left, bottom)) & (points < (right, top))).all()
    centres = [paths.reshape(-1, 2).mean(0) for paths, _, _ in plane.places.values()]
    np.testing.assert_allclose(centres, np.broadcast_to(centres[0], (3, 2)), atol=1e-4)


def test_the_heatmap_follows_the_stage_on_one_scale(gallery, drawn_with):
    calls = drawn_with(prototypes, "prototype_distances")
    explorer = prototypes_explorer(gallery)
    seen(explorer, "distances")
    for stage in (AFTER_SPM, AFTER_PADM):
        explorer.controls["stage"].value = stage
    assert [len(table) for table, *_ in calls] == [4, 5, 5]
    assert len({limits for _, _, limits, _ in calls}) == 1
