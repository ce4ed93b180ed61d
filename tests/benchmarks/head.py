"""The head's multiply-add rate against this machine's own for matrix products: python tests/benchmarks/head.py

CLIP-SPM at the paper's size, C = 512, 5-way 1-shot with one query per class, no gradient. Multiply-adds are those of
the matrix products alone, counted by torch; the machine's own rate is that of one large product in the same run.
"""

import torch
from timing import seconds
from torch.utils.flop_counter import FlopCounterMode

from clipspm_lite import CLIPSPM

EPISODES = 16


def main():
    torch.manual_seed(0)
    model = CLIPSPM(512).eval()
    support, query = torch.randn(EPISODES, 5, 1, 8, 512), torch.randn(EPISODES, 5, 8, 512)
    class_text = torch.randn(EPISODES, 5, 512)
    left, right = torch.randn(2048, 2048), torch.randn(2048, 2048)
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counted:
            model(support, query, class_text)
        model(support, query, class_text)
        head = counted.get_total_flops() / seconds(lambda: model(support, query, class_text), 5)
        machine = 2 * 2048**3 / seconds(lambda: left @ right, 9)
    each = counted.get_total_flops() / EPISODES / 2e9
    print(f"{torch.get_num_threads()} threads; {each:.2f} G multiply-adds an episode, {EPISODES} episodes at a time")
    print(f"the head reaches {100 * head / machine:.0f} % of the rate of a 2048 x 2048 product")


if __name__ == "__main__":
    main()
