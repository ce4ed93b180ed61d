"""Mistakes a reader may make in the notebooks' cells: what the error must name."""

import json
from pathlib import Path

import pytest

from clipspm_lite.exercises.nb09_beyond_the_paper import EXERCISES

FOLDER = Path(__file__).parents[2] / "notebooks"


def code_cells(number):
    (path,) = FOLDER.glob(f"{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return code[1:]  # the first is Colab's


def run(number, until, changes=()):
    """The names that a notebook's cells leave, changed here and there, up to the one that starts with ``until``."""
    cells = code_cells(number)
    last = next(place for place, cell in enumerate(cells) if cell.startswith(until))
    names = {}
    for cell in cells[: last + 1]:
        for old, new in changes:
            cell = cell.replace(old, new)
        exec(cell, names)
    return names


OWN_DATA = 'DATA, NEW = None, []  # for example "actions" and ["new/IMG_0100.mp4"]; None: drawn clips'
CHECKPOINT = 'BACKBONE, WEIGHTS, CHECKPOINT = "tiny", None, LITE_MODEL'
SPLIT = 'DATA, SPLIT = None, "default"'
SETTINGS = [  # notebook, a line of it, what the reader makes of it, the cell that stops, what the error names
    ("10", CHECKPOINT, 'BACKBONE, WEIGHTS, CHECKPOINT = "tiny", None, None', "from clip", "None"),
    ("10", '"validation", "base"', '"test", "base"', "from clipspm_lite.b", "validation"),
    ("10", SPLIT, 'DATA, SPLIT = None, "defualt"', "from clipspm_lite.b", "study_a"),
    ("11", OWN_DATA, 'DATA, NEW = "actions", []', "if not NEW", "NEW is empty"),
    ("11", OWN_DATA, 'DATA, NEW = "actions", ["new.mp4"]', "if not NEW", "actions"),
    ("12", '"hmdb51", 1', '"HMDB51", 1', "from clipspm_lite.data.inspection", "HMDB51"),
    ("12", '"hmdb51", 1', '"hmdb51", 0', "from dataclasses", "shot"),
]


@pytest.mark.parametrize("number, line, mistaken, until, says", SETTINGS)
def test_a_mistaken_setting_is_named(number, line, mistaken, until, says):
    assert any(line in cell for cell in code_cells(number))
    cells = code_cells(number)
    if number == "10":  # both cells start alike
        until = next(cell for cell in cells if "load_model(CHECKPOINT)" in cell)[:60]
    with pytest.raises(Exception) as error:
        run(number, until, [(line, mistaken)])
    assert says in str(error.value) and "\n" not in str(error.value)


def test_the_broken_clip_of_11_is_not_laid_into_the_readers_folder():
    (cell,) = (cell for cell in code_cells("11") if 'broken.mp4"' in cell)
    assert "DATA" not in cell


@pytest.fixture(scope="module")
def after():
    """What a reader has after half of 00, and 09's solved module of one's own, ready to be trained for a step."""
    names = run("00", "import torch")
    exec("from torch import nn\n" + EXERCISES["09.4"].solution, names)
    lines = """
from dataclasses import replace
from pathlib import Path
from clipspm_lite.model.head import cross_entropy_losses
from clipspm_lite.evaluation import scoring as evaluation, benchmark_table as table
from clipspm_lite.recognition import recogniser
from clipspm_lite.data import datasets
from clipspm_lite.training import TRAINING_PRESETS, preset_settings, train
short = replace(TRAINING_PRESETS["lite"], steps=1, validate_every=1, validation_episodes=2)
base = replace(novel, classes=tuple("of base " + name for name in novel.classes))
def trained(module): train(module, base, novel, short, folder / "run", device="cpu", progress=False)
def own(**changes): return type("Own", (MyHead,), changes)(128)
"""
    exec(lines, names)
    return names


ONE = "losses=lambda self, support, query, text, labels: cross_entropy_losses"
LINES = [
    ("EpisodeSampler([20] * 6, seed=1.5)", "seed"),
    ("evaluation.evaluate(lambda s, q, t: q, novel, episodes=2)", ".logits"),
    ("load_model(None)", "None"),
    ("load_backbone('ViT-B-16-quickgelu', weights='w.pt')", "w.pt"),
    ("FeatureStore('tiny')", "load_backbone"),
    ("recogniser.encode_support(FeatureStore(load_backbone('tiny')), 'actions')", "actions"),
    ("preset_settings('papr')", "papr"),
    ("preset_settings('paper', 'hmbd51')", "hmbd51"),
    ("(folder / 's.json').write_text('[1]') and datasets.read_split(folder / 's.json', 'base')", "s.json"),
    ("trained(MyHead)", "MyHead"),
    ("trained(own(loss_form='maen'))", "maen"),
    (f"trained(own({ONE}(self(support, query, text).logits[:, :1], labels)))", "batch_size (8)"),
]


@pytest.mark.parametrize("line, says", LINES)
def test_a_mistaken_line_is_named_and_leaves_nothing(line, says, after, tmp_path):
    with pytest.raises((TypeError, ValueError, OSError)) as error:
        after["folder"] = tmp_path
        exec(line, after)
    assert says in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.rglob("*.safetensors"))
