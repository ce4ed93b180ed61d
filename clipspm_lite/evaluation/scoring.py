"""Evaluation: accuracy with its interval over listed episodes, paired differences, who is taken for whom."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from clipspm_lite.arguments import whole_number
from clipspm_lite.data.encoded import EncodedDataset, check_encoded
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.evaluation.results import half_width
from clipspm_lite.model.spm import FusedSupport

VIDEOS_AT_ONCE = 500  # whose SF output is computed together

Method = Callable[..., Any]  # (support, query, class_text) → a result with .logits [..., Q, N]


@dataclass(frozen=True)
class Evaluation:
    """Answers of one method on listed episodes.

    Attributes:
        per_episode: share of queries answered rightly in each episode, ``[E]`` in 0 … 1.
        confusion: ``[classes, classes]``, how often a query of the row's class was answered as the column's.
        opportunities: ``[classes, classes]``, how often a query of the row's class could have been so answered.
    """

    classes: tuple[str, ...]
    per_episode: np.ndarray
    confusion: np.ndarray
    opportunities: np.ndarray

    @property
    def accuracy(self) -> float:
        """Mean accuracy over episodes, in per cent."""
        return 100 * float(self.per_episode.mean())

    @property
    def interval(self) -> float:
        """Half-width of the 95 % interval over episodes, in points."""
        return half_width(self.per_episode)

    def class_accuracy(self) -> dict[str, float]:
        """Accuracy of each class's queries, in per cent (nan for a class that was never asked)."""
        asked = np.diag(self.opportunities).astype(float)
        shares = np.divide(
            100 * np.diag(self.confusion), asked, out=np.full(len(asked), np.nan), where=asked > 0
        )
        return dict(zip(self.classes, shares.tolist(), strict=True))

    def most_confused(self, pairs: int = 10) -> list[tuple[str, str, float]]:
        """(asked, answered, per cent of the queries of ``asked`` in episodes that held both), worst first."""
        rates = np.divide(
            100 * self.confusion,
            self.opportunities,
            out=np.zeros(self.confusion.shape),
            where=self.opportunities > 0,
        )
        np.fill_diagonal(rates, 0)
        worst = np.argsort(-rates, axis=None, kind="stable")[:pairs]
        rows, columns = np.unravel_index(worst, rates.shape)
        return [
            (self.classes[r], self.classes[c], float(rates[r, c]))
            for r, c in zip(rows, columns, strict=True)
            if rates[r, c] > 0
        ]


def paired_difference(ours: Evaluation, other: Evaluation) -> tuple[float, float]:
    """Mean of (ours − other) episode by episode and its 95 % half-width, in points.

    Both must have been scored on the same listed episodes.
    """
    if ours.classes != other.classes or len(ours.per_episode) != len(other.per_episode):
        raise ValueError("paired_difference: the two were not scored on the same episodes")
    difference = ours.per_episode - other.per_episode
    return 100 * float(difference.mean()), half_width(difference)


