"""OTAM against a plain loop written from the equation, and the properties a user relies on."""

import math
from itertools import product

import pytest
import torch

from clipspm_lite import otam
from clipspm_lite.model.otam import SMOOTHING, align_one_way, frame_distances


def plain_loop(distances):
    """SPEC section 2, cell by cell, for one pair of videos ``[Tx, Ty]``."""

    def softmin(*terms):
        return -SMOOTHING * math.log(sum(math.exp(-term / SMOOTHING) for term in terms))

    rows, last = distances.shape[0], distances.shape[1] + 1
    d = [[0.0, *row, 0.0] for row in distances.tolist()]
    table = [[0.0] * (last + 1) for _ in range(rows)]
    for m in range(1, last + 1):
        table[0][m] = d[0][m] + table[0][m - 1]
    for r in range(1, rows):
        table[r][1] = d[r][1] + softmin(table[r - 1][0], table[r - 1][1], table[r][0])
        for m in range(2, last):
            table[r][m] = d[r][m] + softmin(table[r - 1][m - 1], table[r][m - 1])
        table[r][last] = softmin(table[r - 1][last - 1], table[r - 1][last], table[r][last - 1])
    return table[-1][last]


@pytest.mark.parametrize("shape", [(8, 8), (4, 7), (7, 4), (1, 1), (1, 5), (5, 1), (2, 2), (16, 3)])
def test_equals_the_equation_cell_by_cell(shape):
    distances = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
    assert align_one_way(distances).item() == pytest.approx(plain_loop(distances), abs=1e-10)


def test_long_videos_stay_finite_in_float32():
    distances = torch.full((300, 300), 2.0)
    assert align_one_way(distances).isfinite()


def test_batches_equal_pairs_one_by_one():
    generator = torch.Generator().manual_seed(1)
    query, support = (torch.randn(2, 3, 6, 16, generator=generator), torch.randn(2, 4, 5, 16, generator=generator))
    together = otam(query, support)
    assert together.shape == (2, 3, 4)
    for b, q, n in product(range(2), range(3), range(4)):
        alone = otam(query[b, q : q + 1], support[b, n : n + 1])
        torch.testing.assert_close(together[b, q, n], alone[0, 0], rtol=1e-5, atol=1e-5)


def test_the_order_of_the_arguments_does_not_matter_but_the_order_of_frames_does():
    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(1, 8, 16, generator=generator), torch.randn(1, 8, 16, generator=generator)
    torch.testing.assert_close(otam(x, y), otam(y, x))
    assert otam(x, x) < otam(x, x.flip(-2))


def test_a_frame_of_zeros_has_a_finite_distance_and_gradient():
    x = torch.zeros(1, 3, 4, requires_grad=True)
    otam(x, torch.ones(1, 3, 4)).sum().backward()
    assert x.grad.isfinite().all()
    assert frame_distances(torch.zeros(1, 4), torch.ones(1, 4)).item() == 1


@pytest.mark.parametrize(
    "query, support, word",
    [((8, 4), (1, 8, 4), "query"), ((1, 8, 4), (1, 0, 4), "support"), ((1, 8, 4), (1, 8, 5), "width")],
)
def test_wrong_shapes_are_refused_by_name(query, support, word):
    with pytest.raises(ValueError, match=word):
        otam(torch.rand(query), torch.rand(support))
