"""The options that several commands share, and what these options open."""

import argparse
import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from clipspm_lite.clip.backbone import Backbone, load_backbone, public_name
from clipspm_lite.clip.checkpoints import OpenedCheckpoint, checkpoint_kind, head_name, open_checkpoint
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.benchmarks import BENCHMARKS, open_benchmark
from clipspm_lite.data.datasets import SAMPLES, VideoDataset, open_folder, read_split, sample_world
from clipspm_lite.data.names import printable
from clipspm_lite.evaluation.published import BENCHMARK_RESIZE, PART
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.heads import HEADS
from clipspm_lite.model.presets import DATASET_SETTINGS
from clipspm_lite.threads import use_one_thread

METHODS = (*TRAINING_FREE, *HEADS)
PATHS = ("data", "split", "video_list", "weights", "checkpoint")  # options that hold files
ENCODER = ("backbone", "weights", "frames", "device", "store")
TINY_WARNING = (
    "warning: the tiny CLIP has seen only this project's generated figures. On filmed videos expect little "
    "more than chance; for a real answer give --backbone and --weights of a real CLIP."
)


def count(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)


def device_name(text: str) -> str:
    """A device that torch has here."""
    here = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    here += ["mps"] * torch.backends.mps.is_available()
    if text not in here and f"{text}:0" not in here:
        raise argparse.ArgumentTypeError(f"this machine has {', '.join(here)}, found {text!r}")
    return text


def add_data_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", metavar="FOLDER", help="a folder of classes (default: the sample clips)")
    add("--split", help="JSON file with the classes of each part; of the samples default, study_a or study_b")
    add_benchmark_options(parser)


def add_benchmark_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--benchmark", choices=list(BENCHMARKS), help="the folder is this benchmark's official download")
    add("--video-list", nargs="+", metavar="FILE", help="its published lists (Kinetics-100 and SSv2)")


def add_encoder_options(parser: argparse.ArgumentParser, otherwise: str = "as in --checkpoint, or ") -> None:
    add = parser.add_argument
    add("--backbone", help=f'"tiny", or an open_clip architecture (default: {otherwise}tiny)')
    add("--weights", help="an open_clip tag, a file, or random (not for tiny)")
    add("--frames", type=count, help=f"frames that stand for a video (default: {otherwise}8)")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    add("--device", type=device_name, default=default, help="where it runs")
    add("--store", metavar="FOLDER", help="feature store (default: your cache folder)")
    add_threads_option(parser)


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    default = "OMP_NUM_THREADS, or 1 for the tiny CLIP"
    parser.add_argument("--threads", type=count, help=f"CPU threads that compute (default: {default})")


def add_checkpoint_options(parser: argparse.ArgumentParser, default: str, nargs: str | None = None) -> None:
    add = parser.add_argument
    add("--checkpoint", metavar="FILE", nargs=nargs, help=f"of `train`, or released (default: {default})")
    trained_on = "what a released checkpoint was trained on (default: the --benchmark)"
    add("--dataset-settings", choices=list(DATASET_SETTINGS), help=trained_on)


def add_episode_options(parser: argparse.ArgumentParser, episodes: int) -> None:
    add = parser.add_argument
    add("--part", default=PART, help="which classes of the split: base, validation or novel")
    add("--way", type=count, default=5, help="classes per episode")
    add("--queries", type=count, default=1, help="query videos per class")
    add("--episodes", type=count, default=episodes, help="how many")
    add("--seed", type=int, default=0, help="of the list of episodes")
    add("--inductive", action="store_true", help="score each query as an episode of its own")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", metavar="FILE.json", help="write the numbers behind the table as JSON")
    parser.add_argument("--figure", metavar="FILE.png", help="draw the table")


def open_part(options: argparse.Namespace, part: str) -> VideoDataset:
    """The videos of one part of the data set that the data options name."""
    if options.benchmark is None:
        if options.data is None:
            return sample_world(part, options.split or "default")
        if options.split is None and part != PART:
            raise ValueError(f"--split: expected a JSON file with the {part} classes of --data, found none")
        return open_folder(options.data, read_split(options.split, part) if options.split else None)
    if options.data is None:
        raise ValueError(f"--benchmark {options.benchmark} needs --data, the folder of its videos")
    dataset = open_benchmark(options.benchmark, options.data, part, options.video_list or ())
    found, published = len(dataset.paths), BENCHMARKS[options.benchmark].videos[part]
    if found != published:
        print(
            f"warning: {found} videos of {options.benchmark} {part}, published are {published}: results are not "
            f"comparable. `check {options.data} --benchmark {options.benchmark}` says what is wrong.",
            file=sys.stderr,
        )
    return dataset


