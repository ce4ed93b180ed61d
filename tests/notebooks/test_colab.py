"""Colab: the setup cell that all notebooks have, what it does there and that it does nothing elsewhere."""

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from clipspm_lite import colab

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COLAB_HAS = [
    line
    for line in (Path(__file__).parent / "colab_versions.txt").read_text().splitlines()
    if not line.startswith("#")
]
MISSING_IN_COLAB = {"decord2", "lightning-fabric", "open-clip-torch"}
as_new_as_colab = pytest.mark.skipif(sys.version_info < (3, 11), reason="Colab has Python 3.11 or newer")


def cells(path, kind):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


# The rule that every notebook keeps


def test_the_setup_cell_has_at_most_two_lines():
    assert len(colab.SETUP_CELL.splitlines()) <= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_the_setup_cell_once_before_all_other_code_and_installs_nothing_else(path):
    first, *others = cells(path, "code")
    assert first == colab.SETUP_CELL
    for code in others:
        assert "google.colab" not in code and not re.search(r"\bpip3?\b.*\binstall\b|\bconda\b", code), code


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cell_has_a_badge_that_opens_this_notebook(path):
    assert cells(path, "markdown")[0].count(colab.badge(path.stem)) == 1
    assert path.read_text(encoding="utf-8").count("colab.research.google.com/github/") == 1


def test_the_readme_has_a_badge_that_opens_a_notebook():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert any(colab.badge(path.stem) in readme for path in NOTEBOOKS)


def test_the_repository_is_the_one_to_cite():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f'repository-code: "{colab.REPOSITORY}"' in citation


# The setup cell, run by IPython in a folder of its own, with stand-ins for Colab, git and pip

FAKE_GIT = """\
#!{python}
import sys, pathlib
pathlib.Path({log!r}).open("a").write("git " + " ".join(sys.argv[1:]) + "\\n")
if {fails}:
    sys.exit("fatal: unable to access: Could not resolve host")
pathlib.Path(sys.argv[-1]).symlink_to({root!r})
"""
# python of the shell line: this one, in which three packages seem to be missing until pip is asked for them.
FAKE_PYTHON = """\
#!{python}
import os, pathlib, runpy, sys
from importlib import metadata
log = pathlib.Path({log!r})
if sys.argv[1:3] == ["-m", "pip"]:
    constraints = pathlib.Path(sys.argv[sys.argv.index("--constraint") + 1]).read_text()
    log.with_name("constraints.txt").write_text(constraints)
    log.open("a").write("pip " + " ".join(sys.argv[3:]) + "\\n")
    if {fails}:
        sys.exit("ERROR: ResolutionImpossible")
    log.with_name("installed").touch()
    sys.exit()
real, missing = metadata.version, {missing!r}
def version(name):
    if name.lower().replace("_", "-") in missing and not log.with_name("installed").exists():
        raise metadata.PackageNotFoundError(name)
    return real(name)
metadata.version = version
sys.executable = {itself!r}
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
RUN_CELL = """\
import sys, types
from IPython.core.interactiveshell import InteractiveShell

class Shell(InteractiveShell):
    pass

if {in_colab}:
    sys.modules["google.colab"] = types.ModuleType("google.colab")
    Shell.__module__ = "google.colab._shell"
    sys.path = [""] + [entry for entry in sys.path if entry != {root!r}]
shell = Shell.instance()
shell.run_cell("pass")

def state():
    names = {{name for name in shell.user_ns if not name.startswith("_")}}
    return names, list(sys.path), set(sys.modules)

before = state()
for _ in range({times}):
    shell.run_cell({cell!r}, store_history=False).raise_error()
if not {in_colab}:
    assert state() == before
if {then!r}:
    shell.run_cell({then!r}).raise_error()
