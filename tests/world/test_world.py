"""The sample world and the clips in data_samples that were made from it."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest

from clipspm_lite.world import CLASSES, FRAMES, REVERSED_PAIRS, SIMILAR_PAIRS, SPLITS, captions, make_scene, render
from clipspm_lite.world.captions import pose_facts
from clipspm_lite.world.taxonomy import RECIPES
from clipspm_lite.world.write import CLIPS_PER_CLASS, clip_path, folder, write_lists

SAMPLES = Path(__file__).parents[2] / "data_samples"
REFERENCE = Path(__file__).with_name("world_reference.npz")
REFERENCE_SCENES = (
    ("pushing a box to the left", 0),
    ("raising both arms", 1),
    ("throwing a balloon to the left", 2),
    (None, 3),
)
REFERENCE_FRAMES = (4, 18)


def words(names: tuple[str, ...]) -> set[str]:
    return {word for name in names for word in name.split()}


def reference_pictures() -> np.ndarray:
    return np.stack([render(make_scene(name, seed), 48, REFERENCE_FRAMES) for name, seed in REFERENCE_SCENES])


def test_names_are_lower_case_and_used_once() -> None:
    assert len(set(CLASSES)) == len(CLASSES) >= 108
    assert all(name == name.lower() for name in CLASSES)


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_parts_of_a_split_share_no_class(split: dict[str, tuple[str, ...]]) -> None:
    names = [name for part in split.values() for name in part]
    assert len(names) == len(set(names))
    assert set(names) <= set(CLASSES)


def test_default_split_has_all_classes_and_its_sizes() -> None:
    sizes = {part: len(names) for part, names in SPLITS["default"].items()}
    assert sizes == {"base": 76, "validation": 24, "novel": 24}
    assert sum(sizes.values()) == len(CLASSES)


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_held_out_names_are_new_combinations_of_base_words(split: dict[str, tuple[str, ...]]) -> None:
    assert words(split["validation"]) | words(split["novel"]) <= words(split["base"])


@pytest.mark.parametrize("name", ["study_a", "study_b"])
def test_study_splits_leave_the_default_novel_classes_alone(name: str) -> None:
    used = {c for part in SPLITS[name].values() for c in part}
    assert used == {*SPLITS["default"]["base"], *SPLITS["default"]["validation"]}


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_reversed_pairs_lie_inside_one_part(split: dict[str, tuple[str, ...]]) -> None:
    part_of = {name: part for part, names in split.items() for name in names}
    pairs = [(a, b) for a, b in REVERSED_PAIRS if a in part_of or b in part_of]
    assert all(part_of[a] == part_of[b] for a, b in pairs)
    for part, least in (("validation", 5), ("novel", 6)):
        assert sum(part_of[a] == part for a, _ in pairs) >= least


def test_similar_pairs_are_not_reversed_pairs() -> None:
    reverse = {frozenset(pair) for pair in REVERSED_PAIRS}
    assert ("raising the left arm", "raising the right arm") in SIMILAR_PAIRS
    assert not reverse & {frozenset(pair) for pair in SIMILAR_PAIRS}


@pytest.mark.parametrize("name", [*CLASSES, None])
def test_every_class_makes_a_moving_clip_that_stays_in_the_picture(name: str | None) -> None:
    scene = make_scene(name, 3)
    assert scene.joints.shape == (FRAMES, 15, 2)
    assert np.isfinite(scene.joints).all() and np.isfinite(scene.thing_path).all()
    body = scene.joints[:, :3]
    assert body.min() > 0.0 and body.max() < 1.0
    places = [scene.joints.reshape(FRAMES, -1), scene.look * 0.02]
    if scene.thing is not None:
        places.append(scene.thing_path[:, :2])
    assert np.ptp(np.concatenate(places, axis=1), axis=0).max() > 0.02


def test_a_class_and_a_seed_always_give_the_same_pictures() -> None:
    first, again = (render(make_scene("walking to the left", 7), 32) for _ in range(2))
    other = render(make_scene("walking to the left", 8), 32)
    assert first.shape == (FRAMES, 32, 32, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5


def test_pictures_equal_the_stored_ones_within_one_grey_level() -> None:
    stored = np.load(REFERENCE)["pictures"].astype(int)
    assert np.abs(reference_pictures().astype(int) - stored).max() <= 1


def test_chosen_frames_equal_those_of_the_whole_clip() -> None:
    scene = make_scene("raising a box", 0)
    np.testing.assert_array_equal(render(scene, 40, [20, 5]), render(scene, 40)[[20, 5]])


def test_an_unknown_class_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="juggling"):
        make_scene("juggling", 0)


@pytest.mark.parametrize("pair", REVERSED_PAIRS, ids=" / ".join)
def test_reversed_classes_show_the_same_poses_in_the_opposite_order(pair: tuple[str, str]) -> None:
    def poses(name: str) -> np.ndarray:
        """Joints, and the object where there is one, from the pelvis, averaged over clips."""
        clips = []
        for seed in range(16):
            scene = make_scene(name, seed)
            points = [scene.joints, scene.thing_path[:, None, :2]] if RECIPES[name].thing else [scene.joints]
            place = np.concatenate(points, axis=1) - scene.joints.mean(axis=(0, 1))
            clips.append(place / scene.height)
        return np.mean(clips, axis=0)

    forwards, backwards = (poses(name) for name in pair)
    same_order = np.abs(forwards - backwards).max()
    opposite_order = np.abs(forwards - backwards[::-1]).max()
    assert opposite_order < 0.25
    if not pair[0].startswith("circling"):  # starts anywhere in its circle, so the mean pose hardly moves
        assert same_order > 2 * opposite_order or same_order > 0.3


def test_captions_of_base_and_free_clips_hold_no_held_out_name() -> None:
    rng = random.Random(0)
    held_out = SPLITS["default"]["validation"] + SPLITS["default"]["novel"]
    for i, name in enumerate([*SPLITS["default"]["base"], *[None] * 40]):
        scene = make_scene(name, 2_000_000 + i)
        for frame in (2, 13, 22):
            three = captions(scene, frame, rng)
            assert len(three) == 3 and all(text == text.lower() for text in three)
            assert name is None or name in three[0]
            assert not [h for h in held_out for text in three if h in text]


def test_pose_facts_say_what_the_joints_do() -> None:
    up = make_scene("raising both arms", 0)
    assert "both arms are down" in pose_facts(up, 0)
    assert "both arms are up" in pose_facts(up, FRAMES - 1)
    lifted = make_scene("lifting the left leg", 0)
    assert "the left leg is lifted" in pose_facts(lifted, FRAMES - 1)
    assert "the left leg is lifted" not in pose_facts(lifted, 0)
    pushed = pose_facts(make_scene("pushing a box to the right", 0), 10)
    assert "the box is on the floor" in pushed and "the box is to the right of the figure" in pushed


def test_manifest_lists_each_clip_with_its_checksum() -> None:
    clips = json.loads((SAMPLES / "manifest.json").read_text())["clips"]
    assert [(c["path"], c["class"], c["seed"]) for c in clips] == [
        (clip_path(name, seed), folder(name), seed) for name in CLASSES for seed in range(CLIPS_PER_CLASS)
    ]
    assert {c["path"] for c in clips} == {str(p.relative_to(SAMPLES)) for p in SAMPLES.rglob("*.mp4")}
    for clip in clips:
        assert hashlib.sha256((SAMPLES / clip["path"]).read_bytes()).hexdigest() == clip["sha256"], clip["path"]
        assert clip["class"].replace("_", " ") in SPLITS["default"][clip["split"]]


def test_committed_splits_and_pairs_are_those_of_the_world(tmp_path: Path) -> None:
    write_lists(tmp_path)
    for path in tmp_path.rglob("*.json"):
        assert json.loads((SAMPLES / path.relative_to(tmp_path)).read_text()) == json.loads(path.read_text())


def test_samples_stay_under_20_megabytes() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) <= 20_000_000


def test_a_committed_clip_shows_what_the_generator_renders() -> None:
    av = pytest.importorskip("av")
    name = "a balloon rising"
    with av.open(str(SAMPLES / clip_path(name, 0))) as container:
        decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert decoded.shape == (FRAMES, 112, 112, 3)
    assert np.abs(decoded.astype(int) - render(make_scene(name, 0))).mean() < 6
