"""The command `compare`: trained variants and baselines on the same episodes of the sample world."""

import argparse
from dataclasses import replace
from typing import Any

from clipspm_lite.arguments import check_known
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL, LITE_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.commands import options as common
from clipspm_lite.data.datasets import SAMPLES, sample_world
from clipspm_lite.evaluation.comparison import compare
from clipspm_lite.evaluation.provenance import source_commit, write_json
from clipspm_lite.evaluation.results import comparison_table
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.presets import LITE_SIZES
from clipspm_lite.model.variants import ABLATIONS, EXTENSIONS, FULL, INDUCTIVE, TRAINED_BASELINES
from clipspm_lite.storage.files import check_writable, file_sha256, replace_file
from clipspm_lite.training import TRAINING_PRESETS, train_variants

COMMITTED = {FULL: LITE_MODEL, **dict.fromkeys(INDUCTIVE, LITE_INDUCTIVE_MODEL)}
# The options of the command that a result file names.
REPEATED = ("part", "shot", "ablations", "baselines", "committed", "extensions", "seeds", "episodes", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", required=True, metavar="FOLDER", help="training runs, kept and continued")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of training")
    add("--part", choices=("validation", "novel"), default="validation", help="sample classes to score")
    add("--shot", type=common.count, default=1, help="support videos per class")
    add("--episodes", type=common.count, default=2000, help="how many")
    add("--seed", type=int, default=0, help="of the list of episodes")
    add("--ablations", action="store_true", help="also train the head without each of its parts")
    add("--baselines", action="store_true", help="also train CLIP-FSAR and TRX, in the same loop")
    named = dict[str, Any](nargs="*", choices=list(EXTENSIONS), metavar="NAME")
    add("--extensions", **named, help="also train changes that are not the paper's: all of them, or these")
    add("--committed", action="store_true", help="train no head that this repository holds for seed 0")
    add("--reference", default="otam", help="the row that the table compares the others with")
    common.add_threads_option(parser)
    common.add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    variants = compared_variants(options)
    check_known("--reference", options.reference, [*TRAINING_FREE, *variants])
    for path in filter(None, (options.results, options.figure)):
        check_writable(path)
    store = FeatureStore(load_backbone("tiny"))
    common.start_computing(options, store)
    parts = map(sample_world, ("base", "validation", options.part))
    base, validation, scored = (store.encode_dataset(part, progress=True) for part in parts)
    checkpoints = train_variants(
        variants,
        base,
        validation,
        seeds=options.seeds,
        settings=replace(TRAINING_PRESETS["lite"], shot=options.shot),
        folder=options.out,
        description=dict(backbone=store.backbone_fingerprint, backbone_name="tiny", resize=store.resize),
        committed=COMMITTED if options.committed else None,
    )
    methods: dict[str, list[Any]] = {name: [method] for name, method in TRAINING_FREE.items()}
    methods |= {name: [load_model(path)[0] for path in paths] for name, paths in checkpoints.items()}
    results = compare(
        methods,
        scored,
        references=list(dict.fromkeys(("otam", FULL, options.reference))),
        shot=options.shot,
        episodes=options.episodes,
        seed=options.seed,
    )
    print(comparison_table(results, options.reference))
    provenance = {
        "format_version": 1,
        "command": common.command_line("compare", options, REPEATED),
        "commit": source_commit(),
        "part": options.part,
        "episodes": options.episodes,
        "training_seeds": options.seeds,
        "sha256": {
            "backbone": store.backbone_fingerprint,
            "clips": file_sha256(SAMPLES / "manifest.json"),
            "heads": {name: [file_sha256(path) for path in paths] for name, paths in checkpoints.items()},
        },
    }
    if options.results:
        write_json(options.results, provenance | results)
    if options.figure:
        from clipspm_lite.plots.ablations import comparison_panels  # drawing takes a while to import
        from clipspm_lite.plots.base import png

        replace_file(options.figure, png(comparison_panels(results)))
    return 0


def compared_variants(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The rows that are trained, as arguments of `build_head` beside ``dim``."""
    changed = {FULL: {}} | INDUCTIVE | (ABLATIONS if options.ablations else {})
    if options.extensions is not None:
        changed |= {name: EXTENSIONS[name] for name in options.extensions or EXTENSIONS}
    variants = {name: dict(preset="lite", **LITE_SIZES) | changes for name, changes in changed.items()}
    return variants | (TRAINED_BASELINES if options.baselines else {})
