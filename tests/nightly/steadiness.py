"""Are the notebooks steady? Each several times, in orders and on machines that could make an output differ:
python tests/nightly/steadiness.py [--repetitions 3] [NOTEBOOK ...]

Every run is strict nbval in fresh kernels, as in CI. The table at the end counts the runs that passed.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "notebooks"
CONDITIONS = {
    "one thread": dict(threads=1),
    "two threads": dict(threads=2),
    "two at a time": dict(threads=1, together=True),
    "half a CPU": dict(threads=1, slow=True),  # one CPU, shared with a process that never waits
}


def passes(notebooks: list[Path], threads: int, together: bool = False, slow: bool = False) -> bool:
    command = [sys.executable, "-m", "pytest", "--override-ini", "addopts=", "-q", "--nbval", "--nbval-current-env"]
    at_once = ["-n", "2", "--dist", "loadscope"] if together else []
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    on_a_cpu = ["taskset", "--cpu-list", "0"] if slow else []
    busy = subprocess.Popen([*on_a_cpu, sys.executable, "-c", "while True: pass" if slow else ""])
    try:
        done = subprocess.run([*on_a_cpu, *command, *at_once, *map(str, notebooks)], env=environment)
    finally:
        busy.kill()
        busy.wait()
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(FOLDER.glob("*.ipynb")), help="default: all")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    lines, steady = ["| condition | runs | passed | seconds, longest run |", "|---|---|---|---|"], True
    for condition, how in CONDITIONS.items():
        passed, seconds = [], []
        for repetition in range(options.repetitions):
            order = random.Random(f"{repetition} {condition}").sample(options.notebooks, len(options.notebooks))
            for group in [order] if how.get("together") else [[notebook] for notebook in order]:
                started = time.perf_counter()
                passed.append(passes(group, **how))
                seconds.append(time.perf_counter() - started)
        steady &= all(passed)
        lines.append(f"| {condition} | {len(passed)} | {sum(passed)} | {max(seconds):.0f} |")
    print("\n".join(lines))
    return not steady


if __name__ == "__main__":
    sys.exit(main())
