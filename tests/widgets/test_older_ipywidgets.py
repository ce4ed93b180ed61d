"""Colab has long shipped ipywidgets 7: what explorers do and how an upload is read, tried with 7 itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TRIED = ("test_explorer.py", "test_episode_controls.py", "test_own_clip_explorer.py")


def test_explorers_and_uploads_work_with_ipywidgets_7(tmp_path):
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    installed = subprocess.run(
        [*install, "ipywidgets>=7.7,<8", "ipython_genutils"], env=environment, capture_output=True, text=True
    )
    if installed.returncode:
        message = "ipywidgets 7 cannot be installed here: " + installed.stderr.strip().splitlines()[-1]
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(HERE.parents[1])])
    check = "import ipywidgets, sys; sys.exit(not ipywidgets.__version__.startswith('7.'))"
    assert subprocess.run([sys.executable, "-c", check], env=environment).returncode == 0
    tests = [str(HERE / name) for name in TRIED]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    tried = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=HERE.parents[1])
    assert tried.returncode == 0, tried.stdout[-3000:]