"""


@pytest.fixture
def run_setup_cell(tmp_path):
    """Returns what the cell printed, and what it asked of git and pip."""
    folder, programs, log = tmp_path / "content", tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    programs.mkdir()

    def run(in_colab=True, times=1, git_fails=False, pip_fails=False, then=""):
        log.write_text("")
        facts = {"python": sys.executable, "log": str(log), "root": str(ROOT), "missing": MISSING_IN_COLAB}
        for name, text, fails in (("git", FAKE_GIT, git_fails), ("python", FAKE_PYTHON, pip_fails)):
            program = programs / name
            program.write_text(text.format(**facts, fails=fails, itself=str(program)))
            program.chmod(0o755)
        environment = dict(os.environ, PATH=f"{programs}{os.pathsep}{os.environ['PATH']}", HOME=str(tmp_path))
        if in_colab:
            environment["COLAB_RELEASE_TAG"] = "release-colab_stub"
        code = RUN_CELL.format(
            in_colab=in_colab, times=times, cell=colab.SETUP_CELL, then=then, root=str(ROOT)
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr, log.read_text().splitlines()

    run.folder = folder
    return run


def test_outside_of_colab_it_does_nothing_and_prints_nothing(run_setup_cell):
    printed, asked = run_setup_cell(in_colab=False)
    assert printed == "" and asked == [] and not list(run_setup_cell.folder.iterdir())


@as_new_as_colab
def test_in_colab_it_clones_installs_what_is_missing_and_tells_the_runtime(run_setup_cell, tmp_path):
    printed, (git, pip) = run_setup_cell()
    assert git == f"git clone -q {colab.REPOSITORY} repo"
    asked = {canonicalize_name(Requirement(word).name) for word in pip.split()[5:]}
    assert pip.startswith("pip install --quiet --constraint ") and asked == MISSING_IN_COLAB
    held = (tmp_path / "constraints.txt").read_text().splitlines()
    for package in ("torch", "torchvision", "numpy", "ipywidgets"):
        assert f"{package}=={colab.metadata.version(package)}" in held
    assert f"Python {sys.version.split()[0]}, torch {colab.metadata.version('torch')}, " in printed
    assert "GPU" in printed or "NVIDIA" in printed
    assert f"2480 sample clips in {run_setup_cell.folder / 'data_samples'}" in printed


@as_new_as_colab
def test_the_running_kernel_then_finds_the_library_the_clips_and_the_results(run_setup_cell):
    then = (
        "import clipspm_lite, pathlib\n"
        "from clipspm_lite.data.datasets import SAMPLES, sample_world\n"
        "from clipspm_lite import otam\n"
        "print('from', clipspm_lite.__file__)\n"
        "print(len(sample_world('novel').classes), (SAMPLES.parent / 'tests').is_dir())\n"
        "print(pathlib.Path('results/comparison_novel.json').is_file())\n"
    )
    printed, _ = run_setup_cell(then=then)
    assert f"from {run_setup_cell.folder / 'clipspm_lite' / '__init__.py'}" in printed
    assert printed.endswith("24 True\nTrue\n")


@as_new_as_colab
def test_a_second_run_clones_and_installs_nothing(run_setup_cell):
    once = run_setup_cell()
    assert run_setup_cell()[1] == []  # a new kernel in the same runtime
    printed, asked = run_setup_cell(times=2)
    assert asked == [] and len(once[1]) == 2
    assert printed.count("sample clips") == 2 and "installing" not in printed


def test_a_failed_clone_says_why_and_installs_nothing(run_setup_cell):
    printed, asked = run_setup_cell(git_fails=True)
    assert "Could not resolve host" in printed and len(asked) == 1


@as_new_as_colab
def test_failed_pip_says_what_to_do(run_setup_cell):
    printed, _ = run_setup_cell(pip_fails=True)
    assert "Setup failed: pip could not add the missing packages without replacing what Colab has." in printed
    assert "run the cell again" in printed and "ResolutionImpossible" in printed
    assert "Traceback" not in printed


# The functions of the library


def test_setup_does_nothing_outside_of_colab(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.chdir(tmp_path)
    colab.setup()
    assert capsys.readouterr().out == "" and not list(tmp_path.iterdir())


def test_importing_it_needs_the_standard_library_only(tmp_path):
    code = "import sys; sys.path.insert(0, sys.argv[1]); import clipspm_lite.colab as c; print(c.REPOSITORY)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, str(ROOT)], capture_output=True, text=True)
    assert done.stdout.strip() == colab.REPOSITORY, done.stderr


def test_installed_without_the_clips_it_clones_them(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(colab, "__file__", str(tmp_path / "site-packages" / "clipspm_lite" / "colab.py"))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setattr(colab, "run", lambda command, failure: (Path(command[-1]) / "data_samples").mkdir())
    with pytest.raises(FileNotFoundError):  # git's stand-in makes no parent folder: it was asked for ./repo
        colab.find_repository()
    (tmp_path / "repo").mkdir()
    assert colab.find_repository() == tmp_path / "repo"
    assert not [name for name in sys.modules if name.startswith("clipspm_lite")]


def test_without_git_or_with_a_failing_one_it_says_what_to_do():
    with pytest.raises(RuntimeError, match="do this\nno-such-program was not found"):
        colab.run(["no-such-program"], "do this")
    with pytest.raises(RuntimeError, match="do this\nfatal: no network"):
        colab.run([sys.executable, "-c", "import sys; sys.exit('fatal: no network')"], "do this")


def test_what_is_in_the_way_of_a_link_is_named_and_kept(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_samples").mkdir()
    with pytest.raises(RuntimeError, match="data_samples is in the way .* Rename or remove it"):
        colab.link(ROOT)
    assert (tmp_path / "data_samples").is_dir() and not (tmp_path / "data_samples").is_symlink()


# pip itself, in an environment that seems to have what Colab has


@pytest.fixture(scope="module")
def dry_run(tmp_path_factory):
    """Runs `install_missing` there with pip's real dry run: how it ended, and the names that pip would install."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder, with_pip=True)
    python = next(path for path in (folder / "bin/python", folder / "Scripts/python.exe") if path.exists())
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([python, "-c", ask], text=True).strip())
    for name, version in (line.split("==") for line in COLAB_HAS):
        for own in site.glob(f"{name}-*.dist-info"):  # setuptools, where venv brings it
            own.rename(own.with_suffix(".hidden"))
        installed = site / f"{name.replace('-', '_')}-{version}.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    report = folder / "report.json"
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    environment |= {
        "PIP_DRY_RUN": "1",
        "PIP_REPORT": str(report),
        "PIP_RETRIES": "1",
        "PYTHONPATH": str(ROOT),
    }
    code = "import pathlib, sys; from clipspm_lite.colab import install_missing as i; i(pathlib.Path(sys.argv[1]))"

    def run(repository):
        report.unlink(missing_ok=True)
        done = subprocess.run(
            [python, "-c", code, repository], cwd=folder, env=environment, capture_output=True, text=True
        )
        if (
            "connection broken by" in done.stderr or "ConnectionError" in done.stderr
        ) and "CI" not in os.environ:
            pytest.skip("pip reaches no package index")
        items = json.loads(report.read_text())["install"] if report.exists() else []
        return done, {canonicalize_name(item["metadata"]["name"]) for item in items}

    return run


@as_new_as_colab
def test_pip_would_replace_nothing_that_colab_has(dry_run):
    done, would_install = dry_run(ROOT)
    assert done.returncode == 0, done.stderr
    assert would_install >= MISSING_IN_COLAB
    assert would_install.isdisjoint(canonicalize_name(line.split("==")[0]) for line in COLAB_HAS)


@as_new_as_colab
def test_pip_refuses_a_package_that_needs_another_torch_than_colab_has(dry_run, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["torchaudio==2.9.0"]\n')
    done, would_install = dry_run(tmp_path)
    assert done.returncode and not would_install
    assert "could not add the missing packages without replacing what Colab has" in done.stderr
    assert "ResolutionImpossible" in done.stderr


def test_what_colab_has_is_new_enough_for_this_library():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 reads pyproject.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = {
        canonicalize_name(name): version for name, version in (line.split("==") for line in COLAB_HAS)
    }
    needed = {
        canonicalize_name(Requirement(line).name): Requirement(line) for line in project["dependencies"]
    }
    assert needed.keys() - versions.keys() == MISSING_IN_COLAB
    for name in needed.keys() & versions.keys():
        assert needed[name].specifier.contains(versions[name]), name
