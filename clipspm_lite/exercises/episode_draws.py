"""What exercise 01.2 checks: the draw of an episode, whatever its order of random numbers."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from clipspm_lite.data.episodes import EpisodeSampler
from clipspm_lite.exercises.exercise import whole

Drawn = tuple[list[int], list[list[int]], list[int]]  # classes, support, query


def draw_episode(videos_per_class: Sequence[int], way: int, shot: int, queries: int, seed: int, index: int) -> Drawn:
    """The library's draw, as lists."""
    drawn = EpisodeSampler(videos_per_class, way, shot, queries, seed)[index]
    return [*drawn.classes], [[*videos] for videos in drawn.support], [*drawn.query]


def _as_numbers(found: object, way: int, shot: int, queries: int) -> Drawn | str:
    """An answer's three lists as whole numbers, or the hint that says what they are instead."""
    if found is None or found is ...:
        return "It returns nothing yet: replace the … and return classes, support, query."
    if not isinstance(found, tuple | list) or len(found) != 3:
        return f"Expected three lists, (classes, support, query), found {type(found).__name__}."
    classes, support, query = (part.tolist() if hasattr(part, "tolist") else part for part in found)
    for name, part, count in (("classes", classes, way), ("support", support, way), ("query", query, way * queries)):
        if not isinstance(part, tuple | list):
            return f"Expected a list, {name}, found {type(part).__name__}."
        if name == "query" and len(part) == way and whole(part[0]) is None:
            return "query has one entry per class: make it one flat list, with += instead of append."
        if len(part) != count:
            return f"Expected {count} entries in {name}, found {len(part)}."
    rows = [row.tolist() if hasattr(row, "tolist") else row for row in support]
    if not all(isinstance(row, tuple | list) and len(row) == shot for row in rows):
        return f"support holds a list of {shot} videos for each class (shot={shot})."
    numbers = [whole(number) for number in (*classes, *query, *(video for row in rows for video in row))]
    if any(number is None for number in numbers):
        return "Expected whole numbers: classes and videos are counted from 0."
    return [int(c) for c in classes], [[int(v) for v in row] for row in rows], [int(v) for v in query]


def find_draw(answer: Callable[..., Any]) -> str | None:
    """None for a draw that keeps every rule, else the hint of the first rule it breaks."""

    def draws(seed: int = 0) -> list[Drawn] | str:
        return _draws(answer, 60, (6, 4, 5, 7), (3, 1, 3), seed)

    drawn = draws()
    if isinstance(drawn, str):
        return drawn
    if drawn != draws():
        return "Seed 0 and the same index gave two different episodes: use rng for every random choice."
    if all(one == drawn[0] for one in drawn):
        return "All indices give the same episode: the index belongs in the seed of rng."
    if drawn == draws(seed=1):
        return "Seeds 0 and 1 give the same episodes: the seed belongs in rng too."
    many = _draws(answer, 1500, (6, 6, 6, 6), (2, 2, 2))
    return many if isinstance(many, str) else _unfair(many)


def _draws(
    answer: Callable[..., Any], count: int, sizes: Sequence[int], ask: tuple[int, int, int], seed: int = 0
) -> list[Drawn] | str:
    """Episodes of way, shot and queries, or the hint on the first that breaks a rule."""
    drawn = []
    for index in range(count):
        episode = _as_numbers(answer(sizes, *ask, seed, index), *ask)
        if isinstance(episode, str):
            return episode
        if hint := _wrong_in(episode, sizes):
            return hint
        drawn.append(episode)
    return drawn


def _wrong_in(drawn: Drawn, sizes: Sequence[int]) -> str | None:
    """A hint where an episode breaks a rule that each episode keeps."""
    classes, support, query = drawn
    if len(set(classes)) < len(classes) or not set(classes) <= set(range(len(sizes))):
        return f"The classes must be different numbers from 0 to {len(sizes) - 1}, found {classes}."
    queries = len(query) // len(classes)
    asked = [query[queries * place : queries * (place + 1)] for place in range(len(classes))]
    own = [range(sum(sizes[:number]), sum(sizes[: number + 1])) for number in range(len(sizes))]
    for number, videos, others in zip(classes, support, asked, strict=True):
        drawn_here, of_class = {*videos, *others}, own[number]
        if not drawn_here <= {*of_class}:
            if drawn_here <= {*range(sizes[number])}:
                return "These are places inside the class: add the number of its first video, first[number]."
            if {*videos} <= {*of_class} and {*query} <= {video for c in classes for video in own[c]}:
                return "The queries are not in the order of the classes: all of the first class come first."
            return f"Class {number} has the videos {of_class[0]} to {of_class[-1]}, found {[*videos, *others]}."
        if set(videos) & set(others):
            return "A video is both support and query in the same episode: draw all of them at once, then cut."
        if len(drawn_here) < len(videos) + queries:
            return "A video is drawn twice: draw without putting back."
    return None


def _unfair(draws: list[Drawn]) -> str | None:
    """A hint where some classes or some places of 6 come more often than others, or only in some company."""
    classes = Counter(number for drawn in draws for number in drawn[0])
    if any(abs(classes[number] / len(draws) - 0.5) > 0.07 for number in range(4)):
        return f"Classes come unequally often, in {len(draws)} episodes: {[classes[number] for number in range(4)]}."
    places = [
        [([v % 6 for v in support[row]], [v % 6 for v in query[2 * row : 2 * row + 2]]) for row in (0, 1)]
        for _, support, query in draws
    ]
    if all(one == other for one, other in places):
        return "All classes of an episode get videos at the same places: draw anew for each class."
    pairs = [pair for both in places for pair in both]
    for part, name in enumerate(("support", "query")):
        times = Counter(place for pair in pairs for place in pair[part])
        odd = max(range(6), key=lambda place: abs(times[place] / len(pairs) - 1 / 3))
        if abs(times[odd] / len(pairs) - 1 / 3) > 0.05:
            return (
                f"Of 6 videos, the one at place {odd} is {name} in {100 * times[odd] / len(pairs):.0f} of 100 draws, "
                "expected 33: every video must have the same chance."
            )
    if len({(frozenset(one), frozenset(other)) for one, other in pairs}) < 90:
        return "Some choices of videos never come up together: draw each video on its own."
    return None
