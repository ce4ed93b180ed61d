"""The commands: python -m clipspm_lite start | train | evaluate | table | compare | predict | check."""

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities import rank_zero_only
from tqdm.auto import tqdm

from clipspm_lite.clip.backbone import Backbone, load_backbone, public_name
from clipspm_lite.clip.checkpoints import (
    DEFAULT_FRAMES,
    LITE_INDUCTIVE_MODEL,
    LITE_MODEL,
    OpenedCheckpoint,
    checkpoint_kind,
    head_name,
    load_model,
    open_checkpoint,
)
from clipspm_lite.clip.feature_store import MOST_FRAMES, FeatureStore
from clipspm_lite.commands.options import (
    OneLineParser,
    check_not_empty,
    count,
    device_name,
    number_from,
    positive_number,
    seed_number,
)
from clipspm_lite.data.benchmarks import BENCHMARKS, open_benchmark
from clipspm_lite.data.datasets import SAMPLES, VideoDataset, open_folder, read_split, sample_world
from clipspm_lite.data.decoding.video import VideoError
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.data.inspection import check_benchmark, check_folder
from clipspm_lite.data.names import on_one_line, on_terminal, printable, readable
from clipspm_lite.evaluation.benchmark_table import Entry, episodes_at_once, markdown, measure, write_results
from clipspm_lite.evaluation.comparison import compare
from clipspm_lite.evaluation.published import PART, QUERIES, SHOTS, WAY
from clipspm_lite.evaluation.results import table
from clipspm_lite.evaluation.scoring import Method, evaluate
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.heads import HEADS, Head, build_head, describe_head
from clipspm_lite.model.presets import DATASET_SETTINGS, LITE_SIZES, PRESETS
from clipspm_lite.model.trx import TRX
from clipspm_lite.model.variants import ABLATIONS, EXTENSIONS, FULL, INDUCTIVE, TRAINED_BASELINES
from clipspm_lite.recognition.leave_one_out import LeaveOneOut, leave_one_out
from clipspm_lite.recognition.loading import load
from clipspm_lite.recognition.recogniser import Recogniser, encode_support
from clipspm_lite.storage.files import check_writable, file_sha256, replace_file
from clipspm_lite.training.loop import (
    PRECISIONS,
    TRAINING_PRESETS,
    TrainingSettings,
    check_engine,
    check_run,
    plan,
    preset_settings,
    train,
)
from clipspm_lite.training.sources import FineTuning

CLIP_SPM = "clip-spm"
SCORED = (*TRAINING_FREE, *HEADS)
TRAINED = (CLIP_SPM, *TRAINED_BASELINES)
CHOICES = ("zero-shot", "otam")  # what --choose compares with the head, the simplest first


TINY_WARNING = (
    "warning: the tiny CLIP has seen only this project's generated figures. On filmed videos expect little "
    "more than chance; for a real answer give --backbone and --weights of a real CLIP."
)

