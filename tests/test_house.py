"""The plan of the house: imports run one way, and what is light stays light."""

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
