"""Explorers on a page from a file, without kernel, server or network: keys move controls, and the picture follows."""

import nbformat
import pytest
from nbconvert import HTMLExporter

from clipspm_lite.exercises import frozen
from clipspm_lite.places import NOTEBOOKS

MATHJAX = '<script>MathJax = {version: "3"}</script>'  # as on the book's pages; widgets know version 2


@pytest.fixture
def open_page(browser, tmp_path):
    """Open HTML as a file; at the end no error was said, and nothing but files was asked for."""
    wrong, page = [], browser.new_page(viewport={"width": 900, "height": 800})
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url))

    def open_(content):
        path = tmp_path / "page.html"
        path.write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><body>{MATHJAX}{content}', encoding="utf-8"
        )
        page.goto(path.as_uri())
        page.locator(".clipspm-frozen img").first.wait_for()
        return page

    yield open_
    page.close()
    assert not wrong


def move(page, explorer, control, key):
    """Press a key on a control, and wait until picture and caption have changed."""
    before = explorer.locator("img").get_attribute("src"), explorer.locator("em").inner_text()
    control.focus()
    page.keyboard.press(key)
    changed = "([one, [src, said]]) => one.querySelector('img').src != src && one.querySelector('em').innerText != said"
    page.wait_for_function(changed, arg=[explorer.element_handle(), before])
    image = explorer.locator("[aria-live] img")  # one: the picture before is gone
    assert image.get_attribute("alt") and image.evaluate("one => one.naturalWidth > 300")


@pytest.mark.parametrize("name", ["03_matching_in_time", "06_padm", "07_full_model"])
def test_keys_move_the_explorer_of_a_page_from_a_file(name, open_page, tmp_path, screenshots):
    (tmp_path / "widgets.js").write_text(frozen.widgets_script(), encoding="utf-8")
    page = open_page("".join(frozen.frozen_html(name, "widgets.js").values()))
    explorer = page.locator(".clipspm-frozen")
    assert explorer.locator(".jupyter-widgets-disconnected").count() == 0
    controls = explorer.locator(".noUi-handle, select").all()
    assert len(controls) == 2
    for control in controls:
        control.press("Home")
        page.wait_for_timeout(300)
        for key in ("ArrowRight", "End", "ArrowLeft"):
            move(page, explorer, control, key)
    page.screenshot(path=screenshots / f"frozen_{name}.png")
    page.set_viewport_size({"width": 390, "height": 800})
    page.screenshot(path=screenshots / f"frozen_{name}_phone.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_exported_notebook_brings_its_explorer_along(open_page):
    notebook = nbformat.read(NOTEBOOKS / "06_padm.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if cell.id in frozen.EXPLORERS["06_padm"])
    notebook.cells = [cell]
    frozen.put_into(notebook, "06_padm")
    page = open_page(HTMLExporter(template_name="basic").from_notebook_node(notebook)[0])
    move(page, page.locator(".clipspm-frozen"), page.locator("select"), "ArrowLeft")
