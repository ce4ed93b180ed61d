"""Makes a Colab runtime ready for the notebooks; the one setup cell that they all have runs this file.

Only the standard library is imported: it runs before anything is installed.
"""

import importlib
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

# A placeholder until the project has a public home, with a name that nobody can register. When it has one: write the
# address here, in CITATION.cff, and in the notebooks and README (search and replace the old one;
# tests/notebooks/test_colab.py names what was forgotten).
REPOSITORY = "https://github.com/to--be--set/clipspm_lite"

SETUP_CELL = f"""\
if "google.colab" in str(get_ipython()):
    ![ -d repo ] || git clone -q {REPOSITORY} repo && python repo/clipspm_lite/colab.py"""

# What Colab's working folder gets → where that is in the repository. Python finds the library there without a restart.
LINKS = {
    "clipspm_lite": "clipspm_lite",
    "data_samples": "data_samples",
    "results": "notebooks/results",
}
# Versions that pip can read as constraints (PEP 440); Linux distributions write others for a few of their packages.
VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9.]+)?")


def badge(notebook: str) -> str:
    """Markdown for "Open in Colab" of ``notebooks/<notebook>.ipynb``."""
    page = REPOSITORY.replace("https://github.com/", "https://colab.research.google.com/github/")
    image = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({image})]({page}/blob/main/notebooks/{notebook}.ipynb)"


def setup() -> None:
    """In Colab: fetch what is missing, link it into the working folder, print the runtime. Elsewhere: nothing.

    torch, numpy and whatever else Colab has keep their versions. A second call changes nothing.

    Raises:
        RuntimeError: cloning or pip failed, or a file is in the way; the message says what to do.
    """
    # The kernel has the module loaded; a program that it starts sees the package and the variable.
    if not (
        "google.colab" in sys.modules or is_installed("google-colab") or "COLAB_RELEASE_TAG" in os.environ
    ):
        return
    repository = find_repository()
    install_missing(repository)
    link(repository)
    print(describe_runtime())


def find_repository() -> Path:
    """The clone that this file belongs to; if it was installed without one, ``repo``, cloned if need be."""
    own = Path(__file__).resolve().parents[1]
    if (own / "data_samples").is_dir():
        return own
    clone = Path("repo").resolve()
    if not (clone / "data_samples").is_dir():
        run(
            ["git", "clone", "--quiet", REPOSITORY, str(clone)],
            f"could not clone {REPOSITORY}. Check that the runtime has a network and that {clone} is not there, "
            "then run the cell again.",
        )
    # What is imported from now on comes from the clone, which has the clips beside it.
    for name in [name for name in sys.modules if name.split(".")[0] == "clipspm_lite"]:
        del sys.modules[name]
    return clone


def install_missing(repository: Path) -> None:
    """pip-install the packages of pyproject.toml that are not there, with all others held at their versions."""
    import tomllib  # Python 3.11 and newer, which Colab has; the rest of the library runs on 3.10 too

    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    missing = [requirement for requirement in project["dependencies"] if not is_installed(requirement)]
    if not missing:
        return
    print("installing", ", ".join(missing), "…", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(installed_versions()), encoding="utf-8")
        run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), *missing],
            "pip could not add the missing packages without replacing what Colab has. Check the network and run the "
            "cell again; if it stays so, choose Runtime > Disconnect and delete runtime and begin afresh.",
        )
    importlib.invalidate_caches()


def is_installed(requirement: str) -> bool:
    """Is the package of a requirement such as ``"decord2>=3.4,<4"`` there, in whatever version?"""
    try:
        metadata.version(re.split(r"[^\w.-]", requirement)[0])
    except metadata.PackageNotFoundError:
        return False
    return True


def installed_versions() -> list[str]:
    """Every installed package as ``name==version``."""
    found = {(package.metadata["Name"], package.version) for package in metadata.distributions()}
    return sorted(
        f"{name}=={version}" for name, version in found if name and VERSION.fullmatch(version or "")
    )


def link(repository: Path) -> None:
    """Link the library, the clips and the result files into the working folder, which in Colab is not the clone's."""
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
    """Python, torch, GPU or CPU, and the sample clips."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        listed = ""
    gpu = re.search(r"GPU 0: (.+?) \(", listed)
    device = gpu[1] if gpu else f"no GPU (the lessons need none), {os.cpu_count()} CPU cores"
    clips = sum(1 for _ in Path("data_samples/clips").rglob("*.mp4"))
    return (
        f"Python {sys.version.split()[0]}, torch {metadata.version('torch')}, {device}\n"
        f"{clips} sample clips in {Path('data_samples').absolute()}"
    )


def run(command: list[str], failure: str) -> None:
    """Run a program; if it fails, raise with ``failure`` and the end of what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RuntimeError(f"{failure}\n{command[0]} was not found") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise RuntimeError("\n".join([failure, *said]))


if __name__ == "__main__":
    try:
        setup()
    except RuntimeError as error:
        sys.exit(f"Setup failed: {error}")
