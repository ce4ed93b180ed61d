"""The command `evaluate`: one method on listed episodes."""

import argparse
import time

from clipspm_lite.clip.checkpoints import LITE_MODEL
from clipspm_lite.commands import options as common
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.data.names import readable
from clipspm_lite.evaluation.benchmark_table import episodes_at_once
from clipspm_lite.evaluation.results import json_number
from clipspm_lite.evaluation.scoring import evaluate


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
    common.start_computing(options, store)
    print(f"features: {store.backbone.name}, {store.frames} frames, shorter side {store.resize}")
    result = evaluate(
        method,
        store.encode_dataset(dataset, progress=True),
        **listed,
        episodes=options.episodes,
        one_query_at_a_time=options.inductive,
        device=options.device,
        batch_size=episodes_at_once(options.way, options.shot, options.queries),
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
        summary |= {"accuracy": result.accuracy, "interval": json_number(result.interval)}
        common.print_json(summary | {"seconds": time.perf_counter() - started})
    return 0
