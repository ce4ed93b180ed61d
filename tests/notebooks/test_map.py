"""notebooks/README.md: every notebook, equation, symbol, library name and test that it lists is there."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")


def rows(heading):
    section = MAP.split(f"## {heading}")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def linked(cell):
    """The file that a table's cell, `[text](file)`, links to."""
    return ROOT / "notebooks" / re.fullmatch(r"\[\d\d\]\((.*)\)", cell)[1]


def test_every_notebook_is_listed_and_every_listed_one_exists():
    found = set(re.findall(r"\]\((\w+\.ipynb)\)", MAP))
    assert found == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_the_minutes_of_each_notebook_are_its_own():
    listed = dict(re.findall(r"^\| \[(\w+)\].*\| (\d+) \|$", MAP, re.MULTILINE))
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert re.search(rf"About {listed[path.stem]} minutes", path.read_text(encoding="utf-8")), path.stem


def test_every_equation_points_to_a_notebook_a_name_and_a_test_that_exist():
    table = rows("Every equation and where it is")
    assert len(table) > 10 and len({equation for equation, *_ in table}) == len(table)
    for equation, notebook, *names in table:
        assert linked(notebook).exists(), equation
        name, test = (name.strip("`") for name in names)
        assert (ROOT / test).exists(), equation
        parts = name.split(".")
        split = next(i for i, part in enumerate(parts) if i and (part[0].isupper() or i == len(parts) - 1))
        found = importlib.import_module(".".join(parts[:split]))
        for part in parts[split:]:
            found = getattr(found, part)
        assert callable(found), equation


def stands_in_the_library(name):
    """A thing of a module, or an attribute, argument or variable of it: `Class.attribute`, `function.variable`."""
    owner, _, last = f"clipspm_lite.{name}".rpartition(".")
    try:
        thing = pkgutil.resolve_name(owner)
    except (ImportError, AttributeError):
        return False
    if hasattr(thing, last):
        return True
    if inspect.isclass(thing) and re.search(rf"\bself\.{last} = ", inspect.getsource(thing)):
        return True
    function = inspect.unwrap(thing.__init__ if inspect.isclass(thing) else thing)
    return inspect.isfunction(function) and last in function.__code__.co_varnames


def test_every_symbol_has_a_name_that_exists_and_a_notebook():
    table = rows("Every symbol and our name for it")
    symbols = [symbol for row in table for symbol in row[0].split(", ")]
    assert len(table) > 40
    for symbol, _, names, _, notebook in table:
        assert linked(notebook).exists(), symbol
        found = re.findall(r"`([\w.]+)`", names)
        assert found, symbol
        for name in found:
            assert stands_in_the_library(name), f"{symbol}: there is no clipspm_lite.{name}"
    for symbol in ("m̂", "f̂", "Φ", "g_v", "g_p", "α", "t̄", "s(f)", "p̂", "u′", "A′", "D_SPM", "D_PADM", "D_anchor"):
        assert symbol in symbols, symbol


def test_no_symbol_stands_twice_for_different_things():
    cells = [symbol for row in rows("Every symbol and our name for it") for symbol in row[0].split(", ")]
    symbols = [symbol.partition(" (")[0] for symbol in cells]  # "λ (loss)" is the symbol λ
    assert not {symbol for symbol in symbols if symbols.count(symbol) > 1}


@pytest.mark.parametrize(
    "name",
    ["model.nothing.otam", "model.otam.otam.nothing", "model.spm.SPMOutput.nothing", "model.clipspm.CLIPSPM.dims"],
)
def test_a_name_that_is_not_in_the_library_is_noticed(name):
    assert not stands_in_the_library(name)


def test_links_between_notebooks_lead_somewhere():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for target in re.findall(r"\]\((\d\d_\w+\.ipynb)", path.read_text(encoding="utf-8")):
            assert (ROOT / "notebooks" / target).exists(), f"{path.name} links to {target}"
