"""Running commands as a user does, on the sample clips, the committed weights and a small download."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clipspm_lite.commands.main import main
from clipspm_lite.data.datasets import SAMPLES, sample_world
from clipspm_lite.training import TRAINING_PRESETS


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run(capsys):
    """Runs a command and returns what it printed; it must end with ``status``."""

    def run(*arguments, status=0):
        assert main(list(map(str, arguments))) == status
        return capsys.readouterr()

    return run


@pytest.fixture
def support(tmp_path):
    """A folder with three novel classes of 1, 2 and 3 clips."""
    for shots, name in enumerate(sample_world("novel").classes[:3], start=1):
        (tmp_path / "actions" / name).mkdir(parents=True)
        for clip in sorted((SAMPLES / "clips" / name).glob("*.mp4"))[:shots]:
            shutil.copy(clip, tmp_path / "actions" / name)
    return tmp_path / "actions"


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The data options of a small download of SSv2-Small, two classes of two videos in each part."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "data"))
    from small_benchmarks import make_download, make_published_numbers_small

    make_published_numbers_small(monkeypatch)
    lists = make_download(tmp_path / "ssv2", "ssv2_small").values()
    return ["--data", tmp_path / "ssv2", "--benchmark", "ssv2_small", "--video-list", *lists, "--way", 2]


@pytest.fixture
def brief(monkeypatch):
    """The training presets made small enough for two classes of two videos."""
    short = dict(steps=2, episodes_per_step=2, way=2, queries=1, validate_every=2, validation_episodes=2)
    for name, settings in TRAINING_PRESETS.items():
        monkeypatch.setitem(TRAINING_PRESETS, name, replace(settings, **short))
