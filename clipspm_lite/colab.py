"""Prepares a Colab runtime: the notebooks' setup cell runs this file, with the standard library alone."""

import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

# A placeholder until the project has a public home, with a name that nobody can register. Then write the address
# here, in CITATION.cff, README.md and the notebooks (search and replace; tests/notebooks/test_colab.py names the rest).
REPOSITORY = "https://github.com/to--be--set/clipspm_lite"

SETUP_CELL = f"""\
if "google.colab" in str(get_ipython()):
    ![ -d repo ] || git clone -q {REPOSITORY} repo && python repo/clipspm_lite/colab.py"""

# Links in Colab's working folder → where they lead in the clone. Python finds the library there without a restart.
LINKS = {"clipspm_lite": "clipspm_lite", "data_samples": "data_samples", "results": "notebooks/results"}


def setup() -> None:
    """In Colab: install what is missing, link the clone into the working folder, print the runtime. Elsewhere: nothing.

    Packages that Colab has keep their versions. A second call changes nothing. SystemExit says what to do.
    """
    if "COLAB_RELEASE_TAG" in os.environ or is_installed("google-colab"):
        repository = Path(__file__).resolve().parents[1]
        install_missing(repository)
        link(repository)
        gpu = subprocess.getoutput("nvidia-smi -L 2>/dev/null || echo no GPU, which the lessons do not need")
        print(f"Python {sys.version.split()[0]}, torch {metadata.version('torch')}, {gpu}")
        clips = len(list(Path("data_samples/clips").rglob("*.mp4")))
        print(f"{clips} sample clips in {Path('data_samples').absolute()}")


def install_missing(repository: Path) -> None:
    """Install the missing packages of pyproject.toml with pip, which must not change any other."""
    import tomllib  # Python 3.11 and newer, which Colab has; the rest of the library runs on 3.10 too

    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    missing = [requirement for requirement in project["dependencies"] if not is_installed(requirement)]
    if not missing:
        return
    print("installing", ", ".join(missing), "…", flush=True)
    pip = [sys.executable, "-m", "pip"]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_bytes(subprocess.check_output([*pip, "list", "--format=freeze"]))
        install = [*pip, "install", "--quiet", "--constraint", str(constraints), *missing]
        done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        advice = "run the cell again; if that fails too, choose Runtime > Disconnect and delete runtime and start over"
        sys.exit(f"Setup failed: pip could not add packages to those of Colab; {advice}\n{done.stderr[-500:]}")


def is_installed(requirement: str) -> bool:
    """Whether any version of a package is installed, given a requirement such as ``"decord2>=3.4,<4"``."""
    return any(metadata.distributions(name=re.split(r"[^\w.-]", requirement)[0]))


def link(repository: Path) -> None:
    """Link the library, the clips and the result files into the working folder, which in Colab is not the clone."""
    for name, inside in LINKS.items():
        here, there = Path(name).absolute(), repository / inside
        if not here.exists():
            here.symlink_to(there)
        elif not here.samefile(there):
            sys.exit(f"Setup failed: {here} is in the way of a link: rename or remove it, then run the cell again")


if __name__ == "__main__":
    setup()
