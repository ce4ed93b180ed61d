"""Train the tiny CLIP from nothing: `python -m clipspm_lite.tiny_clip.train --out FOLDER --cache FOLDER`.

Top to bottom: a vocabulary, rendered frames with their captions, the contrastive loss, the loop, a check on
classes it never saw. The novel classes are not touched here.
"""

import argparse
import collections
import gzip
import hashlib
import itertools
import json
import math
import multiprocessing
import random
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from clipspm_lite import world
from clipspm_lite.clip.backbone import TINY_CLIP_DIR, WEIGHTS_FILE, Backbone, load_backbone
from clipspm_lite.storage.files import check_writable, one_line, replace_file, replacing
from clipspm_lite.world.write import end_with_parent

# First clip seeds: the committed clips use 0 to 19, so no clip is met twice.
TRAINING_SEED, VALIDATION_SEED = 1_000_000, 2_000_000

CONFIG_FILE, MERGES_FILE, LOSSES_FILE = "open_clip_config.json", "bpe_merges.txt.gz", "losses.json"
IMAGE_SIZE = 64
CLIP_LENGTH = 24
FRAMES_PER_CLIP = 4
ACTION = 0  # its place among a frame's captions: action, look, pose


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides what comes out, besides the world itself."""

    clips: int = 16_000
    base_share: float = 0.6
    merges: int = 240
    batch: int = 128
    steps: int = 1400
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    caption_weights: tuple[float, float, float] = (1.0, 0.15, 1.0)
    seed: int = 0


@dataclass(frozen=True)
class Examples:
    """M rendered frames `[M, 3, 64, 64]` (uint8), their class (−1: a free pose) and three captions each."""

    frames: Tensor
    labels: Tensor
    captions: list[list[str]]


def learn_merges(texts: Iterable[str], count: int) -> list[tuple[str, str]]:
    """Byte-pair encoding: join the most frequent neighbouring pair of pieces, `count` times.

    A word starts as its letters, the last one marked `</w>`, as open_clip's tokenizer does.
    """
    frequency = collections.Counter(word for text in texts for word in re.findall("[a-z]+", text.lower()))
    words = {word: (*word[:-1], word[-1] + "</w>") for word in frequency}
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: collections.Counter[tuple[str, str]] = collections.Counter()
        for word, pieces in words.items():
            for pair in itertools.pairwise(pieces):
                pairs[pair] += frequency[word]
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        words = {word: _join(pieces, best) for word, pieces in words.items()}
    return merges


def _join(pieces: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    joined: list[str] = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


def contrastive_loss(image: Tensor, text: Tensor, positives: Tensor, scale: Tensor) -> Tensor:
    """CLIP's loss, where a row may have several right answers.

    Two frames of one class have the same caption; calling one of them wrong would teach noise, so the
    target spreads evenly over all positives.

    Args:
        image, text: `[B, C]`, any length; they are scaled to length 1 here.
        positives: `[B, B]` bool, symmetric, true on the diagonal.
        scale: the inverse temperature.
    """
    logits = scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    target = positives / positives.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def _start_worker() -> None:
    torch.set_num_threads(1)
    end_with_parent()


def _render_clip(job: tuple[int, str | None]) -> tuple[np.ndarray, list[list[str]]]:
    seed, class_name = job
    rng = random.Random(seed)
    scene = world.make_scene(class_name, seed)
    chosen = sorted(rng.sample(range(CLIP_LENGTH), FRAMES_PER_CLIP))
    frames = shrink(world.render(scene, frames=chosen))
    return frames.numpy(), [world.captions(scene, frame, rng) for frame in chosen]


def shrink(frames: np.ndarray) -> Tensor:
    """`[F, H, W, 3]` uint8 to `[F, 3, 64, 64]` uint8, resized as `load_video(path, size=64)` does."""
    images = torch.from_numpy(frames).permute(0, 3, 1, 2)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    return F.interpolate(images.float(), size, mode="bicubic", antialias=True).clamp(0, 255).round().byte()


def render_examples(recipe: TrainingRecipe, cache: Path) -> Examples:
    """Render the training clips, or read them from the cache if the world has not changed since."""
    base = world.SPLITS["default"]["base"]
    named = round(recipe.clips * recipe.base_share)
    labels = [index % len(base) for index in range(named)] + [-1] * (recipe.clips - named)
    jobs = [(TRAINING_SEED + i, base[label] if label >= 0 else None) for i, label in enumerate(labels)]

    sources = sorted(Path(world.__file__).parent.glob("*.py"))
    key = b"".join(source.read_bytes() for source in sources) + repr((jobs, FRAMES_PER_CLIP)).encode()
    path = cache / f"tiny_clip_frames_{hashlib.sha256(key).hexdigest()[:16]}.npz"
    if not path.is_file():
        check_writable(path)
        with multiprocessing.get_context("spawn").Pool(None, _start_worker) as pool:
            rendered = list(tqdm(pool.imap(_render_clip, jobs, chunksize=16), "rendering", len(jobs)))
        with replacing(path) as name, open(name, "wb") as file:
            np.savez(
                file,
                frames=np.concatenate([frames for frames, _ in rendered]),
                captions=np.array([captions for _, clip in rendered for captions in clip]),
            )
    try:
        with np.load(path, allow_pickle=False) as stored:
            frames, captions = torch.from_numpy(stored["frames"]), stored["captions"].tolist()
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"damaged frames ({one_line(error)}); delete them, they are rendered again: {path}") from None
    return Examples(frames, torch.tensor(labels).repeat_interleave(FRAMES_PER_CLIP), captions)


def augment(frames: Tensor) -> Tensor:
    """Float frames `[B, 3, H, W]` in [0, 1] with what H.264 does to them: some blur, some noise."""
    blurred = F.avg_pool2d(frames, 3, stride=1, padding=1, count_include_pad=False)
    frames = torch.lerp(frames, blurred, 0.5 * torch.rand(len(frames), 1, 1, 1))
    return (frames + 0.03 * torch.rand(len(frames), 1, 1, 1) * torch.randn_like(frames)).clamp(0, 1)


def fit(folder: Path, examples: Examples, recipe: TrainingRecipe) -> tuple[Backbone, list[list[float]]]:
    """Fit the model of the folder's config: a step shows a batch of frames with all three captions each.

    Returns:
        The model, and for each step the losses of the three kinds of captions: action, look, pose.
    """
    torch.manual_seed(recipe.seed)
    backbone = load_backbone(f"local-dir:{folder}", weights="random", device="cpu")
    clip = backbone.clip.requires_grad_(True).train()
    sentences, places = np.unique(np.array(examples.captions), return_inverse=True)
    tokens = backbone.tokenizer(sentences.tolist())
    sentence_of = torch.from_numpy(places).reshape(-1, 3)

    optimizer = torch.optim.AdamW(clip.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, recipe.steps, pct_start=0.1, cycle_momentum=False
    )
    losses = []
    progress = tqdm(range(recipe.steps), "training")
    for _ in progress:
        batch = torch.randint(len(examples.frames), (recipe.batch,))
        image = backbone.encode_frames(augment(examples.frames[batch] / 255))
        shown, position = sentence_of[batch].unique(return_inverse=True)
        text = clip.encode_text(tokens[shown])
        label = examples.labels[batch]
        same_class = (label[:, None] == label) & (label >= 0)
        kinds = []
        for kind, caption in enumerate(position.T):
            positives = caption[:, None] == caption
            if kind == ACTION:
                positives |= same_class
            kinds.append(contrastive_loss(image, text[caption], positives, clip.logit_scale.exp()))
        loss = torch.stack(kinds) @ torch.tensor(recipe.caption_weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(max=math.log(100))
        losses.append([round(one.item(), 3) for one in kinds])
        progress.set_postfix(loss=f"{loss.item():.3f}")
    return backbone, losses


@torch.no_grad()
def zero_shot_accuracy(backbone: Backbone, classes: Sequence[str], clips: int = 20) -> float:
    """Per cent right, 5-way, on freshly rendered clips: the class whose text is nearest to the mean frame.

    No episodes are drawn: a clip is right in an episode if all four other classes score lower, and the share
    of such episodes can be counted.
    """
    text = F.normalize(backbone.encode_class_names(classes), dim=-1)
    middles = [int((i + 0.5) * CLIP_LENGTH / 8) for i in range(8)]
    right = []
    for label, name in enumerate(classes):
        for clip in range(clips):
            scene = world.make_scene(name, VALIDATION_SEED + clip)
            frames = shrink(world.render(scene, frames=middles)) / 255
            video = F.normalize(backbone.encode_frames(frames).mean(dim=0), dim=-1)
            score = text @ video
            beaten = int((score < score[label]).sum())
            right.append(math.comb(beaten, 4) / math.comb(len(classes) - 1, 4))
    return 100 * sum(right) / len(right)


def make_tiny_clip(out: Path, cache: Path, recipe: TrainingRecipe) -> float:
    """The whole recipe: writes config, merges, weights and losses to `out`, returns the validation accuracy."""
    for name in (MERGES_FILE, CONFIG_FILE, LOSSES_FILE, WEIGHTS_FILE):
        check_writable(out / name)
    examples = render_examples(recipe, cache)
    merges = learn_merges(itertools.chain.from_iterable(examples.captions), recipe.merges)
    with tempfile.TemporaryDirectory() as unfinished:
        folder = Path(unfinished)
        lines = ["#version: byte-pair merges, most frequent first", *(" ".join(merge) for merge in merges)]
        # open_clip drops the first line and would take an empty last one for a merge.
        (folder / MERGES_FILE).write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
        pixels = {"mean": [0.5] * 3, "std": [0.25] * 3}
        config = {"model_cfg": model_config(len(merges)), "preprocess_cfg": pixels}
        (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

        backbone, losses = fit(folder, examples, recipe)
        (folder / LOSSES_FILE).write_text(json.dumps(losses) + "\n", encoding="utf-8")
        state = {key: value.contiguous() for key, value in backbone.clip.half().state_dict().items()}
        (folder / WEIGHTS_FILE).write_bytes(save(state))
        # Measured on what lies in the file, rounded to 16 bits.
        stored = load_backbone(f"local-dir:{folder}", device="cpu")
        accuracy = zero_shot_accuracy(stored, world.SPLITS["default"]["validation"])
        # Without its weights a folder is refused: stopped in between, old and new files are never taken for a model.
        (out / WEIGHTS_FILE).unlink(missing_ok=True)
        for name in (MERGES_FILE, CONFIG_FILE, LOSSES_FILE, WEIGHTS_FILE):
            replace_file(out / name, (folder / name).read_bytes())
    return accuracy


def model_config(merges: int) -> dict[str, Any]:
    """open_clip's description of the model: CLIP's ResNet, one block a stage, beside a small transformer."""
    return {
        "embed_dim": 128,
        "vision_cfg": {"image_size": IMAGE_SIZE, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
        "text_cfg": {
            "context_length": 32,
            # 256 bytes, the same 256 at the end of a word, the merges, start and end of text.
            "vocab_size": 512 + merges + 2,
            "width": 96,
            "heads": 4,
            "layers": 2,
            "tokenizer_kwargs": {"bpe_path": MERGES_FILE},
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=str(TINY_CLIP_DIR), help="where the files go [the package]")
    cache = str(Path.home() / ".cache" / "clipspm_lite")
    parser.add_argument("--cache", default=cache, help="for rendered frames [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and batches [%(default)s]")
    options = parser.parse_args()
    out = Path(options.out)
    start = time.monotonic()
    try:
        accuracy = make_tiny_clip(out, Path(options.cache), TrainingRecipe(seed=options.seed))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    seconds = time.monotonic() - start
    made = load_backbone(f"local-dir:{out}", device="cpu")
    parameters = sum(parameter.numel() for parameter in made.parameters())
    size = (out / WEIGHTS_FILE).stat().st_size
    print(f"{made.clip.vocab_size} tokens, {parameters:,} parameters, {size / 1e6:.2f} MB, {seconds:.0f} s in all")
    print(f"fingerprint {made.fingerprint[:16]}, zero-shot 5-way on validation classes: {accuracy:.1f} %")


if __name__ == "__main__":
    main()
