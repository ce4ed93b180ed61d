"""Sphinx's settings for the book: `make book` writes it to out/book from the stored notebooks. Nothing is executed."""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from clipspm_lite import __version__  # noqa: E402
from clipspm_lite.exercises.frozen import CACHE, widgets_script  # noqa: E402
from clipspm_lite.exercises.pages import mathjax  # noqa: E402
from clipspm_lite.home import HOLDER, REPOSITORY  # noqa: E402

project, author, version = "clipspm_lite", HOLDER, __version__
project_copyright = HOLDER
extensions = ["myst_nb", "chapters"]

# Sphinx reads only what lies in its folder, and myst-parser follows no links, so it gets copies.
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
(HERE / "notebooks").mkdir()
for path in (HERE.parent / "notebooks").glob("*.ipynb"):
    shutil.copy2(path, HERE / "notebooks")

CACHE.mkdir(parents=True, exist_ok=True)
(CACHE / "widgets.js").write_text(widgets_script(), encoding="utf-8")

nb_execution_mode = "off"
nb_ipywidgets_js = {}  # else a notebook with widgets would load scripts from outside
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
myst_update_mathjax = False

mathjax_path = mathjax().name
mathjax3_config = {"svg": {"displayAlign": "left"}, "options": {"enableMenu": False}}  # its menu loads from outside

html_theme = "sphinx_book_theme"
html_title = "Few-shot action recognition with CLIP"
html_static_path = ["_static", str(mathjax()), str(CACHE / "widgets.js")]
html_css_files = ["book.css"]
html_js_files = ["print.js"]
html_copy_source = False  # the notebooks are in the repository
html_show_sourcelink = False
html_use_index = False
html_theme_options = {
    "repository_url": REPOSITORY,
    "use_repository_button": True,
    "use_download_button": False,
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "navbar_persistent": [],  # the sidebar has the search
}
