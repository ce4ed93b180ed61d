"""`.github/`, of which nothing has run yet: its files have the form of their schemas, and what they name is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from clipspm_lite.commands.main import COMMANDS

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
SCHEMAS = {
    "github-workflows": WORKFLOWS,
    "dependabot": [ROOT / ".github" / "dependabot.yml"],
    "github-issue-forms": [path for path in FORMS if path.name != "config.yml"],
    "github-issue-config": [path for path in FORMS if path.name == "config.yml"],
    "citation-file-format": [ROOT / "CITATION.cff"],
}


def jobs():
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            yield f"{path.stem}, {name}", job


def commands():
    return [step["run"] for _, job in jobs() for step in job["steps"] if "run" in step]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="on 3.10 the checker lacks some schemas")
@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_files_have_the_form_of_their_schema(schema):
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *SCHEMAS[schema]]
    done = subprocess.run(check, capture_output=True, text=True)
    assert SCHEMAS[schema] and done.returncode == 0, done.stdout


def test_files_extras_and_commands_of_the_workflows_exist():
    asked = "\n".join(commands())
    for path in re.findall(r"notebooks/\w+\.ipynb|\.ci/run|\w+/(?:home|__init__)\.py|CITATION\.cff", asked):
        assert (ROOT / path).exists(), path
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in re.findall(r'-e "\.\[(\w+)\]"', asked):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra
    for target in re.findall(r"\bmake (\w+)", asked):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    assert set(re.findall(r"clipspm_lite (\w+)", asked)) <= set(COMMANDS)


def test_only_the_jobs_that_publish_may_write():
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}, path.name
    writing = {name for name, job in jobs() if "write" in job.get("permissions", {}).values()}
    assert writing == {"book, publish", "release, publish"}


def test_each_workflow_says_that_it_has_not_run():
    for path in WORKFLOWS:
        assert path.read_text(encoding="utf-8").startswith("# Has not run yet"), path.name
