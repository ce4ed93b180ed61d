"""The command `compare-results`: another's run against one's own, on the same episodes."""

import argparse
from itertools import product

import numpy as np

from clipspm_lite.arguments import check_known
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.data.names import on_terminal
from clipspm_lite.evaluation import results
from clipspm_lite.evaluation.results import FIVE_WAY, SAME_EPISODES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mine", metavar="MINE.json", help="what compare, table or evaluate wrote with --results")
    parser.add_argument("theirs", metavar="THEIRS.json", help="another such file, of the same episodes")
    parser.add_argument("--row", metavar="NAME", help="of MINE (default: each that has a namesake in THEIRS)")
    parser.add_argument("--against", metavar="NAME", help="the row of THEIRS (default: the one of the same name)")
    parser.epilog = "± is half of the 95 % interval over episodes. p is of the draws over training seeds and classes."


def run(options: argparse.Namespace) -> int:
    mine, theirs = results.read_answers(options.mine), results.read_answers(options.theirs)
    lines, p, differ = [], [], list[str]()
    for name in [options.row] if options.row else [name for name in mine if options.against or name in theirs]:
        check_known("--row", name, mine)
        check_known("--against", against := options.against or name, theirs)
        for (measure, ours), other in product(mine[name].items(), theirs[against].values()):
            differ.append(", ".join(what for what in ours[0] if ours[0][what] != other[0].get(what)))
            if not differ[-1]:
                shares, draws = [right.mean((0, 2)) for _, right in (ours, other)], difference_draws(ours, other)
                p.append(np.clip(2 * min((draws <= 0).mean(), (draws >= 0).mean()), 1 / len(draws), 1))
                difference = results.with_interval(**results.episode_mean(shares[0] - shares[1]), sign="+")
                wider = "{:+.1f} to {:+.1f}".format(*np.quantile(draws, (0.025, 0.975)))
                lines.append([name, against, measure, *(f"{100 * s.mean():.1f}" for s in shares), difference, wider])
    if not lines:
        nearest = min(differ, key=len, default="the names of all rows")
        raise ValueError(f"expected the episodes of {options.mine}, found others, by {nearest}: {options.theirs}")
    rows = [[*line, f"{corrected:.4f}"] for line, corrected in zip(lines, results.holm(np.array(p)), strict=True)]
    heads = ("mine", "theirs", "measure", "mine, %", "theirs, %", "difference, points", "seeds and classes", "p, Holm")
    print(on_terminal(results.markdown_table(heads, rows)))
    return 0


def difference_draws(*both: results.Answers) -> np.ndarray:
    """`bootstrap_draws` of the difference of two rows with the same episodes."""
    classes, videos, way, shot, queries, episodes, seed = (both[0][0][name] for name in SAME_EPISODES)
    sampler = EpisodeSampler(videos, way, shot, queries, seed)
    asked = np.repeat([sampler[index].classes for index in range(episodes)], queries, axis=1).ravel()
    counts = [[np.bincount(asked, version.ravel(), len(classes)) for version in right] for _, right in both]
    rows = {name: {"right": {FIVE_WAY: of_row}} for name, of_row in zip("ab", counts, strict=True)}
    of_all = {"asked": {FIVE_WAY: np.bincount(asked, minlength=len(classes))}, "rows": rows}
    return results.bootstrap_draws(of_all, "a", minus="b")
