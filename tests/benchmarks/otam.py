"""OTAM against a plain loop written from SPEC's recursion: python tests/benchmarks/otam.py

Forward, and forward with backward, for 5-way episodes with 5 queries of 8 frames; results must agree to 1e-5.
"""

import torch
from timing import seconds

from clipspm_lite.model.otam import SMOOTHING, align, frame_distances


def softmin(*terms):
    return -SMOOTHING * torch.logsumexp(-torch.stack(terms) / SMOOTHING, dim=0)


def one_way_in_a_loop(d):
    """SPEC section 2, cell by cell, for ``[Tx, Ty]``."""
    rows, columns = d.shape
    d = torch.nn.functional.pad(d, (1, 1))
    zero = d.new_zeros(())
    table = [[zero] * (columns + 2) for _ in range(rows)]
    for m in range(1, columns + 2):
        table[0][m] = d[0, m] + table[0][m - 1]
    for row in range(1, rows):
        before, here = table[row - 1], table[row]
        here[1] = d[row, 1] + softmin(before[0], before[1], here[0])
        for m in range(2, columns + 1):
            here[m] = d[row, m] + softmin(before[m - 1], here[m - 1])
        last = columns + 1
        here[last] = d[row, last] + softmin(before[last - 1], before[last], here[last - 1])
    return table[-1][-1]


def in_a_loop(distances):
    flat = distances.flatten(0, -3)
    both = [one_way_in_a_loop(d) + one_way_in_a_loop(d.T) for d in flat]
    return torch.stack(both).view(distances.shape[:-2])


def main():
    torch.manual_seed(0)
    query, support = torch.randn(5, 1, 8, 512), torch.randn(1, 5, 8, 512)
    query.requires_grad_()
    ours, theirs = align(frame_distances(query, support)), in_a_loop(frame_distances(query, support))
    difference = float((ours - theirs).detach().abs().max())
    print(f"largest difference: {difference:.1e}")
    assert difference < 1e-5

    def forward(function):
        with torch.no_grad():
            function(frame_distances(query, support))

    def both_ways(function):
        function(frame_distances(query, support)).sum().backward()

    for name, act in (("forward", forward), ("forward and backward", both_ways)):
        ratio = seconds(lambda act=act: act(in_a_loop), 5) / seconds(lambda act=act: act(align), 50)
        print(f"{name}: {ratio:.0f} times as fast as the loop")


if __name__ == "__main__":
    main()
