"""Notebooks as pages for a browser, a phone and paper: alt texts kept, nothing cut, nothing to load but MathJax."""

import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

from nbconvert import HTMLExporter
from nbformat import NotebookNode

from clipspm_lite.home import REPOSITORY

# nbconvert's template "classic" keeps alt texts, "lab" does not. Its scripts are for widgets, which are not stored.
TEMPLATE = """\
{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}
{%- if resources.with_equations -%}
<script>MathJax = {tex: {inlineMath: [['$', '$']]}, svg: {displayAlign: 'left'}}</script>
<script defer src="{{ resources.mathjax_url }}"></script>
{%- endif -%}
{%- endblock -%}
{%- block html_head_css -%}
<style>
body { font-size: 16px }
#notebook-container { width: auto; max-width: 60em; box-shadow: none }
.prompt { display: none }
.inner_cell, .output_area, div.output_subarea { min-width: 0; max-width: 100%; flex: 1 }
.input_area pre, .output_area pre { overflow-x: auto; white-space: pre }
.rendered_html table { display: block; max-width: 100%; overflow-x: auto }
.rendered_html :not(td) > code { white-space: normal; overflow-wrap: anywhere }
@media screen { .rendered_html mjx-container svg { max-width: none } }
summary { display: list-item }
mjx-container { max-width: 100%; overflow-x: auto; overflow-y: hidden }
img { max-width: 100%; height: auto }
@page { size: A4; margin: 15mm }
@media print {
  body { font-size: 13px }
  .input_area pre, .output_area pre { font-size: 11px; white-space: pre-wrap; overflow-wrap: anywhere }
  .rendered_html table { display: table; font-size: 11px }
  .rendered_html td { overflow-wrap: anywhere }
  div.cell { break-inside: auto }
  img, tr, mjx-container { break-inside: avoid }
}
</style>
{%- endblock -%}
"""

ONLINE = "https://cdn.jsdelivr.net/npm/mathjax@3.2.2/es5/tex-svg.js"
LINK = re.compile(r"\[([^\]]*)\]\(([\w-]+\.ipynb)(#[^)]*)?\)")  # to another notebook
BADGE = re.compile(r"\[!\[([^\]]*)\]\(https://[^)]*\)\]")  # a picture from outside that is a link
DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
PIECE = re.compile(r"\\(?:begin|left)(?![a-z])|\\(?:end|right)(?![a-z])|\\[{}]|[{}]|(?:\\qquad\s*)(?:\\q?quad\s*)*")


def _apart(equations: str) -> list[str]:
    """Equations that stand side by side, ``a \\qquad b``, one by one; what is in braces or ``cases`` stays together."""
    parts, depth, start = [], 0, 0
    for match in PIECE.finditer(equations):
        piece = match[0]
        if piece.startswith("\\qquad"):
            if depth == 0:
                parts.append(equations[start : match.start()].strip())
                start = match.end()
        elif piece in ("{", "\\begin", "\\left"):
            depth += 1
        elif piece in ("}", "\\end", "\\right"):
            depth -= 1
    return [*parts, equations[start:].strip()]


def for_a_page(text: str) -> str:
    """Markdown with no badge from outside, and with equations below each other that stood side by side."""

    def stacked(match: re.Match[str]) -> str:
        parts = _apart(match[1])
        if len(parts) == 1:
            return match[0]
        return "$$\\begin{aligned}\n&" + " \\\\[6pt]\n&".join(parts) + "\n\\end{aligned}$$"

    return DISPLAY.sub(stacked, BADGE.sub(r"[\1]", text))


def mathjax() -> Path | None:
    """MathJax as one file without fonts, of a package of the extra [book]; None where it is not installed."""
    package = find_spec("sphinx-mathjax-offline")
    return Path(str(package.origin)).parent / "static" / "mathjax" / "tex-svg.js" if package else None


def page(notebook: NotebookNode, mathjax_url: str = ONLINE, others: Collection[str] = ()) -> str:
    """A notebook as one page of HTML. Only equations need MathJax, and only from there does it load anything.

    Args:
        others: names of the notebooks whose pages lie beside this one. Links to them are kept, to others not.
    """

    def linked(match: re.Match[str]) -> str:
        text, name, part = match.groups(default="")
        return f"[{text}]({Path(name).stem}.html{part})" if name in others else text

    notebook = deepcopy(notebook)
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    title = texts[0].source.partition("\n")[0].strip("# ")
    for cell in texts:
        cell.source = for_a_page(LINK.sub(linked, cell.source).replace("](../", f"]({REPOSITORY}/blob/main/"))
    exporter = HTMLExporter(template_name="classic", raw_template=TEMPLATE, mathjax_url=mathjax_url)
    resources = {"metadata": {"name": title}, "with_equations": any("$" in cell.source for cell in texts)}
    return exporter.from_notebook_node(notebook, resources)[0]


def pages(notebooks: Mapping[str, NotebookNode]) -> dict[str, str]:
    """Notebooks by name as pages by name, whose explorers move, with their script and MathJax, if it is here."""
    from clipspm_lite.exercises.frozen import put_into, widgets_script  # here, as `start` needs no explorer

    for name, notebook in notebooks.items():
        put_into(notebook, Path(name).stem, "widgets.js")
    local = mathjax()
    beside = {"widgets.js": widgets_script()}
    if local:
        beside[local.name] = local.read_text(encoding="utf-8")
    url = local.name if local else ONLINE
    return {f"{Path(name).stem}.html": page(one, url, notebooks) for name, one in notebooks.items()} | beside
