"""The command `train`: a head on stored features, or end to end from videos."""

import argparse
import math
import time
from dataclasses import asdict, fields, replace
from typing import Any

import torch
from lightning_fabric.utilities import rank_zero_only

from clipspm_lite import training
from clipspm_lite.clip.backbone import Backbone, load_backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.commands import options as common
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.names import on_one_line, printable
from clipspm_lite.model.heads import build_head
from clipspm_lite.model.presets import DATASET_SETTINGS, LITE_SIZES, PRESETS
from clipspm_lite.model.variants import FULL, TRAINED_BASELINES

ENGINE = ("device", "devices", "nodes", "precision")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, flag = parser.add_argument, dict[str, Any](action="store_true")
    add("--out", required=True, metavar="FOLDER", help="gets best.safetensors, last.safetensors")
    add("--resume", **flag, help="continue the run in --out")
    common.add_data_options(parser)
    common.add_encoder_options(parser, otherwise="")
    add("--model", choices=(FULL, *TRAINED_BASELINES), default=FULL, help="the head that is trained")
    add("--preset", choices=list(PRESETS), default="lite", help="conventions and learning rate")
    add("--way", type=common.count, default=5, help="classes per episode")
    add("--shot", type=common.count, default=1, help="support videos per class")
    add("--inductive", **flag, help="train on each query as an episode of its own (the baselines always do)")
    add("--steps", type=common.count, help="optimizer steps (default: the preset's number of episodes)")
    add("--episodes-per-step", type=common.count, help="whose gradients make a step (default: the preset's)")
    add("--learning-rate", type=float, help="of the optimizer (default: the preset's)")
    add("--patience", type=common.count, help="stop after so many validations without a better one")
    add("--seed", type=int, help="of weights, episodes, frames and dropout (default: the preset's)")
    add("--finetune", **flag, help="from videos, and the visual encoder too; the next four are for it")
    add("--gradient-checkpointing", **flag, help="compute activations twice: far less memory")
    add("--no-augment", **flag, help="no random frames, crops and flips")
    add("--no-flip", **flag, help="mirror no video (as for SSv2 and the samples, whose classes have sides)")
    add("--precision", choices=training.PRECISIONS, default=training.PRECISIONS[0], help="the encoder's")
    add("--devices", type=common.count, default=1, help="processes on each machine, one per GPU")
    add("--nodes", type=common.count, default=1, help="machines (see clipspm_lite/SCALING.md)")
    add("--dry-run", **flag, help="train on a few episodes, estimate time and memory, write nothing")
    add("--json", **flag, help="end with one JSON object")
    parser.epilog = (
        "With --benchmark the presets paper and released take the sizes and numbers that the authors' code has for it "
        "(SPEC sections 2 and 4). Every option that is given overrides its preset."
    )


