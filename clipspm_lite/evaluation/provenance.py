"""Where results come from, and how they are kept."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from clipspm_lite.storage.files import replace_file

PACKAGE = Path(__file__).parents[1]


def source_commit(package: Path = PACKAGE) -> str:
    """The commit of the clone that this package lies in, with a + where files were changed since; else "unknown".

    A package that is installed inside another repository has none: the repository's root must be the folder around the
    package, and must track it.
    """

    def git(*words: str) -> str:
        command = ["git", "-C", str(package.parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "pyproject.toml", f"{package.name}/__init__.py")
        commit = git("describe", "--always", "--abbrev=40", "--dirty=+")
        return commit if package.parent.samefile(git("rev-parse", "--show-toplevel")) else "unknown"
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write_json(path: str | os.PathLike, content: dict[str, Any]) -> None:
    """Write a dictionary as JSON, whole or not at all; raises ValueError for NaN or infinity, which JSON has not."""
    replace_file(path, (json.dumps(content, allow_nan=False) + "\n").encode())
