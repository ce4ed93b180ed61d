"""Proves and measures the full path on the accelerator that is there: python tests/gpu/check.py [--small] [--out FILE]

It takes no weights and no data from outside: the encoder is a ViT-B/16 with random weights, the videos are the sample
clips. A row is "failed" where the accelerator disagrees with the CPU, a result is not finite, or a run that was killed
does not continue as it would have; the status is then 1. --small, which is all that a CPU can do in a minute, takes a
toy encoder: its rates say nothing. Expect a few minutes on one card; without enough memory a row says so.
"""

import argparse
import copy
import gc
import json
import logging
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import open_clip
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import clipspm_lite
from clipspm_lite import CLIPSPM, otam
from clipspm_lite.clip.backbone import Backbone, load_backbone
from clipspm_lite.data.datasets import sample_world
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.model.clip_fsar import CLIPFSAR
from clipspm_lite.model.head import Head
from clipspm_lite.model.presets import DATASET_SETTINGS
from clipspm_lite.model.trx import TRX
from clipspm_lite.storage.files import write_json
from clipspm_lite.storage.tensors import read_tensors
from clipspm_lite.threads import pick_device
from clipspm_lite.training import FineTuning, TrainingSettings, pick_precision, plan, train
from clipspm_lite.training.sources import VideoSource
from clipspm_lite.training.state import LAST

PARTS = ("base", "validation")
LONGEST_RUN = 300  # seconds that a child may take to its first validation
TYPES = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
TOY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@dataclass(frozen=True)
class Sizes:
    """How much is computed; the defaults are for a card."""

    backbone: str = "ViT-B-16-quickgelu"
    dim: int = 512
    way: int = 5
    queries: int = 4
    frames_at_once: int = 256
    episodes: int = 10_000
    compared_episodes: int = 200  # also on the CPU
    product: int = 8192  # side of the matrices whose product gives the card's own rate


SMALL = Sizes("toy-ViT", dim=32, way=2, queries=1, frames_at_once=16, episodes=60, compared_episodes=60, product=256)


class Row(NamedTuple):
    what: str
    measured: float | None = None  # None where there was not enough memory
    unit: str = ""
    passed: bool | None = None  # None: a measurement, which cannot fail


def seconds(device: torch.device, act: Callable[[], Any], times: int = 5) -> float:
    """Of one call, after one to warm up, until all that was asked of the device is done."""

    def done() -> float:
        if device.type != "cpu":
            torch.accelerator.synchronize()
        return time.perf_counter()

    act()
    started = done()
    for _ in range(times):
        act()
    return (done() - started) / times


