"""The command `train`: a head on stored features, or end to end from videos."""

import argparse
import math
import time
from dataclasses import asdict, replace
from typing import Any

import torch
from lightning_fabric.utilities import rank_zero_only

from clipspm_lite import training
from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.commands import options as common
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.data.names import printable
from clipspm_lite.model.heads import build_head
from clipspm_lite.model.presets import DATASET_SETTINGS, LITE_SIZES, PRESETS
from clipspm_lite.model.variants import FULL, TRAINED_BASELINES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, flag = parser.add_argument, dict[str, Any](action="store_true")
    alone = {"help": "clip-spm: train it so that each query is an episode of its own, as the other heads are anyway"}
    add("--out", metavar="FOLDER", help="gets best.safetensors and last.safetensors (not with --dry-run)")
    add("--resume", **flag, help="continue the run in --out")
    add("--dry-run", **flag, help="train on a few episodes, estimate time and memory, write nothing")
    add("--model", choices=(FULL, *TRAINED_BASELINES), help=f"the head (default: {FULL})")
    add("--preset", choices=[*PRESETS, "recommended"], default="lite", help="conventions, or a model (default: lite)")
    common.declare(
        parser, *common.DATA, *common.ENCODER, "threads", "way", "shot", "inductive", "json", inductive=alone
    )
    add("--queries", type=int, help="query videos per class while training (default: the preset's)")
    add("--seed", type=int, help="of weights, episodes, frames and dropout (default: the preset's)")
    add("--steps", type=int, help="optimizer steps (default: the preset's number of episodes)")
    add("--episodes-per-step", type=int, help="whose gradients make a step")
    add("--learning-rate", type=float, help="of the optimizer")
    add("--patience", type=int, help="stop after so many validations without a better one")
    add("--finetune", **flag, help="from videos, and the visual encoder too; the next six are for it")
    add("--lora", type=int, metavar="RANK", help="--finetune by updates of this rank; the encoder's weights stay")
    add("--lora-learning-rate", type=float, help=f"of the updates (default: {training.LoRA.learning_rate})")
    add("--lora-protect", type=int, metavar="K", help="keep them out of the K main directions of each weight")
    add("--gradient-checkpointing", **flag, help="compute activations twice: far less memory")
    add("--no-flip", **flag, help="mirror no video (as for SSv2 and the samples, whose classes have sides)")
    add("--precision", choices=training.PRECISIONS, default="32-true", help="of the encoder; mixed: bf16 or fp16")
    add("--devices", type=int, default=1, help="processes on each machine, one per GPU (default: %(default)s)")
    add("--nodes", type=int, default=1, help="machines, see clipspm_lite/SCALING.md (default: %(default)s)")
    parser.epilog = "With --benchmark, presets other than lite have the authors' numbers for it. Options override them."


