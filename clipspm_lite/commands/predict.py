"""The command `predict`: the action in each video, known from a folder of clips or a saved recogniser."""

import argparse
import sys
from typing import Any

from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL
from clipspm_lite.commands import options as common
from clipspm_lite.data.datasets import open_folder
from clipspm_lite.data.decoding.video import VideoError
from clipspm_lite.data.names import on_one_line, on_terminal, printable
from clipspm_lite.model.heads import HEADS
from clipspm_lite.recognition.leave_one_out import LeaveOneOut, leave_one_out
from clipspm_lite.recognition.loading import load
from clipspm_lite.recognition.recogniser import Recogniser, encode_support
from clipspm_lite.storage.files import check_writable

CHOICES = ("zero-shot", "otam")  # what --choose compares with the head, the simplest first


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("videos", nargs="*", metavar="VIDEO", help="videos to name")
    known = parser.add_mutually_exclusive_group(required=True)
    known.add_argument("--support", metavar="FOLDER", help="a folder with one folder per action")
    known.add_argument("--recogniser", metavar="FILE", help="what --save wrote, in place of --support")
    add("--save", metavar="FILE", help="keep the recogniser: features and settings, no video")
    add("--method", choices=common.METHODS, help="what answers (default: the head in --checkpoint)")
    add("--choose", action="store_true", help="leave out each clip in turn; take the method that does best")
    common.add_encoder_options(parser)
    common.add_checkpoint_options(parser, LITE_INDUCTIVE_MODEL.name)
    add("--json", action="store_true", help="end with one JSON object")
    parser.epilog = "A --recogniser has its own settings, but not --weights that came from a file."


def run(options: argparse.Namespace) -> int:
    if not (options.videos or options.save or options.choose):
        raise ValueError("nothing to do: give videos to name, --save FILE or --choose")
    if options.save:
        check_writable(options.save)
    recogniser = reopen_recogniser(options) if options.recogniser else new_recogniser(options)
    summary: dict[str, Any] = {}
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
    if options.save:
        recogniser.save(options.save)
        print(f"saved in {printable(options.save)}: {on_one_line(recogniser)}")
    predictions = [predict_one(recogniser, video) for video in options.videos]
    if options.json:
        known = {"method": recogniser.method, "support": options.support, "recogniser": options.recogniser}
        common.print_json({**known, **summary, "predictions": predictions})
    return 1 if any("error" in prediction for prediction in predictions) else 0


def new_recogniser(options: argparse.Namespace) -> Recogniser:
    """From --support, with the head for --choose too, if there is one for this backbone."""
    dataset = open_folder(options.support)
    if options.choose and options.backbone not in (None, "tiny") and options.checkpoint is None:
        print("clip-spm is not compared: no --checkpoint of a head for this backbone", file=sys.stderr)
        options.method = CHOICES[0]
    name, method, store = common.open_method(options, LITE_INDUCTIVE_MODEL)
    common.start_computing(options, store)
    support = encode_support(store, dataset, progress=True)
    return Recogniser(method if name in HEADS else name, store, support)


def reopen_recogniser(options: argparse.Namespace) -> Recogniser:
    """From --recogniser, with its own settings."""
    recogniser = load(options.recogniser, **{name: getattr(options, name) for name in common.ENCODER})
    if recogniser.support is None:
        raise ValueError(f"--recogniser: expected what --save wrote, found a head: {options.recogniser}")
    print(on_one_line(recogniser), file=sys.stderr)
    common.start_computing(options, recogniser.store)
    return recogniser


def choose_method(recogniser: Recogniser) -> tuple[Recogniser, LeaveOneOut]:
    """The recogniser with the method that is right most often about its own clips, each left out in turn."""
    head, support = recogniser.head, recogniser.support
    assert support is not None
    result = leave_one_out([*CHOICES] if head is None else [*CHOICES, head], support)
    best = result.best if head is None or result.best in CHOICES else head
    return Recogniser(best, recogniser.store, support), result


def predict_one(recogniser: Recogniser, video: str) -> dict[str, Any]:
    """Print the answer for a video, or why it cannot be read; returns what --json says of it."""
    try:
        prediction = recogniser.predict([video])[0]
    except (VideoError, OSError) as error:
        print(f"error: {on_one_line(error)}", file=sys.stderr)
        return {"video": video, "error": str(error)}
    best, second = prediction.ranking[:2]
    print(
        f"{printable(video)}: {printable(best.action)}, {100 * best.probability:.0f} % (next "
        f"{printable(second.action)}, {100 * second.probability:.0f} %; logits {best.logit:.2f} and {second.logit:.2f})"
    )
    return {
        "video": video,
        "action": best.action,
        "runner_up": second.action,
        "probabilities": {one.action: one.probability for one in prediction.ranking},
        "logits": {one.action: one.logit for one in prediction.ranking},
    }
