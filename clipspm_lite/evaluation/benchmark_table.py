"""The table of a benchmark: methods at several shots on the same listed episodes, beside what papers report.

`measure` makes the numbers, `write_results` and `read_results` keep them as JSON, `markdown` prints them. The figure is
`plots.results.beside_published`.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clipspm_lite.arguments import whole_number
from clipspm_lite.clip.backbone import WEIGHT_SUFFIXES, public_name
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.evaluation.published import ARCHITECTURES, PART, QUERIES, WAY, Published, published
from clipspm_lite.evaluation.scoring import Evaluation, count_by_class, evaluate, paired_difference
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.heads import Head, describe_head
from clipspm_lite.storage.files import file_sha256, is_safetensors, replace_file
from clipspm_lite.storage.tensors import read_description

FORMAT_VERSION = 1
KIND = "table"
VIDEOS_AT_ONCE = 1000  # of the episodes that are scored together; a full-size head then needs about 1 GB

# What has to be known of a head that is not CLIP-SPM as the paper has it.
OTHERS = {
    "clip-spm-extended": "CLIP-SPM with changes that are not the paper's, which the file's configuration names",
    "clip-fsar": "CLIP-FSAR, written from its paper (what differs: clipspm_lite/model/clip_fsar.py), which reads the "
    "class names of the supports",
    "trx": "TRX, written from its paper (what differs: clipspm_lite/model/trx.py), which reads no class name",
}

Results = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A method as it is scored at one shot.

    Attributes:
        name: the same at every shot.
        method: a training-free method, or a head that is on its device.
        store: encodes videos and class names for it.
        checkpoint: the file that a head came from.
        inductive: ask a CLIP-SPM head one query at a time, as one that was trained so always is.
    """

    name: str
    shot: int
    method: Callable[..., Any]
    store: FeatureStore
    checkpoint: str | Path | None = None
    inductive: bool = False


def measure(
    entries: Sequence[Entry],
    dataset: VideoDataset,
    *,
    data: str,
    benchmark: str | None = None,
    part: str = PART,
    way: int = WAY,
    queries: int = QUERIES,
    episodes: int = 10_000,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
) -> Results:
    """Score all entries; those of one shot on the same episodes (SPEC section 4: 10,000 with one query a class).

    Each store encodes the data set once, for all shots. Whatever is impossible is refused before it does.

    Args:
        data: what the data set is, in words.
        benchmark: which of `BENCHMARKS` it is a part of.
        part: which of its parts: base, validation or novel.

    Returns:
        What JSON can hold. In ``rows``, one an entry, by shot: ``accuracy`` in per cent; ``interval``, the half-width
        of its 95 % interval over episodes in points; ``right`` and ``asked``, queries of each of ``classes``;
        ``difference`` (``points``, ``interval``), episode by episode, to the method that came first, ``reference``;
        ``seconds`` of scoring; ``backbone``, ``features`` (SHA-256 of the encoded data set) and ``head``, what it was
        made with.

    Raises:
        ValueError: episodes that the data set cannot make, fewer than two of them, an entry twice, or a backbone
            without a text encoder.
        VideoError: a video cannot be read.
    """
    if not entries:
        raise ValueError("entries: expected at least one method, found none")
    episodes = whole_number("episodes", episodes, least=2)  # an interval needs two
    shots = sorted({entry.shot for entry in entries})
    for shot in shots:
        EpisodeSampler(dataset.videos_per_class, way, shot, queries, seed, dataset.classes)
        names = [entry.name for entry in entries if entry.shot == shot]
        if len(set(names)) < len(names):
            raise ValueError(f"a method is there twice at {shot} shots: {', '.join(names)}")
    stores = {entry.store.path: entry.store for entry in entries}
    for store in stores.values():
        store.backbone.encode_class_names(dataset.classes[:1])  # one without a text encoder is refused here
    encoded = {path: store.encode_dataset(dataset, progress=progress) for path, store in stores.items()}

    reference = entries[0].name
    rows: list[Row] = []
    for shot in shots:
        scored: dict[str, Evaluation] = {}
        # The reference comes first among the entries of a shot too, for the others' differences.
        for entry in sorted((e for e in entries if e.shot == shot), key=lambda e: e.name != reference):
            features, started = encoded[entry.store.path], time.perf_counter()
            result = evaluate(
                partial(entry.method, inductive=True) if entry.inductive else entry.method,
                features,
                way=way,
                shot=shot,
                queries=queries,
                episodes=episodes,
                seed=seed,
                device=device,
                batch_size=episodes_at_once(way, shot, queries, entry.inductive),
                progress=f"{entry.name}, {shot}-shot" if progress else False,
            )
            scored[entry.name] = result
            row = _row(entry, result, features, time.perf_counter() - started)
            if entry.name != reference and reference in scored:
                points, interval = paired_difference(result, scored[reference])
                row["difference"] = {"points": points, "interval": interval}
            rows.append(row)
    return {
        "data": data,
        "benchmark": benchmark,
        "part": part,
        "way": way,
        "queries": queries,
        "episodes": episodes,
        "seed": seed,
        "shots": shots,
        "reference": reference,
        "classes": list(dataset.classes),
        "videos_per_class": list(dataset.videos_per_class),
        "rows": rows,
    }


