"""The command `table`: methods at several shots, beside what papers report."""

import argparse
from pathlib import Path

from clipspm_lite.arguments import check_known
from clipspm_lite.clip.checkpoints import LITE_MODEL, RECOMMENDED_MODEL, head_name
from clipspm_lite.commands import options as common
from clipspm_lite.data.names import on_terminal
from clipspm_lite.evaluation.benchmark_table import Entry, markdown, measure
from clipspm_lite.evaluation.published import made_of_markdown
from clipspm_lite.evaluation.results import SHOTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--methods", nargs="+", help="default: zero-shot (prototype with --features), otam, --checkpoint")
    add("--shots", type=int, nargs="+", default=list(SHOTS), help="support videos per class (default: %(default)s)")
    add("--published", action="store_true", help="only print what published numbers are made of; needs no data")
    common.declare(parser, *common.HEAD, *common.DATA, "stages", *common.ENCODER, checkpoint={"nargs": "+"})
    common.declare(parser, *common.EPISODES, "inductive", "threads", "results", "figure", episodes={"default": 10_000})
    parser.epilog = (
        "Differences are to the first of --methods. A head is trained for one shot: give a --checkpoint for each of "
        "--shots, in their order, or one for all. A released one takes its text encoder from --weights."
    )


def run(options: argparse.Namespace) -> int:
    if options.published:
        print(on_terminal(made_of_markdown()))
        return 0
    dataset = common.open_part(options, options.part)
    checkpoints = assign_checkpoints(options)
    opened = {path: common.open_head(options, path, dataset) for paths in checkpoints.values() for path in paths}
    stores = [one.store for one in opened.values()]
    if set(options.methods) - set(checkpoints):  # training-free methods see what the heads see
        stores.append(common.make_store(options, *stores[:1]))
    common.start_computing(options, *stores, videos=[options.data])
    [dataset], unreadable = common.without_unreadable(options, stores[0], dataset)
    entries = []
    for place, shot in enumerate(options.shots):
        for name in options.methods:
            path = checkpoints[name][place] if name in checkpoints else None
            method, store = (common.UNTRAINED[name], stores[-1]) if path is None else opened[path][:2]
            entries.append(Entry(name, shot, method, store, path, options.inductive and path is not None))
    listed = {name: getattr(options, name) for name in (*common.EPISODES, "benchmark", "device")}
    results = measure(entries, dataset, data=common.data_title(options), **listed, progress=True)
    results |= common.provenance("table", options) | {"device": options.device, "unreadable": unreadable}
    common.write_out(options, results, "results:beside_published")
    print(on_terminal(markdown(results)))
    return 0


def assign_checkpoints(options: argparse.Namespace) -> dict[str, list[Path]]:
    """For each method that is a head its checkpoint at each of --shots; fills in the defaults."""
    if not options.features and options.checkpoint is None and options.backbone in (None, "tiny"):
        committed, wanted = {"clip-spm": LITE_MODEL, "recommended": RECOMMENDED_MODEL}, options.methods or ["clip-spm"]
        options.checkpoint = [path for name, path in committed.items() if name in wanted] or None
    checkpoints: dict[str, list[Path]] = {}
    for path in options.checkpoint or []:
        checkpoints.setdefault(head_name(path, options.head), []).append(Path(path))
    if options.methods is None:
        simplest = "prototype" if options.features else "zero-shot"  # the features may know no class names
        options.methods = [simplest, "otam", *(checkpoints or ([] if options.features else ["clip-spm"]))]
    for name in options.methods:
        check_known("--methods", name, (*common.METHODS, *checkpoints))
    wanted = [name for name in options.methods if name not in common.UNTRAINED]
    for name in {*wanted, *checkpoints}:
        found = len(checkpoints.get(name, []))
        if name not in wanted or found not in (1, len(options.shots)):
            expected = f"for each head of --methods ({', '.join(wanted) or 'none'}) 1 file, or one for each of --shots"
            raise ValueError(f"--checkpoint: expected {expected} ({len(options.shots)}); found {found} of {name}")
        if found == 1:
            checkpoints[name] *= len(options.shots)
    return checkpoints