def same_as_the_cpu(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """OTAM and the heads in full precision, forwards and backwards."""
    torch.manual_seed(0)
    way, queries, dim = sizes.way, sizes.way * sizes.queries, sizes.dim
    tensors = torch.randn(way, 1, 8, dim), torch.randn(queries, 8, dim), torch.randn(way, dim)
    labels = torch.arange(way).repeat_interleave(sizes.queries)

    def answer(head: Head | None, where: torch.device | str) -> list[Tensor]:
        """The answer and all gradients, without dropout; None is OTAM."""
        leaves = [tensor.to(where, copy=True).requires_grad_() for tensor in tensors]
        if head is None:
            found = otam(leaves[1], leaves[0].mean(1))
            found.square().mean().backward()
        else:
            head = copy.deepcopy(head).eval().to(where)
            losses = head.losses(*leaves, labels.to(where))
            found = losses.logits
            losses.total.sum().backward()
        weights = [] if head is None else [*head.parameters()]
        return [found.detach(), *(leaf.grad for leaf in [*leaves, *weights] if leaf.grad is not None)]

    heads = {"CLIP-SPM": CLIPSPM(dim, **DATASET_SETTINGS["hmdb51"]), "CLIP-FSAR": CLIPFSAR(dim), "TRX": TRX(dim)}
    for name, head in {"OTAM": None, **heads}.items():
        pairs = zip(answer(head, device), answer(head, "cpu"), strict=True)
        worst = max(float((a.cpu() - b).abs().max() / b.abs().max().clamp_min(1e-12)) for a, b in pairs)
        yield Row(f"{name} and its gradients against the CPU", worst, "of the largest", worst < 1e-3)


def encoder(device: torch.device, sizes: Sizes) -> Backbone:
    torch.manual_seed(0)
    return load_backbone(sizes.backbone, weights="random", device=device).set_trainable(True).train()


def half_precision(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """Features and gradients of the encoder in bf16 and fp16 against full precision."""
    backbone, scale = encoder(device, sizes), 1024.0  # of the loss, as small gradients are zero in fp16
    frames = torch.rand(16, 3, backbone.image_size, backbone.image_size, device=device)
    target = torch.randn(16, sizes.dim, device=device)

    def step(kind: torch.dtype) -> tuple[Tensor, Tensor]:
        backbone.zero_grad()
        with torch.autocast(device.type, kind, enabled=kind != torch.float32):
            features = backbone.encode_frames(frames).float()
        (scale * F.mse_loss(features, target)).backward()
        gradients = [weight.grad.flatten() for weight in backbone.parameters() if weight.grad is not None]
        return features.detach(), torch.cat(gradients) / scale

    features, gradient = step(torch.float32)
    for kind in (torch.bfloat16, torch.float16):
        half_features, half_gradient = step(kind)
        finite = bool(half_features.isfinite().all() and half_gradient.isfinite().all())
        name = str(kind).removeprefix("torch.")
        cosine = float(F.cosine_similarity(half_features, features, dim=-1).min())
        yield Row(f"features in {name} against float32", cosine, "least cosine", finite and cosine > 0.99)
        cosine = float(F.cosine_similarity(half_gradient, gradient, dim=0))
        yield Row(f"the encoder's gradient in {name}", cosine, "cosine", finite and cosine > 0.95)


def finetuning(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """`plan`, which trains 1-shot episodes end to end, of sample clips and of frames that lie in memory."""
    settings = TrainingSettings(way=sizes.way, queries=sizes.queries, episodes_per_step=1, validation_episodes=20)
    backbone, base, validation = encoder(device, sizes), sample_world("base"), sample_world("validation")
    clip = torch.rand(8, 3, backbone.image_size, backbone.image_size)
    modes = [(precision, recompute) for precision in ("mixed", "32-true") for recompute in (True, False)]
    for precision, recompute, decoded in [("mixed", True, True), *((*mode, False) for mode in modes)]:
        head, how = CLIPSPM(sizes.dim, **DATASET_SETTINGS["hmdb51"]), FineTuning(backbone, recompute=recompute)
        title = f"fine-tuning, {pick_precision(precision, device)}, {'' if recompute else 'no '}checkpointing, "
        title += "sample clips" if decoded else "frames in memory"
        decode = VideoSource._training_video if decoded else lambda *_: clip
        with patch.object(VideoSource, "_training_video", decode):
            try:
                run = plan(head, base, validation, settings, finetuning=how, device=device, precision=precision)
            except torch.OutOfMemoryError:
                yield Row(f"{title}: not enough memory")
                continue
        yield Row(title, 1 / run.seconds_per_step, f"{sizes.way}-way 1-shot episodes/s")
        if device.type == "cuda":
            yield Row("  its peak memory", (run.peak_memory or 0) / 2**30, "GiB")


def encoding(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """Frames a second, and the share of the rate of one large matrix product that this is."""
    backbone, side = encoder(device, sizes), sizes.product
    frames = torch.rand(sizes.frames_at_once, 3, backbone.image_size, backbone.image_size, device=device)
    with FlopCounterMode(
        display=False
    ) as counted:  # in training mode, where torch takes no shortcut that is not counted
        backbone.encode_frames(frames[:1])
    for precision in ("32-true", pick_precision("mixed", device)):
        kind = TYPES[precision]
        left, right = torch.randn(2, side, side, device=device, dtype=kind)
        with torch.inference_mode(), torch.autocast(device.type, kind, enabled=kind != torch.float32):
            rate = len(frames) / seconds(device, partial(backbone.eval().encode_frames, frames))
            own = 2 * side**3 / seconds(device, partial(torch.matmul, left, right))
        yield Row(f"encoding, {precision}", rate, "frames/s")
        yield Row(f"  a product of {side} x {side} matrices", own / 1e12, "TFLOP/s")
        yield Row("  encoding, of that rate", 100 * rate * counted.get_total_flops() / own, "%")


def scoring(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """Episodes of the full-size head, and whether they are answered as on the CPU."""
    torch.manual_seed(0)
    centres = torch.randn(10, 1, 1, sizes.dim)
    features = (centres + 3 * torch.randn(10, 50, 8, sizes.dim)).flatten(0, 1)
    data = EncodedDataset(tuple(f"action {i}" for i in range(10)), (50,) * 10, features, centres[:, 0, 0])
    head, cpu = CLIPSPM(sizes.dim, **DATASET_SETTINGS["hmdb51"]), torch.device("cpu")
    few = [evaluate(head, data, episodes=sizes.compared_episodes, device=where).per_episode for where in (device, cpu)]
    same = 100 * float((few[0] == few[1]).mean())
    yield Row("CLIP-SPM: episodes answered as on the CPU", same, "%", same > 99)
    started = time.perf_counter()
    evaluate(head, data, episodes=sizes.episodes, device=device)
    yield Row(f"CLIP-SPM, C = {sizes.dim}: {sizes.episodes:,} episodes", time.perf_counter() - started, "s")


def short_run(folder: Path) -> list[dict[str, float]]:
    """The tiny CLIP and a head, trained end to end for a few steps; continues the run in ``folder``."""
    settings = TrainingSettings(
        way=3, queries=1, steps=8, episodes_per_step=1, validate_every=1, validation_episodes=20
    )
    base, validation = (replace(d, classes=d.classes[:3], videos=d.videos[:3]) for d in map(sample_world, PARTS))
    torch.manual_seed(0)
    head, how = CLIPSPM(128, heads=2, head_dim=16, mlp_dim=64), FineTuning(load_backbone(), frames=4)
    return train(head, base, validation, settings, folder, finetuning=how, resume=True, progress=False).history


def kill_and_resume(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """A run that is killed (SIGKILL) after a validation continues to the curve of one that was not."""
    with tempfile.TemporaryDirectory() as temporary:
        whole, killed = short_run(Path(temporary, "whole")), Path(temporary, "killed")
        command = [sys.executable, __file__, "--child", str(killed)]
        child, patience = subprocess.Popen(command), time.monotonic() + LONGEST_RUN
        while not (killed / LAST).exists() and child.poll() is None and time.monotonic() < patience:
            time.sleep(0.01)
        child.kill()
        child.wait()
        before = len(read_tensors(killed / LAST, "training state")[1]["history"])
        subprocess.run(command, check=True)
        resumed = read_tensors(killed / LAST, "training state")[1]["history"]
    worst = max(abs(ours["loss"] - theirs["loss"]) for ours, theirs in zip(resumed, whole, strict=True))
    yield Row("killed and resumed, at validation", before, f"of {len(whole)}", before < len(whole))
    yield Row("  its losses against those of a whole run", worst, "at most", worst < 0.01)


SECTIONS = (same_as_the_cpu, half_precision, encoding, finetuning, scoring, kill_and_resume)


def about(device: torch.device) -> dict[str, Any]:
    """What the numbers were measured on, and when."""
    name, memory = platform.processor() or platform.machine(), None
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        name, memory = card.name, round(card.total_memory / 2**30, 1)
    versions = {"torch": torch.__version__, "cuda": torch.version.cuda, "python": platform.python_version()}
    versions |= {"clipspm_lite": clipspm_lite.__version__, "system": platform.platform()}
    when = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"device": device.type, "card": name, "memory_gib": memory, "date": when, **versions}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="toy sizes (always on a CPU)")
    parser.add_argument("--out", metavar="FILE.json", help="also write the rows there")
    parser.add_argument("--only", nargs="+", choices=[section.__name__ for section in SECTIONS], help="these sections")
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        short_run(Path(options.child))
        return 0
    device, started = pick_device("auto"), time.perf_counter()
    small = options.small or device.type == "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    results = about(device) | {"small": small}
    print("\n".join(f"{name}: {value}" for name, value in results.items()), end="\n\n", flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{SMALL.backbone}.json").write_text(json.dumps(TOY), encoding="utf-8")
        open_clip.add_model_config(folder)
    for section in SECTIONS:
        if options.only is None or section.__name__ in options.only:
            for row in section(device, SMALL if small else Sizes()):
                rows.append(row)
                measured = "" if row.measured is None else f"{row.measured:10.5g} {row.unit}"
                verdict = {None: "", True: "passed", False: "FAILED"}[row.passed]
                print(f"{row.what:70s} {measured:45s} {verdict}".rstrip(), flush=True)
            gc.collect()
    results |= {"seconds": round(time.perf_counter() - started), "rows": [row._asdict() for row in rows]}
    if options.out:
        write_json(options.out, results)
    print(f"\n{results['seconds']} s; failed: {sum(row.passed is False for row in rows)}")
    return int(any(row.passed is False for row in rows))


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # of open_clip, about random weights
    raise SystemExit(main())
