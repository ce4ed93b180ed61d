"""JupyterLab on a free loopback port, and a headless Chromium that looks at it.

Where there is no Chromium these tests are skipped, with a word; with CI set (`.ci/run` does) that
is a failure. Screenshots are kept in the folder that CLIPSPM_SCREENSHOTS names, or in pytest's temporary one.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser():
    if not chromium():
        message = "no Chromium found: install Debian's package chromium (or Chrome) to try the explorers in a browser"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=quiet)
        yield running
        running.close()


@pytest.fixture(scope="session")
def jupyterlab(browser, tmp_path_factory):
    """The address of a JupyterLab over copies of the notebooks that end with their last explorer."""
    home = tmp_path_factory.mktemp("jupyterlab")
    shutil.copytree(NOTEBOOKS, home / "notebooks", ignore=shutil.ignore_patterns("*.ipynb"))
    for path in NOTEBOOKS.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        shown = [number for number, cell in enumerate(notebook.cells) if "explorer" in cell.source]
        notebook.cells = notebook.cells[: max(shown, default=0) + 1]
        nbformat.write(notebook, home / "notebooks" / path.name)
    for name, setting in (
        ("notebook-extension/tracker", '{"windowingMode": "none"}'),  # else cells out of sight leave the page
        ("apputils-extension/notification", '{"fetchNews": "false"}'),
    ):
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(setting)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    options = [f"--port={port}", "--IdentityProvider.token=", "--ServerApp.password="]
    folders = {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
    }
    with open(home / "log", "w") as log:
        server = subprocess.Popen(
            [*command, *options, f"--ServerApp.root_dir={home / 'notebooks'}"],
            env=os.environ | folders, stdout=log, stderr=log,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api/status", timeout=2):
                break
            time.sleep(0.5)
        else:
            pytest.fail("JupyterLab did not start:\n" + (home / "log").read_text()[-2000:])
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory):
    folder = os.environ.get("CLIPSPM_SCREENSHOTS")
    path = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def run_notebook(browser, jupyterlab, screenshots):
    """Open a notebook by name, run its cells, and give the page; a screenshot is kept at the end."""
    pages = []

    def run(name: str, timeout: float = 400):
        page = browser.new_page(viewport={"width": 1300, "height": 760})
        pages.append((name, page))
        page.goto(f"{jupyterlab}/lab/tree/{name}.ipynb?reset", wait_until="domcontentloaded")
        page.wait_for_selector(".jp-NotebookPanel-toolbar", timeout=60_000)
        page.get_by_text("| Idle").wait_for(timeout=60_000)
        page.get_by_role("menuitem", name="Edit", exact=True).click()
        page.get_by_role("menuitem", name="Clear Outputs of All Cells", exact=True).click()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        last = page.locator(".jp-CodeCell .jp-InputArea-prompt").last
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if last.inner_text().strip("[]: \n").isdigit():
                break
            page.wait_for_timeout(300)
        else:
            pytest.fail(f"{name}: not all cells ran within {timeout} s")
        return page

    yield run
    for name, page in pages:
        page.screenshot(path=screenshots / f"{name}.png")
        page.close()


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The folder of the book's pages, built from the stored notebooks; a warning is a failure."""
    if sys.version_info < (3, 11):
        pytest.skip("Sphinx and its theme need Python 3.11")
    folder = tmp_path_factory.mktemp("book")
    options = ["-W", "--keep-going", "-q", "-d", folder / "cache"]
    command = [sys.executable, "-m", "sphinx", *options, NOTEBOOKS.parent / "book", folder / "pages"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    return folder / "pages"
