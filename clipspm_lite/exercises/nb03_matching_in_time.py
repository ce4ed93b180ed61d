"""Exercises of notebook 03: one column of OTAM, its last cell, and a matching rule of one's own."""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from clipspm_lite.exercises.exercise import Exercise, axes_hint, known_mistake, matches, random_tensor, real
from clipspm_lite.model.otam import SMOOTHING

Minimum = Callable[[Tensor], Tensor]  # the least of costs [..., n] over the last axis → [...]


def hard_minimum(costs: Tensor) -> Tensor:
    """The least cost."""
    return costs.amin(-1)


def soft_minimum(costs: Tensor) -> Tensor:
    """−λ log Σ exp(−cost / λ), with the library's λ."""
    return -SMOOTHING * torch.logsumexp(-costs / SMOOTHING, dim=-1)


def next_column(left: Tensor, costs: Tensor, minimum: Minimum) -> Tensor:
    """D[·, j − 1] ``[..., Tx]`` and d[·, j] ``[..., Tx]`` → D[·, j], for a column with two predecessors."""
    below = costs[..., 1:] + minimum(torch.stack([left[..., 1:], left[..., :-1]], dim=-1))
    return torch.cat([costs[..., :1] + left[..., :1], below], dim=-1)


def _column_mistakes(left: Tensor, costs: Tensor, minimum: Minimum) -> dict[str, Tensor]:
    top, stay, step = costs[..., :1] + left[..., :1], left[..., 1:], left[..., :-1]

    def column(*options: Tensor, first: Tensor = top) -> Tensor:
        return torch.cat([first, costs[..., 1:] + minimum(torch.stack(options, dim=-1))], dim=-1)

    cells = [top[..., 0]]
    for row in range(1, costs.shape[-1]):
        options = torch.stack([stay[..., row - 1], step[..., row - 1], cells[-1]], dim=-1)
        cells.append(costs[..., row] + minimum(options))
    return {
        "Row 0 lacks its own cost: D[0, j] = d[0, j] + D[0, j−1].": column(stay, step, first=left[..., :1]),
        "Row 0 lacks the cell to its left: D[0, j] = d[0, j] + D[0, j−1].": column(stay, step, first=costs[..., :1]),
        "Only the cell to the left is in it: the path could never go on to the next query frame.": column(stay, stay),
        "Only the cell above the left one is in it: the path could never stay in a query frame.": column(step, step),
        "It looks at the cell above in the same column too: that is the rule of column 1.": torch.stack(cells, dim=-1),
        "The options are added; take the minimum of them.": torch.cat([top, costs[..., 1:] + stay + step], dim=-1),
    }


def find_next_column(answer: Callable[[Tensor, Tensor, Minimum], Tensor]) -> str | None:
    minima = {"the hard minimum": hard_minimum, "the soft minimum": soft_minimum}
    for seed, (word, minimum) in enumerate(minima.items()):
        left, costs = (random_tensor(2, 5, seed=place, gradient=True) for place in (seed, seed + 2))
        found, mistakes = answer(left, costs, minimum), _column_mistakes(left, costs, minimum)
        hint = known_mistake(found, next_column(left, costs, minimum), mistakes, left=left, costs=costs)
        if hint is not None:
            return f"With {word}: {hint}"
    one = random_tensor(1, seed=5)
    if not matches(answer(one, one, hard_minimum), 2 * one):
        return "For a query with a single frame there is row 0 only; expected its cost plus the cell to the left."
    return None


def find_last_cell(answer: Callable[[Tensor, Minimum], Tensor]) -> str | None:
    minima: tuple[Minimum, ...] = (soft_minimum, lambda costs: -torch.logsumexp(-costs, dim=-1))
    for column, minimum in itertools.product((random_tensor(4, seed=0), random_tensor(2, seed=1)), minima):
        ways = torch.cat([column, column[:-1]])
        mistakes = {
            "Every row once. A row above the last can leave at its own row or step down one: two ways.": minimum(
                column
            ),
            "Every row twice. From the last row there is only one way into the last cell.": (
                minimum(torch.cat([column, column]))
            ),
            "Row 0 is in it once only: it leads straight to the right, and to row 1.": (
                minimum(torch.cat([column, column[1:-1]]))
            ),
            "That is the last row alone; the paths that left before it are missing.": column[-1],
            "Right for one softmin, but it is an argument: call the one that is given.": soft_minimum(ways),
        }
        hint = known_mistake(answer(column, minimum), minimum(ways), mistakes)
        if hint is not None:
            return hint
    return None


def find_matching_rule(answer: Callable[[Tensor], Tensor]) -> str | None:
    """Properties of a distance that uses both clips whole and in order, and that allows for speed."""
    frames = torch.eye(5)
    clip = torch.tensor([0, 1, 2, 3])
    slow, longer = torch.tensor([0, 0, 1, 2, 2, 2, 3]), torch.tensor([0, 1, 2, 3, 4, 4])

    def cost(x: Tensor, y: Tensor) -> float:
        return float(answer(1 - frames[x] @ frames[y].T))

    first = answer(1 - frames[clip] @ frames[clip].T)
    if isinstance(first, Tensor) and first.ndim > 0:
        return f"Expected one number for one pair of clips, shape [], found {list(first.shape)}: a sum left out?"
    if real(first) is None:
        return f"Expected a tensor with the cost, found {type(first).__name__}."
    costs = [cost(x, y) for x in (clip, slow, longer) for y in (clip, clip.flip(0), slow, longer)]
    if not all(map(math.isfinite, costs)):
        return "Some costs are not finite: is a cell read before it was written, or divided by 0?"
    if abs(cost(clip, clip)) > 1e-4:
        return f"A clip against itself must cost 0, yours costs {cost(clip, clip):.3f}."
    if cost(clip, clip.flip(0)) < 0.05:
        return "A clip against itself played backwards costs (almost) nothing: the rule is blind to order."
    for x, y in ((clip, slow), (slow, clip)):
        if abs(cost(x, y)) > 1e-4:
            return (
                f"A clip against a slower copy of itself must cost 0, yours costs {cost(x, y):.3f}: "
                "allow steps that stay in a frame."
            )
    for x, y in ((clip, longer), (longer, clip)):
        if cost(x, y) < 0.05:
            return "Frames at the end that the other clip does not have cost nothing: go from corner to corner."
    pairs = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    one_by_one = torch.tensor([[float(answer(pair)) for pair in row] for row in pairs])
    return axes_hint(answer, one_by_one, pairs)


