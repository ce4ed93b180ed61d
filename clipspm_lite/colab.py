"""Prepares a Colab runtime for the notebooks. The setup cell that they all share runs this file.

It imports only the standard library, because it runs before anything is installed.
"""

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


def badge(notebook: str) -> str:
    """Markdown for "Open in Colab" of ``notebooks/<notebook>.ipynb``."""
    page = REPOSITORY.replace("https://github.com/", "https://colab.research.google.com/github/")
    image = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({image})]({page}/blob/main/notebooks/{notebook}.ipynb)"


def setup() -> None:
    """In Colab: install what is missing, link the clone into the working folder, print the runtime. Elsewhere: nothing.

    Packages that Colab has keep their versions. A second call changes nothing. RuntimeError says what to do.
    """
    if "COLAB_RELEASE_TAG" not in os.environ and not is_installed("google-colab"):
        return
    repository = Path(__file__).resolve().parents[1]
    install_missing(repository)
    link(repository)
    print(describe_runtime())


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
        end = "\n".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise RuntimeError(
            "pip could not add the missing packages without replacing what Colab has. Check the network and run the "
            "cell again. If it fails again, choose Runtime > Disconnect and delete runtime and start over.\n" + end
        )


def is_installed(requirement: str) -> bool:
    """Whether any version of a package is installed, given a requirement such as ``"decord2>=3.4,<4"``."""
    try:
        metadata.version(re.split(r"[^\w.-]", requirement)[0])
    except metadata.PackageNotFoundError:
        return False
    return True


def link(repository: Path) -> None:
    """Link the library, the clips and the result files into the working folder, which in Colab is not the clone."""
    for name, inside in LINKS.items():
        here, there = Path(name).absolute(), repository / inside
        if here.exists() and here.resolve() == there.resolve():
            continue
        if here.exists() or here.is_symlink():
            raise RuntimeError(
                f"{here} is in the way of the link to {there}. Rename or remove it, then run the cell again."
            )
        here.symlink_to(there)


def describe_runtime() -> str:
    """The versions of Python and torch, GPU or CPU, and the sample clips."""
    failed, gpu = subprocess.getstatusoutput("nvidia-smi --query-gpu=name --format=csv,noheader")
    device = f"no GPU (the lessons need none), {os.cpu_count()} CPU cores" if failed else gpu
    clips = sum(1 for _ in Path("data_samples/clips").rglob("*.mp4"))
    return (
        f"Python {sys.version.split()[0]}, torch {metadata.version('torch')}, {device}\n"
        f"{clips} sample clips in {Path('data_samples').absolute()}"
    )


if __name__ == "__main__":
    try:
        setup()
    except RuntimeError as error:
        sys.exit(f"Setup failed: {error}")
