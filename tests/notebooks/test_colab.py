"""Colab: the setup cell that all notebooks share, what it does there, and that it does nothing elsewhere."""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from clipspm_lite import colab

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
VERSIONS = (Path(__file__).parent / "colab_versions.txt").read_text().splitlines()
COLAB_HAS = dict(line.split("==") for line in VERSIONS if not line.startswith("#"))
MISSING_IN_COLAB = {"decord2", "lightning-fabric", "open-clip-torch"}
as_new_as_colab = pytest.mark.skipif(sys.version_info < (3, 11), reason="Colab has Python 3.11 or newer")


def badge(notebook: str) -> str:
    """Markdown for "Open in Colab" of ``notebooks/<notebook>.ipynb``."""
    page = colab.REPOSITORY.replace("https://github.com/", "https://colab.research.google.com/github/")
    image = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({image})]({page}/blob/main/notebooks/{notebook}.ipynb)"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_the_setup_cell_first_its_own_badge_and_installs_nothing_else(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    first, *others = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert first == colab.SETUP_CELL and len(first.splitlines()) <= 2
    for code in others:
        assert "google.colab" not in code and not re.search(r"\bpip3?\b.*\binstall\b|\bconda\b", code), code
    assert "".join(cells[0]["source"]).count(badge(path.stem)) == 1
    assert path.read_text(encoding="utf-8").count("colab.research.google.com/github/") == 1


def test_readme_and_citation_name_the_same_repository():
    readme, citation = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CITATION.cff"))
    assert any(badge(path.stem) in readme for path in NOTEBOOKS)
    assert f'repository-code: "{colab.REPOSITORY}"' in citation


# The setup cell, run by IPython in an empty folder, with stand-ins for Colab, git and pip. The stand-in of python is
# this one, but three packages seem to be missing until pip is asked for them.

FAKE_GIT = '#!/bin/sh\necho git "$@" >> {log!r}\nln -s {root!r} repo\n'
FAKE_PYTHON = """\
#!{python}
import pathlib, runpy, sys
from importlib import metadata
log, installed, real = pathlib.Path({log!r}), pathlib.Path({log!r} + ".installed"), metadata.distributions
if sys.argv[1:4] == ["-m", "pip", "list"]:
    sys.exit(print("torch==" + metadata.version("torch")))
if sys.argv[1:3] == ["-m", "pip"]:
    log.open("a").write(" ".join(sys.argv[2:]) + "\\n")
    sys.exit("ERROR: ResolutionImpossible" if {pip_fails} else installed.touch())
missing = set() if installed.exists() else {missing!r}
metadata.distributions = lambda name: [] if name.lower().replace("_", "-") in missing else real(name=name)
sys.executable, sys.argv = {itself!r}, sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
RUN_CELLS = """\
import sys
from IPython.core.interactiveshell import InteractiveShell
Shell = type("Shell", (InteractiveShell,), {{"__module__": "google.colab._shell" if {in_colab} else "here"}})
if {in_colab}:
    sys.path = [""] + [entry for entry in sys.path if entry != {root!r}]
for code in {cells!r}:
    Shell.instance().run_cell(code).raise_error()
"""


@pytest.fixture
def run_setup_cell(tmp_path):
    """Returns what the cell and others after it printed, and what was asked of git and pip."""
    folder, log = tmp_path / "content", tmp_path / "log"

    def run(*then, in_colab=True, pip_fails=False):
        folder.mkdir(exist_ok=True)
        log.write_text("")
        facts = dict(python=sys.executable, log=str(log), root=str(ROOT), missing=MISSING_IN_COLAB)
        for name, text in (("git", FAKE_GIT), ("python", FAKE_PYTHON)):
            program = tmp_path / name
            program.write_text(text.format(**facts, pip_fails=pip_fails, itself=str(program)))
            program.chmod(0o755)
        environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
        environment |= {"COLAB_RELEASE_TAG": "release-colab_stub"} if in_colab else {}
        code = RUN_CELLS.format(in_colab=in_colab, cells=[colab.SETUP_CELL, *then], root=str(ROOT))
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr, log.read_text().splitlines()

    return run


def test_outside_colab_it_does_nothing_and_needs_the_standard_library_only(run_setup_cell, tmp_path):
    assert run_setup_cell(in_colab=False) == ("", []) and not list((tmp_path / "content").iterdir())
    assert subprocess.check_output([sys.executable, "-I", "-S", colab.__file__], cwd=tmp_path) == b""


@as_new_as_colab
def test_in_colab_it_clones_installs_what_is_missing_and_the_kernel_finds_everything(run_setup_cell, tmp_path):
    then = "import clipspm_lite.data.datasets as d; print('from', d.__file__, len(d.sample_world('novel').classes))"
    printed, (git, pip) = run_setup_cell(then, "print(bool(open('results/comparison_novel.json').read()))")
    assert git == f"git clone -q {colab.REPOSITORY} repo"
    asked = {canonicalize_name(Requirement(word).name) for word in pip.split()[5:]}
    assert pip.startswith("pip install --quiet --constraint ") and asked == MISSING_IN_COLAB
    assert f"Python {sys.version.split()[0]}, torch {metadata.version('torch')}, " in printed
    assert f"2580 sample clips in {tmp_path / 'content' / 'data_samples'}" in printed
    assert f"from {tmp_path / 'content' / 'clipspm_lite/data/datasets.py'} 26\nTrue\n" in printed
    again, asked = run_setup_cell()
    assert asked == [] and "sample clips" in again, "a second run changes nothing"


@as_new_as_colab
def test_failed_pip_and_a_file_in_the_way_say_what_to_do(run_setup_cell, tmp_path):
    printed, _ = run_setup_cell(pip_fails=True)
    assert "Setup failed: " in printed and "run the cell again" in printed and "ResolutionImpossible" in printed
    (tmp_path / "content" / "data_samples").mkdir()
    assert "data_samples is in the way" in run_setup_cell()[0]


def test_what_colab_has_is_new_enough_for_this_library():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 reads pyproject.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {canonicalize_name(r.name): r for r in map(Requirement, project["dependencies"])}
    versions = {canonicalize_name(name): version for name, version in COLAB_HAS.items()}
    assert needed.keys() - versions.keys() == MISSING_IN_COLAB
    for name in needed.keys() & versions.keys():
        assert needed[name].specifier.contains(versions[name]), name
