"""Where results come from, and how they are kept."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from clipspm_lite.storage.files import replace_file

PACKAGE = Path(__file__).parents[1]


def source_commit(package: Path = PACKAGE) -> str:
    """The commit of the clone that holds this package, with a + where files were changed since; otherwise "unknown".

    An installed package that only lies inside somebody's repository has no commit: the repository's root must be the
    folder around the package, and the package's files must be tracked in it.
    """

    def git(*words: str) -> str:
        command = ["git", "-C", str(package.parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        root = Path(git("rev-parse", "--show-toplevel"))
        git("ls-files", "--error-unmatch", "pyproject.toml", f"{package.name}/__init__.py")
        return (
            git("describe", "--always", "--abbrev=40", "--dirty=+")
            if root.samefile(package.parent)
            else "unknown"
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write_json(path: str | os.PathLike, content: dict[str, Any]) -> None:
    """Write a dictionary as JSON, whole or not at all.

    Raises:
        ValueError: a number in it is NaN or infinite, which JSON has not.
        OSError: it cannot be written.
    """
    replace_file(path, (json.dumps(content, allow_nan=False) + "\n").encode())
