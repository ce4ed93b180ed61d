"""What comparisons leave: accuracies, intervals over seeds and classes, and Markdown tables."""

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipspm_lite.arguments import check_known
from clipspm_lite.data.episodes import EpisodeSampler

FIVE_WAY, ONE_BY_ONE = "5-way", "5-way, one query at a time"
PAIR_KINDS = ("reversed", "context", "similar")
BY_KIND = ("5-way, context", "5-way, order")  # of classes that a place or a thing tells, and of the others
BY_SHOT = ("5-way, 3-shot", "5-way, 5-shot")  # beside 5-way 1-shot, for which the heads were trained
MEASURES = (FIVE_WAY, *BY_KIND, *BY_SHOT, ONE_BY_ONE, *PAIR_KINDS)  # those by kind where there are such classes
SHOTS = (1, 3, 5)
SAME_EPISODES = ("classes", "videos_per_class", "way", "shot", "queries", "episodes", "seed")  # list them again
RESULTS_VERSION = 2  # of the files of compare, table and evaluate; version 1 has no answers

Results = dict[str, Any]
Answers = tuple[dict[str, Any], np.ndarray]  # how the episodes are listed, what is right: [training seeds, E, Q]


def half_width(values: np.ndarray) -> float:
    """Half-width in points of the 95 % interval of a mean over independent values in 0 … 1; NaN for a single one."""
    if len(values) < 2:
        return float("nan")
    return 100 * 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5


def episode_mean(shares: np.ndarray) -> dict[str, Any]:
    """The mean of shares ``[E]`` as ``points``, and its 95 % half-width as ``interval``, None of a single one."""
    return {"points": 100 * float(shares.mean()), "interval": half_width(shares) if len(shares) > 1 else None}


def per_seed(results: Results, name: str, measure: str = FIVE_WAY) -> list[float]:
    """Accuracy of each training seed's version in per cent; raises ValueError for an unknown row or measure."""
    right, asked = _counts(results, "name", name, measure)
    return (100 * right.sum(1) / asked.sum()).tolist()


def _counts(results: Results, argument: str, row: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Right answers ``[seeds, classes]`` and queries ``[classes]`` of a row."""
    check_known(argument, row, results["rows"])
    check_known("measure", measure, results["asked"])
    return np.array(results["rows"][row]["right"][measure], float), np.array(results["asked"][measure], float)


def accuracy(results: Results, name: str, measure: str = FIVE_WAY) -> float:
    """Accuracy in per cent, the mean over training seeds; raises ValueError as `per_seed` does."""
    return float(np.mean(per_seed(results, name, measure)))


def bootstrap(
    results: Results, name: str, measure: str = FIVE_WAY, *, minus: str | None = None, draws: int = 5000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval over training seeds and classes of an accuracy, or of its difference to the row ``minus``.

    Each draw takes as many training seeds and classes as there are, with replacement, and averages over them. For a
    difference both rows meet the same classes, and the same seeds if they have equally many. It asks "what if we had
    trained again and met other classes of this kind?"; a class stands for its queries only. Raises ValueError.
    """
    low, high = np.quantile(bootstrap_draws(results, name, measure, minus, draws, seed), (0.025, 0.975))
    return float(low), float(high)


def bootstrap_draws(
    results: Results, name: str, measure: str = FIVE_WAY, minus: str | None = None, draws: int = 5000, seed: int = 0
) -> np.ndarray:
    """The draws behind `bootstrap`'s interval, in per cent or points."""
    right, asked = _counts(results, "name", name, measure)
    rights = [right] if minus is None else [right, _counts(results, "minus", minus, measure)[0]]
    generator = np.random.default_rng(seed)
    most = max(map(len, rights))
    shared_seeds = generator.integers(most, size=(draws, most))
    weights = generator.multinomial(len(asked), np.full(len(asked), 1 / len(asked)), size=draws)
    total = (weights * asked).sum(1)
    answerable = total > 0  # a draw of classes that were never asked says nothing
    shares = []
    for right in rights:
        seeds = len(right)
        drawn = shared_seeds if seeds == most else generator.integers(seeds, size=(draws, seeds))
        answered = (weights * right[drawn].mean(1)).sum(1)
        shares.append(100 * answered[answerable] / total[answerable])
    return shares[0] if minus is None else shares[0] - shares[1]


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's correction of n p-values: the smallest times n, the next times n − 1 …, none below the one before."""
    order = p.argsort()
    return np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)[order.argsort()]


