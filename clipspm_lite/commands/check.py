"""The command `check`: reads every video of a data set."""

import argparse

from tqdm.auto import tqdm

from clipspm_lite.commands import options as common
from clipspm_lite.data.benchmarks import BENCHMARKS
from clipspm_lite.data.inspection import check_benchmark, check_folder
from clipspm_lite.data.names import on_terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="a folder with one folder per class, or a benchmark's download")
    add("--minimum", type=common.count, default=2, help="videos that a class needs: shots + queries")
    common.add_benchmark_options(parser)
    add("--no-decode", action="store_true", help="with --benchmark: only count, read no video")


def run(options: argparse.Namespace) -> int:
    if options.benchmark is None:
        with tqdm(desc="reading", unit=" videos", disable=None) as bar:
            report = check_folder(options.folder, minimum=options.minimum, progress=lambda _: bar.update())
    else:
        benchmark = BENCHMARKS[options.benchmark]
        print(f"{benchmark.title}, from the page {benchmark.page}")
        print(f"terms of use, as the page said when this was written (look there): {benchmark.terms}")
        if not options.no_decode:
            print("reading every video takes hours for the large benchmarks; --no-decode only counts")
        total = sum(benchmark.videos.values())
        with tqdm(desc="reading", unit=" videos", total=total, disable=options.no_decode or None) as bar:
            report = check_benchmark(
                options.benchmark,
                options.folder,
                options.video_list or (),
                decode=not options.no_decode,
                progress=lambda _: bar.update(),
            )
    print(on_terminal(report))
    return 0 if report.ok else 1
