"""The soft path and the most probable path of an alignment, against all paths of a small table listed one by one."""

from itertools import pairwise, product

import pytest
import torch

from clipspm_lite.model.otam import SMOOTHING, align, align_one_way
from clipspm_lite.plots import paths
from clipspm_lite.plots.paths import DIRECTIONS

TABLE = torch.rand(5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_another_lambda_follows_its_definition():
    """A plain recursion with any λ, on a table small enough to list its paths."""
    for smoothing in (0.05, SMOOTHING, 2.0):
        weights = [torch.exp(-cost / smoothing) for cost in paths_one_way(TABLE).values()]
        expected = -smoothing * torch.log(torch.stack(weights).sum())
        found = paths.smoothed(align_one_way, TABLE, smoothing)
        torch.testing.assert_close(found, expected)


def paths_one_way(table):
    """Every path through the table as (entry rows of each column, way out) → cost."""
    rows, columns = table.shape
    found = {}
    for walk in product(range(rows), repeat=columns):
        if any(b - a not in (0, 1) for a, b in pairwise(walk)):
            continue
        cost = sum(table[i, j] for j, i in enumerate(walk))
        for first in range(walk[0] + 1):  # column 1 may be walked down, entered from two cells but in the first row
            above = sum((table[i, 0] for i in range(first, walk[0])), torch.zeros(()))
            for way_in, way_out in product(range(1 + (first > 0)), range(1 + (walk[-1] < rows - 1))):
                found[walk, first, way_in, way_out] = cost + above
    return found


def test_the_most_probable_path_is_the_cheapest_of_all_and_its_share_is_right():
    costs = paths_one_way(TABLE)
    cheapest = min(costs, key=lambda path: costs[path])[0]
    found = paths.most_probable_path(TABLE, align_one_way)
    assert found == [(i, j) for j, i in enumerate(cheapest)]
    weights = {path: float(torch.exp(-cost / 0.2)) for path, cost in costs.items()}
    alone = sum(weight for path, weight in weights.items() if path[0] == cheapest and path[1] == cheapest[0])
    share = paths.share_of_path(TABLE, found, align_one_way, 0.2)
    assert share == pytest.approx(alone / sum(weights.values()))


def test_it_has_a_step_a_frame_even_where_all_paths_cost_the_same():
    for table in (torch.zeros(8, 8), torch.full((8, 8), 0.3), torch.full((2, 2), -1e-7)):
        for name, direction in DIRECTIONS.items():
            path = paths.most_probable_path(table, direction)
            met = 1 if "support" in name else 0
            assert [cell[met] for cell in path] == list(range(len(table)))
            other = [cell[1 - met] for cell in path]
            assert all(b - a in (0, 1) for a, b in pairwise(other))


def test_the_soft_path_is_the_derivative_and_both_directions_add_up():
    leaf = TABLE.clone().requires_grad_()
    (expected,) = torch.autograd.grad(align(leaf), leaf)
    found = sum(paths.soft_path(TABLE, direction, SMOOTHING) for direction in DIRECTIONS.values())
    torch.testing.assert_close(found, expected)
