"""Data that several tests share."""

import os

# One thread each, for the notebooks' kernels too: pytest-xdist runs a process per core. Set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Expected numbers are those of a CPU, so CUDA's devices are hidden; tests/gpu/check.py is what runs on a card.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import pytest
import torch

from clipspm_lite.data.encoded import EncodedDataset


@pytest.fixture(autouse=True, scope="module")
def scheduled_as_before():
    """A library that a test uses must not make this process a real-time one, beside which others starve."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = os.sched_getscheduler(0)
    yield
    now = os.sched_getscheduler(0)
    os.sched_setscheduler(0, before, os.sched_param(0))
    assert now == before, "a test changed how this process is scheduled"


@pytest.fixture
def encoded():
    """Builds a small made-up data set of features: each class has a direction, and its text points there too."""

    def build(classes=6, videos=5, frames=4, dim=16, seed=0, prefix="action"):
        generator = torch.Generator().manual_seed(seed)
        centres = torch.randn(classes, dim, generator=generator)
        noise = torch.randn(classes, videos, frames, dim, generator=generator)
        features = (centres[:, None, None] + 3 * noise).flatten(0, 1)
        return EncodedDataset(
            classes=tuple(f"{prefix} {i}" for i in range(classes)),
            videos_per_class=(videos,) * classes,
            features=features,
            class_text=centres + 0.3 * torch.randn(classes, dim, generator=generator),
        )

    return build
