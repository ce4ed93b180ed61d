"""The commands: python -m clipspm_lite start | train | evaluate | compare | predict | check."""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities import rank_zero_only
from tqdm.auto import tqdm

from clipspm_lite import baselines
from clipspm_lite.backbones import load_backbone
from clipspm_lite.checkpoints import (
    LITE_INDUCTIVE_MODEL,
    LITE_MODEL,
    is_finetuned,
    load_finetuned,
    load_model,
)
from clipspm_lite.comparison import ABLATIONS, FULL, INDUCTIVE, compare, table
from clipspm_lite.data.benchmarks import BENCHMARKS, open_benchmark
from clipspm_lite.data.check import check, check_benchmark
from clipspm_lite.data.datasets import SAMPLES, VideoDataset, open_folder, read_split, sample_world
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.data.names import readable
from clipspm_lite.data.video import VideoError
from clipspm_lite.evaluation import Method, evaluate
from clipspm_lite.features import EncodedDataset, FeatureStore
from clipspm_lite.files import file_sha256, replace_file
from clipspm_lite.model.clipspm import CLIPSPM
from clipspm_lite.model.presets import DATASET_SETTINGS, LITE_SIZES, PRESETS
from clipspm_lite.recogniser import Recogniser
from clipspm_lite.sources import FineTuning
from clipspm_lite.training import (
    PRECISIONS,
    TRAINING_PRESETS,
    TrainingSettings,
    check_engine,
    check_run,
    plan,
    preset_settings,
    train,
)

