"""Are the notebooks steady? Run each several times, in orders and on machines that could make an output differ.

    python tests/nightly/steadiness.py --log steadiness.jsonl

Every run is strict nbval in fresh kernels, as in CI. The log gets a line of JSON a run; a run that is in it already, of
the same notebook, is not repeated, so what was stopped goes on. The table at the end counts the runs that passed.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "notebooks"
CONDITIONS = {
    "one thread": dict(threads=1),
    "two threads": dict(threads=2),
    "two at a time": dict(threads=1, pytest=["-n", "2", "--dist", "loadscope"], together=True),
    "half a CPU": dict(threads=1, cpus=1),
}


def fingerprint(notebook: Path) -> str:
    return hashlib.sha256(notebook.read_bytes()).hexdigest()[:12]


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


def run(notebooks: Sequence[Path], threads: int, pytest: Sequence[str] = (), cpus: int | None = None) -> dict:
    command = [sys.executable, "-m", "pytest", "--override-ini", "addopts=", "-q", "--nbval", "--nbval-current-env"]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    with slowed(cpus):
        done = subprocess.run([*command, *pytest, *notebooks], env=environment, capture_output=True, text=True)
    passed, seconds = done.returncode == 0, round(time.perf_counter() - started, 1)
    return {"passed": passed, "seconds": seconds} | ({} if passed else {"output": done.stdout[-4000:]})


def read_log(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def key(entry: dict) -> tuple:
    return entry["condition"], entry["repetition"], tuple(map(tuple, entry["notebooks"]))


def steadiness(
    notebooks: Sequence[Path], conditions: Iterable[str], repetitions: int, log: Path, seed: int = 0
) -> list[dict]:
    """Run what the log lacks, and give the log's lines about these notebooks as they are now."""
    wanted = []
    for repetition in range(repetitions):
        for condition in conditions:
            order = list(notebooks)
            random.Random(f"{seed} {repetition} {condition}").shuffle(order)
            together = CONDITIONS[condition].get("together", False)
            for group in [order] if together else [[notebook] for notebook in order]:
                named = [[notebook.stem, fingerprint(notebook)] for notebook in group]
                wanted.append((group, {"condition": condition, "repetition": repetition, "notebooks": named}))
    known = {key(entry): entry for entry in read_log(log)}
    for group, about in wanted:
        if key(about) not in known:
            how = {name: value for name, value in CONDITIONS[about["condition"]].items() if name != "together"}
            entry = about | run(group, **how)
            known[key(entry)] = entry
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            names = ", ".join(name for name, _ in entry["notebooks"])
            print(f"{entry['condition']}: {names}: {'passed' if entry['passed'] else 'FAILED'}", flush=True)
    return [known[key(about)] for _, about in wanted]


def table(entries: Sequence[dict]) -> str:
    lines = ["| condition | runs | passed | seconds, longest run |", "|---|---|---|---|"]
    for condition in dict.fromkeys(entry["condition"] for entry in entries):
        of_it = [entry for entry in entries if entry["condition"] == condition]
        passed = sum(entry["passed"] for entry in of_it)
        lines.append(f"| {condition} | {len(of_it)} | {passed} | {max(e['seconds'] for e in of_it):.0f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all")
    parser.add_argument("--log", type=Path, required=True, metavar="FILE", help="kept and continued")
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    notebooks = options.notebooks or sorted(FOLDER.glob("*.ipynb"))
    entries = steadiness(notebooks, options.conditions, options.repetitions, options.log)
    print(table(entries))
    return 0 if all(entry["passed"] for entry in entries) else 1


if __name__ == "__main__":
    sys.exit(main())
