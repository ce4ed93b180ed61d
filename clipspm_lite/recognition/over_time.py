"""A long clip: what happens when, found in windows of a few seconds."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from clipspm_lite.data.clips import find_clip
from clipspm_lite.data.decoding.video import fitted, frame_indices
from clipspm_lite.recognition.recogniser import Recogniser

FRAMES_AT_ONCE = 64  # encoded together


class Moment(NamedTuple):
    """The answer for a window of a long clip, and the part that is nearest to it; the parts leave no gaps."""

    start: float  # seconds
    end: float
    action: str
    probabilities: dict[str, float]  # of every action, the likeliest first


def recognise_over_time(
    recogniser: Recogniser, video: str | Path, window: float, stride: float | None = None, fps: float = 0
) -> list[Moment]:
    """Name the action in every window of a long clip, each by itself.

    The clip is decoded twice and sampled evenly, T frames per window; features are kept. Raises VideoError, ValueError.

    Args:
        window: seconds; about as long as the clips that the recogniser knows.
        stride: seconds from one window to the next, rounded to samples; default: half a window.
        fps: frames per second, for a clip that does not say it: a folder of images, or one in a prepared folder.
    """
    store, shown, clip = recogniser.store, recogniser.store.frames, find_clip(video)
    stride = window / 2 if stride is None else stride
    _, count, rate = clip.decode(())
    if not all(number > 0 for number in (window, stride, rate or fps)):
        found = f"{window}, {stride} and {rate or fps} (images have no frame rate: give fps)"
        raise ValueError(f"window, stride and fps: expected numbers above 0, found {found}: {video}")
    length = count / (rate or fps)
    numbers = frame_indices(count, [0.5] * max(shown, round(length / window * shown)))
    features: dict[int, Tensor] = {}
    waiting: dict[int, Tensor] = {}
    wanted = set(numbers)

    def take(number: int, picture: np.ndarray) -> None:
        if number in wanted:
            waiting[number] = fitted(picture, store.resize, store.backbone.image_size)
            if len(waiting) == FRAMES_AT_ONCE or number == numbers[-1]:
                encoded = store.encode_clips([torch.stack([*waiting.values()])])[0]
                features.update(zip(waiting, encoded, strict=True))
                waiting.clear()

    clip.decode((), take)
    samples, last = torch.stack([features[number] for number in numbers]), len(numbers) - shown
    firsts = sorted({*range(0, last + 1, max(1, round(stride / window * shown))), last})
    edges = [0, *((one + other + shown) / 2 * length / len(numbers) for one, other in pairwise(firsts)), length]
    moments = []
    for first, start, end in zip(firsts, edges, edges[1:], strict=False):
        ranking = recogniser.predict(samples[None, first : first + shown])[0].ranking
        moments.append(Moment(start, end, ranking[0].action, {s.action: s.probability for s in ranking}))
    return moments
