"""What README and the pages that it leads to promise: commands, numbers, files."""

import json
import re
import shlex
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from clipspm_lite.commands.main import build_parser
from clipspm_lite.evaluation.results import BY_KIND, BY_SHOT, FIVE_WAY, ONE_BY_ONE, comparison_table, interval_table
from clipspm_lite.model.variants import FULL, INDUCTIVE

ROOT = Path(__file__).parents[1]
UNTRAINED = ("zero-shot", "prototype", "bi-mhm", "otam", "otam centred")
ROWS = (*UNTRAINED, "clip-fsar", "trx", FULL, *INDUCTIVE, "sub-actions", "recommended")
MEASURES = (FIVE_WAY, *BY_KIND, *BY_SHOT, ONE_BY_ONE, "reversed", "similar")
FEW_ROWS = ("zero-shot", "otam", "clip-fsar", "trx", FULL, "recommended")
FEW_MEASURES = (FIVE_WAY, *BY_KIND, ONE_BY_ONE)
PAGES = ("README.md", "CONTRIBUTING.md", "book/commands.md", "book/results.md")
TEXT = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
README = TEXT["README.md"]


def test_it_takes_a_minute():
    assert len(README.split()) < 1000 and len(README.splitlines()) < 120


def test_the_first_two_code_blocks_set_up_and_run_the_demo_and_the_tests():
    blocks = re.findall(r"^```\w*\n(.*?)^```", README, re.M | re.S)
    for block, ending in zip(blocks, ("python -m clipspm_lite start\n", "python -m pytest\n"), strict=True):
        assert block.startswith("python3 -m venv") and "pip install -e" in block and block.endswith(ending)


@pytest.mark.parametrize("part", ["validation", "novel"])
def test_the_tables_are_those_of_the_result_files(part):
    results = json.loads((ROOT / "notebooks" / "results" / f"comparison_{part}.json").read_text())
    assert comparison_table(results, "otam", ROWS, MEASURES) in TEXT["book/results.md"]
    if part == "novel":
        assert interval_table(results, MEASURES) in TEXT["book/results.md"]
        assert comparison_table(results, "", FEW_ROWS, FEW_MEASURES) in README


def test_the_course_and_its_hours_are_those_of_the_notebooks():
    listed = re.findall(r"^\| \[\d\d\]\(notebooks/(\w+\.ipynb)\)", README, re.MULTILINE)
    assert listed == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    texts = [(ROOT / "notebooks" / name).read_text(encoding="utf-8") for name in listed]
    hours = sum(int(re.search(r"About (\d+) minutes", text)[1]) for text in texts) / 60
    assert f"About {hours:.0f} hours" in README


@pytest.mark.parametrize("name", PAGES)
def test_its_links_lead_to_files_and_headings(name):
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", TEXT[name]):
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), target
        if heading:
            found = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found}, heading


@pytest.mark.parametrize("name", PAGES)
def test_the_parser_knows_each_command_and_its_options(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some options look whether their file can be written
    lines = re.findall(r"^(?: {4})?(?:python -m )?clipspm_lite (.*)$", TEXT[name].replace("\\\n", ""), re.MULTILINE)
    assert lines or name == "CONTRIBUTING.md"
    for line in lines:
        words = shlex.split(line.replace("[", "").replace("]", ""), comments=True)
        build_parser(words).parse_args(words)


def test_the_first_python_example_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(re.search(r"^```python\n(.*?)^```", TEXT["book/commands.md"], re.M | re.S)[1], {})


def test_a_head_of_ones_own_goes_from_the_page_into_the_table(tmp_path):
    section = TEXT["book/commands.md"].split("## Your own module in the table")[1]
    _, head, training = re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)[:3]
    (tmp_path / "my_head.py").write_text(head, encoding="utf-8")
    fewer = 'replace(TRAINING_PRESETS["lite"], steps=2, validate_every=2, validation_episodes=4)'
    training = "from dataclasses import replace\n" + training.replace('TRAINING_PRESETS["lite"]', fewer)
    subprocess.run([sys.executable, "-c", training], cwd=tmp_path, check=True)
    command = re.search(r"^clipspm_lite (.*--head.*)$", section, re.MULTILINE)[1].split()
    installed = Path(sysconfig.get_path("scripts"), "clipspm_lite")  # which does not look into the current folder
    done = subprocess.run([installed, *command, "--episodes", "4"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "mine on the sample world" in done.stdout, done.stderr


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
