"""Every explorer, with every kind of CLIP-SPM head: a control moves its pictures, and the head keeps its mode."""

import gc
from dataclasses import replace

import pytest
from conftest import SIZES, seen
from matplotlib.figure import Figure

from clipspm_lite.model.heads import build_head
from clipspm_lite.widgets.alignment import alignment_explorer
from clipspm_lite.widgets.embeddings import embeddings_explorer
from clipspm_lite.widgets.episode import episode_explorer
from clipspm_lite.widgets.motion import motion_explorer
from clipspm_lite.widgets.prompt import prompt_explorer
from clipspm_lite.widgets.prototypes import prototypes_explorer

# For each explorer values of its controls, and which of its pictures they change.
CHANGES = {
    alignment_explorer: (
        ({"query_class": 2, "query_clip": 4, "support_class": 3, "support_clip": 2}, "matrix pairs"),
        ({"features": "centred", "directions": ("every query frame is met",)}, "matrix pairs"),
        ({"smoothing": 0.1}, "matrix"),
        ({"step": 3}, "pairs"),
    ),
    embeddings_explorer: (
        ({"stage": "after SPM", "perplexity": 3, "colour": "role"}, "map"),
        ({"point": 5, "episode": 1}, "map clips"),
    ),
    episode_explorer: (
        ({"way": 3, "shot": 3, "seed": 2, "number": 7}, "board strips distances"),
        ({"first": 1, "second": 3, "pair": (0, 1)}, "board strips distances"),
        ({"query": 2}, "strips distances"),
        ({"frame": 5}, "board"),
    ),
    motion_explorer: (
        ({"action": 2, "clip": 5, "donor": 1}, "clips features steps"),
        ({"motion": "antisymmetric", "weights": "before training"}, "features steps"),
        ({"level": "deep"}, "steps"),
    ),
    prompt_explorer: (
        ({"alpha": 0.8}, "fused alphas"),
        ({"shown": "whole distance (½ D_SPM + D_PADM + D_anchor)"}, "alphas"),
        ({"names": "the next class's name (wrong)"}, "gates fused alphas"),
        ({"query": 3, "episode": 2}, "clips gates fused alphas"),
    ),
    prototypes_explorer: (
        ({"way": 3, "shot": 2, "seed": 2, "number": 7}, "map distances frames"),
        ({"first": 1, "second": 3, "stage": "after SPM"}, "map distances frames"),
        ({"view": "frame by frame"}, "map distances"),
        ({"chosen": 3}, "frames"),
    ),
}
EXTENDED = {"model": "clip-spm-extended"}
HEADS = {
    "inductive": dict(inductive=True),
    "without SPM": dict(with_spm=False),
    "without PADM": dict(with_padm=False),
    "without anchor": dict(with_anchor=False),
    "extended": EXTENDED | dict(centred_distance=True, motion_kept=True),
    "query's own anchor": EXTENDED | dict(anchor="query", inductive=True),
    "centred frames": EXTENDED | dict(frames="centred", support_text="generated"),
}
# Controls that show other parts of the model.
ABOUT_THE_MODEL = {"stage", "asked", "features", "step", "weights", "motion", "level", "view", "shown", "point"}
every_explorer = pytest.mark.parametrize("make", CHANGES)


@every_explorer
def test_a_control_changes_its_pictures_and_only_those(make, gallery, changed_by):
    explorer = make(gallery)
    assert explorer.status.value == "" and all(control.description for control in explorer.controls.values())
    for values, pictures in CHANGES[make]:
        for control, value in values.items():
            assert changed_by(explorer, control, value) == set(pictures.split()), control
    assert "nan" not in "".join(seen(explorer, name)[-1500:].split("base64")[-1] for name in explorer.pictures)


@pytest.mark.parametrize("head", HEADS)
@every_explorer
def test_an_explorer_shows_any_head_and_leaves_it_in_training(make, head, gallery):
    gallery = replace(gallery, model=build_head(SIZES | HEADS[head]).train())
    if make is prompt_explorer and head == "without SPM":
        with pytest.raises(ValueError, match="no SPM"):
            make(gallery)
        return
    explorer = make(gallery)
    for name in sorted(ABOUT_THE_MODEL & set(explorer.controls)):
        control = explorer.controls[name]
        values = [control.max] if hasattr(control, "max") else [value for _, value in control._options_full]
        for value in values[-3:]:
            control.value = value
            for picture in explorer.pictures:
                assert seen(explorer, picture) and explorer.status.value == "", (name, value)
    assert all(part.training for part in gallery.model.modules())


@every_explorer
def test_a_model_in_training_is_shown_as_in_evaluation(make, gallery):
    shown = []
    for training in (True, False):
        model = build_head(SIZES | dict(dropout=0.5))
        model.load_state_dict(gallery.model.state_dict())
        explorer = make(replace(gallery, model=model.train(training)))
        shown.append([seen(explorer, name) for name in explorer.pictures])
    assert shown[0] == shown[1]


@every_explorer
def test_no_figure_outlives_its_picture(make, gallery):
    explorer = make(gallery)
    (control, value), *_ = CHANGES[make][-1][0].items()
    start = explorer.controls[control].value
    for number in range(6):
        explorer.controls[control].value = (value, start)[number % 2]
    gc.collect()
    assert sum(type(thing) is Figure for thing in gc.get_objects()) <= 1
