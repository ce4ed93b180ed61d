"""The command `prepare`: decodes every clip once, for training that never waits for a video."""

import argparse
from pathlib import Path

from clipspm_lite.data.names import on_terminal, printable
from clipspm_lite.data.prepared import prepare


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", metavar="SRC", help="a folder with clips, at any depth; it stays as it is")
    add("target", metavar="DST", help="the prepared folder, to be given in place of SRC afterwards")
    add("--shorter", type=int, default=256, help="reduce the shorter side to so many pixels (default: %(default)s)")
    add("--frames", type=int, help="keep so many frames of each clip, evenly (default: all)")
    add("--workers", type=int, help="processes that decode (default: one per core, at most 8)")
    add("--skip-unreadable", action="store_true", help="leave out clips that cannot be read")


def run(options: argparse.Namespace) -> int:
    arguments = {name: getattr(options, name) for name in ("shorter", "frames", "workers", "skip_unreadable")}
    prepared = prepare(options.source, options.target, **arguments, progress=True)
    pictures = sum(about["frames"] for about in prepared.clips.values())
    size = sum(path.stat().st_size for path in Path(options.target).iterdir())
    print(f"{len(prepared.clips):,} clips, {pictures:,} pictures, {size / 1e6:,.1f} MB: {printable(options.target)}")
    for error in (prepared.left_out or {}).values():
        print(on_terminal(f"left out: {error}"))
    return 0
