"""The sample world and the clips in data_samples that were made from it."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from clipspm_lite.world import CLASSES, CONTEXT_CLASSES, FRAMES, REVERSED_PAIRS, SPLITS, make_scene, render
from clipspm_lite.world.captions import pose_facts
from clipspm_lite.world.taxonomy import PLACES, RECIPES
from clipspm_lite.world.write import CLIPS_PER_CLASS, clip_path, folder, write_lists, write_stages

SAMPLES = Path(__file__).parents[2] / "data_samples"
REFERENCE = Path(__file__).with_name("world_reference.npz")
REFERENCE_SCENES = (
    ("pushing a box to the left", 0),
    ("raising both arms", 1),
    ("throwing a balloon to the left", 2),
    ("hugging a giant", 4),
    ("swimming in a pool", 5),
    ("playing a guitar", 6),
    (None, 3),
)
Split = dict[str, tuple[str, ...]]


def test_the_default_split_has_every_class_once_and_the_study_splits_only_what_it_does_not_hold_out() -> None:
    default = SPLITS["default"]
    assert {part: len(names) for part, names in default.items()} == {"base": 77, "validation": 26, "novel": 26}
    assert sorted(itertools.chain(*default.values())) == sorted(set(CLASSES)) and len(CLASSES) == 129
    assert all(name == name.lower() for name in CLASSES)
    for name in ("study_a", "study_b"):
        assert {*itertools.chain(*SPLITS[name].values())} == {*default["base"], *default["validation"]}


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_parts_share_no_class_and_hold_out_new_combinations_of_words_and_whole_pairs(split: Split) -> None:
    part_of = {name: part for part, names in split.items() for name in names}
    assert len(part_of) == sum(map(len, split.values()))
    base, held_out = (set(" ".join(names).split()) for names in (split["base"], split["validation"] + split["novel"]))
    assert held_out <= base
    pairs = [(a, b) for a, b in REVERSED_PAIRS if a in part_of or b in part_of]
    assert all(part_of[a] == part_of[b] for a, b in pairs)
    for part in ("validation", "novel"):
        assert sum(part_of[a] == part for a, _ in pairs) >= 3
        assert {part_of[name] for name in CONTEXT_CLASSES if name in part_of} == {*split}
        assert 10 <= sum(name in CONTEXT_CLASSES for name in split[part]) <= 12


@pytest.mark.parametrize("name", [*CLASSES, None])
def test_every_class_makes_a_moving_clip_that_stays_in_the_picture(name: str | None) -> None:
    scene = make_scene(name, 3)
    assert scene.joints.shape == (FRAMES, 15, 2)
    assert np.isfinite(scene.joints).all() and np.isfinite(scene.thing_path).all()
    body = scene.joints[:, :3]
    assert body.min() > 0.0 and body.max() < 1.0
    if scene.partner is not None:
        assert np.isfinite(scene.partner.joints).all()
    places = [scene.joints.reshape(FRAMES, -1), scene.look * 0.02]
    if scene.thing is not None:
        places.append(scene.thing_path[:, :2])
    assert np.ptp(np.concatenate(places, axis=1), axis=0).max() > 0.02


def test_a_class_and_a_seed_always_give_the_same_pictures() -> None:
    first, again = (render(make_scene("walking to the left", 7), 32) for _ in range(2))
    other = render(make_scene("walking to the left", 8), 32)
    np.testing.assert_array_equal(render(make_scene("walking to the left", 7), 32, [20, 5]), first[[20, 5]])
    assert first.shape == (FRAMES, 32, 32, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5


def test_pictures_equal_the_stored_ones_within_one_grey_level() -> None:
    pictures = np.stack([render(make_scene(name, seed), 48, [4, 18]) for name, seed in REFERENCE_SCENES])
    assert np.abs(pictures.astype(int) - np.load(REFERENCE)["pictures"]).max() <= 1


def test_a_context_class_shows_what_its_name_says_and_an_order_class_shows_anything() -> None:
    for name in CONTEXT_CLASSES:
        recipe, scene = RECIPES[name], make_scene(name, 5)
        assert recipe.place in (None, scene.appearance.place)
        assert recipe.thing in (None, scene.thing)
        assert recipe.partner is None or (scene.partner is not None and scene.partner.kind == recipe.partner)
    assert {make_scene("raising both arms", seed).appearance.place for seed in range(60)} == {*PLACES}


@pytest.mark.parametrize("pair", REVERSED_PAIRS, ids=" / ".join)
def test_reversed_classes_show_the_same_poses_in_the_opposite_order(pair: tuple[str, str]) -> None:
    def poses(name: str) -> np.ndarray:
        """Joints, and the object where there is one, from the pelvis, averaged over clips."""
        clips = []
        for scene in (make_scene(name, seed) for seed in range(16)):
            points = [scene.joints, scene.thing_path[:, None, :2]] if RECIPES[name].thing else [scene.joints]
            clips.append((np.concatenate(points, axis=1) - scene.joints.mean(axis=(0, 1))) / scene.height)
        return np.mean(clips, axis=0)

    forwards, backwards = (poses(name) for name in pair)
    same_order = np.abs(forwards - backwards).max()
    opposite_order = np.abs(forwards - backwards[::-1]).max()
    assert opposite_order < 0.25
    if not pair[0].startswith("circling"):  # starts anywhere in its circle, so the mean pose hardly moves
        assert same_order > 2 * opposite_order or same_order > 0.3


def test_manifest_lists_each_clip_with_its_checksum() -> None:
    clips = json.loads((SAMPLES / "manifest.json").read_text())["clips"]
    assert [(c["path"], c["class"], c["seed"]) for c in clips] == [
        (clip_path(name, seed), folder(name), seed) for name in CLASSES for seed in range(CLIPS_PER_CLASS)
    ]
    assert {c["path"] for c in clips} == {str(p.relative_to(SAMPLES)) for p in SAMPLES.rglob("*.mp4")}
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) <= 20_000_000
    for clip in clips:
        assert hashlib.sha256((SAMPLES / clip["path"]).read_bytes()).hexdigest() == clip["sha256"], clip["path"]
        assert clip["class"].replace("_", " ") in SPLITS["default"][clip["split"]]


def test_committed_splits_and_pairs_are_those_of_the_world(tmp_path: Path) -> None:
    write_lists(tmp_path)
    write_stages(tmp_path, CLASSES[:2])
    sentences = (tmp_path / "stages.yaml").read_text()
    assert (SAMPLES / "stages.yaml").read_text().startswith(sentences) and sentences.count("\n") == 2
    for path in tmp_path.rglob("*.json"):
        assert json.loads((SAMPLES / path.relative_to(tmp_path)).read_text()) == json.loads(path.read_text())


def test_a_committed_clip_shows_what_the_generator_renders() -> None:
    av = pytest.importorskip("av")
    name = "a balloon rising"
    with av.open(str(SAMPLES / clip_path(name, 0))) as container:
        decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert decoded.shape == (FRAMES, 112, 112, 3)
    assert np.abs(decoded.astype(int) - render(make_scene(name, 0))).mean() < 6


@pytest.mark.parametrize(
    ("name", "fact", "frames"),
    [
        ("raising both arms", "both arms are down", [0]),
        ("raising both arms", "both arms are up", [FRAMES - 1]),
        ("lifting the left leg", "the left leg is lifted", [FRAMES - 1]),
        ("pushing a box to the right", "the box is to the right of the figure", [0, FRAMES - 1]),
    ],
)
def test_pose_facts_say_what_the_joints_do(name: str, fact: str, frames: list[int]) -> None:
    assert [frame for frame in (0, FRAMES - 1) if fact in pose_facts(make_scene(name, 0), frame)] == frames
