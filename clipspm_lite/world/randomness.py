"""Random numbers that are the same on every machine and with every numpy version."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

WORLD_VERSION = 2

T = TypeVar("T")


class Stream:
    """A random stream named by a key.

    It draws only from ``RandomState.random_sample``, whose values numpy promises never to change
    (``Generator`` distributions make no such promise). The seed is a hash of the world's version and the key.
    """

    def __init__(self, *key: object) -> None:
        digest = hashlib.sha256(repr((WORLD_VERSION, *key)).encode()).digest()
        self._state = np.random.RandomState(np.frombuffer(digest, dtype="<u4").tolist())

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """One number between ``low`` and ``high``."""
        return low + (high - low) * float(self._state.random_sample())

    def uniforms(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """An array of independent numbers between ``low`` and ``high``."""
        return low + (high - low) * self._state.random_sample(shape)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[int(self.uniform() * len(items))]
