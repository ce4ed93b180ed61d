"""Data that several tests share."""

import pytest
import torch

from clipspm_lite.features import EncodedDataset


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