def run(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    if options.preset == "recommended":  # a model of its own, trained as lite is
        if options.model not in (None, options.preset):
            raise ValueError(f"--model: expected without --preset recommended, found both, and {options.model}")
        options.model, options.preset = options.preset, "lite"
    options.model = options.model or FULL
    if options.out is None and not options.dry_run:
        raise ValueError("--out: expected a folder for the run, found none (only --dry-run needs none)")
    options.finetune = options.finetune or options.lora is not None
    settings, config = resolve_settings(options), head_config(options)
    data: Any = [common.open_part(options, part) for part in ("base", "validation")]
    training.check_run(data[0], data[1], settings, None if options.dry_run else options.out, resume=options.resume)
    pixels: dict[str, Any] = {"normalize_pixels": options.preset != "released"}  # whose pixels stay in [0, 1]
    store = common.make_store(options, device="cpu" if options.finetune else options.device, **pixels)
    common.start_computing(options, store, videos=[options.data])
    prints = getattr(rank_zero_only, "rank", 0) == 0  # one of the processes that train together
    reader = store
    if options.skip_unreadable and (options.finetune or options.dry_run):  # videos are read, and little is encoded
        reader = FeatureStore(load_backbone(), options.store, frames=1)
    data, unreadable = common.without_unreadable(options, reader, *data, warns=prints)
    torch.manual_seed(settings.seed)
    model = build_head({"dim": store.backbone.dim if store else data[0].features.shape[-1], **config})
    how: dict[str, Any] = {name: getattr(options, name) for name in ("device", "devices", "nodes", "precision")}
    resolved = {"head": {"model": FULL} | config, "training": asdict(settings)}
    if options.finetune:
        how["finetuning"] = finetuning_of(options, store)
        precision = training.pick_precision(options.precision, options.device)
        encoder = {name: getattr(how["finetuning"], name) for name in ("frames", "resize", "flip", "recompute", "lora")}
        resolved["fine-tuned visual encoder"] = encoder | pixels | {"precision": precision}
    for part, values in resolved.items() if prints else ():
        print(f"{part}: " + ", ".join(f"{name} {value}" for name, value in values.items()))
    if store and not options.finetune:
        encode = stand_in if options.dry_run else FeatureStore.encode_dataset
        data = [encode(store, part, progress=prints) for part in data]
    if options.dry_run:
        result: Any = training.plan(model, data[0], data[1], settings, **how)
        summary = asdict(result) | {"seconds": result.seconds}
    else:
        how["description"] = {"encoder": data[0].encoder} if options.features else {}
        if store and not options.finetune:
            made_with = {"backbone": data[0].encoder, "backbone_name": store.backbone.name}
            how["description"] = {**made_with, **pixels, "resize": store.resize}
        result = training.train(model, data[0], data[1], settings, options.out, resume=options.resume, **how)
        summary = {"best_step": result.best_step, "validation_accuracy": result.best_accuracy}
        summary |= {"checkpoint": str(result.best_path), "seconds": time.perf_counter() - started}
    if prints:
        print(result if options.dry_run else curve(result))
        if options.json:
            common.print_json(summary | {"unreadable": unreadable})
    return 0


def resolve_settings(options: argparse.Namespace) -> training.TrainingSettings:
    """The preset's settings for the benchmark, with what was given in place of them."""
    # The decay of "released" belongs to CLIP-SPM's summed loss; the other heads' loss is a mean, as in "paper".
    summed = options.model == FULL or options.preset == "lite"
    preset = training.preset_settings(options.preset if summed else "paper", options.benchmark)
    names = ("way", "shot", "queries", "steps", "episodes_per_step", "learning_rate", "patience", "seed")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    settings = replace(preset, **given)
    ratio = preset.episodes_per_step / settings.episodes_per_step
    steps, validate_every = math.ceil(preset.steps * ratio), max(1, round(preset.validate_every * ratio))
    return replace(settings, steps=given.get("steps", steps), validate_every=validate_every)


def head_config(options: argparse.Namespace) -> dict[str, Any]:
    """What `build_head` gets beside ``dim``: the preset's settings for the model and the benchmark."""
    lite = options.preset == "lite"
    if options.model != FULL:
        return TRAINED_BASELINES[options.model] if lite else {"model": options.model}
    sizes = LITE_SIZES if lite else DATASET_SETTINGS.get(options.benchmark, {})
    return {"preset": options.preset, "inductive": options.inductive, **sizes}


def finetuning_of(options: argparse.Namespace, store: FeatureStore) -> training.FineTuning:
    sides_matter = options.data is None or (options.benchmark or "").startswith("ssv2")
    how: Any = dict(flip=not (options.no_flip or sides_matter), recompute=options.gradient_checkpointing)
    if options.lora is not None:
        rate = training.LoRA.learning_rate if options.lora_learning_rate is None else options.lora_learning_rate
        how["lora"] = training.LoRA(options.lora, rate, options.lora_protect)
    return training.FineTuning(store.backbone, store.frames, store.backbone.benchmark_resize, **how)


def stand_in(store: FeatureStore, videos: VideoDataset, progress: bool) -> EncodedDataset:
    """For a dry run: random features of the right shape; with progress, how long encoding the videos will take."""
    few, started = videos.paths[:16], time.perf_counter()
    features = store.encode_anew(few)
    each = (time.perf_counter() - started) / len(few)
    if progress:
        print(f"to encode once, where the feature store lacks them: {len(videos.paths):,} videos, {each:.2g} s each")
    random = torch.randn(len(videos.paths), *features.shape[1:])
    class_text = store.backbone.encode_class_names(videos.classes).cpu()
    return EncodedDataset(videos.classes, videos.videos_per_class, random, class_text)


def curve(result: training.loop.TrainingResult) -> str:
    """The learning curve, and which step was kept."""
    line = "step {step:5d}   loss {loss:.3f}   training {accuracy:5.1f} %   validation {validation_accuracy:5.1f} ± "
    line += "{validation_interval:.1f} %"
    best = f"best on validation: step {result.best_step}, {result.best_accuracy:.1f} %"
    if "encoder_update" in result.history[0]:
        line += "   update {encoder_update:.1%} of the encoder's weights"
    lines = [line.format(**entry) for entry in result.history]
    return "\n".join([*lines, f"{best}, kept in {printable(result.best_path)}"])
