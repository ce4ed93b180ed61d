"""On a machine with a GPU everything runs on it unless it is told otherwise; shown without one, by a stand-in."""

import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path

import nbformat
import pytest
import torch
from stand_in import DEVICE, as_accelerator

import clipspm_lite
from clipspm_lite import CLIPSPM
from clipspm_lite.clip.checkpoints import LITE_MODEL, open_checkpoint
from clipspm_lite.evaluation.benchmark_table import measure
from clipspm_lite.evaluation.scoring import evaluate
from clipspm_lite.exercises.sample_downloads import lay_out_samples
from clipspm_lite.model.baselines import otam
from clipspm_lite.threads import pick_device
from clipspm_lite.training import TRAINING_PRESETS, pick_precision, plan, train_variants

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "12_benchmarks_on_gpu.ipynb"


def test_everything_that_takes_a_device_takes_the_gpu_by_default():
    names = ("load_backbone", "load", "evaluate", "compare", "train")
    for function in (*(getattr(clipspm_lite, name) for name in names), open_checkpoint, measure, plan, train_variants):
        assert inspect.signature(function).parameters["device"].default == "auto"


@pytest.mark.parametrize(("cuda", "mps", "found"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_is_cuda_or_mps_or_the_cpu(monkeypatch, cuda, mps, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto") == torch.device(found) and pick_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("device", "hardware", "found"),
    [
        ("cpu", False, "bf16-mixed"),
        ("mps", False, "bf16-mixed"),
        ("cuda", True, "bf16-mixed"),
        ("cuda", False, "16-mixed"),
    ],
)
def test_mixed_precision_is_fp16_only_on_a_card_that_would_emulate_bf16(monkeypatch, device, hardware, found):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or hardware
    )
    assert pick_precision("mixed", device) == found and pick_precision("32-true", device) == "32-true"


@pytest.mark.parametrize(
    "wrap", [lambda head: head, lambda head: partial(head, inductive=True), lambda head: head.forward]
)
def test_a_head_is_scored_on_the_gpu_and_comes_back_as_it_was(encoded, wrap):
    torch.manual_seed(0)
    data, head = encoded(), CLIPSPM(16, heads=2, head_dim=4, mlp_dim=16)
    expected = evaluate(wrap(head), data, episodes=40)
    with as_accelerator() as flops:
        found = evaluate(wrap(head), data, episodes=40)
        assert evaluate(otam, data, episodes=40).accuracy > 20
    assert flops[DEVICE.type] and not flops["cpu"]
    assert (found.per_episode == expected.per_episode).all()
    episode = torch.randn(3, 1, 4, 16), torch.randn(3, 4, 16), torch.randn(3, 16)
    head.losses(*episode, torch.arange(3)).total.backward()  # it can still be trained, where it was


def test_a_loaded_recogniser_answers_on_the_gpu(tmp_path):
    clips = sorted((Path(__file__).parents[2] / "data_samples" / "clips").glob("*/*_00.mp4"))[:3]
    for clip in clips:
        (tmp_path / "actions" / clip.parent.name).mkdir(parents=True)
        (tmp_path / "actions" / clip.parent.name / clip.name).write_bytes(clip.read_bytes())
    with as_accelerator() as flops:
        recogniser = clipspm_lite.load(LITE_MODEL, store=tmp_path).with_support(tmp_path / "actions")
        assert recogniser.predict(clips[:1])[0].action == clips[0].parent.name
    assert flops[DEVICE.type] and not flops["cpu"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
def test_nothing_in_the_full_profile_of_notebook_12_stays_on_the_cpu(monkeypatch, tmp_path):
    short = dict(way=2, queries=1, steps=2, episodes_per_step=1, validate_every=2, validation_episodes=40)
    monkeypatch.setitem(TRAINING_PRESETS, "paper", replace(TRAINING_PRESETS["paper"], **short))
    lay_out_samples("hmdb51", tmp_path / "hmdb51", videos=2)
    changes = {
        "FULL = False": "FULL = True",
        '("ViT-B-16-quickgelu", "openai")': '("tiny", None)',
        '"hmdb51_org"': repr(str(tmp_path / "hmdb51")),
        '"runs/hmdb51-1shot"': repr(str(tmp_path / "run")),
        "STORE = None": f"STORE = {str(tmp_path / 'store')!r}",
        "episodes=10_000": "episodes=40",
    }
    cells = [c.source for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"][1:]  # not Colab's
    until = next(number for number, code in enumerate(cells) if "measure(entries" in code)
    code = "\n".join(cells[: until + 1])
    for old, new in changes.items():
        assert code.count(old) == 1, old
        code = code.replace(old, new)
    names = {}
    with as_accelerator() as flops:
        exec(code, names)
    assert len(names["measured"]["rows"]) == 3 and names["result"].history
    assert flops[DEVICE.type] > 1e9 and not flops["cpu"]