FINETUNING_FLAGS = {
    "gradient-checkpointing": "compute activations twice instead of keeping them: far less memory",
    "no-augment": "no random frames, crops and flips",
    "no-flip": "mirror no video, because a class depends on the side (SSv2 and the samples: never mirrored)",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; an error that a user can mend is one message on stderr and exit status 1, or 2 if an option is
    no value of its kind."""
    options = build_parser().parse_args(arguments)
    try:
        check_not_empty(options)
        return options.run(options)
    except (ValueError, OSError, RuntimeError) as error:
        # Only of several videos there is more to say than a line: one for each.
        shown = on_terminal(error) if isinstance(error, VideoError) else on_one_line(error)
        print(f"error: {shown}", file=sys.stderr)
        return 1


# What `predict` takes where no --recogniser brings its own.
PREDICT_DEFAULTS: dict[str, Any] = dict(
    backbone="tiny", frames=None, method=None, checkpoint=LITE_INDUCTIVE_MODEL
)


class HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Says an option's default, where it is more than "nothing" or a path inside the package."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or isinstance(action.default, Path):
            return action.help
        return super()._get_help_string(action)


def build_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="python -m clipspm_lite", description="Few-shot action recognition with CLIP-SPM."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help, formatter_class=HelpWithDefaults)
        sub.set_defaults(run=run)
        return sub

    sub = command("start", run_start, "Run notebook 00: the trained model on clips of actions it never saw.")
    sub.add_argument("--out", default="out", metavar="FOLDER", help="where the notebook goes as a page")

    sub = command(
        "train",
        run_train,
        "Train CLIP-SPM, or another head in the same loop, on the base classes, choosing on the validation classes.",
    )
    sub.epilog = (
        "With --benchmark the presets paper and released take the sizes and numbers that the authors' code has for it "
        "(SPEC sections 2 and 4). Every option that is given overrides its preset."
    )
    sub.add_argument("--out", required=True, metavar="FOLDER", help="gets best.safetensors, last.safetensors")
    sub.add_argument("--resume", action="store_true", help="continue the run in --out")
    add_data_options(sub)
    add_backbone_options(sub)
    sub.add_argument("--model", choices=TRAINED, default=CLIP_SPM, help="the head that is trained")
    sub.add_argument("--preset", choices=list(PRESETS), default="lite", help="conventions and learning rate")
    sub.add_argument("--way", type=count, default=5, help="classes an episode")
    sub.add_argument("--shot", type=count, default=1, help="support videos a class")
    sub.add_argument(
        "--inductive",
        action="store_true",
        help=f"with --model {CLIP_SPM}: train on each query as an episode of its own",
    )
    sub.add_argument("--steps", type=count, help="optimizer steps (default: the preset's number of episodes)")
    sub.add_argument(
        "--episodes-per-step", type=count, help="whose gradients make a step (default: the preset's)"
    )
    sub.add_argument("--learning-rate", type=positive_number, help="of the optimizer (default: the preset's)")
    sub.add_argument("--patience", type=count, help="stop after so many validations without a better one")
    sub.add_argument(
        "--seed", type=seed_number, help="of weights, episodes, frames and dropout (default: the preset's)"
    )
    sub.add_argument("--finetune", action="store_true", help="from videos, and the visual encoder too")
    for option, meaning in FINETUNING_FLAGS.items():
        sub.add_argument(f"--{option}", action="store_true", help=f"with --finetune: {meaning}")
    sub.add_argument(
        "--precision", choices=PRECISIONS, default="32-true", help="with --finetune: the encoder's"
    )
    sub.add_argument("--devices", type=count, default=1, help="processes on each machine, one a GPU")
    sub.add_argument("--nodes", type=count, default=1, help="machines (see clipspm_lite/SCALING.md)")
    sub.add_argument(
        "--dry-run",
        action="store_true",
        help="train on a few episodes, say what time and memory the run will take, and write nothing",
    )
    sub.add_argument("--json", action="store_true", help="end with one JSON object")

    sub = command("evaluate", run_evaluate, "Score a method on listed few-shot episodes.")
    sub.add_argument("--method", choices=SCORED, help="what is scored (default: the head in --checkpoint)")
    add_data_options(sub)
    sub.add_argument("--part", default=PART, help="which classes of the split: base, validation or novel")
    add_backbone_options(sub)
    add_checkpoint_option(sub, LITE_MODEL)
    add_released_option(sub)
    sub.add_argument("--way", type=count, default=5, help="classes an episode")
    sub.add_argument("--shot", type=count, default=1, help="support videos a class")
    sub.add_argument("--queries", type=count, default=1, help="query videos a class")
    sub.add_argument("--episodes", type=count, default=2000, help="how many")
    sub.add_argument("--seed", type=seed_number, default=0, help="of the list of episodes")
    sub.add_argument("--inductive", action="store_true", help="score each query as an episode of its own")
    sub.add_argument("--json", action="store_true", help="end with one JSON object")

    sub = command(
        "table",
        run_table,
        "Score methods at several shots on the paper's 10,000 episodes, beside the numbers that papers report.",
    )
    sub.add_argument(
        "--methods",
        nargs="+",
        choices=SCORED,
        help="what is scored; the others' differences are taken to the first (default: zero-shot, otam and the heads "
        "in --checkpoint)",
    )
    sub.add_argument(
        "--shots",
        type=count,
        nargs="+",
        default=list(SHOTS),
        help="support videos a class, each a row of its own",
    )
    add_data_options(sub)
    sub.add_argument("--part", default=PART, help="which classes of the split: base, validation or novel")
    add_backbone_options(sub)
    sub.add_argument(
        "--checkpoint",
        nargs="+",
        metavar="FILE",
        help="heads: of each method one a shot, in the order of --shots, or one for all (default for tiny: "
        "lite.safetensors)",
    )
    add_released_option(sub)
    sub.add_argument("--way", type=count, default=WAY, help="classes an episode")
    sub.add_argument("--queries", type=count, default=QUERIES, help="query videos a class")
    sub.add_argument("--episodes", type=count, default=10_000, help="how many")
    sub.add_argument("--seed", type=seed_number, default=0, help="of the list of episodes")
    sub.add_argument("--inductive", action="store_true", help="score each query as an episode of its own")
    sub.add_argument("--results", metavar="FILE.json", help="write everything behind the table as JSON")
    sub.add_argument("--figure", metavar="FILE.png", help="draw the table")
    sub.epilog = (
        "A head is trained for the shot it is tested at. A checkpoint of the authors' released code brings its "
        "own visual encoder; its text encoder comes from --weights."
    )

    sub = command(
        "compare",
        run_compare,
        "Train CLIP-SPM with several seeds; score it and the baselines on the same episodes.",
    )
    sub.add_argument("--out", required=True, metavar="FOLDER", help="training runs, kept and continued")
    sub.add_argument("--seeds", type=seed_number, nargs="+", default=[0, 1, 2], help="of training")
    sub.add_argument(
        "--part", choices=("validation", "novel"), default="validation", help="sample classes to score"
    )
    sub.add_argument("--shot", type=count, default=1, help="support videos a class")
    sub.add_argument("--episodes", type=count, default=2000, help="how many")
    sub.add_argument("--seed", type=seed_number, default=0, help="of the list of episodes")
    sub.add_argument("--ablations", action="store_true", help="also train the head without each of its parts")
    sub.add_argument(
        "--baselines", action="store_true", help="also train CLIP-FSAR and TRX, in the same loop"
    )
    sub.add_argument(
        "--extensions",
        nargs="*",
        choices=list(EXTENSIONS),
        metavar="NAME",
        help="also train changes that are not the paper's: all of them, or these",
    )
    sub.add_argument(
        "--committed",
        action="store_true",
        help="take the heads that this repository holds for training seed 0 instead of training them",
    )
    sub.add_argument("--reference", default="otam", help="the row that others are compared with in the table")
    sub.add_argument("--results", metavar="FILE", help="write the counts behind the table as JSON")
    sub.add_argument("--figure", metavar="FILE.png", help="draw the table")

    sub = command("predict", run_predict, "Name the action in videos, from a folder ACTION/clip.mp4.")
    sub.add_argument("videos", nargs="*", metavar="VIDEO", help="videos to name")
    known = sub.add_mutually_exclusive_group(required=True)
    known.add_argument("--support", metavar="FOLDER", help="a folder with one folder an action")
    known.add_argument("--recogniser", metavar="FILE", help="what --save wrote, in place of --support")
    sub.add_argument("--save", metavar="FILE", help="keep the recogniser: features and settings, no video")
    sub.add_argument("--method", choices=SCORED, help="what answers (default: the head in --checkpoint)")
    sub.add_argument(
        "--choose",
        action="store_true",
        help=f"leave each clip out in turn and take the best of {', '.join(CHOICES)} and {CLIP_SPM}",
    )
    add_backbone_options(sub)
    add_checkpoint_option(sub, LITE_INDUCTIVE_MODEL)
    add_released_option(sub)
    sub.add_argument("--json", action="store_true", help="end with one JSON object")
    sub.set_defaults(**dict.fromkeys(PREDICT_DEFAULTS))  # None, to see what was given
    sub.epilog = (
        "With --support the default is --backbone tiny; --recogniser FILE has its own, "
        "and needs --weights again where they came from a file."
    )

    sub = command("check", run_check, "Read every video of a data set and list what cannot be used.")
    sub.add_argument(
        "folder", metavar="FOLDER", help="a folder with one folder a class, or a benchmark's download"
    )
    sub.add_argument("--minimum", type=count, help="videos a class needs: shots + queries (default: 2)")
    add_benchmark_options(sub)
    sub.add_argument("--no-decode", action="store_true", help="with --benchmark: only count, read no video")
    return parser


def add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="FOLDER", help="a folder of classes (default: the sample clips)")
    parser.add_argument(
        "--split",
        help="which classes: with --data a JSON file that lists the class names of each part, "
        "without it default, study_a or study_b",
    )
    add_benchmark_options(parser)


def add_benchmark_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--benchmark", choices=list(BENCHMARKS), help="the folder is this benchmark's official download"
    )
    parser.add_argument(
        "--video-list",
        nargs="+",
        default=[],
        metavar="FILE",
        help="the published lists, one class/video a line (kinetics100, ssv2_full, ssv2_small)",
    )


def add_backbone_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backbone", default="tiny", help='"tiny", or an open_clip architecture')
    parser.add_argument("--weights", help="an open_clip tag, a file, or random (not for tiny)")
    parser.add_argument(
        "--frames",
        type=number_from(1, MOST_FRAMES),
        help="frames that stand for a video (default: what a checkpoint was trained with, otherwise 8)",
    )
    parser.add_argument(
        "--device",
        type=device_name,
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="where it runs",
    )
    parser.add_argument("--store", metavar="FOLDER", help="feature store (default: your cache folder)")


def add_checkpoint_option(parser: argparse.ArgumentParser, default: Path) -> None:
    parser.add_argument("--checkpoint", metavar="FILE", help=f"trained by `train` (default: {default.name})")


def add_released_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset-settings",
        choices=list(DATASET_SETTINGS),
        help="of a checkpoint of the released code: which data set it was trained on (default: the --benchmark)",
    )


def check_data_options(options: argparse.Namespace) -> None:
    if options.video_list and options.benchmark is None:
        raise ValueError("--video-list: name its benchmark with --benchmark")
    if options.benchmark is not None and options.data is None:
        raise ValueError(f"--benchmark {options.benchmark} needs --data, the folder of its videos")
    if options.benchmark is not None and options.split is not None:
        raise ValueError(
            f"--split: {options.benchmark} has its own published split; leave one of the two out"
        )


def open_part(options: argparse.Namespace, part: str) -> VideoDataset:
    check_data_options(options)
    if options.data is not None and options.split is None and options.benchmark is None and part != PART:
        raise ValueError(
            f"--part {part}: --data alone has no parts, all its classes are taken; give --split FILE.json, which says "
            "what the classes of each part are, or leave --part out"
        )
    if options.benchmark is not None:
        dataset = open_benchmark(options.benchmark, options.data, part, options.video_list)
        published = BENCHMARKS[options.benchmark].videos[part]
        if len(dataset.paths) != published:
            print(
                f"warning: {len(dataset.paths)} videos of {options.benchmark} {part}, published are {published}: "
                f"results are not comparable with others'. `check {options.data} --benchmark {options.benchmark}` "
                "says what is wrong.",
                file=sys.stderr,
            )
        return dataset
    if options.data is None:
        return sample_world(part, options.split or "default")
    return open_folder(options.data, read_split(options.split, part) if options.split else None)


def warn_of_tiny(backbone: str, own_videos: bool) -> None:
    if own_videos and backbone == "tiny":
        print(TINY_WARNING, file=sys.stderr)


def open_store(options: argparse.Namespace, own_videos: bool) -> FeatureStore:
    warn_of_tiny(options.backbone, own_videos)
    backbone = load_backbone(options.backbone, weights=options.weights, device=options.device)
    return FeatureStore(backbone, options.store, frames=options.frames or DEFAULT_FRAMES)


def open_head(
    path: str | Path, options: argparse.Namespace, backbone: Backbone | None = None
) -> OpenedCheckpoint:
    """A head and what makes its features: with the backbone asked for, or its own where the file holds one."""
    given: dict[str, Any] = dict(frames=options.frames, device=options.device, store=options.store)
    if (kind := checkpoint_kind(path)) == "released":
        if options.weights is None:
            raise ValueError(
                f"--weights: needed for the text encoder, an open_clip tag (openai) or a file: {path}"
            )
        given["dataset"] = options.dataset_settings or getattr(options, "benchmark", None)
    if backbone is not None and kind == "head":
        given["backbone"] = backbone
    else:
        given |= dict(backbone=options.backbone if kind == "head" else None, weights=options.weights)
    opened = open_checkpoint(path, **given)
    if isinstance(opened.head, TRX):
        opened.head.check_frames(opened.store.frames)
    return opened


def check_head_options(options: argparse.Namespace) -> None:
    """Refuse what only a head has, where another method is asked for."""
    for name in ("checkpoint", "dataset_settings"):
        if options.method in TRAINING_FREE and getattr(options, name, None) is not None:
            raise ValueError(
                f"--{name.replace('_', '-')}: only a trained head has one; leave it out, or --method {options.method}"
            )


def run_train(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    options.frames = options.frames or DEFAULT_FRAMES
    check_data_options(options)
    if options.data is not None and options.split is None and options.benchmark is None:
        raise ValueError(
            "--split: your own --data needs a JSON file with the classes of base, validation and novel "
            "(a benchmark needs --benchmark instead)"
        )
    if options.inductive and options.model != CLIP_SPM:
        raise ValueError(
            f"--inductive: only {CLIP_SPM} ever sees several queries at once, {options.model} never does; leave it out"
        )
    check_finetuning_options(options)
    settings = resolve_settings(options)
    engine: dict[str, Any] = dict(
        device=options.device, devices=options.devices, nodes=options.nodes, precision=options.precision
    )
    check_engine(settings, options.finetune, **engine)
    videos = [open_part(options, part) for part in ("base", "validation")]
    check_run(videos[0], videos[1], settings, options.out, resume=options.resume)

    finetuning, store, description = None, None, {}
    data: list[VideoDataset] | list[EncodedDataset] = videos
    if options.finetune:
        finetuning = open_finetuning(options)
        dim = finetuning.backbone.dim
    else:
        store = open_store(options, own_videos=options.data is not None)
        dim = store.backbone.dim
        description = {
            "backbone": store.backbone_fingerprint,
            "backbone_name": options.backbone,
            "frames": store.frames,
            "resize": store.resize,
        }
    torch.manual_seed(settings.seed)
    config = head_config(options)
    model = build_head({"dim": dim, **config})
    if isinstance(model, TRX):
        model.check_frames(options.frames)
    if isinstance(model, CLIPSPM) and options.frames < 2:
        raise ValueError(
            "--frames: motion is what changes between frames, so training needs at least 2, found 1"
        )
    if is_first_process():
        print_resolved(options, settings, config, finetuning)
    if store is not None and options.dry_run:
        data = [stand_in(store, part) for part in videos]
    elif store is not None:
        data = [store.encode_dataset(part, progress=True) for part in videos]
    if options.dry_run:
        planned = plan(model, data[0], data[1], settings, finetuning=finetuning, **engine)
        if is_first_process():
            print(planned)
            if options.json:
                print_json(asdict(planned) | {"seconds": planned.seconds})
        return 0
    result = train(
        model,
        data[0],
        data[1],
        settings,
        options.out,
        finetuning=finetuning,
        resume=options.resume,
        description=description,
        **engine,
    )
    if not is_first_process():
        return 0
    for entry in result.history:
        print(
            f"step {entry['step']:5d}   loss {entry['loss']:.3f}   training {entry['accuracy']:5.1f} %   "
            f"validation {entry['validation_accuracy']:5.1f} ± {entry['validation_interval']:.1f} %"
        )
    print(
        f"best on validation: step {result.best_step}, {result.best_accuracy:.1f} %, "
        f"kept in {printable(result.best_path)}"
    )
    if options.json:
        summary = {"best_step": result.best_step, "validation_accuracy": result.best_accuracy}
        print_json(summary | {"checkpoint": str(result.best_path), "seconds": time.perf_counter() - started})
    return 0


def check_finetuning_options(options: argparse.Namespace) -> None:
    if options.finetune:
        if options.store is not None:
            raise ValueError(
                "--store: with --finetune no features are kept, the encoder changes; leave it out"
            )
        return
    given = [option for option in FINETUNING_FLAGS if getattr(options, option.replace("-", "_"))]
    if given:
        raise ValueError(f"--{given[0]} goes with --finetune: a head alone trains on stored features")


def head_config(options: argparse.Namespace) -> dict[str, Any]:
    """What `build_head` is given beside ``dim``: the settings of the preset for the model, and for the benchmark."""
    lite = options.preset == "lite"
    if options.model != CLIP_SPM:
        return TRAINED_BASELINES[options.model] if lite else {"model": options.model}
    sizes = LITE_SIZES if lite else DATASET_SETTINGS.get(options.benchmark, {})
    return {"preset": options.preset, "inductive": options.inductive, **sizes}


def resolve_settings(options: argparse.Namespace) -> TrainingSettings:
    """The preset's settings for the benchmark, with what was given in place of them."""
    # The decay of "released" goes with CLIP-SPM's summed loss; the other heads' is a mean, as in "paper".
    summed = options.model == CLIP_SPM or options.preset == "lite"
    preset = preset_settings(options.preset if summed else "paper", options.benchmark)
    names = ("way", "shot", "steps", "episodes_per_step", "learning_rate", "patience", "seed")
    changes = {name: value for name in names if (value := getattr(options, name)) is not None}
    per_step = changes.get("episodes_per_step", preset.episodes_per_step)
    if per_step >= 1 and per_step != preset.episodes_per_step:  # the same episodes in other steps
        ratio = preset.episodes_per_step / per_step
        changes = {
            "steps": math.ceil(preset.steps * ratio),
            "validate_every": max(1, round(preset.validate_every * ratio)),
        } | changes
    return replace(preset, **changes)


def open_finetuning(options: argparse.Namespace) -> FineTuning:
    sides_matter = options.data is None or (options.benchmark or "").startswith("ssv2")
    backbone = load_backbone(
        options.backbone, weights=options.weights, normalize_pixels=options.preset != "released"
    )
    return FineTuning(
        backbone,
        frames=options.frames,
        augment=not options.no_augment,
        flip=not (options.no_augment or options.no_flip or sides_matter),
        recompute=options.gradient_checkpointing,
    )


def stand_in(store: FeatureStore, videos: VideoDataset) -> EncodedDataset:
    """For a dry run: random features of the right shape, and word of what encoding the videos will take."""
    few = videos.paths[:16]
    started = time.perf_counter()
    features = store.encode_anew(few)
    seconds = (time.perf_counter() - started) / len(few)
    if is_first_process():
        print(
            f"to encode once, where the feature store lacks them: {len(videos.paths):,} videos, {seconds:.2g} s each"
        )
    return EncodedDataset(
        videos.classes,
        videos.videos_per_class,
        torch.randn(len(videos.paths), *features.shape[1:]),
        store.backbone.encode_class_names(videos.classes).cpu(),
    )


def print_resolved(
    options: argparse.Namespace,
    settings: TrainingSettings,
    config: dict[str, Any],
    finetuning: FineTuning | None,
) -> None:
    """What presets and options came to."""
    weights = f" ({options.weights})" if options.weights else ""
    print(
        on_one_line(
            f"{options.benchmark or options.data or 'sample world'}, {options.backbone}{weights}, {options.preset}"
        )
    )
    print("head: " + ", ".join(f"{name} {value}" for name, value in ({"model": CLIP_SPM} | config).items()))
    print("training: " + ", ".join(f"{name} {value}" for name, value in asdict(settings).items()))
    if finetuning is not None:
        parts = {f.name: getattr(finetuning, f.name) for f in fields(finetuning) if f.name != "backbone"}
        parts |= {"normalize_pixels": finetuning.backbone.normalize_pixels, "precision": options.precision}
        print("visual encoder: fine-tuned, " + ", ".join(f"{name} {value}" for name, value in parts.items()))


def is_first_process() -> bool:
    """Of those that train together: the one that prints."""
    return getattr(rank_zero_only, "rank", 0) == 0


def run_evaluate(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    check_head_options(options)
    checkpoint = options.checkpoint or LITE_MODEL
    name = options.method or head_name(checkpoint)
    if name in HEADS and name != (found := head_name(checkpoint)):
        raise ValueError(f"--checkpoint: expected a head of {name}, found one of {found}: {checkpoint}")
    dataset = open_part(options, options.part)
    # Impossible episodes are refused here, before any video is decoded.
    EpisodeSampler(
        dataset.videos_per_class, options.way, options.shot, options.queries, options.seed, dataset.classes
    )
    method: Method
    if name in HEADS:
        opened = open_head(checkpoint, options)
        head, store = opened.head, opened.store
        method = partial(head, inductive=True) if options.inductive else head
        if checkpoint_kind(checkpoint) == "fine-tuned":
            video = f"{store.frames} frames, shorter side {store.resize}"
            print(f"the checkpoint's own encoder: {store.backbone.name}, {video}")
        warn_of_tiny(store.backbone.name, options.data is not None)
    else:
        method, store = TRAINING_FREE[name], open_store(options, options.data is not None)
    data = store.encode_dataset(dataset, progress=True)
    result = evaluate(
        method,
        data,
        way=options.way,
        shot=options.shot,
        queries=options.queries,
        episodes=options.episodes,
        seed=options.seed,
        device=options.device,
        batch_size=episodes_at_once(options.way, options.shot, options.queries, options.inductive),
        progress=True,
    )
    if options.benchmark:
        measured = f"{options.benchmark}, {options.part}, in {printable(options.data)}"
    elif options.data:
        measured = printable(options.data)
    else:
        measured = f"sample world, {options.split or 'default'} split, {options.part}"
    print(
        f"{name} on {measured}: {result.accuracy:.1f} ± {result.interval:.1f} % "
        f"({options.way}-way {options.shot}-shot, {options.episodes} episodes, seed {options.seed})"
    )
    for asked, answered, rate in result.most_confused(5):
        print(f"  {readable(asked)} taken for {readable(answered)}: {rate:.0f} %")
    if options.json:
        print_json(
            {
                "method": name,
                "data": measured,
                "way": options.way,
                "shot": options.shot,
                "queries": options.queries,
                "episodes": options.episodes,
                "seed": options.seed,
                "accuracy": result.accuracy,
                "interval": result.interval,
                "seconds": time.perf_counter() - started,
            }
        )
    return 0


def run_table(options: argparse.Namespace) -> int:
    checkpoints = check_table_options(options)
    dataset = open_part(options, options.part)
    store = None
    if set(options.methods) - set(checkpoints):
        store = open_store(options, options.data is not None)
    backbone = None if store is None else store.backbone
    paths = dict.fromkeys(path for of_method in checkpoints.values() for path in of_method)
    heads = {path: open_head(path, options, backbone) for path in paths}
    entries = []
    for place, shot in enumerate(options.shots):
        for name in options.methods:
            if name in checkpoints:
                path = checkpoints[name][place]
                opened = heads[path]
                inductive = options.inductive and isinstance(opened.head, CLIPSPM)
                entries.append(Entry(name, shot, opened.head, opened.store, Path(path), inductive))
            else:
                assert store is not None
                entries.append(Entry(name, shot, TRAINING_FREE[name], store))
    results = measure(
        entries,
        dataset,
        data=data_title(options),
        benchmark=options.benchmark,
        part=options.part,
        way=options.way,
        queries=options.queries,
        episodes=options.episodes,
        seed=options.seed,
        device=options.device,
        progress=True,
    )
    results |= {"command": table_command(options), "commit": commit(), "device": options.device}
    if options.results:
        write_results(options.results, results)
    if options.figure:
        from clipspm_lite.plots.base import png  # drawing takes a while to import
        from clipspm_lite.plots.results import beside_published

        replace_file(options.figure, png(beside_published(results)))
    print(on_terminal(markdown(results)))
    return 0


def check_table_options(options: argparse.Namespace) -> dict[str, list[str | Path]]:
    """For each method that is a head its checkpoint at each shot, after all was looked at that needs no data."""
    for name in ("methods", "shots"):
        values = getattr(options, name) or []
        if len(set(values)) < len(values):
            raise ValueError(f"--{name}: one is there twice: {' '.join(map(str, values))}")
    wanted = [CLIP_SPM] if options.methods is None else [name for name in options.methods if name in HEADS]
    if options.checkpoint is None and options.backbone == "tiny" and CLIP_SPM in wanted:
        options.checkpoint = [LITE_MODEL]
    checkpoints: dict[str, list[str | Path]] = {}
    for path in options.checkpoint or []:
        checkpoints.setdefault(head_name(path), []).append(path)
    if options.methods is None:
        wanted = list(checkpoints) or wanted
        options.methods = ["zero-shot", "otam", *wanted]
    for name, paths in checkpoints.items():
        if name not in wanted:
            raise ValueError(
                f"--checkpoint: a head of {name}, which is not among --methods; name it there or leave the file out: "
                f"{paths[0]}"
            )
    for name in wanted:
        if name not in checkpoints:
            raise ValueError(
                f"--checkpoint: {name} needs a head for {options.backbone}, which `train` makes; or leave {name} out "
                "of --methods"
            )
        found = len(checkpoints[name])
        if found not in (1, len(options.shots)):
            raise ValueError(
                f"--checkpoint: of {name} expected one for all shots or one for each of {len(options.shots)}, found "
                f"{found}"
            )
        if found == 1:
            checkpoints[name] *= len(options.shots)
    check_outputs(options)
    return checkpoints


def data_title(options: argparse.Namespace) -> str:
    """What is measured, without the folders of this machine."""
    if options.benchmark:
        return f"{BENCHMARKS[options.benchmark].title}, {options.part} classes"
    if options.data:
        part = f", {options.part} classes" if options.split else ""
        return f"the videos in {printable(Path(options.data).resolve().name)}{part}"
    return f"the sample world, {options.split or 'default'} split, {options.part} classes"


def table_command(options: argparse.Namespace) -> str:
    """The command that makes the table again, with names in place of paths."""
    words = ["python", "-m", "clipspm_lite", "table"]
    paths = ("data", "split", "video_list", "weights", "checkpoint")
    settings = ("benchmark", "part", "backbone", "frames", "dataset_settings", "methods", "shots", "way")
    for name in (*paths, *settings, "queries", "episodes", "seed"):
        values = getattr(options, name)
        values = values if isinstance(values, list) else [] if values is None else [values]
        if values:
            shown = [Path(value).name if name in paths else public_name(str(value)) for value in values]
            words += [f"--{name.replace('_', '-')}", *shown]
    return shlex.join([*words, "--inductive"] if options.inductive else words)


def run_compare(options: argparse.Namespace) -> int:
    variants = compared_variants(options)
    rows = [*TRAINING_FREE, *variants]
    if options.reference not in rows:
        raise ValueError(
            f"--reference: expected one of the rows ({', '.join(rows)}), found {options.reference}"
        )
    check_outputs(options)
    if len(set(options.seeds)) < len(options.seeds):
        raise ValueError(f"--seeds: one is there twice: {' '.join(map(str, options.seeds))}")
    videos = [sample_world(part) for part in ("base", "validation", options.part)]
    every_settings = {s: replace(TRAINING_PRESETS["lite"], seed=s, shot=options.shot) for s in options.seeds}
    for settings in every_settings.values():
        check_run(videos[0], videos[1], settings, options.out, resume=True)
    # The same numbers whatever the machine's cores; so small a head gains nothing by more.
    torch.set_num_threads(1)
    store = FeatureStore(load_backbone("tiny"))
    committed = {FULL: LITE_MODEL, next(iter(INDUCTIVE)): LITE_INDUCTIVE_MODEL} if options.committed else {}
    if 0 in every_settings:
        for name, path in committed.items():
            model = build_head({"dim": store.backbone.dim, **variants[name]})
            check_committed(path, model, every_settings[0])
    base, validation, scored = (store.encode_dataset(part, progress=True) for part in videos)
    description = {"backbone": store.backbone_fingerprint, "backbone_name": "tiny"}
    methods: dict[str, Sequence[Method]] = {name: [method] for name, method in TRAINING_FREE.items()}
    weights: dict[str, list[str]] = {}
    for name, config in variants.items():
        checkpoints = []
        for seed, settings in every_settings.items():
            torch.manual_seed(seed)
            model = build_head({"dim": store.backbone.dim, **config})
            if seed == 0 and name in committed:
                checkpoints.append(committed[name])
                continue
            run = Path(options.out) / name.replace(" ", "-") / f"seed{seed}"
            best = train(
                model, base, validation, settings, run, resume=True, device="cpu", description=description
            )
            checkpoints.append(best.best_path)
        methods[name] = [load_model(path)[0] for path in checkpoints]
        weights[name] = [file_sha256(path) for path in checkpoints]
    results = compare(
        methods,
        scored,
        references=list(dict.fromkeys(("otam", FULL, options.reference))),
        shot=options.shot,
        episodes=options.episodes,
        seed=options.seed,
    )
    print(table(results, options.reference))
    provenance = {
        "format_version": 1,
        "command": compare_command(options),
        "commit": commit(),
        "part": options.part,
        "episodes": options.episodes,
        "training_seeds": options.seeds,
        "sha256": {
            "backbone": store.backbone_fingerprint,
            "clips": file_sha256(SAMPLES / "manifest.json"),
            "heads": weights,
        },
    }
    if options.results:
        replace_file(options.results, (json.dumps(provenance | results) + "\n").encode())
    if options.figure:
        from clipspm_lite.plots.ablations import comparison  # drawing takes a while to import
        from clipspm_lite.plots.base import png

        replace_file(options.figure, png(comparison(results)))
    return 0


def compared_variants(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The rows of `compare` that are trained, as arguments of `build_head` beside ``dim``."""
    full = dict(preset="lite", **LITE_SIZES)
    changed = {FULL: {}} | INDUCTIVE | (ABLATIONS if options.ablations else {})
    if options.extensions is not None:
        changed |= {name: EXTENSIONS[name] for name in options.extensions or EXTENSIONS}
    variants = {name: full | changes for name, changes in changed.items()}
    return variants | (TRAINED_BASELINES if options.baselines else {})


def check_committed(path: Path, model: Head, settings: TrainingSettings) -> None:
    """Refuse a committed head in place of one that would be trained otherwise."""
    head, description = load_model(path)
    if describe_head(head) != describe_head(model) or description["training"] != json.loads(
        json.dumps(asdict(settings))
    ):
        raise ValueError(
            f"--committed: {path.name} was trained otherwise than --shot and this version ask for"
        )


def compare_command(options: argparse.Namespace) -> str:
    """The command that gives these results again, but for where files go."""
    words = ["python", "-m", "clipspm_lite", "compare", "--part", options.part, "--shot", str(options.shot)]
    words += [f"--{name}" for name in ("ablations", "baselines", "committed") if getattr(options, name)]
    if options.extensions is not None:
        words += ["--extensions", *options.extensions]
    words += ["--seeds", *map(str, options.seeds), "--episodes", str(options.episodes)]
    return shlex.join([*words, "--seed", str(options.seed)])


def commit() -> str:
    """The commit of the clone that this runs in, with a + where files were changed since; "unknown" outside of one."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def run_predict(options: argparse.Namespace) -> int:
    if not options.videos and not options.save and not options.choose:
        raise ValueError("nothing to do: give videos to name, --save FILE or --choose")
    if options.choose and options.method:
        raise ValueError(
            f"--choose looks for a method, and --method {options.method} gives one: leave one out"
        )
    if options.save:
        check_output("--save", options.save)
    recogniser = reopen_recogniser(options) if options.recogniser else build_recogniser(options)
    chosen = None
    if options.choose:
        recogniser, chosen = choose_method(recogniser)
        print(on_terminal(chosen))
    if options.save:
        recogniser.save(options.save)
        print(f"saved in {printable(options.save)}: {on_one_line(recogniser)}")
    answers, failures = [], 0
    for video in options.videos:
        try:
            prediction = recogniser.predict([video])[0]
        except (VideoError, OSError) as error:
            failures += 1
            answers.append({"video": video, "error": str(error)})
            print(f"error: {on_one_line(error)}", file=sys.stderr)
            continue
        best, second = prediction.ranking[:2]
        answers.append(
            {
                "video": video,
                "action": best.action,
                "runner_up": second.action,
                "probabilities": {one.action: one.probability for one in prediction.ranking},
                "logits": {one.action: one.logit for one in prediction.ranking},
            }
        )
        first, other = printable(best.action), printable(second.action)
        print(
            f"{printable(video)}: {first}, {100 * best.probability:.0f} % "
            f"(next {other}, {100 * second.probability:.0f} %; logits {best.logit:.2f} and {second.logit:.2f})"
        )
    if options.json:
        summary = {"method": recogniser.method, "support": options.support, "recogniser": options.recogniser}
        if chosen is not None:
            summary["leave_one_out"] = {
                "asked": len(chosen.asked),
                "never_asked": list(chosen.never_asked),
                "right": {method: chosen.right(method) for method in chosen.answers},
                "interval": {method: chosen.interval(method) for method in chosen.answers},
                "as_good": list(chosen.as_good),
            }
        print_json(summary | {"predictions": answers})
    return 1 if failures else 0


def build_recogniser(options: argparse.Namespace) -> Recogniser:
    """From --support. With --choose it has the head, if there is one for this backbone."""
    check_head_options(options)
    dataset = open_folder(options.support)
    check_files(options.videos)
    own_head = options.checkpoint is not None
    for name, default in PREDICT_DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    if options.choose and options.backbone != "tiny" and not own_head:
        print(
            "clip-spm is not among the choices: it needs --checkpoint, a head for this backbone",
            file=sys.stderr,
        )
        options.method = CHOICES[0]
    own_videos = not is_sample(options.support)
    if options.method in TRAINING_FREE:
        method, store = options.method, open_store(options, own_videos)
    else:
        if options.method not in (None, found := head_name(options.checkpoint)):
            raise ValueError(f"--checkpoint: expected a head of {options.method}, found one of {found}")
        opened = open_head(options.checkpoint, options)
        method, store = opened.head, opened.store
        warn_of_tiny(store.backbone.name, own_videos)
    return Recogniser(method, store, encode_support(store, dataset, progress=True))


def reopen_recogniser(options: argparse.Namespace) -> Recogniser:
    for name in ("method", "checkpoint", "frames"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} goes with --support; a recogniser has its own: {options.recogniser}")
    recogniser = load(
        options.recogniser,
        backbone=options.backbone,
        weights=options.weights,
        device=options.device,
        store=options.store,
    )
    if recogniser.support is None:
        raise ValueError(f"knows no actions; --recogniser expects what --save wrote: {options.recogniser}")
    check_files(options.videos)
    print(on_one_line(recogniser), file=sys.stderr)
    warn_of_tiny(recogniser.store.backbone.name, not all(map(is_sample, options.videos)))
    return recogniser


def check_files(videos: Sequence[str]) -> None:
    """A path that is mistyped is noticed before the first video is encoded."""
    if missing := [video for video in videos if not os.path.isfile(video)]:
        raise ValueError(f"no such file, so nothing was done: {', '.join(map(printable, missing))}")


def choose_method(recogniser: Recogniser) -> tuple[Recogniser, LeaveOneOut]:
    """The recogniser with the method that is right most often about its own clips, each left out in turn."""
    assert recogniser.support is not None
    head = recogniser.head
    result = leave_one_out([*CHOICES] if head is None else [*CHOICES, head], recogniser.support)
    best = head if head is not None and result.best == recogniser.method else result.best
    return Recogniser(best, recogniser.store, recogniser.support), result


def check_outputs(options: argparse.Namespace) -> None:
    """Refuse --results and --figure that could not be written."""
    if options.figure and options.figure == options.results:
        raise ValueError(f"--results and --figure: one file cannot be both: {options.figure}")
    if options.figure and Path(options.figure).suffix != ".png":
        raise ValueError(f"--figure: expected a name that ends in .png, found {options.figure}")
    for option in ("results", "figure"):
        if path := getattr(options, option):
            check_output(f"--{option}", path)


def check_output(option: str, path: str) -> None:
    """Refuse a file that could not be written, before the work that it is to keep."""
    try:
        check_writable(path)
    except OSError as error:
        raise ValueError(f"{option}: {error}") from None


def is_sample(folder: str) -> bool:
    return SAMPLES in Path(folder).resolve().parents


def run_check(options: argparse.Namespace) -> int:
    if options.benchmark is None:
        if options.video_list or options.no_decode:
            raise ValueError("--video-list and --no-decode: name the benchmark with --benchmark")
        with tqdm(desc="reading", unit=" videos", disable=None) as bar:
            minimum = 2 if options.minimum is None else options.minimum
            report = check_folder(options.folder, minimum=minimum, progress=lambda _: bar.update())
        print(on_terminal(report))
        return 0 if report.ok else 1
    if options.minimum is not None:
        raise ValueError("--minimum: a benchmark's classes have published numbers; leave it out")
    benchmark = BENCHMARKS[options.benchmark]
    print(f"{benchmark.title}, from the page {benchmark.page}")
    print(f"terms of use, as the page said when this was written (look there): {benchmark.terms}")
    if not options.no_decode:
        print("reading every video takes long, hours for the large benchmarks; --no-decode only counts")
    total = sum(benchmark.videos.values())
    with tqdm(desc="reading", unit=" videos", total=total, disable=options.no_decode or None) as bar:
        report = check_benchmark(
            options.benchmark,
            options.folder,
            options.video_list,
            decode=not options.no_decode,
            progress=lambda _: bar.update(),
        )
    print(on_terminal(report))
    return 0 if report.ok else 1


def run_start(options: argparse.Namespace) -> int:
    try:
        from clipspm_lite.notebooks import show_start  # needs the notebooks extra, the other commands do not
    except ModuleNotFoundError as error:
        raise ValueError(
            f"start runs a notebook, and {error.name} is not installed: pip install -e '.[notebooks]'"
        ) from None
    show_start(Path(options.out))
    return 0


def print_json(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    sys.exit(main())
