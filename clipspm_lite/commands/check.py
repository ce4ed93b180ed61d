"""The command `check`: reads every video of a data set."""

import argparse

from clipspm_lite.commands import options as common
from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.data.inspection import check_benchmark, check_folder
from clipspm_lite.data.names import on_terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="a folder with one folder per class, or a benchmark's download")
    add("--minimum", type=int, default=2, help="videos that a class needs: shots + queries (default: %(default)s)")
    add("--no-decode", action="store_true", help="with --benchmark: only count (reading all videos can take hours)")
    common.declare(parser, "benchmark", "video_list")


def run(options: argparse.Namespace) -> int:
    common.check_pairs(options)
    if name := options.benchmark:
        benchmark = BENCHMARKS[name]
        print(f"{benchmark.title}, from the page {benchmark.page}")
        print(f"terms of use, as the page said when this was written (look there): {benchmark.terms}")
        lists, decode = options.video_list or (), not options.no_decode
        report = check_benchmark(name, options.folder, lists, decode=decode, progress=True)
    else:
        report = check_folder(options.folder, options.minimum, progress=True)
    print(on_terminal(report))
    return 0 if report.ok else 1
