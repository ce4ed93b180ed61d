"""Video files → frames, in processes of their own; here is what both sides need, without decord or torch."""

from collections.abc import Callable, Iterable

import numpy as np

Each = Callable[[int, np.ndarray], None]  # gets the number of a frame and the frame


def frame_indices(count: int, offsets: Iterable[float]) -> list[int]:
    """T of `count` frames, one from each of T equal segments: floor((i + offset) · count / T), T offsets in [0, 1)."""
    offsets = list(offsets)
    return [min(int((i + offset) * count / len(offsets)), count - 1) for i, offset in enumerate(offsets)]