@torch.inference_mode()
def evaluate(
    method: Method,
    data: EncodedDataset,
    *,
    way: int = 5,
    shot: int = 1,
    queries: int = 1,
    episodes: int = 2000,
    seed: int = 0,
    device: str | torch.device = "cpu",
    batch_size: int = 100,
    progress: bool | str = False,
) -> Evaluation:
    """Score a method on episodes 0 … ``episodes`` − 1 of ``seed``: the same list for every method.

    The paper's protocol is 10,000 episodes with one query a class. ``batch_size`` episodes are scored at a time, which
    is what the memory depends on. ``progress`` shows a bar, a text names it. What CLIP-SPM can know of a support before
    the episode is computed once a video, also for a ``functools.partial`` of a model.

    Raises:
        TypeError: no method, or videos in place of their features.
        ValueError: the data set has too few classes, or a class too few videos, for such episodes; or the method gives
            logits of another shape, or NaN.
    """
    if not callable(method):
        raise TypeError(
            f"method: expected a model or a function such as those of baselines, found {method!r}"
        )
    check_encoded(data)
    episodes, batch_size = whole_number("episodes", episodes), whole_number("batch_size", batch_size)
    sampler = EpisodeSampler(data.videos_per_class, way, shot, queries, seed, class_names=data.classes)
    features, class_text = data.features.to(device), data.class_text.to(device)
    if isinstance(method, torch.nn.Module):
        method = method.to(device).eval()
    # Made beforehand: small tensors kept from every batch would lie between the large ones and keep their memory taken.
    right = torch.empty(episodes, way * queries, dtype=torch.bool)
    asked, answered = (torch.empty(episodes, way * queries, dtype=torch.long) for _ in range(2))
    present = torch.empty(episodes, way, dtype=torch.long)
    title = progress if isinstance(progress, str) else "episodes"
    # It pays as soon as the episodes hold more supports than there are videos.
    fused = _fuse_all(method, data, device) if episodes * way * shot > len(features) else None
    for start in tqdm(range(0, episodes, batch_size), disable=None if progress else True, desc=title):
        part = slice(start, min(start + batch_size, episodes))
        listed = [sampler[index] for index in range(part.start, part.stop)]
        batch = gather(features, class_text, listed)
        known = {}
        if fused is not None:
            known["fused"] = FusedSupport(*(gather(of_all, class_text, listed).support for of_all in fused))
        scores = method(batch.support, batch.query, batch.class_text, **known)
        if not isinstance(getattr(scores, "logits", None), torch.Tensor):
            raise TypeError(
                "method: expected something with .logits [B, Q, N] back, for example baselines.Scores(logits), "
                f"found {type(scores).__name__}"
            )
        logits = scores.logits
        if logits.shape != (*batch.query_labels.shape, way):
            raise ValueError(
                f"method: expected logits [B, Q, N] = {(*batch.query_labels.shape, way)}, found {tuple(logits.shape)}"
            )
        if logits.isnan().any():
            raise ValueError(
                "method: its logits are NaN, which is no answer; its weights may be damaged or diverged"
            )
        answers = logits.argmax(-1)
        classes = torch.as_tensor(np.array([episode.classes for episode in listed]))
        right[part] = (answers == batch.query_labels).cpu()
        asked[part] = classes.gather(1, batch.query_labels.cpu())
        answered[part] = classes.gather(1, answers.cpu())
        present[part] = classes
    count = len(data.classes)
    return Evaluation(
        classes=data.classes,
        per_episode=right.double().mean(-1).numpy(),
        confusion=_count_pairs(asked, answered, count),
        opportunities=_count_pairs(
            asked[..., None].expand(-1, -1, way),
            present[:, None].expand(-1, way * queries, -1),
            count,
        ),
    )


def _fuse_all(method: Method, data: EncodedDataset, device: str | torch.device) -> FusedSupport | None:
    """SF of every video with its own class name, ``[V, T, C]`` and ``[V, 1, C]``; None where it can't be known."""
    model = method.func if isinstance(method, partial) else method
    fuse_supports = getattr(model, "fuse_supports", None)
    if fuse_supports is None:
        return None
    text = data.class_text.repeat_interleave(torch.tensor(data.videos_per_class), dim=0)
    parts = []
    for videos, names in zip(data.features.split(VIDEOS_AT_ONCE), text.split(VIDEOS_AT_ONCE), strict=True):
        part = fuse_supports(videos[:, None, None].to(device), names[:, None].to(device))
        if part is None:
            return None
        parts.append(part)
    return FusedSupport(*(torch.cat(of_parts).flatten(0, 2) for of_parts in zip(*parts, strict=True)))


def _count_pairs(rows: Tensor, columns: Tensor, count: int) -> np.ndarray:
    flat = (rows * count + columns).flatten()
    return torch.bincount(flat, minlength=count * count).reshape(count, count).numpy()


def count_by_class(classes: Sequence[str], evaluations: Iterable[Evaluation]) -> tuple[list[int], list[int]]:
    """Rightly answered and asked queries of each class, over several evaluations of some of the classes."""
    right, asked = np.zeros(len(classes), dtype=int), np.zeros(len(classes), dtype=int)
    position = {name: place for place, name in enumerate(classes)}
    for evaluation in evaluations:
        places = [position[name] for name in evaluation.classes]
        right[places] += np.diag(evaluation.confusion)
        asked[places] += np.diag(evaluation.opportunities)
    return right.tolist(), asked.tolist()


def evaluate_pairs(
    method: Method,
    data: EncodedDataset,
    pairs: Sequence[tuple[str, str]],
    *,
    episodes: int = 200,
    **settings: Any,
) -> dict[tuple[str, str], Evaluation]:
    """2-way episodes of each pair whose classes are both in the data set (order-reversed pairs, say).

    Chance is 50 %. ``episodes`` are scored a pair; ``settings`` are `evaluate`'s.

    Raises:
        ValueError: no pair has both its classes in the data set.
    """
    within = [pair for pair in pairs if set(pair) <= set(data.classes)]
    if not within:
        raise ValueError("pairs: none of them has both its classes in this data set")
    return {
        pair: evaluate(method, data.subset(pair), way=2, episodes=episodes, **settings) for pair in within
    }


def pooled(evaluations: Iterable[Evaluation]) -> tuple[float, float]:
    """Accuracy in per cent over the episodes of several evaluations, and its 95 % half-width in points."""
    shares = [evaluation.per_episode for evaluation in evaluations]
    if not shares:
        raise ValueError("evaluations: expected at least one, found none")
    per_episode = np.concatenate(shares)
    return 100 * float(per_episode.mean()), half_width(per_episode)