NEXT_COLUMN = '''
def next_column(left, costs, minimum):
    """left: D[·, j − 1] [..., Tx]; costs: d[·, j] [..., Tx]; minimum: [..., n] → [...]. Returns D[·, j] [..., Tx]."""
    top = TOP  # row 0, [..., 1]
    stay, step = OPTIONS  # what rows 1 … Tx − 1 may come from, [..., Tx − 1] each
    below = costs[..., 1:] + minimum(torch.stack([stay, step], dim=-1))
    return torch.cat([top, below], dim=-1)
'''.strip()

EXERCISES = {
    "03.1": Exercise(
        title="One column of OTAM",
        difficulty=2,
        minutes=12,
        stub=NEXT_COLUMN.replace("TOP", "...").replace("OPTIONS", "..., ..."),
        solution=NEXT_COLUMN.replace("TOP", "costs[..., :1] + left[..., :1]").replace(
            "OPTIONS", "left[..., 1:], left[..., :-1]"
        ),
        find=find_next_column,
        importance=3,
        task=(
            "Write a middle column for all rows at once. Row 0 looks only to the left. A row below looks at the cell "
            "to its left (*stay* in the query frame) and at the one above that (*step* to the next)."
        ),
        idea="All rows look at the column to the left only, so two slices of it line up the options of all rows.",
        template="top = costs[..., :1] + ...\nstay, step = left[..., 1:], left[...]",
        why=(
            "Row i of `left[..., :-1]` is one frame earlier than row i of `left[..., 1:]`. No cell waits for another "
            "of its own column, so a column is one operation."
        ),
        library=lambda: next_column,
    ),
    "03.2": Exercise(
        title="The last column in one call",
        difficulty=3,
        minutes=15,
        stub='''
def last_cell(column, softmin):
    """column: D of the last real column [Tx]; softmin: [n] → a number. Returns the distance, with one softmin."""
    return ...
'''.strip(),
        solution='''
def last_cell(column, softmin):
    """column: D of the last real column [Tx]; softmin: [n] → a number. Returns the distance, with one softmin."""
    return softmin(torch.cat([column, column[:-1]]))
'''.strip(),
        find=find_last_cell,
        importance=1,
        task=(
            "`end_column` goes down the last column row by row. There d = 0, and a soft minimum of soft minima is one "
            "soft minimum of everything. In how many ways does each row reach the last cell? Write it with one call."
        ),
        idea="Unroll the last column for three rows on paper, and count how often each D of the column before occurs.",
        template="return softmin(torch.cat([column, ...]))",
        why=(
            "Every row but the last enters the padding in its own row or one below, then runs down for free. So a "
            "path that leaves early has double weight. It comes out of the recursion as it is written, and stays. "
            "*Expected:* `last_cell(torch.tensor([1.0, 1.2, 3.0]), soft_min)` gives 0.394."
        ),
    ),
    "03.3": Exercise(
        title="A matching rule of your own",
        difficulty=3,
        minutes=30,
        stub='''
def my_rule(distances):
    """Frame distances [..., Tx, Ty] → cost [...] of your alignment of both whole clips."""
    return distances.diagonal(dim1=-2, dim2=-1).sum(-1)
''',
        solution='''
def my_rule(distances):
    """Frame distances [..., Tx, Ty] → cost [...] of your alignment of both whole clips."""
    rows, columns = distances.shape[-2:]
    D = {}
    for i in range(rows):
        for j in range(columns):
            before = [D[c] for c in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if c in D]
            best = torch.stack(before).amin(0) if before else 0
            D[i, j] = distances[..., i, j] + best
    return D[rows - 1, columns - 1]
''',
        find=find_matching_rule,
        importance=2,
        task=(
            "Classical dynamic time warping goes from corner to corner of the cost matrix, with a hard minimum "
            "over three predecessors, and leaves no frame of either clip out. Write it, or a rule of your own "
            "that (1) costs 0 for a clip against itself and against a slower copy of itself, (2) costs "
            "something for a clip played backwards, (3) costs something when one clip goes on where the other "
            "has ended. The stub, frame by frame, is not enough."
        ),
        idea=(
            "Fill the matrix cell by cell: its own distance plus the cheapest of the cells that may stand before it."
        ),
        template=(
            "for i in range(rows):\n"
            "    for j in range(columns):\n"
            "        before = [D[c] for c in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if c in D]\n"
            "        D[i, j] = ...\n"
            "return D[rows - 1, columns - 1]"
        ),
        why=(
            "Starting in one corner and ending in the other uses both clips whole. The cell below scores it on the "
            "reversed pairs."
        ),
    ),
}
