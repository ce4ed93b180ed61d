"""A researcher's own head: its checkpoint opens with its class, in the library and with --head at the commands."""

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from clipspm_lite import CLIPSPM, load, load_backbone
from clipspm_lite.clip.checkpoints import (
    LITE_MODEL,
    CheckpointError,
    head_name,
    open_checkpoint,
    restore_head,
    save_model,
)
from clipspm_lite.commands.main import main
from clipspm_lite.data.datasets import SAMPLES, sample_world
from clipspm_lite.model import baselines
from clipspm_lite.model.head import Head
from clipspm_lite.model.heads import describe_head
from clipspm_lite.recognition.recogniser import Recogniser, Support

MODULE = "test_own_heads"


class Plain(nn.Module):
    """The least that trains: a module with a dict for a configuration, and something that it computes when built."""

    def __init__(self, dim, scale=1.0):
        super().__init__()
        self.config = {"dim": dim, "scale": scale}
        self.project = nn.Linear(dim, dim)
        self.register_buffer("steps", torch.arange(3) * scale, persistent=False)

    def forward(self, support, query, class_text, support_mask=None):
        support, query = (self.steps[1] * self.project(x) for x in (support, query))
        return baselines.otam(support, query, class_text, support_mask)


@dataclass(frozen=True)
class Config:
    model: ClassVar[str] = "one matrix"
    dim: int
    normalize_features: bool = False
    width: int = 4


class Mine(Head):
    def __init__(self, dim, **settings):
        super().__init__(Config(dim, **settings))
        self.project = nn.Linear(dim, self.config.width)

    def _score(self, prepared, inductive):
        support, query, class_text, mask = prepared
        return baselines.prototype(*map(self.project, (support, query, class_text)), mask)


class Child(CLIPSPM):
    pass


OWN = {
    "Plain": lambda: Plain(128, scale=2.0),
    "one matrix": lambda: Mine(128, width=3),
    "Child": lambda: Child(128, heads=1, head_dim=2, mlp_dim=2),
}


@pytest.mark.parametrize("name", OWN)
def test_an_own_head_opens_with_its_class_alone_as_a_recogniser_and_kept_in_one(name, tmp_path):
    torch.manual_seed(0)
    head, path, kept = OWN[name]().eval(), tmp_path / "mine.safetensors", tmp_path / "kept.safetensors"
    save_model(path, head, backbone_name="tiny", backbone=load_backbone("tiny").fingerprint)
    state = torch.random.get_rng_state()
    restore_head(describe_head(head), head.state_dict(), path, type(head))
    assert torch.equal(state, torch.random.get_rng_state())
    opened, recogniser = (open_it(path, head=type(head), store=tmp_path) for open_it in (open_checkpoint, load))
    assert head_name(path, own=True) == recogniser.method == name
    support = Support(("a", "b"), torch.randn(2, 1, 8, 128), torch.ones(2, 1, dtype=torch.bool), torch.randn(2, 128))
    Recogniser(opened.head, opened.store, support).save(kept)
    episode = support.episode(torch.randn(3, 8, 128))
    with torch.inference_mode():
        expected = head(*episode).logits
        for twin in (opened.head, recogniser.head, load(kept, head=type(head), store=tmp_path).head):
            assert type(twin) is type(head) and twin.config == head.config and not twin.training
            torch.testing.assert_close(twin(*episode).logits, expected)
    wrong = Plain if name == "one matrix" else Mine
    for file in (path, kept):
        for given in ({}, {"head": wrong}, {"head": nn.Linear}):
            with pytest.raises(CheckpointError, match=f"{file.name}$"):
                load(file, **given)
    with pytest.raises(CheckpointError, match=r"head.*mine\.safetensors$"):
        open_checkpoint(path)


@pytest.fixture
def trained(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "mine.safetensors", Plain(128), backbone_name="tiny", training={"shot": 1, "seed": 3})
    return tmp_path / "mine.safetensors"


def test_evaluate_and_table_score_it_under_its_name(trained, tmp_path, capsys):
    own = ["--checkpoint", str(trained), "--head", f"{MODULE}:Plain"]
    assert main(["evaluate", *own, "--episodes", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["method"] == "Plain"
    results = tmp_path / "table.json"
    methods = ["--methods", "otam", "Plain", "clip-spm", "--shots", "1", "--episodes", "4", "--results", str(results)]
    assert main(["table", *own[:2], str(LITE_MODEL), *own[2:], *methods]) == 0
    rows = {row["method"]: row["head"] for row in json.loads(results.read_text())["rows"]}
    assert list(rows) == ["otam", "Plain", "clip-spm"] and rows["Plain"]["file"] == trained.name
    assert "a head of your own" in capsys.readouterr().out
    assert f"--head {MODULE}:Plain" in json.loads(results.read_text())["command"]


def test_predict_answers_with_it_and_keeps_it(trained, tmp_path, capsys):
    for name in sample_world("novel").classes[:2]:
        (tmp_path / "actions" / name).mkdir(parents=True)
        clip = min((SAMPLES / "clips" / name).glob("*.mp4"))
        (tmp_path / "actions" / name / clip.name).write_bytes(clip.read_bytes())
    kept, head = str(tmp_path / "kept.safetensors"), ["--head", f"{MODULE}:Plain", "--store", str(tmp_path), "--json"]
    support = ["--support", str(tmp_path / "actions"), "--checkpoint", str(trained), "--save", kept]
    answers = []
    for known in (support, ["--recogniser", kept]):
        assert main(["predict", *known, *head, str(clip)]) == 0
        answers.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert answers[0]["method"] == answers[1]["method"] == "Plain"
    assert answers[0]["predictions"] == answers[1]["predictions"]


@pytest.mark.parametrize("wrong", [None, f"{MODULE}:Mine", f"{MODULE}:Gone", "no_such_module:Mine", "not a name"])
def test_no_class_a_wrong_one_or_a_name_of_none_is_one_line(wrong, trained, capsys):
    assert main(["evaluate", "--checkpoint", str(trained), *(["--head", wrong] if wrong else [])]) == 1
    printed = capsys.readouterr().err.strip()
    assert "\n" not in printed and ("head" if wrong != f"{MODULE}:Mine" else trained.name) in printed