TRAINING_FREE: dict[str, Method] = {
    "zero-shot": baselines.zero_shot,
    "prototype": baselines.prototype,
    "otam": baselines.otam,
    "otam centred": baselines.otam_centred,
}
FINETUNING_FLAGS = {
    "gradient-checkpointing": "compute activations twice instead of keeping them: far less memory",
    "no-augment": "no random frames, crops and flips",
    "no-flip": "mirror no video, because a class depends on the side (SSv2 and the samples: never mirrored)",
}
METHODS = (*TRAINING_FREE, "clip-spm")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; an error that a user can mend is one message on stderr and exit status 1."""
    options = build_parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


class HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Says an option's default, where it is more than "nothing" or a path inside the package."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or isinstance(action.default, Path):
            return action.help
        return super()._get_help_string(action)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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
        "train", run_train, "Train CLIP-SPM on the base classes, choosing on the validation classes."
    )
    sub.epilog = (
        "With --benchmark the presets paper and released take the sizes and numbers that the authors' code has for it "
        "(SPEC sections 2 and 4). Every option that is given overrides its preset."
    )
    sub.add_argument("--out", required=True, metavar="FOLDER", help="gets best.safetensors, last.safetensors")
    sub.add_argument("--resume", action="store_true", help="continue the run in --out")
    add_data_options(sub)
    add_backbone_options(sub)
    sub.add_argument("--preset", choices=list(PRESETS), default="lite", help="conventions and learning rate")
    sub.add_argument("--way", type=int, default=5, help="classes an episode")
    sub.add_argument("--shot", type=int, default=1, help="support videos a class")
    sub.add_argument("--inductive", action="store_true", help="train on each query as an episode of its own")
    sub.add_argument("--steps", type=int, help="optimizer steps (default: the preset's number of episodes)")
    sub.add_argument(
        "--episodes-per-step", type=int, help="whose gradients make a step (default: the preset's)"
    )
    sub.add_argument("--learning-rate", type=float, help="of the optimizer (default: the preset's)")
    sub.add_argument("--patience", type=int, help="stop after so many validations without a better one")
    sub.add_argument(
        "--seed", type=int, help="of weights, episodes, frames and dropout (default: the preset's)"
    )
    sub.add_argument("--finetune", action="store_true", help="from videos, and the visual encoder too")
    for option, meaning in FINETUNING_FLAGS.items():
        sub.add_argument(f"--{option}", action="store_true", help=f"with --finetune: {meaning}")
    sub.add_argument(
        "--precision", choices=PRECISIONS, default="32-true", help="with --finetune: the encoder's"
    )
    sub.add_argument("--devices", type=int, default=1, help="processes on each machine, one a GPU")
    sub.add_argument("--nodes", type=int, default=1, help="machines (see clipspm_lite/SCALING.md)")
    sub.add_argument(
        "--dry-run",
        action="store_true",
        help="train on a few episodes, say what time and memory the run will take, and write nothing",
    )
    sub.add_argument("--json", action="store_true", help="end with one JSON object")

    sub = command("evaluate", run_evaluate, "Score a method on listed few-shot episodes.")
    sub.add_argument("--method", choices=METHODS, default="clip-spm", help="what is scored")
    add_data_options(sub)
    sub.add_argument("--part", default="novel", help="which classes of the split: base, validation or novel")
    add_backbone_options(sub)
    add_checkpoint_option(sub, LITE_MODEL)
    sub.add_argument("--way", type=int, default=5, help="classes an episode")
    sub.add_argument("--shot", type=int, default=1, help="support videos a class")
    sub.add_argument("--queries", type=int, default=1, help="query videos a class")
    sub.add_argument("--episodes", type=int, default=2000, help="how many")
    sub.add_argument("--seed", type=int, default=0, help="of the list of episodes")
    sub.add_argument("--inductive", action="store_true", help="score each query as an episode of its own")
    sub.add_argument("--json", action="store_true", help="end with one JSON object")

    sub = command(
        "compare",
        run_compare,
        "Train CLIP-SPM with several seeds; score it and the baselines on the same episodes.",
    )
    sub.add_argument("--out", required=True, metavar="FOLDER", help="training runs, kept and continued")
    sub.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of training")
    sub.add_argument("--part", default="validation", help="sample classes to score: validation or novel")
    sub.add_argument("--shot", type=int, default=1, help="support videos a class")
    sub.add_argument("--episodes", type=int, default=2000, help="how many")
    sub.add_argument("--seed", type=int, default=0, help="of the list of episodes")
    sub.add_argument("--ablations", action="store_true", help="also train the head without each of its parts")
    sub.add_argument("--results", metavar="FILE", help="write the counts behind the table as JSON")

    sub = command("predict", run_predict, "Name the action in videos, from a folder ACTION/clip.mp4.")
    sub.add_argument("videos", nargs="+", metavar="VIDEO", help="videos to name")
    sub.add_argument("--support", required=True, metavar="FOLDER", help="a folder with one folder an action")
    sub.add_argument("--method", choices=METHODS, default="clip-spm", help="what answers")
    add_backbone_options(sub)
    add_checkpoint_option(sub, LITE_INDUCTIVE_MODEL)
    sub.add_argument("--json", action="store_true", help="end with one JSON object")

    sub = command("check", run_check, "Read every video of a data set and list what cannot be used.")
    sub.add_argument(
        "folder", metavar="FOLDER", help="a folder with one folder a class, or a benchmark's download"
    )
    sub.add_argument("--minimum", type=int, help="videos a class needs: shots + queries (default: 2)")
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
    parser.add_argument("--frames", type=int, default=8, help="frames that stand for a video")
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where it runs"
    )
    parser.add_argument("--store", metavar="FOLDER", help="feature store (default: your cache folder)")


def add_checkpoint_option(parser: argparse.ArgumentParser, default: Path) -> None:
    parser.add_argument(
        "--checkpoint", metavar="FILE", default=default, help=f"trained by `train` (default: {default.name})"
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


def open_store(options: argparse.Namespace, own_videos: bool) -> FeatureStore:
    if own_videos and options.backbone == "tiny":
        print(
            "warning: the tiny CLIP has seen only this project's generated figures. On filmed videos expect little "
            "more than chance; for a real answer give --backbone and --weights of a real CLIP.",
            file=sys.stderr,
        )
    backbone = load_backbone(options.backbone, weights=options.weights, device=options.device)
    return FeatureStore(backbone, options.store, frames=options.frames)


def open_method(options: argparse.Namespace, store: FeatureStore) -> Method:
    if options.method != "clip-spm":
        return TRAINING_FREE[options.method]
    model, description = load_model(options.checkpoint)
    if description.get("backbone") != store.backbone_fingerprint:
        raise ValueError(
            f"the checkpoint was trained on features of another backbone than {options.backbone!r}; "
            f"give the --backbone and --weights it was trained with: {options.checkpoint}"
        )
    return model.to(options.device)


def run_train(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    check_data_options(options)
    if options.data is not None and options.split is None and options.benchmark is None:
        raise ValueError(
            "--split: your own --data needs a JSON file with the classes of base, validation and novel "
            "(a benchmark needs --benchmark instead)"
        )
    check_finetuning_options(options)
    settings = resolve_settings(options)
    engine: dict[str, Any] = dict(
        device=options.device, devices=options.devices, nodes=options.nodes, precision=options.precision
    )
    check_engine(settings, options.finetune, **engine)
    videos = [open_part(options, part) for part in ("base", "validation")]
    check_run(videos[0], videos[1], settings, options.out, resume=options.resume)

    finetuning, description = None, {}
    data: list[VideoDataset] | list[EncodedDataset] = videos
    if options.finetune:
        finetuning = open_finetuning(options)
        dim = finetuning.backbone.dim
    else:
        store = open_store(options, own_videos=options.data is not None)
        dim = store.backbone.dim
        description = {"backbone": store.backbone_fingerprint, "backbone_name": options.backbone}
        if options.dry_run:
            data = [stand_in(store, part) for part in videos]
        else:
            data = [store.encode_dataset(part, progress=True) for part in videos]
    torch.manual_seed(settings.seed)
    sizes: dict[str, Any] = (
        LITE_SIZES if options.preset == "lite" else DATASET_SETTINGS.get(options.benchmark, {})
    )
    model = CLIPSPM(dim, preset=options.preset, inductive=options.inductive, **sizes)
    if is_first_process():
        print_resolved(options, settings, sizes, finetuning)
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
        f"best on validation: step {result.best_step}, {result.best_accuracy:.1f} %, kept in {result.best_path}"
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


def resolve_settings(options: argparse.Namespace) -> TrainingSettings:
    """The preset's settings for the benchmark, with what was given in place of them."""
    preset = preset_settings(options.preset, options.benchmark)
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
    sizes: dict[str, Any],
    finetuning: FineTuning | None,
) -> None:
    """What presets and options came to."""
    weights = f" ({options.weights})" if options.weights else ""
    print(
        f"{options.benchmark or options.data or 'sample world'}, {options.backbone}{weights}, {options.preset}"
    )
    print("head: " + ", ".join(f"{name} {value}" for name, value in sizes.items() or [("sizes", "default")]))
    print("training: " + ", ".join(f"{name} {value}" for name, value in asdict(settings).items()))
    if finetuning is not None:
        parts = {f.name: getattr(finetuning, f.name) for f in fields(finetuning) if f.name != "backbone"}
        parts |= {"normalize_pixels": finetuning.backbone.normalize_pixels, "precision": options.precision}
        print("visual encoder: fine-tuned, " + ", ".join(f"{name} {value}" for name, value in parts.items()))


