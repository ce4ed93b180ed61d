"""Evaluation: accuracy and its interval over listed episodes, paired differences, which class is taken for which."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from clipspm_lite.arguments import whole_number
from clipspm_lite.data.encoded import NO_TEXT, EncodedDataset
from clipspm_lite.data.episodes import EpisodeBatch, EpisodeSampler, gather
from clipspm_lite.evaluation.results import SAME_EPISODES, half_width
from clipspm_lite.model.heads import scored_in_eval_mode
from clipspm_lite.threads import pick_device

SCORED_AT_ONCE = 1000  # videos of the episodes that are scored together: about 1 GB for a full-size head
SEEDS_APART = 1000  # between the seeds of two pairs that share a class

Method = Callable[..., Any]  # (support, query, class_text) → a result with .logits [..., Q, N]
Pair = tuple[str, str]  # names of two classes


@dataclass(frozen=True)
class Evaluation:
    """Answers of one method on listed episodes."""

    classes: tuple[str, ...]  # names, in the data set's order
    answers: np.ndarray  # [E, Q]: the answered class, counted from the right one on, in the episode's order: 0 is right
    per_episode: np.ndarray  # [E]: share of right answers in each episode, 0 … 1
    confusion: np.ndarray  # [classes, classes]: how often a query of the row's class was answered as the column's
    opportunities: np.ndarray  # [classes, classes]: how often it could have been
    way: int
    shot: int
    queries: int
    seed: int
    videos_per_class: tuple[int, ...]
    one_query_at_a_time: bool

    @property
    def episodes(self) -> int:
        return len(self.per_episode)

    @property
    def accuracy(self) -> float:
        """Mean accuracy over episodes, in per cent."""
        return 100 * float(self.per_episode.mean())

    @property
    def interval(self) -> float:
        """Half-width of the 95 % interval over episodes, in points; NaN for a single episode."""
        return half_width(self.per_episode)

    def class_accuracy(self) -> dict[str, float]:
        """Accuracy of each class's queries, in per cent; NaN for a class that was never asked."""
        return dict(zip(self.classes, np.diag(self._rates()).tolist(), strict=True))

    def most_confused(self, pairs: int = 10) -> list[tuple[str, str, float]]:
        """(asked, answered, per cent of the queries of ``asked`` in episodes that held both), worst first."""
        rates = np.nan_to_num(self._rates())
        np.fill_diagonal(rates, 0)
        worst = np.argsort(-rates, axis=None, kind="stable")[:pairs]
        places = zip(*np.unravel_index(worst, rates.shape), strict=True)
        return [(self.classes[r], self.classes[c], float(rates[r, c])) for r, c in places if rates[r, c] > 0]

    def _rates(self) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN
            return 100 * self.confusion / self.opportunities


