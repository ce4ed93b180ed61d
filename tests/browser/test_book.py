"""The book and the pages for paper: complete, from here alone, and whole on a phone and on A4."""

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from clipspm_lite.exercises import editions, pages

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
PHONE, A4 = 390, 680  # pixels; A4 without its margins
CUT = """width => [...document.querySelectorAll('mjx-container svg, pre, table, img')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && e.tagName != 'svg' || e.getBoundingClientRect().right > width + 1)
    .map(e => e.outerHTML.slice(0, 200))"""
pytestmark = pytest.mark.slow


@pytest.fixture
def look(browser):
    """Open each page on a phone and as it is printed; none asks for anything outside, scrolls sideways or is cut."""

    def at(paths):
        page = browser.new_page()
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        for path in paths:
            page.emulate_media(media="screen")
            page.set_viewport_size({"width": PHONE, "height": 800})
            page.goto(path.as_uri())
            if page.locator("script[src*='tex-svg']").count():
                page.evaluate("MathJax.startup.promise")
            assert page.evaluate("document.documentElement.scrollWidth") == PHONE, path.name
            assert not page.locator("mjx-merror, [data-mjx-error]").count(), path.name
            equations = page.locator(".math").count()
            assert page.locator("mjx-container").count() >= equations, path.name
            page.emulate_media(media="print")
            page.set_viewport_size({"width": A4, "height": 1000})
            assert page.evaluate(CUT, A4) == [], path.name
        page.close()
        assert asked and all(url.startswith(("file:", "data:")) for url in asked)

    return at


@pytest.fixture(params=NOTEBOOKS, scope="module", ids=lambda path: path.stem)
def chapter(request, book):
    """A notebook, and the article of its page."""
    page = (book / "notebooks" / f"{request.param.stem}.html").read_text(encoding="utf-8")
    return nbformat.read(request.param, as_version=4), BeautifulSoup(page, "html.parser").select_one("article")


def alts(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    found = (output.get("metadata", {}).get("image/png", {}).get("alt") for output in outputs)
    return Counter(alt for alt in found if alt)


def test_all_chapters_are_there_in_order(book):
    index = BeautifulSoup((book / "index.html").read_text(encoding="utf-8"), "html.parser")
    links = [link["href"] for link in index.select("article .toctree-wrapper a[href^='notebooks/']")]
    assert links == [f"notebooks/{path.stem}.html" for path in NOTEBOOKS]


def test_figures_keep_their_alt_texts(chapter):
    notebook, article = chapter
    assert not alts(notebook) - Counter(image.get("alt") for image in article.select("img"))


def test_solutions_and_asserting_cells_are_folded(chapter):
    notebook, article = chapter
    solutions = [fold for fold in article.select("details") if fold.summary.get_text() == "Solution"]
    assert len(solutions) == sum(cell.source.startswith("<details>") for cell in notebook.cells)
    assert all(fold.select(".highlight, p") for fold in solutions)
    hidden = sum(bool(cell.metadata.get("jupyter", {}).get("source_hidden")) for cell in notebook.cells)
    assert len(article.select("details.hide .cell_input, details.hide.above-input")) >= hidden
    assert not article.select("details[open]")


def test_explorers_say_where_they_run(chapter):
    notebook, article = chapter
    explorers = sum("be moved where a kernel runs" in str(cell.get("outputs", "")) for cell in notebook.cells)
    assert len(article.select(".cell_output a[href*='colab']")) == explorers
    assert "be moved where a kernel runs" not in article.get_text()


def test_no_script_style_picture_or_font_comes_from_outside(book):
    outside = re.compile(r"(https?:)?//")
    for path in book.rglob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        loaded = [tag["src"] for tag in page.select("[src]")] + [tag["href"] for tag in page.select("link[href]")]
        assert not [url for url in loaded if outside.match(url)], path
    styles = [path.read_text(encoding="utf-8") for path in book.rglob("*.css")]
    assert styles and not [url for style in styles for url in re.findall(r"url\(['\"]?((?:https?:)?//[^)]*)", style)]


def test_the_book_is_whole_on_a_phone_and_on_paper(book, look):
    look(path for path in sorted(book.rglob("*.html")) if "_static" not in path.parts)


@pytest.mark.skipif(not pages.mathjax(), reason="MathJax comes with the extra [book], which needs Python 3.11")
def test_exported_pages_are_whole_and_keep_alt_texts(look, tmp_path):
    chosen = [path for path in NOTEBOOKS if path.stem[:2] in ("03", "06", "10")]
    editions.write("html", chosen, tmp_path)
    for path in chosen:
        page = BeautifulSoup((tmp_path / f"{path.stem}.html").read_text(encoding="utf-8"), "html.parser")
        expected = alts(nbformat.read(path, as_version=4))
        assert expected and Counter(image["alt"] for image in page.select("img")) == expected
        links = [link["href"] for link in page.select("a[href]") if "://" not in link["href"]]
        assert not [link for link in links if not (link.startswith("#") or (tmp_path / link.split("#")[0]).is_file())]
    look(sorted(tmp_path.glob("*.html")))


def test_a_finger_moves_the_slider_of_a_chapter(book, browser):
    page = browser.new_page(viewport={"width": PHONE, "height": 800}, has_touch=True)
    page.goto((book / "notebooks" / "05_hsmr.html").as_uri())
    explorer = page.locator(".clipspm-frozen")
    track, before = explorer.locator(".noUi-target"), explorer.locator("img").get_attribute("src")
    track.scroll_into_view_if_needed()
    place = track.bounding_box()
    page.touchscreen.tap(place["x"] + 0.8 * place["width"], place["y"] + place["height"] / 2)
    page.wait_for_function("before => document.querySelector('.clipspm-frozen img').src != before", arg=before)
    page.close()


def test_dark_pages_are_printed_light(book, browser):
    page = browser.new_page(color_scheme="dark")
    page.goto((book / "symbols.html").as_uri())
    for event, theme in (("load", "dark"), ("beforeprint", "light"), ("afterprint", "dark")):
        page.evaluate(f"dispatchEvent(new Event('{event}'))")
        assert page.locator("html").get_attribute("data-theme") == theme, event
    page.close()


def test_the_search_finds_a_chapter_without_a_server(book, browser):
    page = browser.new_page()
    page.goto((book / "search.html").as_uri() + "?q=anchor")
    page.locator("#search-results a", has_text="PADM").first.wait_for(timeout=20_000)
    page.close()
