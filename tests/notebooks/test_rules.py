"""The rules every notebook keeps, as far as a program can see them."""

import ast
import hashlib
import importlib
import inspect
import json
import re
from pathlib import Path
from statistics import median

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbconvert import ScriptExporter

from clipspm_lite.exercises.editions import FOLD, minutes, places, prose_words, strip

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PLOT_TESTS = [path for path in (ROOT / "tests" / "plots").glob("test_*.py") if path.name != "test_look.py"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def syntax_tree(code):
    return ast.parse(TransformerManager().transform_cell(code))  # lines such as "!git …" too


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def tags(cell):
    return cell["metadata"].get("tags", [])


def is_ignored(cell):
    return "nbval-ignore-output" in tags(cell)


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_stored_with_outputs_of_one_run_from_top_to_bottom(notebook):
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell["outputs"]:
            assert output["output_type"] != "error" and output.get("name") != "stderr", source(cell)


def test_nothing_stored_that_belongs_to_one_machine(notebook):
    assert "widgets" not in notebook["metadata"]
    text = json.dumps(notebook, ensure_ascii=False)
    assert not re.search(r"(?<![\w.:/])/(home|root|tmp|usr|Users|work)/\w", text)
    assert not re.search(r"[A-Z]:\\\\\\\\\w", text)
    for cell in code_cells(notebook):
        assert "video/" not in json.dumps(cell["outputs"]) and "widget-view" not in json.dumps(cell["outputs"])


def test_exported_as_a_script_it_is_python(notebook):
    node = nbformat.reads(json.dumps(notebook), as_version=4)
    strip(node, 1)  # as after it is executed again
    script, resources = ScriptExporter().from_notebook_node(node)
    assert resources["output_extension"] == ".py" and ast.parse(script)


def test_ignored_outputs_are_few_and_nothing_is_skipped(notebook):
    with_output = [cell for cell in code_cells(notebook) if cell["outputs"]]
    ignored = [cell for cell in with_output if is_ignored(cell)]
    assert len(ignored) * 10 <= len(with_output)
    everything = "\n".join(source(cell) for cell in code_cells(notebook))
    assert "NBVAL" not in everything and not re.search(r"except\s*:", everything)
    assert not any("nbval-skip" in tags(cell) for cell in code_cells(notebook))


def test_each_code_cell_follows_prose(notebook):
    kinds = [cell["cell_type"] for cell in notebook["cells"]]
    for before, kind in zip(kinds, kinds[1:], strict=False):
        assert kind == "markdown" or before == "markdown"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def numbered(request):
    """The number of a notebook, and the notebook as nbformat reads it."""
    return request.param.name[:2], nbformat.read(request.param, as_version=4)


def test_at_most_100_cells_and_2500_words(numbered):
    number, notebook = numbered
    assert len(notebook.cells) <= 100
    assert prose_words(notebook) <= 2500


def test_code_cells_are_short(numbered):
    number, notebook = numbered
    lines = [len(source(cell).splitlines()) for cell in code_cells(notebook)]
    assert max(lines) <= 40 and sum(count <= 25 for count in lines) >= 0.9 * len(lines)
    assert median(lines) <= 8


def test_there_are_enough_exercises(numbered):
    number, notebook = numbered
    enough = 0 if number == "00" else 3 if number <= "09" else 2
    assert len(places(notebook)) >= enough


def test_the_minutes_at_the_top_are_what_it_takes(numbered):
    _, notebook = numbered
    (said,) = re.findall(r"About (\d+) minutes", source(notebook.cells[0]))
    assert abs(int(said) - minutes(notebook)) <= minutes(notebook) / 10


def test_asserting_cells_are_collapsed(notebook):
    for cell in code_cells(notebook):
        if any(isinstance(node, ast.Assert) for node in ast.walk(syntax_tree(source(cell)))):
            assert cell["metadata"].get("jupyter", {}).get("source_hidden") is True, source(cell)


def test_slides_have_a_figure_with_a_caption(notebook):
    for cell in code_cells(notebook):
        if "slide" in tags(cell):
            assert any("image/png" in output.get("data", {}) for output in cell["outputs"]), source(cell)


def pictures_of(path):
    cells = code_cells(json.loads(path.read_text(encoding="utf-8")))
    data = (output.get("data", {}).get("image/png") for cell in cells for output in cell["outputs"])
    return {hashlib.sha256("".join(png).encode()).hexdigest() for png in data if png}


def test_no_picture_stands_in_two_notebooks():
    pictures = {path.name[:2]: pictures_of(path) for path in NOTEBOOKS}
    for number, mine in pictures.items():
        others = set().union(*(theirs for other, theirs in pictures.items() if other < number))
        assert not mine & others, number


TERMS = {  # a term → what to look for; it is defined (in bold or italics) where it first stands
    "episode": r"episodes?",
    "way": r"(?:\d+|N)-\*{0,2}way",
    "shot": r"(?:\d+|K)-\*{0,2}shot",
    "support": r"supports?",
    "query": r"quer(?:y|ies)",
    "prototype": r"prototypes?",
    "anchor": r"anchors?",
    "prompt": r"prompts?",
    "token": r"tokens?",
    "gate": r"gates?|gated",
    "transductive": r"(?:in|trans)ductive(?:ly)?",
    "zero-shot": r"zero-shot",
    "backbone": r"backbones?",
    "head": r"heads?",
    "preset": r"presets?",
    "committed": r"committed",
    "novel": r"novel",
    "context class": r"context class(?:es)?",
    "order class": r"order class(?:es)?",
    "OTAM": r"OTAM",
    "centred": r"centred",
    "reference vectors": r"reference vectors?",
    "SPEC": r"SPEC",
    "distinguishable": r"distinguishable",
    "interval": r"95 % interval",
    "modality gap": r"modality gap",
}


def prose(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join(FOLD.sub(" ", source(cell)) for cell in cells if cell["cell_type"] == "markdown")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_defined_where_it_first_stands(term):
    texts = {path.name[:2]: prose(path) for path in NOTEBOOKS}
    word = re.compile(rf"(?<![\w-]){TERMS[term]}(?![\w-])", re.IGNORECASE)
    number = next((number for number, text in texts.items() if word.search(text)), None)
    if number is not None:
        first = word.search(texts[number])
        line = texts[number][: first.end()].rpartition("\n\n")[2]
        inside = len(re.findall(r"\*+", line)) % 2 or "*" in first[0] or texts[number][first.end()] == "*"
        assert inside, f"{number}: {line[-80:]}"


def test_the_measured_time_stands_at_the_top(notebook):
    assert re.search(r"The cells run in \d+ s on 2 CPU cores", source(notebook["cells"][0]))


def test_every_picture_has_alt_text_and_a_caption(notebook):
    for cell in code_cells(notebook):
        for output, following in zip(cell["outputs"], [*cell["outputs"][1:], {}], strict=False):
            if "image/png" in output.get("data", {}):
                assert output["metadata"]["image/png"]["alt"], source(cell)
                assert "text/markdown" in following.get("data", {}), source(cell)


def library_functions_in(code):
    """The functions of ``clipspm_lite.plots`` that some code imports, or reaches through a module it imports."""
    modules, found = {}, set()
    for node in ast.walk(syntax_tree(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clipspm_lite"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole.startswith("clipspm_lite.plots"):
                    thing = getattr(importlib.import_module(node.module), alias.name, None)
                    thing = thing or importlib.import_module(whole)
                    modules[alias.asname or alias.name] = thing
                    found.add(thing)
    for node in ast.walk(syntax_tree(code)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found.add(getattr(modules[node.value.id], node.attr))
    return {thing for thing in found if inspect.isfunction(thing)}


def test_every_figure_is_drawn_by_a_tested_function_of_the_library(notebook):
    code = "\n".join(source(cell) for cell in code_cells(notebook))
    assert not re.search(r"\b(matplotlib|pyplot|plt|seaborn|sns|plotly|altair|PIL)\b|\bFigure\(", code)
    tests = "\n".join(path.read_text(encoding="utf-8") for path in PLOT_TESTS)
    for function in library_functions_in(code):
        assert re.search(rf"\b{function.__name__}\(", tests), f"no test in tests/plots calls {function.__name__}"
    for cell in code_cells(notebook):
        if any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            assert re.search(r"\bshow\(|\w\.static\(", source(cell)), source(cell)


# An accuracy is stated as "92.8 %" or "69 ± 1". What it is about must be read where it stands, without the code.
STATED = re.compile(r"±\s*\d|\b\d\d\.\d\s*%")
ABOUT = {"episodes": r"episodes", "the seed": r"\bseeds?\b", "the interval": r"±|95 %"}
INVENTED = re.compile(r"made-up|simulat", re.IGNORECASE)  # numbers of a hand-sized example or of a simulation
PUBLISHED = set(
    re.findall(
        r"\b\d\d\.\d\b", (ROOT / "clipspm_lite" / "model" / "SPEC.md").read_text(encoding="utf-8").split("## 7.")[1]
    )
)


def missing(text):
    return [word for word, pattern in ABOUT.items() if not re.search(pattern, text)]


def written(cell):
    """What a code cell shows in words: its text outputs and captions."""
    outputs = cell.get("outputs", [])
    texts = [output["text"] if "text" in output else output["data"].get("text/markdown", "") for output in outputs]
    return "\n".join("".join(text) for text in texts)


def with_the_words_around(notebook):
    """Each code cell with what a reader of the page sees of it and directly around it."""
    cells = notebook["cells"]
    for place, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            around = [source(c) for c in cells[place - 1 : place + 2 : 2] if c["cell_type"] == "markdown"]
            yield cell, "\n".join([written(cell), *around])


def test_every_printed_accuracy_says_episodes_interval_and_seed(notebook):
    unsaid = [
        (missing(words), written(cell))
        for cell, words in with_the_words_around(notebook)
        if STATED.search(written(cell)) and not INVENTED.search(words) and missing(words)
    ]
    assert not unsaid


def calls_in(cell):
    calls = [node.func for node in ast.walk(syntax_tree(source(cell))) if isinstance(node, ast.Call)]
    return {getattr(function, "attr", getattr(function, "id", None)) for function in calls}


def test_every_figure_of_accuracies_says_episodes_interval_and_seed(notebook):
    """In its caption, its title (which the code hands over), or the words around it."""
    code = "\n".join(source(cell) for cell in code_cells(notebook))
    drawing = {f.__name__ for f in library_functions_in(code) if "accurac" in (f.__doc__ or "").lower()}
    unsaid = []
    for cell, words in with_the_words_around(notebook):
        if calls_in(cell) & drawing and not INVENTED.search(words):
            handed = [node.value for node in ast.walk(syntax_tree(source(cell))) if isinstance(node, ast.Constant)]
            if lack := missing("\n".join([words, *map(str, handed)])):
                unsaid.append((lack, source(cell)))
    assert not unsaid


def test_every_accuracy_in_the_text_says_where_it_is_from(notebook):
    """A paragraph that states one says episodes, interval and seed, or that it is a paper's, and which paper's."""
    unsaid = []
    for cell in notebook["cells"]:
        for paragraph in source(cell).split("\n\n") if cell["cell_type"] == "markdown" else []:
            published = PUBLISHED & set(re.findall(r"(?<![\d.])\d\d\.\d(?![\d.])", paragraph))
            if (published or STATED.search(paragraph)) and not INVENTED.search(paragraph):
                method = re.search(r"CLIP-SPM|TS-FSAR|LGA|CLIP-MEI", paragraph)
                if missing(paragraph) and not (method and re.search(r"paper|report", paragraph)):
                    unsaid.append(paragraph)
    assert not unsaid


def test_every_explorer_is_followed_by_its_static_pictures(notebook):
    cells = code_cells(notebook)
    for cell, following in zip(cells, [*cells[1:], {"source": ""}], strict=True):
        shown = re.search(r"^(\w+) = \w+_explorer\(", source(cell), re.MULTILINE)
        if shown:
            assert source(cell).splitlines()[-1] == shown[1]
            assert f"{shown[1]}.static(" in source(following), source(cell)
            assert any("image/png" in output.get("data", {}) for output in following["outputs"])


def test_an_ignored_output_is_followed_by_a_cell_that_asserts(notebook):
    cells = code_cells(notebook)
    for cell, following in zip(cells, [*cells[1:], {"source": ""}], strict=True):
        if is_ignored(cell):
            assert re.search(r"^\s*assert ", source(following), re.MULTILINE), source(cell)
