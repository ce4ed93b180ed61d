"""The options that several commands share, and what these options open."""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch

from clipspm_lite.clip.backbone import load_backbone, public_name
from clipspm_lite.clip.checkpoints import DEFAULT_FRAMES, OpenedCheckpoint, head_name, open_checkpoint
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.benchmarks import BENCHMARKS, check_command, open_benchmark
from clipspm_lite.data.datasets import SAMPLES, open_folder, read_split, read_stages, sample_world
from clipspm_lite.data.decoding.video import VideoError
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.names import on_terminal, printable
from clipspm_lite.evaluation.published import PART
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.heads import HEADS
from clipspm_lite.model.presets import DATASET_SETTINGS
from clipspm_lite.model.sub_actions import STAGE_METHODS
from clipspm_lite.storage.files import CheckpointError, check_writable, replace_file, write_json
from clipspm_lite.threads import pick_device, use_one_thread

UNTRAINED: dict[str, Any] = TRAINING_FREE | STAGE_METHODS
METHODS = (*UNTRAINED, *HEADS)
HEAD = ("checkpoint", "head", "dataset_settings")
ENCODER = ("backbone", "weights", "frames", "device", "store")
DATA = ("data", "features", "split", "benchmark", "video_list", "skip_unreadable")
EPISODES = ("part", "way", "queries", "episodes", "seed")
# In a result file without folders.
PATHS = ("data", "features", "split", "stages", "video_list", "weights", "checkpoint")
OF_VIDEOS = ("data", "benchmark", *ENCODER[:3], "store", "lora", "finetune", "skip-unreadable", "stages")
NOT_BESIDE = {"features": OF_VIDEOS, "benchmark": ("split",), "recogniser": ("method",)}  # which would be ignored
NEEDS = {"head": ("checkpoint", "recogniser"), "dataset-settings": ("checkpoint",)}  # would be ignored without one
NEEDS |= {"lora-learning-rate": ("lora",), "lora-protect": ("lora",), "video-list": ("benchmark",)}
NEEDS |= {"gradient-checkpointing": ("finetune",), "no-flip": ("finetune",), "no-decode": ("benchmark",)}
NEEDS |= {"stride": ("window",), "fps": ("window",), "figure": ("window",)}
NOT_REPEATED = ("run", "out", "results", "figure", "device", "store", "threads")  # what a result file leaves out
DECLARED: dict[str, dict[str, Any]] = {
    "data": dict(metavar="FOLDER", help="a folder of classes (default: the sample clips)"),
    "features": dict(metavar="FILE", help="what EncodedDataset.save wrote, of any encoder, in place of --data"),
    "skip_unreadable": dict(action="store_true", help="go on without videos that cannot be read, and name them"),
    "split": dict(help="JSON file with the classes of each part; of the samples default, study_a or study_b"),
    "stages": dict(metavar="FILE", help="YAML: three sentences per class, for rows such as sub-actions"),
    "benchmark": dict(choices=list(BENCHMARKS), help="the folder is this benchmark's official download"),
    "video_list": dict(nargs="+", metavar="FILE", help="its published lists (Kinetics-100 and SSv2)"),
    "backbone": dict(help="tiny, an open_clip model, local-dir:FOLDER or hf-hub:NAME (default: the file's, or tiny)"),
    "weights": dict(help="an open_clip tag, a file, or random (not for tiny)"),
    "frames": dict(type=int, help="frames that stand for a video (default: as in --checkpoint, or 8)"),
    "device": dict(default="auto", help="where it runs (default: cuda, mps or cpu, the first that there is)"),
    "store": dict(metavar="FOLDER", help="feature store (default: your cache folder)"),
    "threads": dict(type=int, help="CPU threads (default: OMP_NUM_THREADS, or 1 for the tiny CLIP)"),
    "checkpoint": dict(metavar="FILE", help="of `train`, or released (default: the committed head)"),
    "head": dict(metavar="MODULE:CLASS", help="your own class, for a --checkpoint of such a head; it is imported"),
    "dataset_settings": dict(choices=list(DATASET_SETTINGS), help="of a released one (default: the --benchmark)"),
    "method": dict(choices=METHODS, help="default: the head in --checkpoint"),
    "part": dict(default=PART, help="base, validation or novel classes (default: %(default)s)"),
    "way": dict(type=int, default=5, help="classes per episode (default: %(default)s)"),
    "shot": dict(type=int, default=1, help="support videos per class (default: %(default)s)"),
    "queries": dict(type=int, default=1, help="query videos per class (default: %(default)s)"),
    "episodes": dict(type=int, default=2000, help="how many (default: %(default)s)"),
    "seed": dict(type=int, default=0, help="of the list of episodes (default: %(default)s)"),
    "inductive": dict(action="store_true", help="each query is an episode of its own"),
    "json": dict(action="store_true", help="end with one JSON object"),
    "results": dict(type=check_writable, metavar="FILE.json", help="write the numbers behind the table as JSON"),
    "figure": dict(type=check_writable, metavar="FILE.png", help="draw the table"),
}


