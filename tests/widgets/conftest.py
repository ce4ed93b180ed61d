"""A small gallery: four sample classes with random features, and a tiny head."""

import pytest
import torch

from clipspm_lite import CLIPSPM
from clipspm_lite.data.datasets import open_folder, sample_world
from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.widgets.gallery import Gallery


@pytest.fixture
def changed_by():
    """Which pictures of an explorer change when a control takes a value; it may say no error."""

    def change(explorer, control, value):
        before = {name: picture.value for name, picture in explorer.pictures.items()}
        explorer.controls[control].value = value
        assert explorer.status.value == ""
        return {name for name, picture in explorer.pictures.items() if picture.value != before[name]}

    return change


@pytest.fixture(scope="session")
def gallery():
    """Raising and lowering a box, picking up and putting down a ball; C = 16, T = 8."""
    wanted = ("raising_a_box", "lowering_a_box", "picking_up_a_ball", "putting_down_a_ball")
    dataset = open_folder(sample_world("validation").root, wanted)
    torch.manual_seed(0)
    features = torch.randn(sum(dataset.videos_per_class), 8, 16)
    data = EncodedDataset(dataset.classes, dataset.videos_per_class, features, torch.randn(4, 16))
    return Gallery(dataset, data, CLIPSPM(16, heads=2, head_dim=8, mlp_dim=16, preset="lite").eval())