def pack_answers(versions: Sequence[Any]) -> dict[str, Any]:
    """What a result file keeps of a row's evaluations, one per training seed: `SAME_EPISODES` and the ``answers``.

    These are uint8 ``[training seeds, episodes, queries]``, by zlib and base64, counted from the right class on (0).
    """
    packed = zlib.compress(np.stack([version.answers for version in versions]).astype(np.uint8).tobytes(), 9)
    kept = {name: getattr(versions[0], name) for name in (*SAME_EPISODES, "one_query_at_a_time")}
    kept |= {name: list(kept[name]) for name in ("classes", "videos_per_class")}
    return kept | {"answers": base64.b64encode(packed).decode()}


def read_answers(path: str | Path) -> dict[str, dict[str, Answers]]:
    """The answers by row and measure in a file that ``--results`` wrote; ValueError for another or an older file."""
    found: dict[str, dict[str, Answers]] = {}
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))
        check_known("format_version", results.get("format_version", RESULTS_VERSION), [RESULTS_VERSION])
        rows = results.get("rows", [results])  # `evaluate` has one
        for name, row in rows.items() if isinstance(rows, dict) else [(row["method"], row) for row in rows]:
            for measure, kept in row["answers"].items():
                listed = {key: kept[key] for key in (*SAME_EPISODES, "one_query_at_a_time")}
                stream, packed = zlib.decompressobj(), base64.b64decode(kept["answers"], validate=True)
                unpacked = stream.decompress(packed, 100_000_000)  # a stranger's could fill the memory
                shape = -1, listed["episodes"], listed["way"] * listed["queries"]
                answers = np.frombuffer(unpacked, np.uint8).reshape(shape)
                EpisodeSampler(**{key: listed[key] for key in SAME_EPISODES if key not in ("classes", "episodes")})
                if not (stream.eof and answers.size and len(listed["classes"]) == len(listed["videos_per_class"])):
                    raise ValueError("no answers, cut off, or of other classes")
                found.setdefault(name, {})[measure] = listed, answers == 0
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, zlib.error) as error:
        wanted = f"expected what compare, table or evaluate wrote with --results, of format_version {RESULTS_VERSION}"
        raise ValueError(f"{wanted}; found another or a damaged file ({error!r:.100}): {path}") from None
    return found


def comparison_table(
    results: Results, reference: str = "", names: Sequence[str] | None = None, measures: Sequence[str] | None = None
) -> str:
    """Rows of `compare`'s results, all or ``names``, as Markdown, with differences to one of its ``references``."""
    others = [m for m in (measures or results["asked"]) if m != FIVE_WAY]
    heads = ["method", f"5-way {results['shot']}-shot, %", *([f"minus {reference}, points"] if reference else [])]
    heads += [f"{m}{' pairs, 2-way' if m in PAIR_KINDS else ''}, %" for m in others]
    lines = []
    for name in names or results["rows"]:
        ours, row = accuracy(results, name), results["rows"][name]
        values = [f"{accuracy(results, name, m):.1f}" for m in others]
        if reference:
            check_known("reference", reference, row["difference"])
            values.insert(0, "" if name == reference else with_interval(**row["difference"][reference], sign="+"))
        lines.append([name, with_interval(ours, row["interval"]), *values])
    return markdown_table(heads, lines)


def interval_table(results: Results, measures: Sequence[str] | None = None) -> str:
    """All rows of `compare`'s results as Markdown, each value with `bootstrap`'s interval, in per cent."""
    measures, lines = measures or results["asked"], []
    for name in results["rows"]:
        found = [(accuracy(results, name, m), *bootstrap(results, name, m)) for m in measures]
        lines.append([name, *(f"{value:.1f} [{low:.0f}, {high:.0f}]" for value, low, high in found)])
    return markdown_table(["method", *measures], lines)


def with_interval(points: float, interval: float | None, sign: str = "") -> str:
    """A cell of a table: a value and its half-width, if it has one."""
    return f"{points:{sign}.1f}" + ("" if interval is None else f" ± {interval:.1f}")


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head, *lines = ("| " + " | ".join(cells) + " |" for cells in (heads, *rows))
    return "\n".join([head, "|---" * len(heads) + "|", *lines])