def declare(parser: argparse.ArgumentParser, *names: str, **changes: dict[str, Any]) -> None:
    """Declare options of `DECLARED`, with ``changes`` to some of them."""
    for name in names:
        parser.add_argument(f"--{name.replace('_', '-')}", **DECLARED[name] | changes.get(name, {}))


def check_pairs(options: argparse.Namespace) -> None:
    """Refuse an option that would be ignored: beside another, or without one that the command has."""
    given = {name.replace("_", "-"): value is not None and value is not False for name, value in vars(options).items()}
    for name in filter(given.get, given):
        partners = [other for other in NEEDS.get(name, ()) if other in given]
        if partners and not any(map(given.get, partners)):
            raise ValueError(f"--{name}: expected with --{' or --'.join(partners)}, found alone")
        for other in filter(given.get, NOT_BESIDE.get(name, ())):
            raise ValueError(f"--{name}: expected without --{other}, found both")


def open_part(options: argparse.Namespace, part: str) -> Any:
    """One part of the data set that the data options name: a VideoDataset, or with --features an EncodedDataset."""
    check_pairs(options)
    dataset, stages = _open_part(options, part), getattr(options, "stages", None)
    return replace(dataset, stages=read_stages(stages, dataset.classes)) if stages else dataset


def _open_part(options: argparse.Namespace, part: str) -> Any:
    if options.benchmark is None:
        if options.data is None and options.features is None:
            return sample_world(part, options.split or "default")
        if options.split is None and part != PART:
            raise ValueError(f"--split: expected a JSON file with the {part} classes of the data, found none")
        classes = read_split(options.split, part) if options.split else None
        if options.features is None:
            return open_folder(options.data, classes)
        features = EncodedDataset.load(options.features)
        return features if classes is None else features.subset(classes)
    if options.data is None:
        raise ValueError(f"--data: expected the folder of the videos of {options.benchmark}, found none")
    dataset = open_benchmark(options.benchmark, options.data, part, options.video_list or ())
    found, published = len(dataset.paths), BENCHMARKS[options.benchmark].counts(part)
    if found not in published:
        command = check_command(options.benchmark, options.data, options.video_list or ())
        expected = f"published are {' or '.join(map(str, published))}"
        warn(f"{found} videos of {part} classes, {expected}; this says what is wrong: {command}")
    return dataset


def without_unreadable(
    options: argparse.Namespace, store: Any, *data: Any, warns: bool = True
) -> tuple[Any, list[str]]:
    """The data sets, and the names of the videos that --skip-unreadable leaves out; the store then has the others."""
    kept, left_out = list(data), list[str]()
    for place, videos in enumerate(data if options.skip_unreadable else ()):
        try:
            store.encode(videos.paths, progress=warns)
        except VideoError as error:
            kept[place] = videos.without(error.paths)
            left_out += [path.relative_to(videos.root).as_posix() for path in error.paths]
            if warns:
                warn(f"{len(error.paths)} of {len(videos.paths)} videos are left out: {on_terminal(error)}")
    return kept, left_out


def data_title(options: argparse.Namespace) -> str:
    """What is measured, without the folders of this machine."""
    if options.benchmark:
        return f"{BENCHMARKS[options.benchmark].title}, {options.part} classes"
    if given := options.data or options.features:
        part = f", {options.part} classes" if options.split else ""
        return f"the {'videos' if options.data else 'features'} in {printable(Path(given).resolve().name)}{part}"
    return f"the sample world, {options.split or 'default'} split, {options.part} classes"


