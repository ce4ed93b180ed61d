import pytest
import torch

from clipspm_lite import baselines
from clipspm_lite.data.datasets import VideoDataset
from clipspm_lite.recogniser import Recogniser


class Store:
    """Stands for a feature store: a video's features are its name's first letter."""

    def encode(self, paths):
        return torch.stack([torch.eye(26)[ord(path.name[0]) - ord("a")].expand(4, 26) for path in paths])

    def encode_dataset(self, dataset):
        from clipspm_lite.features import EncodedDataset

        text = torch.zeros(len(dataset.classes), 26)
        return EncodedDataset(dataset.classes, dataset.videos_per_class, self.encode(dataset.paths), text)


def test_uneven_shots_are_padded_and_masked(tmp_path):
    support = VideoDataset(tmp_path, ("first", "second"), (("a.mp4",), ("b.mp4", "c.mp4", "d.mp4")))
    recogniser = Recogniser(baselines.otam, Store(), support)
    assert recogniser.support.shape == (2, 3, 4, 26)
    assert recogniser.support_mask.tolist() == [[True, False, False], [True, True, True]]
    answers = recogniser.predict([tmp_path / "a2.mp4", tmp_path / "c2.mp4"])
    assert [answer.action for answer in answers] == ["first", "second"]
    assert [len(answer.ranking) for answer in answers] == [2, 2]
    assert recogniser.predict([]) == []


def test_one_action_is_not_enough(tmp_path):
    with pytest.raises(ValueError, match="at least 2 actions"):
        Recogniser(baselines.otam, Store(), VideoDataset(tmp_path, ("only",), (("a.mp4",),)))
