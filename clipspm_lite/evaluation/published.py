"""What papers report on the benchmarks (SPEC section 7), and beside which measured rows it may stand.

None of these numbers was measured here: they are their authors'.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.evaluation.results import SHOTS

# The papers' protocol: classes in an episode, queries per class, which classes, frames, pixels of their shorter side.
WAY, QUERIES, PART = 5, 1, "novel"
BENCHMARK_FRAMES, BENCHMARK_RESIZE = 8, 256

# open_clip's name → the papers' name.
PAPER_BACKBONES = dict.fromkeys(("ViT-B-16", "ViT-B-16-quickgelu"), "ViT-B/16")
PAPER_BACKBONES |= dict.fromkeys(("RN50", "RN50-quickgelu"), "RN50")
WEIGHT_FILES = (".safetensors", ".pt", ".pth", ".bin")

REPORTED_ON = ("hmdb51", "ucf101", "kinetics100", "ssv2_full", "ssv2_small")
# paper, backbone, name of the method here (None for other work), shots → accuracy in per cent on these benchmarks.
# Zero-shot CLIP looks at no support, so its number is one for all shots.
REPORTED: list[tuple[str, str, str | None, tuple[int, ...], tuple[float | None, ...]]] = [
    ("the CLIP-SPM paper", "ViT-B/16", "clip-spm", (1,), (78.2, 96.2, 92.8, 66.7, 57.8)),
    ("the CLIP-SPM paper", "ViT-B/16", "clip-spm", (3,), (86.3, 98.2, 94.1, 74.8, 62.4)),
    ("the CLIP-SPM paper", "ViT-B/16", "clip-spm", (5,), (88.6, 98.7, 94.3, 77.3, 66.2)),
    ("the CLIP-SPM paper", "RN50", "clip-spm", (1,), (77.4, 93.8, 90.9, 62.3, 50.8)),
    ("the CLIP-SPM paper", "RN50", "clip-spm", (3,), (82.6, 97.2, 92.9, 67.0, 54.9)),
    ("the CLIP-SPM paper", "RN50", "clip-spm", (5,), (84.5, 97.7, 93.5, 69.4, 58.5)),
    ("CLIP, as quoted by TS-FSAR", "ViT-B/16", "zero-shot", SHOTS, (75.9, None, None, 37.0, None)),
    ("TS-FSAR, AAAI 2026", "ViT-B/16", None, (1,), (85.0, 98.7, 96.3, 75.1, 60.5)),
    ("LGA, ICCV 2025", "ViT-B/16", None, (1,), (86.8, 98.2, 95.2, 63.8, 58.9)),
    ("CLIP-MEI, the parent of CLIP-SPM", "ViT-B/16", None, (1,), (None, None, None, 67.8, None)),
]

Table = dict[str, Any]  # what `benchmark_table.measure` returns
Row = dict[str, Any]  # one of its rows


class Published(NamedTuple):
    """One number of a paper."""

    accuracy: float  # per cent
    source: str  # whose number it is, and with which backbone; always shown with it
    method: str | None  # the name here of the method that reached it; None for other work


def published_numbers(benchmark: str | None, backbone: str, shot: int) -> list[Published]:
    """What is reported for 5-way episodes of a benchmark's novel classes with "ViT-B/16" or "RN50"."""
    found = []
    for paper, of_backbone, method, shots, numbers in REPORTED:
        number = dict(zip(REPORTED_ON, numbers, strict=True)).get(benchmark or "")
        if of_backbone == backbone and shot in shots and number is not None:
            found.append(Published(number, f"{paper}, {backbone}", method))
    return found


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