def run(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    settings = resolve_settings(options)
    videos: Any = [common.open_part(options, part) for part in ("base", "validation")]
    out = None if options.dry_run else options.out
    training.check_run(videos[0], videos[1], settings, out, resume=options.resume)
    backbone = load_backbone(
        options.backbone or "tiny",
        weights=options.weights,
        device="cpu" if options.finetune else options.device,
        normalize_pixels=training.pixels_are_normalised(options.preset),
    )
    resize = common.benchmark_resize(options, backbone)
    store = FeatureStore(backbone, options.store, frames=options.frames or 8, resize=resize)
    common.start_computing(options, store)
    torch.manual_seed(settings.seed)
    config = head_config(options)
    model = build_head({"dim": backbone.dim, **config})
    finetuning = finetuning_of(options, backbone) if options.finetune else None
    prints = getattr(rank_zero_only, "rank", 0) == 0  # one of the processes that train together
    if prints:
        print_resolved(options, settings, config, finetuning)
    data = videos
    if finetuning is None:
        encode = stand_in if options.dry_run else FeatureStore.encode_dataset
        data = [encode(store, part, progress=prints) for part in videos]
    how: dict[str, Any] = {name: getattr(options, name) for name in ENGINE} | {"finetuning": finetuning}
    if options.dry_run:
        result: Any = training.plan(model, data[0], data[1], settings, **how)
        summary = asdict(result) | {"seconds": result.seconds}
    else:
        made_with: dict[str, Any] = {"backbone": store.backbone_fingerprint, "backbone_name": backbone.name}
        made_with |= {"normalize_pixels": backbone.normalize_pixels, "resize": store.resize}
        how |= {"resume": options.resume, "description": None if finetuning else made_with}
        result = training.train(model, data[0], data[1], settings, options.out, **how)
        summary = {"best_step": result.best_step, "validation_accuracy": result.best_accuracy}
        summary |= {"checkpoint": str(result.best_path), "seconds": time.perf_counter() - started}
    if prints:
        print(result if options.dry_run else curve(result))
        if options.json:
            common.print_json(summary)
    return 0


def resolve_settings(options: argparse.Namespace) -> training.TrainingSettings:
    """The preset's settings for the benchmark, with what was given in place of them."""
    # The decay of "released" belongs to CLIP-SPM's summed loss; the other heads' loss is a mean, as in "paper".
    summed = options.model == FULL or options.preset == "lite"
    preset = training.preset_settings(options.preset if summed else "paper", options.benchmark)
    names = ("way", "shot", "steps", "episodes_per_step", "learning_rate", "patience", "seed")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    ratio = preset.episodes_per_step / given.get("episodes_per_step", preset.episodes_per_step)
    steps, validate_every = math.ceil(preset.steps * ratio), max(1, round(preset.validate_every * ratio))
    return replace(preset, **dict(steps=steps, validate_every=validate_every) | given)


def head_config(options: argparse.Namespace) -> dict[str, Any]:
    """What `build_head` gets beside ``dim``: the preset's settings for the model and the benchmark."""
    lite = options.preset == "lite"
    if options.model != FULL:
        return TRAINED_BASELINES[options.model] if lite else {"model": options.model}
    sizes = LITE_SIZES if lite else DATASET_SETTINGS.get(options.benchmark, {})
    return {"preset": options.preset, "inductive": options.inductive, **sizes}


def finetuning_of(options: argparse.Namespace, backbone: Backbone) -> training.FineTuning:
    sides_matter = options.data is None or (options.benchmark or "").startswith("ssv2")
    return training.FineTuning(
        backbone,
        frames=options.frames or 8,
        augment=not options.no_augment,
        flip=not (options.no_augment or options.no_flip or sides_matter),
        recompute=options.gradient_checkpointing,
    )


def stand_in(store: FeatureStore, videos: VideoDataset, progress: bool) -> EncodedDataset:
    """For a dry run: random features of the right shape; with progress, how long encoding the videos will take."""
    few = videos.paths[:16]
    started = time.perf_counter()
    features = store.encode_anew(few)
    seconds = (time.perf_counter() - started) / len(few)
    if progress:
        cost = f"{len(videos.paths):,} videos, {seconds:.2g} s each"
        print(f"to encode once, where the feature store lacks them: {cost}")
    random = torch.randn(len(videos.paths), *features.shape[1:])
    class_text = store.backbone.encode_class_names(videos.classes).cpu()
    return EncodedDataset(videos.classes, videos.videos_per_class, random, class_text)


def print_resolved(
    options: argparse.Namespace,
    settings: training.TrainingSettings,
    config: dict[str, Any],
    finetuning: training.FineTuning | None,
) -> None:
    """What presets and options came to."""
    weights = f" ({options.weights})" if options.weights else ""
    data = options.benchmark or options.data or "sample world"
    print(on_one_line(f"{data}, {options.backbone or 'tiny'}{weights}, {options.preset}"))
    parts = {"head": {"model": FULL} | config, "training": asdict(settings)}
    if finetuning is not None:
        how = {f.name: getattr(finetuning, f.name) for f in fields(finetuning) if f.name != "backbone"}
        pixels = {"normalize_pixels": finetuning.backbone.normalize_pixels}
        parts["fine-tuned visual encoder"] = how | pixels | {"precision": options.precision}
    for part, values in parts.items():
        print(f"{part}: " + ", ".join(f"{name} {value}" for name, value in values.items()))


def curve(result: training.loop.TrainingResult) -> str:
    """The learning curve, and which step was kept."""
    lines = [
        f"step {entry['step']:5d}   loss {entry['loss']:.3f}   training {entry['accuracy']:5.1f} %   "
        f"validation {entry['validation_accuracy']:5.1f} ± {entry['validation_interval']:.1f} %"
        for entry in result.history
    ]
    best = f"best on validation: step {result.best_step}, {result.best_accuracy:.1f} %"
    return "\n".join([*lines, f"{best}, kept in {printable(result.best_path)}"])
