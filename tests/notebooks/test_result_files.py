"""Result files that notebooks read (`python -m clipspm_lite compare`): they say where they are from, and still hold."""

import json
import re
from pathlib import Path

import pytest

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL, LITE_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import SAMPLES, classes_by_kind, sample_world
from clipspm_lite.evaluation.comparison import pairs_by_kind
from clipspm_lite.evaluation.results import (
    BY_KIND,
    FIVE_WAY,
    MEASURES,
    ONE_BY_ONE,
    PAIR_KINDS,
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
TRAINED = (FULL, *INDUCTIVE, *ABLATIONS, *TRAINED_BASELINES)


def read(part, kind="comparison"):
    return json.loads((FOLDER / f"{kind}_{part}.json").read_text(encoding="utf-8"))


@pytest.fixture(params=[(kind, part) for kind in ("comparison", "extensions") for part in PARTS])
def results(request):
    kind, part = request.param
    return read(part, kind)


@pytest.fixture(scope="module")
def store():
    return FeatureStore(load_backbone("tiny"))


@pytest.fixture(scope="module")
def validation(store):
    return store.encode_dataset(sample_world("validation"))


def test_no_other_result_lies_beside_them():
    assert {path.name for path in FOLDER.glob("*.json")} == {
        f"{kind}_{part}.json" for kind in ("comparison", "extensions") for part in PARTS
    }


def test_it_says_which_command_and_commit_made_it(results):
    assert results["format_version"] in (1, 2)
    assert re.fullmatch(r"[0-9a-f]{40}\+?", results["commit"])
    command = results["command"]
    for option in (
        "python -m clipspm_lite compare",
        f"--part {results['part']}",
        f"--episodes {results['episodes']}",
        f"--seed {results['seed']}",
        "--committed",
        f"--seeds {' '.join(map(str, results['training_seeds']))}",
    ):
        assert option in command
    assert results["training_seeds"][0] == 0 and len(results["training_seeds"]) >= 3


def test_it_was_made_with_the_committed_clips_backbone_and_heads(results, store):
    recorded = results["sha256"]
    assert recorded["clips"] == file_sha256(SAMPLES / "manifest.json")
    assert recorded["backbone"] == store.backbone.fingerprint
    assert recorded["heads"][FULL][0] == file_sha256(LITE_MODEL)
    (inductive,) = INDUCTIVE
    assert recorded["heads"][inductive][0] == file_sha256(LITE_INDUCTIVE_MODEL)


def test_every_row_has_its_training_seeds_and_every_measure(results):
    assert results["classes"] == list(sample_world(results["part"]).classes)
    seeds, first = len(results["training_seeds"]), results["format_version"] == 1
    missing = set(MEASURES) - set(results["asked"])
    assert missing == ({*BY_KIND, "context"} if first or not classes_by_kind(results["classes"])[0] else set())
    trained = set(results["sha256"]["heads"])
    chosen = results.get("chosen_weights", {})  # of rows that read sentences
    assert trained | set(baselines.TRAINING_FREE) | set(chosen) == set(results["rows"])
    assert all(row["weights"] == list(STAGE_METHODS[name].weights) for name, row in chosen.items())
    for name, row in results["rows"].items():
        versions = seeds if name in trained else 1
        if name in trained:
            assert len(set(results["sha256"]["heads"][name])) == seeds
        assert first or set(row["answers"]) == set(results["asked"]) - {*PAIR_KINDS}
        for measure in results["asked"]:
            assert len(row["right"][measure]) == versions
            for right in row["right"][measure]:
                assert all(0 <= r <= a for r, a in zip(right, results["asked"][measure], strict=True))


def test_everything_that_is_compared_is_there():
    for part in PARTS:
        assert set(read(part)["sha256"]["heads"]) == set(TRAINED)
    assert set(read("validation", "extensions")["sha256"]["heads"]) == {FULL, *INDUCTIVE, *EXTENSIONS}


@pytest.mark.parametrize("kind", ["comparison", "extensions"])
def test_both_parts_were_scored_with_the_same_heads(kind):
    validation, novel = (read(part, kind)["sha256"] for part in PARTS)
    assert set(novel["heads"]) <= set(validation["heads"])  # of extensions, those that validation let pass
    for name, heads in novel["heads"].items():
        assert heads == validation["heads"][name]
    assert {**validation, "heads": 0} == {**novel, "heads": 0}


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


def test_claims_of_exercise_08_3_are_judged_as_the_files_say():
    validation, novel = map(read, PARTS)
    ahead = []
    for results in (validation, novel):
        difference = results["rows"]["otam"]["difference"][FULL]
        low, high = bootstrap(results, FULL, minus="otam")
        ahead += [-difference["points"] - difference["interval"], low]
    assert CLAIMS["A"][0] == (min(ahead) > 0)
    lost = accuracy(validation, FULL) - accuracy(validation, FULL, ONE_BY_ONE)
    assert CLAIMS["D"][0] == (lost > 10)
    best = max(accuracy(validation, name, "reversed") for name in validation["rows"] if name not in TRAINED)
    assert CLAIMS["F"][0] == (best > accuracy(validation, FULL, "reversed"))
