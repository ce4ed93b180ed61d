"""Colab has long shipped ipywidgets 7: explorers and an upload tried with it: python tests/nightly/older_ipywidgets.py

Needs the network. The suite itself reads both forms of an upload's value.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRIED = ("test_explorer.py", "test_own_clip_explorer.py")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder]
        environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
        subprocess.run([*install, "ipywidgets>=7.7,<8", "ipython_genutils"], env=environment, check=True)
        environment["PYTHONPATH"] = os.pathsep.join([folder, str(ROOT)])
        version = "import ipywidgets, sys; sys.exit(not ipywidgets.__version__.startswith('7.'))"
        subprocess.run([sys.executable, "-c", version], env=environment, check=True)
        tests = [str(ROOT / "tests" / "widgets" / name) for name in TRIED]
        command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:nbval", "-p", "no:cacheprovider"]
        return subprocess.run([*command, *tests], env=environment, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
