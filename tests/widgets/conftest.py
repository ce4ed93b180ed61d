"""A small gallery: four sample classes with random features, and a tiny head."""

from dataclasses import replace

import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.data.datasets import open_folder, sample_world
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.model.heads import build_head
from clipspm_lite.widgets.gallery import Gallery

SIZES = dict(dim=16, heads=2, head_dim=8, mlp_dim=16)


def seen(explorer, name):
    """A picture of an explorer after choosing to look at it."""
    explorer.shown.value = name
    return explorer.pictures[name].value


@pytest.fixture
def changed_by():
    """Which pictures of an explorer change when a control takes a value: those on which it isn't grey. No error."""

    def change(explorer, control, value):
        before, grey = {}, set()
        for name in explorer.pictures:
            before[name] = seen(explorer, name)
            grey |= {name} if explorer.controls[control].disabled else set()
        explorer.controls[control].value = value
        changed = {name for name in explorer.pictures if seen(explorer, name) != before[name]}
        assert explorer.status.value == "" and not changed & grey
        return changed

    return change


@pytest.fixture
def with_head(gallery):
    """The gallery with another small head, by its arguments."""

    def build(**arguments):
        torch.manual_seed(1)
        return replace(gallery, model=build_head(SIZES | arguments).eval())

    return build


@pytest.fixture
def drawn_with(monkeypatch):
    """The arguments that a drawing function, by the explorer's module and its name, is called with from now on."""

    def watch(module, name):
        calls, original = [], getattr(module, name)
        monkeypatch.setattr(module, name, lambda *things: calls.append(things) or original(*things))
        return calls

    return watch


@pytest.fixture(scope="session")
def gallery():
    """Raising and lowering a box, picking up and putting down a ball; C = 16, T = 8."""
    wanted = ("raising_a_box", "lowering_a_box", "picking_up_a_ball", "putting_down_a_ball")
    dataset = open_folder(sample_world("validation").root, wanted)
    torch.manual_seed(0)
    features = torch.randn(sum(dataset.videos_per_class), 8, 16)
    data = EncodedDataset(dataset.classes, dataset.videos_per_class, features, torch.randn(4, 16))
    return Gallery(dataset, data, CLIPSPM(**SIZES, preset="lite").eval())
