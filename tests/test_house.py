"""The plan of the house: imports run one way, what is light stays light, and what is small stays small."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "clipspm_lite"
# A room imports only from rooms on lower floors, so there is no circle.
FLOORS = [
    {"arguments", "threads", "places"},
    {"storage", "model"},
    {"world", "data", "home"},
    {"clip"},
    {"evaluation"},
    {"training", "recognition", "tiny_clip"},
    {"plots"},
    {"widgets"},
    {"exercises"},
    {"notebooks"},
    {"commands"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def imports_between_rooms():
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                parts = (name or "").split(".")
                if parts[0] == "clipspm_lite" and len(parts) > 1 and parts[1] != room:
                    yield path.relative_to(PACKAGE), room, parts[1]


def test_imports_run_one_way():
    upwards = [
        (str(path), imported)
        for path, room, imported in imports_between_rooms()
        if not room.startswith("__") and FLOOR[imported] >= FLOOR[room]
    ]
    assert not upwards


def test_plots_data_and_evaluation_import_without_open_clip():
    rooms = "clipspm_lite.plots, clipspm_lite.plots.results, clipspm_lite.data.encoded, clipspm_lite.evaluation"
    code = f"import sys, {rooms}; assert 'open_clip' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_core_is_small_enough_to_be_read():
    side = {"plots", "widgets", "exercises", "world", "tiny_clip"}
    core = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in side]
    assert sum(map(lines, core)) <= 7500


def test_a_file_of_the_method_is_a_few_pages():
    assert {path.name: lines(path) for path in PACKAGE.glob("model/*.py") if lines(path) > 150} == {}