def make_store(options: argparse.Namespace, like: FeatureStore | None = None, **how: Any) -> Any:
    """The feature store of the encoder options, and of ``like`` what they do not say; ``how`` is `load_backbone`'s."""
    if options.features:  # which need no encoder
        return None
    if like is None or options.backbone:
        how = {"weights": options.weights, "device": options.device} | how
        backbone = load_backbone(options.backbone or "tiny", **how)
    else:
        backbone = like.backbone
    default = like.frames if like else DEFAULT_FRAMES
    frames = default if options.frames is None else options.frames
    resize = backbone.benchmark_resize if options.benchmark else None
    return FeatureStore(backbone, options.store, frames=frames, resize=resize)


def open_head(options: argparse.Namespace, path: str | Path, data: Any = None) -> OpenedCheckpoint:
    """A trained head, to be asked about ``data``; the options add what its checkpoint lacks."""
    encoder = {name: getattr(options, name) for name in ENCODER}
    encoder["features"] = data if isinstance(data, EncodedDataset) else None
    own = None if head_name(path, options.head) in HEADS else own_class(options)
    return open_checkpoint(path, head=own, dataset=options.dataset_settings or options.benchmark, **encoder)


def own_class(options: argparse.Namespace) -> Any:
    """What --head names; this imports its module, which may lie in the current folder."""
    sys.path.append("")  # the installed command does not look there by itself
    try:
        return resolve_name(options.head) if options.head else None
    except (AttributeError, ImportError, ValueError) as error:
        raise ValueError(f"--head: {error}") from error


def open_method(options: argparse.Namespace, default: Path, data: Any = None) -> tuple[str, Any, FeatureStore]:
    """The name of --method or of the head in --checkpoint, the method, and what encodes ``data`` for it."""
    if options.method in UNTRAINED and options.checkpoint is None:
        return options.method, UNTRAINED[options.method], make_store(options)
    path = options.checkpoint or default
    found = head_name(path, options.head)
    if options.method not in (None, found):
        raise ValueError(f"--checkpoint: expected a head of {options.method}, found one of {found}: {path}")
    try:
        opened = open_head(options, path, data)
    except CheckpointError as error:
        if options.checkpoint is not None:
            raise
        others = "--choose, --method otam" if hasattr(options, "choose") else "--method otam"
        advice = f"give {others}, or a --checkpoint for it, such as `train --preset recommended` makes"
        raise CheckpointError(f"{error}; this head is only the default: {advice}") from None
    return found, opened.head, opened.store


def start_computing(options: argparse.Namespace, *stores: Any, videos: Iterable[str | None] = ()) -> None:
    """Set the number of threads, and warn where the tiny CLIP is to see other ``videos`` than the samples."""
    options.device = str(pick_device(options.device))  # "auto" is resolved, for what is printed and written
    tiny = [store.backbone.name == "tiny" for store in stores if store is not None]
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    elif tiny and all(tiny) and options.device == "cpu":
        use_one_thread()
    if any(tiny) and any(SAMPLES not in Path(path).resolve().parents for path in videos if path):
        warn("the tiny CLIP was trained on drawn figures only; for filmed videos give --backbone and --weights")


def provenance(command: str, options: argparse.Namespace) -> dict[str, str]:
    """The command that makes results again, with the names of files in place of their paths, and the code's commit."""
    words = ["python", "-m", "clipspm_lite", command]
    for name, value in vars(options).items():
        if name not in NOT_REPEATED and value is not None and value is not False:
            values = value if isinstance(value, list) else [] if value is True else [value]
            shown = [Path(v).name if name in PATHS else public_name(str(v)) for v in values]
            words += [f"--{name.replace('_', '-')}", *shown]
    return {"command": shlex.join(words), "commit": source_commit()}


def source_commit(package: Path = Path(__file__).parents[1]) -> str:
    """The commit of the clone with this package at its root, with a + if files changed since; else "unknown"."""
    git = ["git", f"--git-dir={package.parent / '.git'}", f"--work-tree={package.parent}"]
    command = [*git, "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip()
    except (OSError, ValueError, subprocess.CalledProcessError):
        return "unknown"


def write_out(options: argparse.Namespace, results: Any, drawn: str) -> None:
    """Write what --results and --figure ask for, if they are options; ``drawn`` names the drawing function of plots."""
    if getattr(options, "results", None):
        write_json(options.results, results)
    if options.figure:  # drawing takes a second to import
        figure, png = (resolve_name(f"clipspm_lite.plots.{name}") for name in (drawn, "base:png"))
        replace_file(options.figure, png(figure(results)))


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def print_json(values: dict[str, Any]) -> None:
    """The last line of --json."""
    print(json.dumps(values, allow_nan=False), flush=True)
