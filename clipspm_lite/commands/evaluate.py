"""The command `evaluate`: one method on listed episodes."""

import argparse
import time
from functools import partial

from clipspm_lite.clip.checkpoints import LITE_MODEL
from clipspm_lite.commands import options as common
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.data.names import readable
from clipspm_lite.evaluation.benchmark_table import episodes_at_once
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.model.heads import HEADS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--method", choices=common.METHODS, help="what is scored (default: the head in --checkpoint)")
    common.add_data_options(parser)
    common.add_encoder_options(parser)
    common.add_checkpoint_options(parser, LITE_MODEL.name)
    add("--shot", type=common.count, default=1, help="support videos per class")
    common.add_episode_options(parser, episodes=2000)
    add("--json", action="store_true", help="end with one JSON object")


def run(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    dataset = common.open_part(options, options.part)
    listed = {name: getattr(options, name) for name in ("way", "shot", "queries", "seed")}
    # Impossible episodes are refused before any video is decoded.
    EpisodeSampler(dataset.videos_per_class, **listed, class_names=dataset.classes)
    name, method, store = common.open_method(options, LITE_MODEL)
    print(f"features: {store.backbone.name}, {store.frames} frames, shorter side {store.resize}")
    result = evaluate(
        partial(method, inductive=True) if options.inductive and name in HEADS else method,
        store.encode_dataset(dataset, progress=True),
        **listed,
        episodes=options.episodes,
        device=options.device,
        batch_size=episodes_at_once(options.way, options.shot, options.queries, options.inductive),
        progress=True,
    )
    data = common.data_title(options)
    print(
        f"{name} on {data}: {result.accuracy:.1f} ± {result.interval:.1f} % "
        f"({options.way}-way {options.shot}-shot, {options.episodes} episodes, seed {options.seed})"
    )
    for asked, answered, rate in result.most_confused(5):
        print(f"  {readable(asked)} taken for {readable(answered)}: {rate:.0f} %")
    if options.json:
        summary = {"method": name, "data": data, **listed, "episodes": options.episodes}
        summary |= {"accuracy": result.accuracy, "interval": result.interval}
        print(common.as_json(summary | {"seconds": time.perf_counter() - started}), flush=True)
    return 0
