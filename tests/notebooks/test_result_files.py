"""Result files that notebooks read (`python -m clipspm_lite compare`): they say where they are from, and still hold."""

import json
import re
from pathlib import Path

import pytest

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL, LITE_MODEL, RECOMMENDED_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import SAMPLES, sample_world
from clipspm_lite.evaluation.comparison import pairs_by_kind
from clipspm_lite.evaluation.results import (
    FIVE_WAY,
    MEASURES,
    ONE_BY_ONE,
    PAIR_KINDS,
    RESULTS_VERSION,
    accuracy,
    bootstrap,
    per_seed,
)
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.exercises.nb08_ablations import CLAIMS
from clipspm_lite.model import baselines
from clipspm_lite.model.sub_actions import STAGE_METHODS
from clipspm_lite.model.variants import ABLATIONS, EXTENSIONS, FULL, INDUCTIVE, TRAINED_BASELINES
from clipspm_lite.storage.files import file_sha256

FOLDER = Path(__file__).parents[2] / "notebooks" / "results"
PARTS = ("validation", "novel")
TRAINED = (FULL, *INDUCTIVE, *ABLATIONS, *EXTENSIONS, *TRAINED_BASELINES)
COMMITTED = {FULL: LITE_MODEL, **dict.fromkeys(INDUCTIVE, LITE_INDUCTIVE_MODEL), "recommended": RECOMMENDED_MODEL}
STUDIES = ("base_classes_novel.json", "choice_novel.json")


def read(part):
    return json.loads((FOLDER / f"comparison_{part}.json").read_text(encoding="utf-8"))


@pytest.fixture(params=PARTS)
def results(request):
    return read(request.param)


@pytest.fixture(scope="module")
def store():
    return FeatureStore(load_backbone("tiny"))


@pytest.fixture(scope="module")
def validation(store):
    return store.encode_dataset(sample_world("validation"))


def test_no_other_result_lies_beside_them():
    assert {path.name for path in FOLDER.glob("*.json")} == {f"comparison_{part}.json" for part in PARTS} | set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_was_made_with_the_committed_clips_and_backbone(name, store):
    study, rows = json.loads((FOLDER / name).read_text(encoding="utf-8")), read("novel")["rows"]
    assert study["sha256"]["clips"] == file_sha256(SAMPLES / "manifest.json")
    assert study["sha256"]["backbone"] == store.backbone.fingerprint
    assert study["part"] == "novel" and len(study["training_seeds"]) >= 3
    for untrained in ("zero-shot", "otam"):
        assert study["rows"][untrained]["right"][FIVE_WAY] == rows[untrained]["right"][FIVE_WAY]


def test_it_says_which_command_and_commit_made_it(results):
    assert results["format_version"] == RESULTS_VERSION
    assert re.fullmatch(r"[0-9a-f]{40}\+?", results["commit"])
    command = results["command"]
    for option in (
        "python -m clipspm_lite compare",
        f"--part {results['part']}",
        f"--episodes {results['episodes']}",
        f"--seed {results['seed']}",
        f"--seeds {' '.join(map(str, results['training_seeds']))}",
    ):
        assert option in command
    assert results["training_seeds"][0] == 0 and len(results["training_seeds"]) >= 3


def test_it_was_made_with_the_committed_clips_backbone_and_heads(results, store):
    recorded = results["sha256"]
    assert recorded["clips"] == file_sha256(SAMPLES / "manifest.json")
    assert recorded["backbone"] == store.backbone.fingerprint
    for name, path in COMMITTED.items():
        assert recorded["heads"][name][0] == file_sha256(path)


def test_every_row_has_its_training_seeds_and_every_measure(results):
    assert results["classes"] == list(sample_world(results["part"]).classes)
    assert set(results["asked"]) == set(MEASURES)
    seeds, trained, chosen = len(results["training_seeds"]), results["sha256"]["heads"], results["chosen_weights"]
    assert set(trained) == set(TRAINED) and set(chosen) == set(STAGE_METHODS)
    assert {*trained, *chosen, *baselines.TRAINING_FREE} == set(results["rows"])
    assert all(row["weights"] == list(STAGE_METHODS[name].weights) for name, row in chosen.items())
    for name, row in results["rows"].items():
        versions = seeds if name in trained else 1
        if name in trained:
            assert len(set(trained[name])) == seeds
        assert set(row["answers"]) == set(MEASURES) - {*PAIR_KINDS}
        for measure in results["asked"]:
            assert len(row["right"][measure]) == versions
            for right in row["right"][measure]:
                assert all(0 <= r <= a for r, a in zip(right, results["asked"][measure], strict=True))


def test_both_parts_were_scored_with_the_same_heads():
    validation, novel = (read(part)["sha256"] for part in PARTS)
    assert validation == novel


def test_recomputed_rows_are_as_recorded(validation):
    results = read("validation")
    same = dict(shot=results["shot"], episodes=results["episodes"], seed=results["seed"])
    head = evaluate(load_model(LITE_MODEL)[0], validation, **same)
    assert abs(head.accuracy - per_seed(results, FULL)[0]) < head.interval
    otam = evaluate(baselines.otam, validation, **same)
    asked = sum(results["asked"][FIVE_WAY])
    assert abs(otam.accuracy - accuracy(results, "otam")) * asked / 100 <= 2  # queries, for another CPU's rounding
    pairs = {kind: [tuple(pair) for pair in found] for kind, found in results["pairs"].items()}
    assert pairs == pairs_by_kind(validation)


def test_the_recorded_interval_is_narrower_than_other_rows_are_away(validation):
    """So that the test above would fail for another row's number."""
    results = read("validation")
    head = evaluate(baselines.otam_centred, validation, episodes=results["episodes"], seed=results["seed"])
    assert abs(head.accuracy - per_seed(results, FULL)[0]) > head.interval


def test_claims_of_exercise_08_4_are_judged_as_the_files_say():
    validation, novel = map(read, PARTS)
    ahead = []
    for results in (validation, novel):
        difference = results["rows"]["otam"]["difference"][FULL]
        low, high = bootstrap(results, FULL, minus="otam")
        ahead += [-difference["points"] - difference["interval"], low]
    assert CLAIMS["A"][0] == (min(ahead) > 0)
    lost = accuracy(validation, FULL) - accuracy(validation, FULL, ONE_BY_ONE)
    assert CLAIMS["D"][0] == (lost > 10)
    ends = [
        sign * end
        for results in (validation, novel)
        for kind, sign in (("reversed", 1), ("context", -1))
        for end in bootstrap(results, "otam centred", kind, minus=FULL)
    ]
    assert CLAIMS["F"][0] == (min(ends) > 0)
