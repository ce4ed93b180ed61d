"""Colab: the setup cell that all notebooks share, what it does there, and that it does nothing elsewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from clipspm_lite import home

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
VERSIONS = (Path(__file__).parent / "colab_versions.txt").read_text().splitlines()
COLAB_HAS = dict(line.split("==") for line in VERSIONS if not line.startswith("#"))
MISSING_IN_COLAB = {"decord2", "lightning-fabric", "open-clip-torch"}


def badge(notebook: str) -> str:
    """Markdown for "Open in Colab" of ``notebooks/<notebook>.ipynb``."""
    page = home.REPOSITORY.replace("https://github.com/", "https://colab.research.google.com/github/")
    image = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({image})]({page}/blob/main/notebooks/{notebook}.ipynb)"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_the_setup_cell_first_its_own_badge_and_installs_nothing_else(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    first, *others = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert first == home.SETUP_CELL, "to write it: python -m clipspm_lite.home"
    for code in others:
        assert "google.colab" not in code and not re.search(r"\bpip3?\b.*\binstall\b|\bconda\b", code), code
    assert "".join(cells[0]["source"]).count(badge(path.stem)) == 1
    assert path.read_text(encoding="utf-8").count("colab.research.google.com/github/") == 1


# The setup cell, run by IPython in an empty folder, with a stand-in for its command %pip.

RUN_CELL = """\
from IPython.core.interactiveshell import InteractiveShell
Shell = type("Shell", (InteractiveShell,), {{"__module__": {module!r}}})
Shell.instance().register_magic_function(lambda line: print("pip", line), magic_name="pip")
Shell.instance().run_cell({cell!r}).raise_error()
"""


@pytest.mark.parametrize("module, asked", [("google.colab._shell", f"pip install -q {home.WHEEL}\n"), ("here", "")])
def test_the_setup_cell_asks_pip_for_the_wheel_in_colab_and_does_nothing_elsewhere(module, asked, tmp_path):
    code = RUN_CELL.format(module=module, cell=home.SETUP_CELL)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == asked and not list(tmp_path.iterdir())


def test_what_colab_has_is_new_enough_for_this_library():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 reads pyproject.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {canonicalize_name(r.name): r for r in map(Requirement, project["dependencies"])}
    versions = {canonicalize_name(name): version for name, version in COLAB_HAS.items()}
    assert needed.keys() - versions.keys() == MISSING_IN_COLAB
    for name in needed.keys() & versions.keys():
        assert needed[name].specifier.contains(versions[name]), name
