"""notebooks/README.md: every notebook, equation, library name and test that it lists is there."""

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAP = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")


def rows(heading):
    section = MAP.split(f"## {heading}")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_notebook_is_listed_and_every_listed_one_exists():
    linked = set(re.findall(r"\]\((\w+\.ipynb)\)", MAP))
    assert linked == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_every_equation_points_to_a_notebook_a_name_and_a_test_that_exist():
    table = rows("Every equation and where it is")
    assert len(table) > 10 and len({equation for equation, *_ in table}) == len(table)
    for equation, notebook, name, test in table:
        assert (ROOT / "notebooks" / f"{notebook}.ipynb").exists(), equation
        assert (ROOT / test).exists(), equation
        parts = name.split(".")
        split = next(i for i, part in enumerate(parts) if i and (part[0].isupper() or i == len(parts) - 1))
        found = importlib.import_module(".".join(parts[:split]))
        for part in parts[split:]:
            found = getattr(found, part)
        assert callable(found), equation


def test_links_between_notebooks_lead_somewhere():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for target in re.findall(r"\]\((\d\d_\w+\.ipynb)", path.read_text(encoding="utf-8")):
            assert (ROOT / "notebooks" / target).exists(), f"{path.name} links to {target}"
