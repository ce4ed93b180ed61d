"""What README promises: its commands, its numbers, its files."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from clipspm_lite.evaluation.results import BY_KIND, BY_SHOT, FIVE_WAY, ONE_BY_ONE, comparison_table
from clipspm_lite.model.variants import FULL, INDUCTIVE

ROOT = Path(__file__).parents[1]
UNTRAINED = ("zero-shot", "prototype", "bi-mhm", "otam", "otam centred")
ROWS = (*UNTRAINED, "clip-fsar", "trx", FULL, *INDUCTIVE, "sub-actions", "recommended")
MEASURES = (FIVE_WAY, *BY_KIND, *BY_SHOT, ONE_BY_ONE, "reversed", "similar")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_two_code_blocks_set_up_and_run_the_demo_and_the_tests():
    blocks = re.findall(r"^```\w*\n(.*?)^```", README, re.M | re.S)
    for block, ending in zip(blocks, ("python -m clipspm_lite start\n", "python -m pytest\n"), strict=False):
        assert block.startswith("python3 -m venv") and "pip install -e" in block and block.endswith(ending)


@pytest.mark.parametrize("part", ["validation", "novel"])
def test_the_tables_are_those_of_the_result_files(part):
    results = json.loads((ROOT / "notebooks" / "results" / f"comparison_{part}.json").read_text())
    assert comparison_table(results, "otam", ROWS, MEASURES) in README


def test_the_files_it_names_are_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_conda_and_binder_install_what_pip_installs():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert "no conda solver has run this file yet" in text
    environment = yaml.safe_load(text)
    python, pip, from_pip = environment["dependencies"]
    # Python and pip from conda; every package from pyproject.toml, so that the two cannot disagree.
    assert pip == "pip" and from_pip == {"pip": ["-e .[notebooks]"]}
    project = metadata.metadata("clipspm_lite")
    assert environment["name"] == project["Name"].replace("-", "_")
    assert "notebooks" in project.get_all("Provides-Extra")
    name, version = python.split("=")
    assert name == "python" and SpecifierSet(project["Requires-Python"]).contains(version)
    assert f'requires-python = "{project["Requires-Python"]}"' in (ROOT / "pyproject.toml").read_text()
