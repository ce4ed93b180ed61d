"""The command `table`: methods at several shots, beside what papers report."""

import argparse
from pathlib import Path
from typing import Any

from clipspm_lite.clip.checkpoints import LITE_MODEL, head_name
from clipspm_lite.commands import options as common
from clipspm_lite.data.names import on_terminal
from clipspm_lite.evaluation.benchmark_table import Entry, markdown, measure, write_results
from clipspm_lite.evaluation.provenance import source_commit
from clipspm_lite.evaluation.results import SHOTS
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.heads import HEADS
from clipspm_lite.storage.files import check_writable, replace_file

EPISODES = ("part", "way", "queries", "episodes", "seed")
SETTINGS = ("benchmark", "backbone", "frames", "dataset_settings", "methods", "shots")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--methods", nargs="+", choices=common.METHODS, help="default: zero-shot, otam, --checkpoint")
    add("--shots", type=common.count, nargs="+", default=list(SHOTS), help="support videos per class")
    common.add_data_options(parser)
    common.add_encoder_options(parser)
    common.add_checkpoint_options(parser, f"{LITE_MODEL.name} for tiny", nargs="+")
    common.add_episode_options(parser, episodes=10_000)
    common.add_output_options(parser)
    parser.epilog = (
        "Differences are to the first of --methods. A head is trained for the shot it is tested at, so give one "
        "--checkpoint for each of --shots, in their order, or one for all. One of the authors' released code brings "
        "its own visual encoder; its text encoder comes from --weights."
    )


def run(options: argparse.Namespace) -> int:
    checkpoints = assign_checkpoints(options)
    for path in filter(None, (options.results, options.figure)):
        check_writable(path)
    dataset = common.open_part(options, options.part)
    opened = {path: common.open_head(options, path) for paths in checkpoints.values() for path in paths}
    stores = [one.store for one in opened.values()]
    store = None
    if set(options.methods) - set(checkpoints):  # training-free methods see what the heads see
        like: dict[str, Any] = {"frames": stores[0].frames, "backbone": stores[0].backbone} if stores else {}
        store = common.make_store(options, **like)
    common.start_computing(options, *stores, *([store] if store else []))
    entries = []
    for place, shot in enumerate(options.shots):
        for name in options.methods:
            if store is not None and name in TRAINING_FREE:
                entries.append(Entry(name, shot, TRAINING_FREE[name], store))
            else:
                path = checkpoints[name][place]
                head, kept = opened[path].head, opened[path].store
                entries.append(Entry(name, shot, head, kept, path, options.inductive))
    results = measure(
        entries,
        dataset,
        data=common.data_title(options),
        benchmark=options.benchmark,
        **{name: getattr(options, name) for name in EPISODES},
        device=options.device,
        progress=True,
    )
    command = common.command_line("table", options, (*common.PATHS, *SETTINGS, *EPISODES, "inductive"))
    results |= {"command": command, "commit": source_commit(), "device": options.device}
    if options.results:
        write_results(options.results, results)
    if options.figure:
        from clipspm_lite.plots.base import png  # drawing takes a while to import
        from clipspm_lite.plots.results import beside_published

        replace_file(options.figure, png(beside_published(results)))
    print(on_terminal(markdown(results)))
    return 0


def assign_checkpoints(options: argparse.Namespace) -> dict[str, list[Path]]:
    """For each method that is a head its checkpoint at each of --shots; fills in the defaults."""
    if options.checkpoint is None and options.backbone in (None, "tiny"):
        options.checkpoint = [LITE_MODEL] if "clip-spm" in (options.methods or ["clip-spm"]) else None
    checkpoints: dict[str, list[Path]] = {}
    for path in options.checkpoint or []:
        checkpoints.setdefault(head_name(path), []).append(Path(path))
    if options.methods is None:
        options.methods = ["zero-shot", "otam", *(checkpoints or ["clip-spm"])]
    wanted = [name for name in options.methods if name in HEADS]
    for name in {*wanted, *checkpoints}:
        found = len(checkpoints.get(name, []))
        if name not in wanted or found not in (1, len(options.shots)):
            raise ValueError(
                f"--checkpoint: expected for each head of --methods ({', '.join(wanted) or 'none'}) one file, or one "
                f"for each of {len(options.shots)} --shots; found {found} of {name}"
            )
        if found == 1:
            checkpoints[name] *= len(options.shots)
    return checkpoints