def episodes_at_once(way: int, shot: int, queries: int, inductive: bool) -> int:
    """How many episodes are scored together, so that the memory does not depend on what they are."""
    videos = way * (shot + queries)
    if inductive:  # PADM sees the supports anew with each query
        videos = way * queries * (way * shot + 1)
    return max(1, VIDEOS_AT_ONCE // videos)


def _row(entry: Entry, result: Evaluation, features: EncodedDataset, seconds: float) -> Row:
    right, asked = count_by_class(result.classes, [result])
    backbone = entry.store.backbone
    return {
        "method": entry.name,
        "shot": entry.shot,
        "accuracy": result.accuracy,
        "interval": result.interval,
        "right": right,
        "asked": asked,
        "difference": None,
        "seconds": round(seconds, 2),
        "backbone": {
            "name": public_name(backbone.name),
            "weights": backbone.weights,
            "fingerprint": entry.store.backbone_fingerprint,
            "normalize_pixels": backbone.normalize_pixels,
            "frames": entry.store.frames,
            "resize": entry.store.resize,
        },
        "features": features.fingerprint,
        "head": _about_head(entry),
    }


def _about_head(entry: Entry) -> dict[str, Any] | None:
    if not isinstance(entry.method, Head):
        return None
    config = describe_head(entry.method)
    alone = not isinstance(entry.method, CLIPSPM) or entry.method.inductive  # the others know no other way
    about = {
        "model": config.get("model", "clip-spm"),
        "preset": config.get("preset"),
        "trained_inductive": alone,
        "asked_inductive": alone or entry.inductive,
        "file": None,
        "sha256": None,
        "training": None,  # its settings, where the file has them
    }
    if entry.checkpoint is not None:
        about |= {"file": Path(entry.checkpoint).name, "sha256": file_sha256(entry.checkpoint)}
        if is_safetensors(Path(entry.checkpoint)):
            training = read_description(entry.checkpoint, "model").get("training")
            about["training"] = training if isinstance(training, dict) else None
    return about


def write_results(path: str | os.PathLike, results: Results) -> None:
    """Write what `measure` returned, and what was added to it, as JSON, whole or not at all."""
    content = {"format_version": FORMAT_VERSION, "kind": KIND} | results
    replace_file(path, (json.dumps(content, allow_nan=False) + "\n").encode())


def read_results(path: str | os.PathLike) -> Results:
    """What `write_results` wrote.

    Raises:
        ValueError: not such a file, or one of a newer version.
        OSError: it cannot be read.
    """
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error}); expected what `table --results` wrote: {path}") from None
    if (
        not isinstance(results, dict)
        or results.get("kind") != KIND
        or not isinstance(results.get("format_version"), int)
    ):
        raise ValueError(f"not the results of a table; expected what `table --results` wrote: {path}")
    if results["format_version"] > FORMAT_VERSION:
        raise ValueError(
            f"format {results['format_version']} is newer than this version of clipspm_lite reads "
            f"({FORMAT_VERSION}): update clipspm_lite to open {path}"
        )
    return results


def nothing_to_compare(results: Results) -> str | None:
    """Why no published number can stand beside any of these; None where one can."""
    benchmark = results["benchmark"]
    if benchmark is None:
        return f"Nothing to compare with: no paper reports numbers on {results['data']}."
    if results["part"] != PART:
        return f"Not comparable: papers report the {PART} classes, these are the {results['part']} classes."
    if (results["way"], results["queries"]) != (WAY, QUERIES):
        return f"Not comparable: papers report {WAY}-way episodes with {QUERIES} query a class."
    found, expected = sum(results["videos_per_class"]), BENCHMARKS[benchmark].videos[PART]
    if found != expected:
        return f"Not comparable: {found} videos of {benchmark} {PART}, published are {expected}."
    return None


def architecture(row: Row) -> str | None:
    """The papers' name of a row's backbone, "ViT-B/16" or "RN50"; None where it or its weights are others'.

    What is in a file of weights is the user's to know; the table names the file.
    """
    weights = row["backbone"]["weights"] or ""
    if weights == "openai" or weights.endswith(WEIGHT_SUFFIXES):
        return ARCHITECTURES.get(row["backbone"]["name"])
    return None


