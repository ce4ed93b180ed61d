"""The table of a benchmark: what it measures, what it keeps, and what it says beside the numbers."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_up_table import RN50, VIT, made_up_table

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.commands.options import source_commit
from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.data.datasets import VideoDataset, sample_world
from clipspm_lite.evaluation.benchmark_table import Entry, markdown, measure
from clipspm_lite.evaluation.published import METHODS, REPORTED, made_of, made_of_markdown, published_numbers
from clipspm_lite.evaluation.results import SHOTS
from clipspm_lite.evaluation.scoring import evaluate, paired_difference
from clipspm_lite.model import baselines
from clipspm_lite.storage.files import file_sha256

SPEC = (Path(__file__).parents[2] / "clipspm_lite" / "model" / "SPEC.md").read_text(encoding="utf-8")
VERSION_1 = Path(__file__).parents[1] / "table_version_1.json"


@pytest.fixture(scope="module")
def world():
    """Six novel classes of the sample world."""
    novel = sample_world("novel")
    return VideoDataset(novel.root, novel.classes[:6], novel.videos[:6])


@pytest.fixture(scope="module")
def store():
    return FeatureStore(load_backbone("tiny"))


@pytest.fixture
def entries(store):
    methods = {"zero-shot": baselines.zero_shot, "otam": baselines.otam, "clip-spm": load_model(LITE_MODEL)[0]}
    files = {"clip-spm": LITE_MODEL}
    return [Entry(name, shot, method, store, files.get(name)) for shot in (3, 1) for name, method in methods.items()]


# --- measuring


def test_every_row_is_what_evaluate_gives_on_the_same_listed_episodes(entries, world, store):
    results = measure(entries, world, data="six classes", episodes=60, seed=4)
    in_order = entries[3:] + entries[:3]
    assert [(row["shot"], row["method"]) for row in results["rows"]] == [(e.shot, e.name) for e in in_order]
    data, text = store.encode_dataset(world), json.dumps(results)
    for entry, row in zip(in_order, results["rows"], strict=True):
        settings = dict(shot=entry.shot, episodes=60, seed=4)
        expected, zero_shot = (evaluate(method, data, **settings) for method in (entry.method, baselines.zero_shot))
        assert (row["accuracy"], row["interval"]) == (expected.accuracy, expected.interval)
        assert sum(row["asked"]) == 60 * 5 and len(row["asked"]) == len(world.classes)
        assert 100 * sum(row["right"]) / sum(row["asked"]) == pytest.approx(expected.accuracy)
        difference = row["difference"] and tuple(row["difference"].values())
        assert difference == (None if entry.name == "zero-shot" else paired_difference(expected, zero_shot))
        assert row["backbone"]["fingerprint"] == store.backbone.fingerprint and row["features"] == data.fingerprint
    head = results["rows"][-1]["head"]
    assert head["sha256"] == file_sha256(LITE_MODEL) and head["training"]["shot"] == 1 and head["preset"] == "lite"
    for folder in (Path.home(), world.root, LITE_MODEL.parent):
        assert str(folder) not in text


def test_an_inductive_entry_is_asked_one_query_at_a_time_in_eval_mode(store, world):
    head, data = load_model(LITE_MODEL)[0], store.encode_dataset(world)
    expected = evaluate(head, data, episodes=40, one_query_at_a_time=True)
    assert expected.accuracy != evaluate(head, data, episodes=40).accuracy
    results = measure([Entry("clip-spm", 1, head.train(), store, LITE_MODEL, True)], world, data="six", episodes=40)
    assert results["rows"][0]["accuracy"] == expected.accuracy and head.training
    assert "though trained to see all of them" in markdown(results)


IMPOSSIBLE = [("episodes", dict(episodes=1)), ("way", dict(way=7)), ("queries", dict(queries=18))]


@pytest.mark.parametrize("found, settings", IMPOSSIBLE)
def test_what_is_impossible_is_refused_before_any_video_is_read(found, settings, entries, world, monkeypatch):
    monkeypatch.setattr(FeatureStore, "encode", lambda *a, **k: pytest.fail("read a video"))
    with pytest.raises(ValueError, match=found):
        measure(entries, world, data="", **{"episodes": 2} | settings)


def test_results_of_version_1_are_still_shown():
    results = json.loads(VERSION_1.read_text(encoding="utf-8"))
    assert results["format_version"] == 1
    for row in results["rows"]:
        line = f"| {row['shot']} | {row['method']} | {row['accuracy']:.1f} ± {row['interval']:.1f} |"
        assert line in markdown(results)


def run_git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True).stdout


def test_the_commit_is_of_the_packages_own_clone_and_of_no_repository_around_it(tmp_path):
    package = tmp_path / "clipspm_lite"
    package.mkdir()
    (package / "__init__.py").write_text("# a file\n")
    assert source_commit(package) == "unknown"
    run_git(tmp_path, "init")
    run_git(tmp_path, "add", ".")
    run_git(tmp_path, "commit", "-m", "with it")
    commit = run_git(tmp_path, "rev-parse", "HEAD").strip()
    assert source_commit(package) == commit
    (package / "__init__.py").write_text("# changed\n")
    assert source_commit(package) == f"{commit}+"
    inside = tmp_path / "environment"
    shutil.copytree(package, inside / "clipspm_lite")
    assert source_commit(inside / "clipspm_lite") == "unknown"


# --- published numbers


def test_published_numbers_are_those_of_spec_section_7():
    titles = re.search(r"\| CLIP-SPM \| (.*) \|", SPEC)[1].replace(" 1/3/5-shot", "").split(" | ")
    names = [title.lower().replace("-", "_").replace("kinetics_100", "kinetics100") for title in titles]
    assert set(names) == set(BENCHMARKS)
    for backbone in ("ViT-B/16", "RN50"):
        cells = re.search(rf"\| {backbone} \| (.*) \|", SPEC)[1].split(" | ")
        for name, cell in zip(names, cells, strict=True):
            for shot, expected in zip(SHOTS, cell.split(" / "), strict=True):
                (ours,) = (n for n in published_numbers(name, backbone, shot) if n.method == "clip-spm")
                assert ours.accuracy == float(expected)
    later = SPEC[SPEC.index("Later work is ahead of it") :]
    for start, end in (("TS-FSAR", "; LGA"), ("LGA", "; its parent"), ("CLIP-MEI", ". Say so")):
        said = later[later.index(start) : later.index(end)]
        (ours,) = (r["accuracy"].values() for r in REPORTED if r["paper"].startswith(start) and r["shots"] == [1])
        assert [float(n) for n in re.findall(r"\d\d\.\d", said)] == list(ours)
    numbers = (published_numbers(name, "ViT-B/16", 5) for name in ("hmdb51", "ssv2_full"))
    zero_shot = [n.accuracy for found in numbers for n in found if n.method == "zero-shot"]
    assert "({} on HMDB51 and {} on SSv2-Full with ViT-B/16, as quoted by TS-FSAR)".format(*zero_shot) in SPEC
    assert published_numbers("elsewhere", "ViT-B/16", 1) == published_numbers(None, "RN50", 1) == []


@pytest.mark.parametrize("benchmark", BENCHMARKS)
@pytest.mark.parametrize("backbone, name", [(VIT, "ViT-B/16"), (RN50, "RN50")])
def test_a_paper_stands_beside_the_same_benchmark_and_backbone_with_its_name(benchmark, backbone, name):
    for shot in SHOTS:
        lines = markdown(made_up_table(benchmark, backbone, shots=(shot,))).splitlines()
        numbers = published_numbers(benchmark, name, shot)
        (number,) = (n for n in numbers if n.method == "clip-spm")
        (line,) = (line for line in lines if line.startswith(f"| {shot} | clip-spm |"))
        assert line.endswith(f"| {number.accuracy:.1f} (the CLIP-SPM paper, {name}) |")
        others = [n for n in numbers if n.method is None]
        expected = [f"| {shot} | not measured here |  |  | {n.accuracy:.1f} ({n.source}) |" for n in others]
        assert [line for line in lines if line.startswith(f"| {shot} | not measured")] == expected
        assert bool(others) == (shot != 3 and name == "ViT-B/16")


def anyones_number(table):
    return re.search("CLIP-SPM paper|TS-FSAR|LGA|CLIP-MEI", table)


@pytest.mark.parametrize(
    "backbone, changes, said",
    [
        (("ViT-L-14", "openai"), {}, "No number is published"),
        (("ViT-B-16-quickgelu", "random"), {}, "No number is published"),
        (("ViT-B-16", "laion2b_s34b_b88k"), {}, "No number is published"),
        (VIT, {"frames": 4}, "papers use 8 frames"),
        (VIT, {"resize": 224}, "shorter side 256"),
    ],
)
def test_no_paper_stands_beside_other_features(backbone, changes, said):
    table = made_up_table(backbone=backbone)
    table["rows"][0]["backbone"].update(changes)  # all rows share it
    assert not anyones_number(markdown(table))
    assert said in markdown(table) and markdown(table).count("| not comparable |") == 9


@pytest.mark.parametrize("head", [{"training": {"shot": 3, "seed": 6}}, {"asked_inductive": True}])
def test_the_papers_number_stands_apart_from_a_head_that_was_trained_or_asked_otherwise(head):
    table = markdown(made_up_table(shots=(1,), head=head))
    assert re.search(r"\| 1 \| clip-spm \| .* \| not comparable \|", table)
    assert "| 1 | not measured here |  |  | 78.2 (the CLIP-SPM paper, ViT-B/16) |" in table
    assert "75.9 (CLIP, as quoted by TS-FSAR, ViT-B/16)" in table


@pytest.mark.parametrize(
    "changes, reason",
    [
        (dict(benchmark=None), "no paper reports numbers on made-up data"),
        (dict(part="validation"), "Not comparable: .*novel.*validation"),
        (dict(way=10), "Not comparable: .*5-way.*10-way"),
        (dict(queries=4), "Not comparable: .*1 query.*4 query"),
        (dict(videos_per_class=[1291]), "Not comparable: .*1292 videos of hmdb51.*1291"),
    ],
)
def test_where_nothing_can_be_compared_the_table_says_why_and_shows_no_paper(changes, reason):
    table = markdown(made_up_table(**changes))
    assert re.search(reason, table) and not anyones_number(table)
    cells = [line.split(" | ")[-1] for line in table.splitlines() if re.match(r"\| \d", line)]
    assert cells == ["not comparable |" if changes.get("benchmark", True) else "– |"] * 9


def test_what_a_published_number_is_made_of_has_every_cell_and_the_source_of_each():
    (_, *aspects), *rows = made_of()
    text = made_of_markdown()
    table, notes = text.split("\n\n", 1)
    assert [row[0] for row in rows] == [method["method"] for method in METHODS]
    assert len(table.splitlines()) == len(METHODS) + 2 and len({row[0] for row in rows}) == len(rows)
    for method, row in zip(METHODS, rows, strict=True):
        assert list(method["facts"]) == aspects and method["paper"] and method["code"]
        assert all(len(fact) == 2 and all(part.strip() for part in fact) for fact in method["facts"].values())
        assert f"| {' | '.join(row)} |" in table and "|" not in "".join(row)
        (note,) = (line for line in notes.splitlines() if line.startswith(f"- {method['method']} ("))
        assert all(f"{aspect}: {method['facts'][aspect][1]}" in note for aspect in aspects)
        assert re.search(" at [0-9a-f]{7}$", method["code"]) or not re.search(r"\w[:/]\d", note), "lines of a commit"


def test_every_method_whose_numbers_stand_beside_a_row_says_what_they_are_made_of():
    names = [method["method"] for method in METHODS]
    for row in REPORTED:
        assert any(row["paper"].removeprefix("the ").startswith(re.split("[ ,]", name)[0]) for name in names), row


# --- notes

FOR_ONE_SHOT = {"training": {"shot": 1, "seed": 6}}
ALONE = dict(asked_inductive=True, trained_inductive=True)


@pytest.mark.parametrize(
    "head, shots, said, unsaid",
    [
        (FOR_ONE_SHOT, (1,), "preset paper, training seed 6, trained for 1-shot. Transductive", "only"),
        (FOR_ONE_SHOT, (1, 3), "clip-spm, 1-shot; clip-spm, 3-shot: .*trained for 1-shot only", "Inductive"),
        (dict(training=None, preset="released"), (1,), "preset released, .*not recorded", "seed"),
        (dict(asked_inductive=True), (1,), "one query at a time, though trained to see all", "Transductive"),
        (ALONE, (1,), "Inductive: trained and asked one", "though"),
        (FOR_ONE_SHOT | ALONE | dict(model="trx", preset=None), (5,), "TRX, .*1-shot only.*Not trans", "preset"),
        (dict(model="clip-spm-extended"), (1,), "CLIP-SPM with changes that are not the paper's", "only"),
    ],
)
def test_the_notes_say_how_a_head_was_trained_and_asked(head, shots, said, unsaid):
    note = markdown(made_up_table(shots=shots, head=head)).splitlines()[-1]
    assert re.search(said, note) and unsaid not in note
