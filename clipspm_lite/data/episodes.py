"""Episodes: N classes, K labelled support videos each, and queries to be assigned to them (SPEC section 1).

An episode depends on (seed, index) only: every method is scored on the same, and a killed run continues where it was.
The random numbers are Python's Mersenne Twister's, which the language keeps unchanged, by SHA-256 of seed and index.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from numbers import Integral

import torch

from clipspm_lite.arguments import whole_number


@dataclass(frozen=True)
class Episode:
    """One task. A video's number is its place among all videos of the data set, class after class."""

    classes: tuple[int, ...]  # N class numbers
    support: tuple[tuple[int, ...], ...]  # K video numbers for each of them
    query: tuple[int, ...]  # Q = N · queries video numbers, the queries of the first class first
    query_labels: tuple[int, ...]  # for each query which of the N classes is right, 0 … N − 1

    @property
    def videos(self) -> tuple[int, ...]:
        """All video numbers, the supports first."""
        return (*chain(*self.support), *self.query)


@dataclass(frozen=True)
class EpisodeBatch:
    """B episodes as tensors, as `CLIPSPM.forward` and the baselines take them."""

    support: torch.Tensor  # frame features [B, N, K, T, C]
    query: torch.Tensor  # frame features [B, Q, T, C]
    class_text: torch.Tensor  # text features [B, N, C]
    query_labels: torch.Tensor  # [B, Q], 0 … N − 1


class EpisodeSampler:
    """An endless list of N-way K-shot episodes: `sampler[index]` for any index from 0 on.

    An episode has N = `way` classes, and for each of them K = `shot` support videos and `queries` other videos. Another
    seed gives another list. `class_names` are for messages. Raises ValueError for too few classes or videos.
    """

    def __init__(
        self,
        videos_per_class: Sequence[int],
        way: int = 5,
        shot: int = 1,
        queries: int = 1,
        seed: int = 0,
        class_names: Sequence[str] | None = None,
    ):
        way, shot = whole_number("way", way), whole_number("shot", shot)
        queries, seed = whole_number("queries", queries), whole_number("seed", seed, least=0)
        if way > len(videos_per_class):
            raise ValueError(f"way={way} needs as many classes, the data set has {len(videos_per_class)}")
        for number, videos in enumerate(videos_per_class):
            if videos < shot + queries:
                name = f"number {number}" if class_names is None else repr(class_names[number])
                needed = f"an episode needs {shot + queries} (shot={shot} + queries={queries})"
                raise ValueError(f"class {name} has {videos} videos, {needed}; add videos to it, or leave it out")
        self.videos_per_class = tuple(videos_per_class)
        self.way, self.shot, self.queries, self.seed = way, shot, queries, seed
        self._first_video = (0, *accumulate(self.videos_per_class))

    def __getitem__(self, index: int) -> Episode:
        if not isinstance(index, Integral) or index < 0:  # 1.5 would give yet another episode
            raise IndexError(f"index: expected a whole number of at least 0, found {index!r}")
        digest = hashlib.sha256(f"{self.seed},{index}".encode()).digest()
        stream = random.Random(int.from_bytes(digest, "big"))
        classes = _draw(stream, len(self.videos_per_class), self.way)
        support: list[tuple[int, ...]] = []
        query: list[int] = []
        for number in classes:
            drawn = _draw(stream, self.videos_per_class[number], self.shot + self.queries)
            videos = tuple(self._first_video[number] + place for place in drawn)
            support.append(videos[: self.shot])
            query.extend(videos[self.shot :])
        labels = tuple(label for label in range(self.way) for _ in range(self.queries))
        return Episode(tuple(classes), tuple(support), tuple(query), labels)


def _draw(stream: random.Random, population: int, count: int) -> list[int]:
    """`count` different numbers below `population`, in random order (`Random.sample` may change between Pythons)."""
    numbers = list(range(population))
    for place in range(count):
        other = place + int(stream.random() * (population - place))
        numbers[place], numbers[other] = numbers[other], numbers[place]
    return numbers[:count]


def gather(features: torch.Tensor, class_text: torch.Tensor, episodes: Sequence[Episode]) -> EpisodeBatch:
    """The features of B episodes of equal way, shot and queries, class-major.

    `features` `[V, T, C]` and `class_text` `[classes, C]` are the whole data set's. Raises ValueError for others.
    """

    def numbers(name: str, below: int) -> torch.Tensor:
        listed = torch.tensor([getattr(episode, name) for episode in episodes])
        if not listed.numel() or not 0 <= listed.min() <= listed.max() < below:  # a GPU would end the process
            expected = f"at least one, with {name} numbers from 0 to {below - 1} of this data set"
            raise ValueError(f"episodes: expected {expected}, found {listed.flatten().tolist()}")
        return listed.to(features.device)

    return EpisodeBatch(
        support=features[numbers("support", len(features))],
        query=features[numbers("query", len(features))],
        class_text=class_text[numbers("classes", len(class_text))],
        query_labels=numbers("query_labels", len(episodes[0].classes)),
    )
