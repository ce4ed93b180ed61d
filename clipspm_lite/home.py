"""The public home, a placeholder until the project has one: its address, its holder, and the files that state them.

Change them here, or the version, then run ``python -m clipspm_lite.home`` in a clone: it writes them where they stand.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from clipspm_lite import __version__
from clipspm_lite.places import ROOT
from clipspm_lite.storage.files import replace_file

REPOSITORY = "https://github.com/to--be--set/clipspm_lite"  # GitHub gives nobody a name with two hyphens
HOLDER = "The clipspm_lite authors (placeholder)"

WHEEL = f"{REPOSITORY}/releases/download/v{__version__}/clipspm_lite-{__version__}-py3-none-any.whl"
SETUP_CELL = f"""\
if "google.colab" in str(get_ipython()):
    %pip install -q {WHEEL}"""
FILES = ("README.md", "pyproject.toml", ".github/ISSUE_TEMPLATE/config.yml", "CITATION.cff")


def hand_out(texts: Mapping[str, str], folder: Path) -> None:
    """Write files of the course to a folder, over nothing that differs. What lies beside them in a clone is linked."""
    pages = {folder / name: text.replace("](../", f"]({REPOSITORY}/blob/main/") for name, text in texts.items()}
    for path, page in pages.items():
        if path.exists() and path.read_bytes() != page.encode():
            raise FileExistsError(f"differs from the course's, and nothing was written; choose another folder: {path}")
    for path, page in pages.items():
        replace_file(path, page.encode())


def write(root: Path = ROOT) -> None:
    """Write address, holder, version and setup cell into a clone's files, in place of those that CITATION.cff names."""
    import nbformat  # here, because the commands import this file

    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    holder, address = re.findall(r'^(?:  - name: |repository-code: )"(.*)"', citation, re.MULTILINE)
    old, new = (text.removeprefix("https://github.com/") for text in (address, REPOSITORY))
    (version,) = re.findall(r"^version: (.*)$", citation, re.MULTILINE)
    for path in [*sorted((root / "notebooks").glob("*.ipynb")), *(root / name for name in FILES)]:
        text = path.read_text(encoding="utf-8").replace(old, new).replace(holder, HOLDER)
        for before in ("lite-", "\nversion: "):  # the wheel's name and the citation
            text = text.replace(before + version, before + __version__)
        if path.suffix == ".ipynb":
            notebook = nbformat.reads(text, as_version=4)
            next(cell for cell in notebook.cells if cell.cell_type == "code").source = SETUP_CELL
            text = nbformat.writes(notebook) + "\n"
        replace_file(path, text.encode())


if __name__ == "__main__":
    write()
