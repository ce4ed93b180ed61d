"""The command `compare`: trained variants and baselines on the same episodes of the sample world."""

import argparse
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from clipspm_lite.arguments import whole_number
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL, LITE_MODEL, RECOMMENDED_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.commands import options as common
from clipspm_lite.data.datasets import SAMPLES, nested_classes
from clipspm_lite.evaluation.comparison import choose_weights, compare
from clipspm_lite.evaluation.results import RESULTS_VERSION, comparison_table, interval_table
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.presets import LITE_SIZES
from clipspm_lite.model.variants import ABLATIONS, EXTENSIONS, FULL, INDUCTIVE, TRAINED_BASELINES
from clipspm_lite.storage.files import file_sha256
from clipspm_lite.training import TRAINING_PRESETS, TrainingSettings, check_run, train_variants

CHOSEN = ", chosen on the scored classes"
COMMITTED = {FULL: LITE_MODEL, "recommended": RECOMMENDED_MODEL, **dict.fromkeys(INDUCTIVE, LITE_INDUCTIVE_MODEL)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", required=True, metavar="FOLDER", help="training runs, kept and continued")
    add("--part", choices=("validation", "novel"), default="validation", help="scored (default: %(default)s)")
    add("--ablations", action="store_true", help="also train the head without each of its parts")
    add("--baselines", action="store_true", help="also train CLIP-FSAR and TRX, in the same loop")
    add("--extensions", nargs="*", choices=list(EXTENSIONS), metavar="NAME", help="also these of our changes, or all")
    add("--committed", action="store_true", help="train no head that this repository holds for seed 0")
    add("--base-classes", type=int, nargs="+", metavar="N", help="also train with so few base classes")
    add("--choose-on-scored", action="store_true", help="also let the scored classes choose the step, as one must not")
    add("--validate-every", type=int, default=TRAINING_PRESETS["lite"].validate_every, help="steps; one is chosen")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of training (default: %(default)s)")
    common.declare(parser, "features", "split", "stages", "shot", "episodes", "seed", "device", "threads")
    common.declare(parser, "results", "figure")
    parser.set_defaults(data=None, benchmark=None)  # which the shared options ask for


def run(options: argparse.Namespace) -> int:
    store = None if options.features else FeatureStore(load_backbone("tiny", device=options.device))
    common.start_computing(options, store)
    data = [common.open_part(options, part) for part in ("base", "validation", options.part)]
    options.seeds = [*dict.fromkeys(options.seeds)]
    settings = replace(TRAINING_PRESETS["lite"], shot=options.shot, validate_every=options.validate_every)
    most = len(data[0].classes)
    check_run(data[0], data[1], replace(settings, way=min(settings.way, most)))  # before any video is encoded
    for count in options.base_classes or ():
        whole_number("--base-classes", count, 2, most - 1)
    base, validation, scored = (store.encode_dataset(part, progress=True) if store else part for part in data)
    of_tiny = store and dict(backbone=base.encoder, backbone_name="tiny", resize=store.resize)
    checkpoints = train_rows(options, settings, (base, validation, scored), of_tiny or {"encoder": base.encoder})
    methods: dict[str, list[Any]] = {name: [method] for name, method in TRAINING_FREE.items()}
    methods |= {name: [load_model(path)[0] for path in paths] for name, paths in checkpoints.items()}
    listed = {name: getattr(options, name) for name in ("shot", "episodes", "seed", "device")}
    other = listed | {"seed": options.seed + 1}  # episodes than those that are scored
    chosen = {} if scored.stage_text is None else choose_weights(validation, **other)
    methods |= {name: [method] for name, method in chosen.items()}
    brief = bool(options.base_classes) or options.choose_on_scored
    results = compare(methods, scored, references=["otam", FULL], brief=brief, **listed)
    print(comparison_table(results, "otam"))
    print("\n%, with 95 % intervals over training seeds and classes:\n" + interval_table(results))
    hashes = {
        "backbone": base.encoder,
        "clips" if store else "features": file_sha256(options.features or SAMPLES / "manifest.json"),
        "heads": {name: [file_sha256(path) for path in paths] for name, paths in checkpoints.items()},
    }
    about = {"format_version": RESULTS_VERSION, **common.provenance("compare", options), "part": options.part}
    about |= {"episodes": options.episodes, "training_seeds": options.seeds, "sha256": hashes}
    about |= {"chosen_weights": {name: vars(method) for name, method in chosen.items()}}
    about |= {"base_classes": sorted({*(options.base_classes or ()), len(base.classes)})}
    drawn = "base_class_curves" if options.base_classes else "comparison_panels"
    common.write_out(options, about | results, f"ablations:{drawn}")
    return 0


def train_rows(options: argparse.Namespace, settings: TrainingSettings, encoded: Any, about: Any) -> dict[str, Any]:
    """Of every row its checkpoints, one per training seed, which keep what is said ``about`` the features."""
    base, validation, scored = encoded
    runs: list[Any] = [("", options.seeds, base, validation)]
    runs += [(CHOSEN, options.seeds, base, scored)] if options.choose_on_scored else []
    for count, seed in product(sorted({*(options.base_classes or ())}), options.seeds):
        few = base.subset(nested_classes(base.classes, seed)[:count])
        runs.append((f", {count} base classes", [seed], few, validation))
    checkpoints = dict[str, list[Path]]()
    for title, seeds, data, choosing in runs:
        how: dict[str, Any] = dict(seeds=seeds, description=about, device=options.device)
        how |= dict(settings=replace(settings, way=min(settings.way, len(data.classes))))
        how |= dict(folder=Path(options.out) / title.strip(", ").replace(" ", "-"))
        how |= dict(committed=COMMITTED if options.committed and not title else None)
        for name, paths in train_variants(compared_variants(options), data, choosing, **how).items():
            checkpoints.setdefault(name + title, []).extend(paths)
    return checkpoints


def compared_variants(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The rows that are trained, as arguments of `build_head` beside ``dim``."""
    changed = {FULL: {}} | INDUCTIVE | (ABLATIONS if options.ablations else {})
    if options.extensions is not None:
        changed |= {name: EXTENSIONS[name] for name in options.extensions or EXTENSIONS}
    variants = {name: dict(preset="lite", **LITE_SIZES) | changes for name, changes in changed.items()}
    return variants | (TRAINED_BASELINES if options.baselines else {})
