"""Where the course lies: notebooks, sample clips, reference vectors. Installed, it is laid out as in a clone."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INSTALLED = PACKAGE / "_course"  # what setup.py packs into a wheel
ROOT = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent
NOTEBOOKS = ROOT / "notebooks"
