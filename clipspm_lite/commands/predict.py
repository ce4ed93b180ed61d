"""The command `predict`: the action in each video, known from a folder of clips or a saved recogniser."""

import argparse
import sys
from itertools import groupby
from statistics import fmean
from typing import Any, cast

from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL, RECOMMENDED_MODEL
from clipspm_lite.commands import options as common
from clipspm_lite.data.datasets import open_folder
from clipspm_lite.data.decoding.video import VideoError
from clipspm_lite.data.names import on_terminal, printable
from clipspm_lite.model.baselines import TRAINING_FREE
from clipspm_lite.recognition.leave_one_out import CHOICES, LeaveOneOut, leave_one_out
from clipspm_lite.recognition.over_time import Moment, recognise_over_time
from clipspm_lite.recognition.recogniser import Recogniser, Support, encode_support, load
from clipspm_lite.storage.files import check_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("videos", nargs="*", metavar="VIDEO", help="videos to name")
    known = parser.add_mutually_exclusive_group(required=True)
    known.add_argument("--support", metavar="FOLDER", help="a folder with one folder per action")
    known.add_argument("--recogniser", metavar="FILE", help="what --save wrote, in place of --support")
    add("--save", type=check_writable, metavar="FILE", help="keep the recogniser: features and settings, no video")
    add("--choose", action="store_true", help="leave out each clip in turn; take the method that does best")
    add("--window", type=float, metavar="SECONDS", help="name what happens when, in windows of this length")
    add("--stride", type=float, metavar="SECONDS", help="from one window to the next (default: half of it)")
    add("--fps", type=float, help="with --window: frames per second of clips that are images, or prepared")
    named = ("method", *common.HEAD, *common.ENCODER, "threads", "skip_unreadable", "json", "figure")
    known_here = {"choices": (*TRAINING_FREE, *common.HEADS)}  # a recogniser keeps no sentences
    common.declare(parser, *named, figure={"help": "draw what happens when (with --window)"}, method=known_here)
    parser.set_defaults(benchmark=None, features=None)  # which the shared options ask for
    parser.epilog = "A --recogniser has its settings, but no --weights from a file and no encoder of a --checkpoint."


def run(options: argparse.Namespace) -> int:
    common.check_pairs(options)
    recogniser, unreadable = open_recogniser(options)
    print(printable(recogniser), file=sys.stderr)
    summary: dict[str, Any] = {"support": options.support, "recogniser": options.recogniser, "unreadable": unreadable}
    if options.choose:
        recogniser, chosen = choose_method(recogniser)
        print(on_terminal(chosen))
        summary["leave_one_out"] = {
            "asked": len(chosen.asked),
            "never_asked": chosen.never_asked,
            "right": {method: chosen.right(method) for method in chosen.answers},
            "interval": {method: chosen.interval(method) for method in chosen.answers},
            "as_good": chosen.as_good,
        }
    elif recogniser.method == "recommended" and not (options.recogniser or options.checkpoint or options.method):
        recogniser = unless_contradicted(recogniser)
    if options.save:
        recogniser.save(options.save)
        print(f"saved in {printable(options.save)}: {printable(recogniser)}")
    predictions = [predict_one(recogniser, video, options) for video in options.videos]
    seen = {one["video"]: [Moment(**window) for window in one["windows"]] for one in predictions if "windows" in one}
    if seen:
        common.write_out(options, seen, "timeline:timelines")
    if options.json:
        common.print_json({"method": recogniser.method, **summary, "predictions": predictions})
    return 1 if any("error" in prediction for prediction in predictions) else 0


def open_recogniser(options: argparse.Namespace) -> tuple[Recogniser, list[str]]:
    """From --recogniser, with its own settings, or from --support, and what of that was left out."""
    if options.recogniser:
        encoder = {name: getattr(options, name) for name in common.ENCODER}
        if options.checkpoint:  # the encoder that was trained with the head is not in the recogniser's file
            encoder["backbone"] = common.open_head(options, options.checkpoint).store.backbone
        recogniser = load(options.recogniser, head=common.own_class(options), **encoder)
        if recogniser.support is None:
            raise ValueError(f"--recogniser: expected what --save wrote, found a head: {options.recogniser}")
        common.start_computing(options, recogniser.store, videos=options.videos)
        return recogniser, []
    dataset = open_folder(options.support)
    if options.choose and options.backbone not in (None, "tiny") and options.checkpoint is None:
        common.warn("clip-spm is not compared: no --checkpoint of a head for this backbone")
        options.method = CHOICES[0]
    default = LITE_INDUCTIVE_MODEL if options.method == "clip-spm" else RECOMMENDED_MODEL
    name, method, store = common.open_method(options, default)
    common.start_computing(options, store, videos=[options.support, *options.videos])
    [dataset], unreadable = common.without_unreadable(options, store, dataset)
    method = name if options.method in TRAINING_FREE else method
    return Recogniser(method, store, encode_support(store, dataset, progress=True)), unreadable


def choose_method(recogniser: Recogniser) -> tuple[Recogniser, LeaveOneOut]:
    """The recogniser with the method that is right most often about its own clips, each left out in turn."""
    head, support = recogniser.head, cast(Support, recogniser.support)
    result = leave_one_out([*CHOICES, *([head] if head else [])], support)
    best = result.best if head is None or result.best in CHOICES else head
    return Recogniser(best, recogniser.store, support), result


def unless_contradicted(recogniser: Recogniser) -> Recogniser:
    """The same, or where leave-one-out finds a method that does better by more than chance (`as_good`), that method."""
    try:
        better, result = choose_method(recogniser)
    except ValueError:  # no action has two different clips, so there is nothing to leave out
        return recogniser
    if recogniser.method in (result.best, *result.as_good):
        return recogniser
    right = f"{result.right(better.method)} of your {len(result.asked)} clips right, {recogniser.method}"
    common.warn(f"{better.method} answers: leave-one-out: {right} {result.right(recogniser.method)}")
    return better


def predict_one(recogniser: Recogniser, video: str, options: argparse.Namespace) -> dict[str, Any]:
    """Print the answer for a video, or why it cannot be read; returns what --json says of it."""
    try:
        if options.window is not None:
            windows = options.window, options.stride, options.fps or 0
            return print_moments(video, recognise_over_time(recogniser, video, *windows))
        prediction = recogniser.predict([video])[0]
    except (VideoError, OSError) as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        return {"video": video, "error": str(error)}
    best, second = prediction.ranking[:2]
    first, other = (f"{printable(one.action)}, {100 * one.probability:.0f} %" for one in (best, second))
    print(f"{printable(video)}: {first} (next {other}; logits {best.logit:.2f} and {second.logit:.2f})")
    probabilities = {one.action: one.probability for one in prediction.ranking}
    logits = {one.action: one.logit for one in prediction.ranking}
    answer = {"video": video, "action": best.action, "runner_up": second.action}
    return {**answer, "probabilities": probabilities, "logits": logits}


def print_moments(video: str, moments: list[Moment]) -> dict[str, Any]:
    """Print what happens when, neighbours of one action as one; returns what --json says of it."""
    for action, neighbours in groupby(moments, lambda moment: moment.action):
        same = [*neighbours]
        when = f"{same[0].start:.1f} to {same[-1].end:.1f} s"
        share = 100 * fmean(moment.probabilities[action] for moment in same)
        print(f"{printable(video)}: {when}: {printable(action)}, {share:.0f} %")
    return {"video": video, "windows": [moment._asdict() for moment in moments]}