def is_first_process() -> bool:
    """Of those that train together: the one that prints."""
    return getattr(rank_zero_only, "rank", 0) == 0


def open_finetuned(options: argparse.Namespace) -> tuple[Method, FeatureStore]:
    """A checkpoint of `train --finetune`: its own encoder, and how it takes videos; --weights has the text encoder."""
    model, backbone, description = load_finetuned(
        options.checkpoint, weights=options.weights, device=options.device
    )
    made_with = description["backbone"]
    print(
        f"the checkpoint's own encoder: {made_with['name']}, {made_with['frames']} frames, "
        f"shorter side {made_with['resize']} pixels"
    )
    store = FeatureStore(backbone, options.store, frames=made_with["frames"], resize=made_with["resize"])
    return model, store


def run_evaluate(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    dataset = open_part(options, options.part)
    # Impossible episodes are refused here, before any video is decoded.
    EpisodeSampler(
        dataset.videos_per_class, options.way, options.shot, options.queries, options.seed, dataset.classes
    )
    if options.method == "clip-spm" and is_finetuned(options.checkpoint):
        method, store = open_finetuned(options)
    else:
        store = open_store(options, own_videos=options.data is not None)
        method = open_method(options, store)
    if options.inductive and isinstance(method, CLIPSPM):
        method.inductive = True
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
        progress=True,
    )
    if options.benchmark:
        name = f"{options.benchmark}, {options.part}, in {options.data}"
    elif options.data:
        name = str(options.data)
    else:
        name = f"sample world, {options.split or 'default'} split, {options.part}"
    print(
        f"{options.method} on {name}: {result.accuracy:.1f} ± {result.interval:.1f} % "
        f"({options.way}-way {options.shot}-shot, {options.episodes} episodes, seed {options.seed})"
    )
    for asked, answered, rate in result.most_confused(5):
        print(f"  {readable(asked)} taken for {readable(answered)}: {rate:.0f} %")
    if options.json:
        print_json(
            {
                "method": options.method,
                "data": name,
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


def run_compare(options: argparse.Namespace) -> int:
    torch.set_num_threads(
        1
    )  # the same numbers whatever the machine's cores; so small a head gains nothing by more
    store = FeatureStore(load_backbone("tiny"))
    base, validation, scored = (
        store.encode_dataset(sample_world(part), progress=True)
        for part in ("base", "validation", options.part)
    )
    description = {"backbone": store.backbone_fingerprint, "backbone_name": "tiny"}
    methods: dict[str, Sequence[Method]] = {name: [method] for name, method in TRAINING_FREE.items()}
    weights: dict[str, list[str]] = {}
    variants = {FULL: {}} | INDUCTIVE | (ABLATIONS if options.ablations else {})
    for name, changes in variants.items():
        checkpoints = []
        for seed in options.seeds:
            settings = replace(TRAINING_PRESETS["lite"], seed=seed, shot=options.shot)
            torch.manual_seed(seed)
            model = CLIPSPM(store.backbone.dim, preset="lite", **{**LITE_SIZES, **changes})
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
        references=("otam", FULL),
        shot=options.shot,
        episodes=options.episodes,
        seed=options.seed,
    )
    print(table(results, "otam"))
    if options.results:
        ablations = " --ablations" if options.ablations else ""
        seeds = " ".join(map(str, options.seeds))
        provenance = {
            "format_version": 1,
            "command": f"python -m clipspm_lite compare --part {options.part} --shot {options.shot}{ablations} "
            f"--seeds {seeds} --episodes {options.episodes} --seed {options.seed}",
            "commit": commit(),
            "part": options.part,
            "shot": options.shot,
            "episodes": options.episodes,
            "seed": options.seed,
            "training_seeds": options.seeds,
            "sha256": {
                "backbone": store.backbone_fingerprint,
                "clips": file_sha256(SAMPLES / "manifest.json"),
                "heads": weights,
            },
        }
        replace_file(options.results, (json.dumps(provenance | results) + "\n").encode())
    return 0


def commit() -> str:
    """The commit of the clone that this runs in, with a + where files were changed since; "unknown" outside of one."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def run_predict(options: argparse.Namespace) -> int:
    store = open_store(options, own_videos=not is_sample(options.support))
    method = open_method(options, store)
    if isinstance(method, CLIPSPM):
        method.inductive = True
    recogniser = Recogniser(method, store, open_folder(options.support))
    answers, failures = [], 0
    for video in options.videos:
        try:
            prediction = recogniser.predict([video])[0]
        except (VideoError, OSError) as error:
            failures += 1
            answers.append({"video": video, "error": str(error)})
            print(f"error: {error}", file=sys.stderr)
            continue
        (best, score), (second, runner_up) = prediction.ranking[:2]
        answers.append({"video": video, "action": best, "logits": dict(prediction.ranking)})
        print(f"{video}: {best} (logit {score:.2f}; next {second}, {runner_up:.2f})")
    if options.json:
        print_json({"method": options.method, "support": options.support, "predictions": answers})
    return 1 if failures else 0


def is_sample(folder: str) -> bool:
    return SAMPLES in Path(folder).resolve().parents


def run_check(options: argparse.Namespace) -> int:
    if options.benchmark is None:
        if options.video_list or options.no_decode:
            raise ValueError("--video-list and --no-decode: name the benchmark with --benchmark")
        with tqdm(desc="reading", unit=" videos", disable=None) as bar:
            minimum = 2 if options.minimum is None else options.minimum
            report = check(options.folder, minimum=minimum, progress=lambda _: bar.update())
        print(report)
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
    print(report)
    return 0 if report.ok else 1


def run_start(options: argparse.Namespace) -> int:
    from clipspm_lite.notebooks import show_start  # needs the notebooks extra, the other commands do not

    show_start(Path(options.out))
    return 0


def print_json(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    sys.exit(main())
