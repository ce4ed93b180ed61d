"""The table of a benchmark: methods at several shots on the same listed episodes, beside what papers report."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipspm_lite.arguments import whole_number
from clipspm_lite.clip.backbone import public_name
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.evaluation import published
from clipspm_lite.evaluation.published import Row, Table
from clipspm_lite.evaluation.results import RESULTS_VERSION, episode_mean, markdown_table, pack_answers, with_interval
from clipspm_lite.evaluation.scoring import Evaluation, count_by_class, evaluate
from clipspm_lite.model.heads import describe_head
from clipspm_lite.storage.files import file_sha256, is_safetensors
from clipspm_lite.storage.tensors import read_description

# What has to be known of a head that is not CLIP-SPM as the paper has it.
OTHER_HEADS = {
    "clip-spm-extended": "CLIP-SPM with changes that are not the paper's, which the file's configuration names",
    "clip-fsar": "CLIP-FSAR, from its paper (differs: model/clip_fsar.py), reads the class names of the supports",
    "recommended": "the recommended model, which is ours (model/recommended.py)",
    "trx": "TRX, from its paper (differs: model/trx.py), reads no class name",
}


@dataclass(frozen=True)
class Entry:
    """A method as it is scored at one shot."""

    name: str  # the same at every shot
    shot: int
    method: Callable[..., Any]  # a training-free method or a head
    store: FeatureStore | None  # encodes videos and class names for it; None: the data are features
    checkpoint: str | Path | None = None  # the file that a head came from
    inductive: bool = False  # ask one query at a time, so that no query helps another


def measure(
    entries: Sequence[Entry],
    dataset: VideoDataset | EncodedDataset,
    *,
    data: str,
    benchmark: str | None = None,
    part: str = published.PART,
    way: int = published.WAY,
    queries: int = published.QUERIES,
    episodes: int = 10_000,
    seed: int = 0,
    device: str = "auto",
    progress: bool = False,
) -> Table:
    """Score all entries; those of one shot on the same episodes (SPEC section 4: 10,000 with one query per class).

    ``data`` says in words what the data set is, ``benchmark`` and ``part`` which part of which of `BENCHMARKS`. The
    result can be JSON. Its ``rows`` are the entries, by shot: ``accuracy`` in per cent and ``interval``, its 95 %
    half-width over episodes in points; ``right`` answers and ``asked`` queries of each of ``classes``; ``difference``,
    episode by episode, to the first method, ``reference``; all ``answers``; what made it. Raises ValueError.
    """
    least_two = whole_number("episodes", episodes, least=2)  # an interval needs two
    settings: dict[str, Any] = dict(way=way, queries=queries, seed=seed, episodes=least_two)
    shots = sorted({entry.shot for entry in entries})
    for shot in shots:  # refused before a video is read
        EpisodeSampler(dataset.videos_per_class, way, shot, queries, seed, dataset.classes)
    stores: dict[Any, Any] = dict.fromkeys(entry.store for entry in entries)
    encoded: Any = {s: s.encode_dataset(dataset, progress=progress) if s else dataset for s in stores}
    reference = entries[0].name
    rows: list[Row] = []
    references: dict[int, Evaluation] = {}  # by shot, where the first method comes first
    for entry in sorted(entries, key=lambda e: (e.shot, e.name != reference)):
        features, started = encoded[entry.store], time.perf_counter()
        how: dict[str, Any] = settings | dict(shot=entry.shot, one_query_at_a_time=entry.inductive, device=device)
        result = evaluate(entry.method, features, **how, progress=progress and f"{entry.name}, {entry.shot}-shot")
        (right, asked), difference = count_by_class(result.classes, [result]), None
        if entry.name == reference:
            references[entry.shot] = result
        elif entry.shot in references:
            difference = episode_mean(result.per_episode - references[entry.shot].per_episode)
        row = {"method": entry.name, "shot": entry.shot, "accuracy": result.accuracy, "interval": result.interval}
        row |= {"right": right, "asked": asked, "difference": difference}
        row |= {"seconds": round(time.perf_counter() - started, 2), "backbone": _about_features(entry.store, features)}
        answers = {f"{way}-way, {entry.shot}-shot": pack_answers([result])}
        rows.append(row | {"features": features.fingerprint, "head": _about_head(entry), "answers": answers})
    about: Table = dict(kind="table", data=data, benchmark=benchmark, part=part, **settings)
    about |= dict(format_version=RESULTS_VERSION, shots=shots, reference=reference, classes=list(dataset.classes))
    return about | {"videos_per_class": list(dataset.videos_per_class), "rows": rows}


def _about_features(store: FeatureStore | None, features: EncodedDataset) -> dict[str, Any]:
    if store is None:
        unknown = dict.fromkeys(("weights", "fingerprint", "normalize_pixels", "resize"))
        return unknown | {"name": features.encoder or "a nameless encoder", "frames": features.features.shape[1]}
    backbone = store.backbone
    about = {"name": public_name(backbone.name), "weights": backbone.weights, "fingerprint": backbone.fingerprint}
    return about | {"normalize_pixels": backbone.normalize_pixels, "frames": store.frames, "resize": store.resize}


def _about_head(entry: Entry) -> dict[str, Any] | None:
    if not hasattr(entry.method, "config"):
        return None
    description, path = describe_head(entry.method), entry.checkpoint
    alone = description.get("inductive", getattr(entry.method, "inductive", None))  # None: it does not say
    about = {"model": description.get("model", "clip-spm"), "preset": description.get("preset")}
    about |= {"trained_inductive": alone, "asked_inductive": bool(alone or entry.inductive)}
    about |= {"file": path and Path(path).name, "sha256": path and file_sha256(path)}
    kept = read_description(path, "model") if path and is_safetensors(Path(path)) else {}
    return about | {"training": kept.get("training")}


def markdown(table: Table) -> str:
    """A table in Markdown, and below it what has to be known to read it."""
    rows = []
    for shot in table["shots"]:
        for row, number in published.beside(table, shot):
            ours = ["not measured here", "", ""]
            theirs = f"{number.accuracy:.1f} ({number.source})" if number else "–"
            if row is not None:
                minus = "" if row["difference"] is None else with_interval(**row["difference"], sign="+")
                ours = [row["method"], with_interval(row["accuracy"], row["interval"]), minus]
                if table["benchmark"] and not published.comparable(table, row):
                    theirs = "not comparable"
            rows.append([str(shot), *ours, theirs])
    heads = ("shots", "method", "accuracy, %", f"minus {table['reference']}, points", "published, %")
    return "\n".join([markdown_table(heads, rows), "", *(f"- {note}" for note in _notes(table))])


def _notes(table: Table) -> list[str]:
    nothing = published.not_comparable(table)
    lines = [
        f"Measured on {table['data']}: {table['way']}-way, {table['queries']} query per class, "
        f"{table['episodes']:,} listed episodes, seed {table['seed']}; chance is {100 / table['way']:.0f} %. "
        "± is half of the 95 % interval over episodes of these classes; other classes would move a row by more.",
        nothing
        or "Published numbers are their authors', none of them measured here. They stand beside rows of the same "
        "method, backbone and protocol.",
    ]
    for titles, rows in _grouped(table, "backbone"):
        about = rows[0]["backbone"]
        weights = f" ({about['weights']})" if about["weights"] else ""
        pixels = "CLIP's mean and standard deviation" if about["normalize_pixels"] else "raw [0, 1] pixels"
        how = f"{about['frames']} frames" + (f", shorter side {about['resize']}, {pixels}" if about["resize"] else "")
        why_not = "" if nothing else published.not_comparable(table, about) or ""
        lines.append(f"{titles}: features of {about['name']}{weights}, {how}. {why_not}".rstrip())
    return lines + [f"{titles}: {_head_note(rows)}" for titles, rows in _grouped(table, "head") if rows[0]["head"]]


def _grouped(table: Table, key: str) -> Iterator[tuple[str, list[Row]]]:
    """The titles of the rows that are alike in ``key``, and these rows."""
    groups: dict[str, list[Row]] = {}
    for row in table["rows"]:
        groups.setdefault(json.dumps(row[key], sort_keys=True), []).append(row)
    for rows in groups.values():
        yield "; ".join(f"{row['method']}, {row['shot']}-shot" for row in rows), rows


def _head_note(rows: Sequence[Row]) -> str:
    about = rows[0]["head"]
    training = about["training"] or {}
    shot, seed = training.get("shot"), training.get("seed")
    model = about.get("model", "clip-spm")  # older files have none
    other = OTHER_HEADS.get(model, None if model == "clip-spm" else "a head of your own")
    trained = f"trained for {shot}-shot"
    if shot is None:
        trained = "for how many shots it was trained is not recorded"
    elif {row["shot"] for row in rows} != {shot}:
        trained = f"**{trained} only**" + ("" if other else ", where the paper trains one for each")
    asked = "Transductive, as the released code is: it sees all queries of an episode and uses that."
    if about["preset"] is None:  # presets are CLIP-SPM's
        alone = about["asked_inductive"]
        asked = "Not transductive: it answers each query by itself." if alone else "It may be transductive."
    elif about["trained_inductive"]:
        asked = "Inductive: trained and asked one query at a time, which the paper does not report."
    elif about["asked_inductive"]:
        asked = "Asked one query at a time, though trained to see all of them, which the paper does not report."
    said = [other, f"{about['file']} (SHA-256 {about['sha256'][:12]}…)" if about["file"] else "a head"]
    said += [about["preset"] and f"preset {about['preset']}", None if seed is None else f"training seed {seed}"]
    return f"{', '.join(filter(None, [*said, trained]))}. {asked}"