def paired_difference(ours: Evaluation, other: Evaluation) -> tuple[float, float]:
    """Mean of (ours − other) episode by episode and its 95 % half-width, in points; ValueError for other episodes."""
    differ = [name for name in SAME_EPISODES if getattr(ours, name) != getattr(other, name)]
    if differ:
        raise ValueError(f"paired_difference: not of the same episodes, they differ in {', '.join(differ)}")
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
    one_query_at_a_time: bool = False,
    device: str | torch.device = "auto",
    batch_size: int | None = None,
    progress: bool | str = False,
) -> Evaluation:
    """Score a method on episodes 0 … ``episodes`` − 1 of ``seed``: the same list for every method.

    The paper's protocol is 10,000 episodes with one query per class. See `scored_in_eval_mode` for modules. Raises
    ValueError for too few videos, or logits of another shape.

    Args:
        method: a model, a ``functools.partial`` of one, or a function such as those of `baselines`.
            One whose ``reads_stages`` is true is given `EncodedDataset.staged_text` as class_text.
        way, shot, queries: classes in an episode; support and query videos per class.
        one_query_at_a_time: ask each query as an episode of its own, so that no query helps another.
        device: where to compute; a model is moved there and back.
        batch_size: how many episodes are scored at once; by default so many that the memory does not depend on them.
        progress: whether to show a bar, or the bar's title.
    """
    sampler = EpisodeSampler(data.videos_per_class, way, shot, queries, seed, class_names=data.classes)
    whole_number("episodes", episodes)
    at_once = max(1, SCORED_AT_ONCE // (way * (shot + queries))) if batch_size is None else batch_size
    device = pick_device(device)
    text = data.staged_text if getattr(method, "reads_stages", False) else data.text
    features, class_text = data.features.to(device), text.to(device)
    # Made beforehand: small tensors kept from every batch would lie between the large ones and keep their memory taken.
    answers, labels = (torch.empty(episodes, way * queries, dtype=torch.long) for _ in range(2))
    present = torch.empty(episodes, way, dtype=torch.long)
    with scored_in_eval_mode(method, device=device):
        title = progress if isinstance(progress, str) else "episodes"
        for start in tqdm(range(0, episodes, at_once), disable=None if progress else True, desc=title):
            part = slice(start, start + at_once)
            listed = [sampler[index] for index in range(episodes)[part]]
            batch = gather(features, class_text, listed)
            answers[part] = _logits(method, batch, one_query_at_a_time).argmax(-1)
            labels[part] = batch.query_labels
            present[part] = torch.tensor([episode.classes for episode in listed])
    per_episode = (answers == labels).double().mean(-1).numpy()
    asked, answered = present.gather(1, labels).numpy(), present.gather(1, answers).numpy()
    confusion, opportunities = np.zeros((2, len(data.classes), len(data.classes)), dtype=int)
    np.add.at(confusion, (asked, answered), 1)
    np.add.at(opportunities, (asked[..., None], present[:, None].numpy()), 1)
    listed_as = (way, shot, queries, seed, data.videos_per_class, one_query_at_a_time)
    return Evaluation(data.classes, (answers - labels).numpy() % way, per_episode, confusion, opportunities, *listed_as)


def _logits(method: Method, batch: EpisodeBatch, one_query_at_a_time: bool) -> Tensor:
    """A method's answers ``[B, Q, N]`` to B episodes, or to each of their queries as an episode of its own."""
    found = []
    for query in batch.query.split(1 if one_query_at_a_time else batch.query.shape[1], dim=1):
        logits: Any = getattr(method(batch.support, query, batch.class_text), "logits", None)
        expected, answer = (*query.shape[:2], batch.class_text.shape[1]), getattr(logits, "shape", None)
        if answer != expected:
            raise ValueError(f"method: expected something with .logits [B, Q, N] back, here {expected}, found {answer}")
        if logits.isnan().any():
            found_nan = "its logits contain NaN; the weights are damaged, or training diverged"
            raise ValueError(f"method: {NO_TEXT if batch.class_text.isnan().all() else found_nan}")
        found.append(logits)
    return torch.cat(found, dim=1)


def count_by_class(classes: Sequence[str], evaluations: Iterable[Evaluation]) -> tuple[list[int], list[int]]:
    """Right answers and queries of each class, over several evaluations of some of the classes."""
    right, asked = np.zeros((2, len(classes)), dtype=int)
    for evaluation in evaluations:
        places = [classes.index(name) for name in evaluation.classes]
        right[places] += np.diag(evaluation.confusion)
        asked[places] += np.diag(evaluation.opportunities)
    return right.tolist(), asked.tolist()


def evaluate_pairs(
    method: Method, data: EncodedDataset, pairs: Sequence[Pair], *, episodes: int = 200, seed: int = 0, **settings: Any
) -> dict[Pair, Evaluation]:
    """2-way ``episodes`` of each pair whose classes are both in the data set; ValueError if there is none.

    ``settings`` are `evaluate`'s. Pairs that share a class have different seeds, so they meet different episodes.
    """
    within = [pair for pair in pairs if set(pair) <= set(data.classes)]
    if not within:
        raise ValueError("pairs: none of them has both its classes in this data set")
    unused = dict.fromkeys(data.classes, seed)  # for each class the next seed for one of its pairs
    found = {}
    for pair in within:
        own = max(unused[name] for name in pair)
        unused |= dict.fromkeys(pair, own + SEEDS_APART)
        found[pair] = evaluate(method, data.subset(pair), way=2, episodes=episodes, seed=own, **settings)
    return found


def pooled(evaluations: Iterable[Evaluation]) -> tuple[float, float]:
    """Accuracy in per cent over all episodes of `evaluate_pairs`, and its 95 % half-width in points.

    The interval covers other episodes of the same classes and videos, as independent draws of them.
    """
    shares = np.concatenate([evaluation.per_episode for evaluation in evaluations])
    return 100 * float(shares.mean()), half_width(shares)
