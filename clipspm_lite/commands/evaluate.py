"""The command `evaluate`: one method on listed episodes."""

import argparse
import time
from typing import Any

from clipspm_lite.clip.checkpoints import LITE_MODEL, RECOMMENDED_MODEL
from clipspm_lite.commands import options as common
from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.data.names import readable
from clipspm_lite.evaluation.results import RESULTS_VERSION, pack_answers, with_interval
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.storage.files import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.declare(parser, "method", *common.HEAD, *common.DATA, "stages", *common.ENCODER, "threads")
    common.declare(parser, *common.EPISODES, "shot", "inductive", "json", "results")


def run(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    dataset = common.open_part(options, options.part)
    listed = {name: getattr(options, name) for name in ("way", "shot", "queries", "episodes", "seed")}
    # Impossible episodes are refused before any video is decoded.
    EpisodeSampler(dataset.videos_per_class, options.way, options.shot, options.queries, class_names=dataset.classes)
    default = RECOMMENDED_MODEL if options.method == "recommended" else LITE_MODEL
    name, method, store = common.open_method(options, default, dataset)
    common.start_computing(options, store, videos=[options.data])
    [dataset], unreadable = common.without_unreadable(options, store, dataset)
    if store is not None:
        print(f"features: {store.backbone.name}, {store.frames} frames, shorter side {store.resize}")
        dataset = store.encode_dataset(dataset, progress=True)
    how: Any = dict(one_query_at_a_time=options.inductive, device=options.device)
    result = evaluate(method, dataset, **listed, **how, progress=True)
    data, interval = common.data_title(options), result.interval if result.episodes > 1 else None  # JSON has no NaN
    alone = options.inductive or getattr(method, "inductive", name in common.UNTRAINED)
    episodes = f"{options.way}-way {options.shot}-shot, {options.episodes} episodes, seed {options.seed}"
    asked = "each query alone" if alone else "all queries of an episode together"
    print(f"{name} on {data}: {with_interval(result.accuracy, interval)} % ({episodes}, {asked})")
    print(f"  {len(result.classes)} classes: {', '.join(map(readable, result.classes))}")
    for asked, answered, rate in result.most_confused(5):
        print(f"  {readable(asked)} taken for {readable(answered)}: {rate:.0f} %")
    about = {"method": name, "data": data, **listed, "classes": result.classes, "asked_inductive": alone}
    about |= {"unreadable": unreadable, "accuracy": result.accuracy, "interval": interval}
    if options.results:
        about_file = {"format_version": RESULTS_VERSION, **common.provenance("evaluate", options)}
        answers = {f"{options.way}-way, {options.shot}-shot": pack_answers([result])}
        write_json(options.results, about | about_file | {"answers": answers})
    if options.json:
        common.print_json(about | {"seconds": time.perf_counter() - started})
    return 0
