"""OTAM against a plain loop written from SPEC's recursion: python tests/benchmarks/otam.py

Forward, and forward with backward, for 5-way episodes with 5 queries of 8 frames; results must agree to 1e-5.
"""

import sys
from pathlib import Path

import torch
from timing import seconds

from clipspm_lite.model.otam import align, frame_distances

sys.path.insert(0, str(Path(__file__).parents[1]))

from released_code import one_way


def in_a_loop(distances):
    both = [one_way(d) + one_way(d.T) for d in distances.flatten(0, -3)]
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
