"""Are the notebooks steady? Run each several times, in orders and on machines that could make an output differ.

    python tests/nightly/steadiness.py [NOTEBOOK …] [--conditions …] [--repetitions 3]

Every run is strict nbval in fresh kernels, as in CI. The table at the end counts the runs that passed.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "notebooks"
CONDITIONS = {
    "one thread": dict(threads=1),
    "two threads": dict(threads=2),
    "two at a time": dict(threads=1, pytest=["-n", "2", "--dist", "loadscope"]),
    "half a CPU": dict(threads=1, cpus=1),
}


@contextmanager
def slowed(cpus: int | None):
    """Where the system can do it, it and its children keep to some CPUs, beside a process that never waits."""
    if cpus is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cpus])
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()
        os.sched_setaffinity(0, before)


def run(notebooks: Sequence[Path], threads: int, pytest: Sequence[str] = (), cpus: int | None = None) -> bool:
    """Whether the notebooks pass; prints what they said where they don't."""
    command = [sys.executable, "-m", "pytest", "--override-ini", "addopts=", "-q", "--nbval", "--nbval-current-env"]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    with slowed(cpus):
        done = subprocess.run([*command, *pytest, *notebooks], env=environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-4000:])
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all")
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    notebooks = options.notebooks or sorted(FOLDER.glob("*.ipynb"))
    lines = ["| condition | runs | passed | seconds, longest run |", "|---|---|---|---|"]
    steady = True
    for condition in options.conditions:
        how, passed, seconds = CONDITIONS[condition], [], []
        for repetition in range(options.repetitions):
            order = random.Random(f"0 {repetition} {condition}").sample(notebooks, len(notebooks))
            for group in [order] if "pytest" in how else [[notebook] for notebook in order]:
                started = time.perf_counter()
                passed.append(run(group, **how))
                seconds.append(time.perf_counter() - started)
                names = ", ".join(notebook.stem for notebook in group)
                print(f"{condition}: {names}: {'passed' if passed[-1] else 'FAILED'}", flush=True)
        lines.append(f"| {condition} | {len(passed)} | {sum(passed)} | {max(seconds):.0f} |")
        steady = steady and all(passed)
    print("\n".join(lines))
    return 0 if steady else 1


if __name__ == "__main__":
    sys.exit(main())