def data_title(options: argparse.Namespace) -> str:
    """What is measured, without the folders of this machine."""
    if options.benchmark:
        return f"{BENCHMARKS[options.benchmark].title}, {options.part} classes"
    if options.data:
        part = f", {options.part} classes" if options.split else ""
        return f"the videos in {printable(Path(options.data).resolve().name)}{part}"
    return f"the sample world, {options.split or 'default'} split, {options.part} classes"


def make_store(options: argparse.Namespace, backbone: Backbone | None = None, frames: int = 8) -> FeatureStore:
    """The feature store of the encoder options; ``backbone`` and ``frames`` are for what they do not say."""
    if backbone is None or options.backbone:
        backbone = load_backbone(options.backbone or "tiny", weights=options.weights, device=options.device)
    resize = benchmark_resize(options, backbone)
    return FeatureStore(backbone, options.store, frames=options.frames or frames, resize=resize)


def benchmark_resize(options: argparse.Namespace, backbone: Backbone) -> int | None:
    """A benchmark's shorter side: 256 pixels for an encoder of 224, and in proportion for others (SPEC section 4)."""
    is_benchmark = getattr(options, "benchmark", None) is not None
    return round(backbone.image_size * BENCHMARK_RESIZE / 224) if is_benchmark else None


def open_head(options: argparse.Namespace, path: str | Path) -> OpenedCheckpoint:
    """A trained head; the encoder options add what its checkpoint lacks."""
    dataset = options.dataset_settings
    if checkpoint_kind(path) == "released":
        dataset = dataset or getattr(options, "benchmark", None)
        if dataset is None or options.weights is None:
            raise ValueError(
                "--dataset-settings and --weights: a checkpoint of the released code needs the data set that it was "
                f"trained on, and the CLIP that it started from (openai, or a file) for its text encoder: {path}"
            )
    encoder = {name: getattr(options, name) for name in ENCODER}
    return open_checkpoint(path, dataset=dataset, **encoder)


def open_method(options: argparse.Namespace, default: Path) -> tuple[str, Any, FeatureStore]:
    """The name of --method or of the head in --checkpoint, the method, and what encodes videos for it."""
    if options.method in TRAINING_FREE:
        return options.method, TRAINING_FREE[options.method], make_store(options)
    path = options.checkpoint or default
    found = head_name(path)
    if options.method not in (None, found):
        raise ValueError(f"--checkpoint: expected a head of {options.method}, found one of {found}: {path}")
    opened = open_head(options, path)
    return found, opened.head, opened.store


def start_computing(options: argparse.Namespace, *stores: FeatureStore) -> None:
    """Set the number of threads, and warn where the tiny CLIP is to see other videos than the samples."""
    tiny = [store.backbone.name == "tiny" for store in stores]
    if options.threads:
        torch.set_num_threads(options.threads)
    elif all(tiny):
        use_one_thread()
    given = [getattr(options, name, None) for name in ("data", "support")] + getattr(options, "videos", [])
    if any(tiny) and any(SAMPLES not in Path(path).resolve().parents for path in given if path):
        print(TINY_WARNING, file=sys.stderr)


def command_line(command: str, options: argparse.Namespace, names: Iterable[str]) -> str:
    """The command that makes these results again, with the names of files in place of their paths."""
    words = ["python", "-m", "clipspm_lite", command]
    for name in names:
        value = getattr(options, name)
        if value is not None and value is not False:
            values = value if isinstance(value, list) else [] if value is True else [value]
            shown = [Path(v).name if name in PATHS else public_name(str(v)) for v in values]
            words += [f"--{name.replace('_', '-')}", *shown]
    return shlex.join(words)


def print_json(values: dict[str, Any]) -> None:
    """The last line of --json."""
    print(json.dumps(values, allow_nan=False), flush=True)