def beside(results: Results, shot: int) -> Iterator[tuple[Row | None, Published | None]]:
    """The rows of a shot, each with the published number of its method and backbone, then what else is published."""
    taken: set[Published | None] = set()
    others: dict[Published, None] = {}
    for row in (row for row in results["rows"] if row["shot"] == shot):
        backbone = architecture(row) if nothing_to_compare(results) is None else None
        found = [] if backbone is None else published(results["benchmark"], backbone, shot)
        own = next((number for number in found if number.method == row["method"]), None)
        taken.add(own)
        others |= dict.fromkeys(found)
        yield row, own
    yield from ((None, number) for number in others if number not in taken)


def markdown(results: Results) -> str:
    """The results as a Markdown table, and below it what has to be known to read it."""
    none = "not comparable" if results["benchmark"] and nothing_to_compare(results) else "–"
    lines = [
        f"| shots | method | accuracy, % | minus {results['reference']}, points | published, % |",
        "|---|---|---|---|---|",
    ]
    for shot in results["shots"]:
        for row, number in beside(results, shot):
            theirs = none if number is None else f"{number.accuracy:.1f} ({number.source})"
            if row is None:
                lines.append(f"| {shot} | not measured here |  |  | {theirs} |")
                continue
            difference = row["difference"]
            minus = (
                "" if difference is None else f"{difference['points']:+.1f} ± {difference['interval']:.1f}"
            )
            lines.append(
                f"| {shot} | {row['method']} | {row['accuracy']:.1f} ± {row['interval']:.1f} | {minus} | {theirs} |"
            )
    return "\n".join([*lines, "", *(f"- {note}" for note in notes(results))])


def notes(results: Results) -> list[str]:
    """What has to be known to read the numbers, a sentence or two each."""
    lines = [
        f"Measured on {results['data']}: {results['way']}-way, {results['queries']} query a class, "
        f"{results['episodes']:,} listed episodes, seed {results['seed']}; chance is {100 / results['way']:.0f} %. "
        "± is half of the 95 % interval over episodes of these classes; other classes would move a row by more.",
        nothing_to_compare(results)
        or "Published numbers are their authors', none of them measured here; they stand beside rows of the same "
        "method and backbone.",
    ]
    for about, rows in _grouped(results, "backbone"):
        weights = f" ({about['weights']})" if about["weights"] else ""
        pixels = "CLIP's mean and standard deviation" if about["normalize_pixels"] else "raw [0, 1] pixels"
        none = (
            "" if nothing_to_compare(results) or architecture(rows[0]) else " No number is published for it."
        )
        lines.append(
            f"{_named(rows)}: features of {about['name']}{weights}, {about['frames']} frames, shorter side "
            f"{about['resize']}, {pixels}.{none}"
        )
    for about, rows in _grouped(results, "head"):
        lines.append(f"{_named(rows)}: {_head_note(about, {row['shot'] for row in rows})}")
    return lines


def _grouped(results: Results, key: str) -> list[tuple[dict[str, Any], list[Row]]]:
    """What rows were made with, and the rows that share it."""
    groups: dict[str, tuple[dict[str, Any], list[Row]]] = {}
    for row in results["rows"]:
        if row[key] is not None:
            groups.setdefault(json.dumps(row[key], sort_keys=True), (row[key], []))[1].append(row)
    return list(groups.values())


def _named(rows: Sequence[Row]) -> str:
    by_method: dict[str, list[str]] = {}
    for row in rows:
        by_method.setdefault(row["method"], []).append(f"{row['shot']}-shot")
    return "; ".join(f"{name}, {', '.join(shots)}" for name, shots in by_method.items())


def _head_note(about: dict[str, Any], shots: set[int]) -> str:
    file = f"{about['file']} (SHA-256 {about['sha256'][:12]}…)" if about["file"] else "a head"
    training = about["training"] or {}
    shot, seed = training.get("shot"), training.get("seed")
    other = OTHERS.get(about.get("model", "clip-spm"))  # files of before have no model
    note = f"{other}, {file}" if other else file
    note += f", preset {about['preset']}" if about["preset"] else ""
    note += f", training seed {seed}" if seed is not None else ""
    if shot is None:
        note += ", for how many shots it was trained is not recorded"
    elif shots == {shot}:
        note += f", trained for {shot}-shot"
    else:
        note += f", **trained for {shot}-shot only**"
        note += "" if other else ", where the paper trains one for each"
    if about["preset"] is None:  # presets are CLIP-SPM's
        return f"{note}. Not transductive: it answers each query by itself."
    if not about["asked_inductive"]:
        return (
            f"{note}. Transductive, as the released code is: it sees all queries of an episode and uses that."
        )
    if about["trained_inductive"]:
        return f"{note}. Inductive: trained and asked one query at a time, which the paper does not report."
    return f"{note}. Asked one query at a time, though trained to see all of them; the paper does not report that."
