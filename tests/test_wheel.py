"""The wheel: what somebody without a clone gets. And the public home, which is written in one place."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from clipspm_lite import __version__, home

ROOT = Path(__file__).parents[1]
NOT_SOURCES = shutil.ignore_patterns(".*", "book", "build", "out", "runs", "*.egg-info", "__pycache__")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that the clone stays as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "copy", ignore=NOT_SOURCES)
    build = ["wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", *build, folder / "copy"], check=True)
    shutil.rmtree(folder / "copy")
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_has_the_name_in_the_setup_cell_and_holds_the_course(wheel):
    assert home.WHEEL.endswith(f"/v{__version__}/{wheel.name}")
    assert wheel.stat().st_size < 40_000_000
    inside = {name.removeprefix("clipspm_lite/_course/") for name in zipfile.ZipFile(wheel).namelist()}
    for folder in ("data_samples", "notebooks", "tests/reference_vectors"):
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        left_out = {name for name in here - inside if not name.endswith((".png", "ruff.toml")) and "/." not in name}
        assert not left_out
    assert {"clipspm_lite/weights/recommended.safetensors", "tests/exercises/wrong_answers.md"} <= inside


@pytest.mark.slow
def test_installed_in_a_fresh_environment_it_starts_and_hands_out_the_notebooks(wheel, tmp_path):
    venv.create(tmp_path / "fresh")
    scripts = tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / Path(sys.executable).name
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True)
    # Torch and the others are those of this environment, whose own clipspm_lite comes second.
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.check_output([python, "-c", ask], text=True).strip())
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    environment = os.environ | {"JUPYTER_PATH": str(Path(sys.prefix) / "share" / "jupyter")}  # nbconvert's templates
    environment.pop("PYTHONPATH", None)
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(*command):
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import clipspm_lite.data.datasets as d; print(d.__file__, d.SAMPLES, len(d.sample_world().classes))"
    assert run(python, "-c", where).count(str(packages)) == 2
    assert str(empty / "course") in run(scripts / "clipspm_lite", "notebooks", "course")
    lesson = ["--to", "notebook", "--execute", "course/10_explore.ipynb"]  # with the kernel that JupyterLab would start
    run(python, "-m", "nbconvert", *lesson, "--output-dir", "executed")
    started = run(scripts / "clipspm_lite", "start")
    assert "clipspm_lite notebooks FOLDER" in started and (empty / "out" / "00_start_here.html").stat().st_size > 1e5


def test_the_address_and_the_holder_are_written_from_one_file(tmp_path, monkeypatch):
    names = [*home.FILES, *(f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("0*.ipynb"))]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    home.write(tmp_path)
    for name in names:  # as they are in the clone
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes(), name
    address = "https://github.com/somebody/somewhere"
    monkeypatch.setattr(home, "SETUP_CELL", home.SETUP_CELL.replace(home.REPOSITORY, address))
    monkeypatch.setattr(home, "REPOSITORY", address)
    monkeypatch.setattr(home, "HOLDER", "Some Body")
    monkeypatch.setattr(home, "__version__", "9.8.7")
    home.write(tmp_path)
    for name in names:
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "to--be--set" not in text and "placeholder)" not in text and "somebody/somewhere" in text, name
    assert 'name: "Some Body"' in (tmp_path / "CITATION.cff").read_text(encoding="utf-8")
    assert "version: 9.8.7\n" in (tmp_path / "CITATION.cff").read_text(encoding="utf-8")
    assert "clipspm_lite-9.8.7-py3-none-any.whl" in (tmp_path / "README.md").read_text(encoding="utf-8")
