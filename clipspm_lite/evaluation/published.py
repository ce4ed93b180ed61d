"""What papers report (`published.json`, SPEC section 7), none of it measured here, and where it may stand by ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.evaluation.results import markdown_table

# The papers' protocol: classes in an episode, queries per class, which classes, frames, pixels of their shorter side.
WAY, QUERIES, PART = 5, 1, "novel"
BENCHMARK_FRAMES, BENCHMARK_RESIZE = 8, 256
WEIGHT_FILES = (".safetensors", ".pt", ".pth", ".bin")

_FACTS = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))
PAPER_BACKBONES: dict[str, str] = _FACTS["backbones"]  # open_clip's name → the papers' name
# Each: paper, backbone, method (its name here, None for other work), shots, benchmark → accuracy in per cent.
REPORTED: list[dict[str, Any]] = _FACTS["reported"]
METHODS: list[dict[str, Any]] = _FACTS["methods"]  # method, paper, code, facts: aspect → (what is so, its source)

Table = dict[str, Any]  # what `benchmark_table.measure` returns
Row = dict[str, Any]  # one of its rows


class Published(NamedTuple):
    """One number of a paper."""

    accuracy: float  # per cent
    source: str  # whose number it is, and with which backbone; always shown with it
    method: str | None  # the name here of the method that reached it; None for other work


def published_numbers(benchmark: str | None, backbone: str, shot: int) -> list[Published]:
    """What is reported for 5-way episodes of a benchmark's novel classes with "ViT-B/16" or "RN50"."""
    return [
        Published(row["accuracy"][benchmark], f"{row['paper']}, {backbone}", row["method"])
        for row in REPORTED
        if row["backbone"] == backbone and shot in row["shots"] and benchmark in row["accuracy"]
    ]


def not_comparable(table: Table, backbone: dict[str, Any] | None = None) -> str | None:
    """Why no published number can stand beside a table, or its rows of a ``backbone``; None where one can."""
    if table["benchmark"] is None:
        return f"Nothing to compare with: no paper reports numbers on {table['data']}."
    listed = "{way}-way episodes with {queries} query per class, {part} classes, {videos} videos of {benchmark}"
    videos = BENCHMARKS[table["benchmark"]].videos[PART]
    expected = listed.format(way=WAY, queries=QUERIES, part=PART, videos=videos, benchmark=table["benchmark"])
    found = listed.format(**table, videos=sum(table["videos_per_class"]))
    if found != expected:
        return f"Not comparable: papers report {expected}; these are {found}."
    if backbone is None:
        return None
    weights = backbone["weights"] or ""  # the user has to know what a file of weights holds; the table names it
    if backbone["name"] not in PAPER_BACKBONES or not (weights == "openai" or weights.endswith(WEIGHT_FILES)):
        return "No number is published for it."
    if (backbone["frames"], backbone["resize"]) != (BENCHMARK_FRAMES, BENCHMARK_RESIZE):
        return f"Not comparable: papers use {BENCHMARK_FRAMES} frames, shorter side {BENCHMARK_RESIZE}."
    return None


def comparable(table: Table, row: Row) -> bool:
    """Whether a published number may stand beside a row."""
    head = row["head"] or {"training": None, "asked_inductive": False}
    # Papers let the queries of an episode see each other, and train a head for each shot.
    as_published = (head["training"] or row).get("shot", row["shot"]) == row["shot"] and not head["asked_inductive"]
    return as_published and not not_comparable(table, row["backbone"])


def beside(table: Table, shot: int) -> Iterator[tuple[Row | None, Published | None]]:
    """The rows of a shot, each with the published number of its method and backbone, then what else is published."""
    taken: set[Published | None] = set()
    others: dict[Published, None] = {}
    for row in (row for row in table["rows"] if row["shot"] == shot):
        backbone = PAPER_BACKBONES.get(row["backbone"]["name"], "")
        found = [] if not_comparable(table, row["backbone"]) else published_numbers(table["benchmark"], backbone, shot)
        own = next((n for n in found if n.method == row["method"] and comparable(table, row)), None)
        others |= dict.fromkeys(found)
        taken.add(own)
        yield row, own
    yield from ((None, number) for number in others if number not in taken)


def made_of() -> list[list[str]]:
    """What published numbers are made of: the headings, then a row per method."""
    return [["method", *METHODS[0]["facts"]], *([m["method"], *(f[0] for f in m["facts"].values())] for m in METHODS)]


def made_of_markdown() -> str:
    """`made_of` as a table in Markdown, and below it what it leaves open and the source of every cell."""
    heads, *rows = made_of()
    lines = [markdown_table(heads, rows), "", *(f"- {note}" for note in _FACTS["notes"])]
    for row in METHODS:
        sources = "; ".join(f"{aspect}: {source}" for aspect, (_, source) in row["facts"].items())
        lines.append(f"- {row['method']} ({row['paper']}; code: {row['code']}). {sources}.")
    return "\n".join(lines)
