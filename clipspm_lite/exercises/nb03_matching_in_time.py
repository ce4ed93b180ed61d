"""Exercises of notebook 03: the pieces of OTAM, and a matching rule of one's own."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from clipspm_lite.exercises.exercise import Exercise, known_mistake, matches, real, tensor_hint, whole
from clipspm_lite.model.otam import align_one_way

COSTS = torch.tensor([[1.0, 1.2, 3.0], [0.5, 0.5, 0.4]])
DISTANCES = torch.tensor([[0.1, 0.7, 0.4, 0.2], [0.3, 0.0, 0.6, 0.5], [0.9, 0.8, 0.2, 0.1]])


def find_soft_minimum(answer: Callable[[Tensor, float], Tensor]) -> str | None:
    found, smoothing = answer(COSTS, 0.5), 0.5
    logsum = torch.logsumexp(-COSTS / smoothing, -1)
    if isinstance(found, Tensor) and found.ndim == 1 and len(found) == COSTS.shape[1]:
        return "The minimum is over the wrong axis: take it over the last one."
    mistakes = {
        "The outer λ is missing: without it the result is not in the unit of the costs.": -logsum,
        "This is a soft maximum: both minus signs are missing.": (smoothing * torch.logsumexp(COSTS / smoothing, -1)),
        "The outer minus sign is missing: a larger cost must not give a smaller result.": smoothing * logsum,
        "λ divides the costs inside and multiplies outside; here it is the other way round.": (
            -torch.logsumexp(-COSTS * smoothing, -1) / smoothing
        ),
        "This is the hard minimum: it does not depend on λ.": COSTS.amin(-1),
    }
    hint = known_mistake(found, -smoothing * logsum, mistakes)
    if hint is None and not torch.isfinite(answer(COSTS, 0.001)).all():
        return "With λ = 0.001 the exponentials underflow to zero: use torch.logsumexp."
    return hint


def find_first_row(answer: Callable[[Tensor], Tensor]) -> str | None:
    zero, sums = torch.zeros(1), DISTANCES[0].cumsum(0)
    down = DISTANCES[:, 0].cumsum(0)
    mistakes = {
        "This runs down the first column, the axes are exchanged: the row is distances[0].": (
            torch.cat([zero, down, down[-1:]])
        ),
        "The two padding columns are missing: M + 1 = Ty + 2 entries are expected.": sums,
        "The last padding column is missing. Its d is 0: what is added to the running sum there?": (
            torch.cat([zero, sums])
        ),
        "These are the padded distances themselves; D[0, m] adds D[0, m−1] to each.": (
            torch.cat([zero, DISTANCES[0], zero])
        ),
        "In the last column d is 0, D is not: D[0, M] = 0 + D[0, M−1].": torch.cat([zero, sums, zero]),
    }
    return known_mistake(answer(DISTANCES), torch.cat([zero, sums, sums[-1:]]), mistakes)


def find_middle_cells(answer: Callable[[int, int], int]) -> str | None:
    found = answer(8, 8), answer(4, 7), answer(1, 1)
    if found[0] is None or found[0] is ...:
        return "It returns nothing yet: replace the … and return a whole number."
    counts = tuple(map(whole, found))
    if None in counts:
        kind = type(found[counts.index(None)]).__name__
        return f"Expected whole numbers, found {kind}: count cells, with // for a half."
    if counts == (64, 28, 1):
        return "These are all real cells. The first row and column 1 have rules of their own."
    if counts == (56, 21, 0):
        return "The first row is left out, but column 1 is still in: it looks at three cells, not at two."
    if counts == (56, 24, 0):
        return "Column 1 is left out, but the first row is still in: it is a running sum."
    if counts == (63, 24, 0):
        return "One column too many: columns 1 and M = Ty + 1 have their own rule; count m = 2 … M − 1."
    return None if counts == (49, 18, 0) else f"For 8 × 8, 4 × 7 and 1 × 1 frames it returns {found}."


def find_both_ways(answer: Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]) -> str | None:
    distances = torch.rand(3, 4, 6, generator=torch.Generator().manual_seed(0))
    there, back = align_one_way(distances), align_one_way(distances.transpose(-1, -2))
    found = answer(distances, align_one_way)
    if matches(found, 2 * there) or matches(found, 2 * back):
        return "The same direction is counted twice: the second cost matrix must be transposed."
    if matches(found, there) or matches(found, back):
        return "Only one direction: add the other, with the cost matrix transposed."
    if matches(found, (there + back) / 2):
        return "This is the mean of both directions; SPEC adds them."
    if matches(found, there + align_one_way(distances.flip(-1))):
        return "The second term plays y backwards; transposing exchanges the roles of x and y."
    if isinstance(found, Tensor) and found.shape != there.shape:
        return (
            f"For distances [3, 4, 6] expected the shape [3], found {list(found.shape)}: "
            "exchange the last two axes only."
        )
    return tensor_hint(found, there + back)


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
    if cost(clip, clip.flip(0)) < 0.5:
        return "A clip against itself played backwards costs (almost) nothing: the rule is blind to order."
    for x, y in ((clip, slow), (slow, clip)):
        if abs(cost(x, y)) > 1e-4:
            return (
                f"A clip against a slower copy of itself must cost 0, yours costs {cost(x, y):.3f}: "
                "allow steps that stay in a frame."
            )
    for x, y in ((clip, longer), (longer, clip)):
        if cost(x, y) < 0.5:
            return "Frames at the end that the other clip does not have cost nothing: go from corner to corner."
    pairs = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    one_by_one = torch.tensor([[float(answer(pair)) for pair in row] for row in pairs])
    try:
        right = matches(answer(pairs), one_by_one)
    except Exception:
        right = False
    if not right:
        return "One pair of clips is right; for distances [2, 3, Tx, Ty] of six pairs expected their six costs [2, 3]."
    return None


EXERCISES = {
    "03.1": Exercise(
        title="the soft minimum",
        difficulty=1,
        minutes=5,
        stub='''
def soft_minimum(costs, smoothing):
    """costs [..., n] → [...], over the last axis; smoothing is λ."""
    return ...
''',
        solution='''
def soft_minimum(costs, smoothing):
    """costs [..., n] → [...], over the last axis; smoothing is λ."""
    return -smoothing * torch.logsumexp(-costs / smoothing, dim=-1)
''',
        find=find_soft_minimum,
        importance=3,
        task="Write $-\\lambda\\log\\sum_k e^{-a_k/\\lambda}$ so that it stays stable at λ = 0.001.",
        idea="torch.logsumexp subtracts the largest term before it takes exponentials, so nothing underflows.",
        template="return -smoothing * torch.logsumexp(..., dim=-1)",
        why=(
            "The inner −1/λ turns small costs into large terms; the outer −λ brings the result back to the unit"
            " of the costs."
        ),
    ),
    "03.2": Exercise(
        title="the first row, padding included",
        difficulty=1,
        minutes=5,
        stub='''
def first_row(distances):
    """Frame distances [Tx, Ty] → D[0, 0 … M], shape [Ty + 2]."""
    return ...
''',
        solution='''
def first_row(distances):
    """Frame distances [Tx, Ty] → D[0, 0 … M], shape [Ty + 2]."""
    padded = torch.nn.functional.pad(distances[0], (1, 1))
    return padded.cumsum(0)
''',
        find=find_first_row,
        importance=2,
        task=(
            "$D[0, m] = d[0, m] + D[0, m-1]$, from column 0 to column $M$. Mind what stands in the two padding columns."
        ),
        idea="A running sum along the first row, with a zero for each padding column.",
        template="padded = torch.nn.functional.pad(distances[0], (1, 1))\nreturn ...",
        why="In the padding columns d is 0, so the sum starts at 0 and stays what it was at the end.",
    ),
    "03.3": Exercise(
        title="how many cells the middle rule visits",
        difficulty=2,
        minutes=5,
        stub='''
def middle_cells(query_frames, support_frames):
    """How many cells of D are computed by the rule with two predecessors, for Tx and Ty frames."""
    return ...
''',
        solution='''
def middle_cells(query_frames, support_frames):
    """How many cells of D are computed by the rule with two predecessors, for Tx and Ty frames."""
    return (query_frames - 1) * (support_frames - 1)
''',
        find=find_middle_cells,
        importance=1,
        task=(
            "Count the cells of D that use the middle rule $D[l,m] = d[l,m]+\\operatorname{softmin}(D[l-1,m-1], "
            "D[l,m-1])$. These are all in columns that the library computes at one stroke."
        ),
        idea="Which rows and which columns have a rule of their own? Count what is left.",
        template="return (query_frames - ...) * (support_frames - ...)",
        why="The first row is a running sum, and the first real column looks at three cells.",
    ),
    "03.4": Exercise(
        title="both directions",
        difficulty=2,
        minutes=5,
        stub='''
def both_ways(distances, one_way):
    """Frame distances [..., Tx, Ty] → OTAM(x, y) [...]; one_way(distances) is one direction."""
    return ...
''',
        solution='''
def both_ways(distances, one_way):
    """Frame distances [..., Tx, Ty] → OTAM(x, y) [...]; one_way(distances) is one direction."""
    return one_way(distances) + one_way(distances.transpose(-1, -2))
''',
        find=find_both_ways,
        importance=2,
        task="OTAM adds the two directions. There may be leading axes, so exchange only the last two.",
        idea="The other direction is the same function on the transposed matrix.",
        template="return one_way(distances) + one_way(...)",
        why="Only the last two axes change places; leading axes are pairs of clips.",
    ),
    "03.5": Exercise(
        title="a matching rule of your own",
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
            "Starting in one corner and ending in the other uses both clips whole. Then score it: "
            "`score_pairs(centred(lambda s, q, t: baselines.Scores(-my_rule(frame_distances(q.unsqueeze(-3), "
            "s.mean(-3).unsqueeze(-4))))))`."
        ),
    ),
}
