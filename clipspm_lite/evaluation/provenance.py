"""Where results come from, and how they are kept."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from clipspm_lite.storage.files import replace_file


def source_commit(package: Path = Path(__file__).parents[1]) -> str:
    """The commit of the clone that tracks this package at its root, with a + if files changed since; else "unknown"."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(package.parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "pyproject.toml", f"{package.name}/__init__.py")
        inside_another = git("rev-parse", "--show-prefix")
        return "unknown" if inside_another else git("describe", "--always", "--abbrev=40", "--dirty=+")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write_json(path: str | os.PathLike, content: dict[str, Any]) -> None:
    """Write a dictionary as JSON, whole or not at all; raises ValueError for NaN or infinity, which JSON has not."""
    replace_file(path, (json.dumps(content, allow_nan=False) + "\n").encode())
