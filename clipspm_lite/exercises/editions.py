"""What the notebooks take from the exercises: their cells, the minutes, and editions made from the one source."""

import ast
import html
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbconvert import preprocessors
from nbformat import NotebookNode

from clipspm_lite.exercises import exercises, pages
from clipspm_lite.exercises.exercise import Exercise, value_of
from clipspm_lite.home import hand_out
from clipspm_lite.places import NOTEBOOKS, ROOT

WRONG_ANSWERS = ROOT / "tests" / "exercises" / "wrong_answers.md"
CALL = re.compile(r'\b(?:check|exercise)\("(\d\d\.\d)"')
FOLD = re.compile(r"<details>.*?</details>", re.DOTALL)
FOLDED = re.compile(r"(;|,(\s+and)? then points to)\s+the (folded solution|solution is folded below)")
MEASURED = re.compile(r"(The cells run in )\d+( s on \d+ CPU cores)")


def wrong_answers() -> dict[str, list[tuple[str, str]]]:
    """Number → [(a piece of the hint that it must get, source)]."""
    sections = re.split(r"^## ", WRONG_ANSWERS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    pattern = re.compile(r"^(\S[^\n]*)\n\n```python\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
    return {section[:4]: pattern.findall(section) for section in sections}


def _defines(source: str) -> str:
    """The name that a stub or an answer gives to what it defines last."""
    last = ast.parse(source).body[-1]
    return getattr(last, "name", None) or ast.unparse(last.targets[0])  # type: ignore[attr-defined]


def marks(asked: Exercise) -> str:
    """Difficulty, importance and minutes, as they stand after the title."""
    difficulty, importance = asked.difficulty, asked.importance
    return f"{'●' * difficulty:○<3} {'★' * importance:☆<3} {asked.minutes} min"


def code_of(number: str, asked: Exercise, answer: str) -> str:
    """The source of an exercise's cell: an answer (the stub, to begin with), and the call that looks at it."""
    name, given = _defines(asked.stub), _defines(answer)
    lines = answer.strip() + (f"\n\n\n{name} = {given}" if given != name else "")
    call = f'check("{number}", {name})' if asked.library is None else f'{name} = exercise("{number}", {name})'
    return lines + ("\n\n\n" if callable(value_of(asked.stub)) and given == name else "\n") + call


def exercise_cells(number: str) -> list[NotebookNode]:
    """The three cells of an exercise: the task, the stub with its call, the folded solution."""
    asked = exercises()[number]
    task = f"**Exercise {number} · {asked.title}** ({marks(asked)}). {asked.task}"
    parts = [f"*Idea.* {asked.idea}", f"```python\n{asked.solution.strip()}\n```", asked.why]
    inside = "\n\n".join(part for part in parts if part)
    return [
        nbformat.v4.new_markdown_cell(task),
        nbformat.v4.new_code_cell(code_of(number, asked, asked.stub)),
        nbformat.v4.new_markdown_cell(f"<details><summary>Solution</summary>\n\n{inside}\n\n</details>"),
    ]


def places(notebook: NotebookNode) -> dict[str, int]:
    """Number → index of its code cell."""
    found = ((CALL.search(cell.source), index) for index, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    return {match[1]: index for match, index in found if match and match[1] in exercises()}


def refresh(notebook: NotebookNode) -> None:
    """Write the three cells of each exercise, and the notebook's minutes, as they are now."""
    for number, index in places(notebook).items():
        for place, cell in enumerate(exercise_cells(number), start=index - 1):
            notebook.cells[place].source = cell.source
    first = notebook.cells[0]
    first.source = re.sub(r"About \d+ minutes", f"About {minutes(notebook)} minutes", first.source)


def strip(notebook: NotebookNode, seconds: float) -> None:
    """Remove what must not be stored, and write the measured seconds into the first cell."""
    kept = {"kernelspec", ("language_info", "name", "file_extension", "nbconvert_exporter")}
    clean = preprocessors.ClearMetadataPreprocessor(clear_cell_metadata=False, preserve_nb_metadata_mask=kept)
    clean.preprocess(notebook, {})
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        # A widget without its state would show as an error; its text says what it is.
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    first = notebook.cells[0]
    first.source = MEASURED.sub(rf"\g<1>{round(seconds)}\g<2>", first.source)


def words_in(text: str) -> int:
    """How many words a reader reads: no formula, link target, tag or folded solution."""
    text = re.sub(r"\$\$.*?\$\$", " ", FOLD.sub(" ", text), flags=re.DOTALL)
    text = re.sub(r"!?\[!\[.*?\]\(.*?\)\]\(.*?\)|\]\([^)]*\)|<[^>]*>|\$[^$]*\$", " ", text)
    return len(re.findall(r"\w[\w'’.,-]*", text))


def prose_words(notebook: NotebookNode) -> int:
    """The words of all text cells."""
    return sum(words_in(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")


def minutes(notebook: NotebookNode) -> int:
    """What a notebook takes: 180 words a minute, 5 seconds a line of code, and the minutes of its exercises."""
    asked = places(notebook)
    lines = sum(
        len([line for line in cell.source.splitlines() if line.strip()])
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and index not in asked.values()
    )
    return round(prose_words(notebook) / 180 + lines * 5 / 60 + sum(exercises()[number].minutes for number in asked))


def fill(notebook: NotebookNode, answers: Mapping[str, str]) -> None:
    """Put answers into the exercises' cells, and clear all outputs."""
    for number, index in places(notebook).items():
        notebook.cells[index].source = code_of(number, exercises()[number], answers[number])
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def students(notebook: NotebookNode) -> None:
    """Take the folded solutions away, and what the text says of them."""
    notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith("<details>")]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = FOLDED.sub("", cell.source)


def instructors(notebook: NotebookNode) -> None:
    """Open the solutions, and say below each what students get wrong."""
    wrong = wrong_answers()
    for number, index in places(notebook).items():
        asked, cell = exercises()[number], notebook.cells[index + 1]
        hints = [hint for _, source in wrong[number] if (hint := asked.hint(value_of(source)))]
        said = [hint for hint in dict.fromkeys(hints) if not hint.startswith("Your code stops")]
        note = "\n".join(["**What students get wrong:**", "", *(f"- {hint}" for hint in said)])
        opened = re.sub(r"</?details>|<summary>|</summary>", "", cell.source).strip()
        cell.source = f"**{number} · {opened.replace('Solution', 'Solution.**', 1)}\n\n{note}"


def solutions(notebook: NotebookNode) -> None:
    """Put the solution into every exercise's cell; the notebook is to be run."""
    fill(notebook, {number: asked.solution for number, asked in exercises().items()})


FOR_INSTRUCTORS = re.compile(r"## For instructors\n.*?(?=\n## |\Z)\n*", re.DOTALL)
EDITIONS = {"students": students, "instructors": instructors, "solutions": solutions}
PAGE = """<!doctype html><meta charset="utf-8"><title>CLIP-SPM, a lecture</title>
<style>section {{ height: 100vh; scroll-snap-align: start; display: flex; flex-direction: column; align-items: center;
justify-content: center; font-family: sans-serif }} html {{ scroll-snap-type: y mandatory }}
img {{ max-width: 94vw; max-height: 72vh }} p {{ max-width: 60em; font-size: 1.2em }}</style>
{}
"""


def slides(notebooks: list[NotebookNode]) -> str:
    """One HTML page: for each cell tagged ``slide`` the heading above it, its first figure and the caption."""
    sections = []
    for notebook in notebooks:
        title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
        sections.append(f"<section><h1>{html.escape(title)}</h1></section>")
        heading = title
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                heading = ([heading] + re.findall(r"^##+ (.*)$", cell.source, re.MULTILINE))[-1]
            elif "slide" in cell.metadata.get("tags", []):
                place = next(i for i, out in enumerate(cell.outputs) if "image/png" in out.get("data", {}))
                figure, caption = cell.outputs[place], cell.outputs[place + 1].data["text/markdown"].strip("*\n ")
                alt = html.escape(figure.metadata["image/png"]["alt"], quote=True)
                picture = f'<img alt="{alt}" src="data:image/png;base64,{figure.data["image/png"].strip()}">'
                text = f"<h2>{html.escape(heading)}</h2>{picture}<p>{html.escape(caption)}</p>"
                sections.append(f"<section>{text}</section>")
    return PAGE.format("\n".join(sections))


def stored(path: Path) -> NotebookNode:
    """A notebook as it was stored: in a clone, git's copy; never one that Jupyter has saved since."""
    here = path.read_text(encoding="utf-8")
    show = ["git", "show", f"HEAD:./{path.name}"]
    try:
        text = subprocess.run(show, cwd=path.parent, check=True, capture_output=True, encoding="utf-8").stdout
    except (OSError, subprocess.CalledProcessError):  # no git, or a file that it doesn't keep
        text = here
    if text != here:
        print(f"{path.name} is taken as it was committed, without your changes.")
    notebook = nbformat.reads(text, as_version=4)
    if "version" in notebook.metadata.get("language_info", {}):  # Jupyter writes it, `strip` removes it
        raise SystemExit(f"run or edited since it was stored; put the course's notebook back: {path}")
    return notebook


def write(edition: str, paths: list[Path], folder: Path) -> None:
    """Write an edition of stored notebooks to a folder; of notebooks, with their README."""
    if edition not in (*EDITIONS, "slides", "html"):
        raise SystemExit(f"EDITION: expected {', '.join(EDITIONS)}, slides or html, found {edition}")
    notebooks = {path.name: stored(path) for path in paths}
    if edition == "slides":
        texts = {"slides.html": slides(list(notebooks.values()))}
    elif edition == "html":
        texts = pages.pages(notebooks)
    else:
        for notebook in notebooks.values():
            EDITIONS[edition](notebook)
        texts = {name: nbformat.writes(notebook) + "\n" for name, notebook in notebooks.items()}
        readme = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")
        texts["README.md"] = FOR_INSTRUCTORS.sub("", readme) if edition == "students" else readme
    try:
        hand_out(texts, folder)
    except FileExistsError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{edition}, in {folder.resolve()}: {', '.join(texts)}")
    if edition == "html" and not pages.mathjax():
        print("Equations load MathJax from the network. Install the extra [book] to have it beside the pages.")
    if edition == "students":
        print("The folded solutions are left out. They also stand in the installed package, in clipspm_lite/exercises.")
