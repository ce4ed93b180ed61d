"""Features of a data set: what does not fit together is refused, and the fingerprint is of the values."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from clipspm_lite.data.encoded import EncodedDataset
from clipspm_lite.storage.files import CheckpointError

GOOD = dict(classes=("a", "b"), videos_per_class=(2, 1), features=torch.ones(3, 4, 5), class_text=torch.ones(2, 5))
NAN = torch.full((3, 4, 5), float("nan"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classes", ()),
        ("classes", ("a", "a")),
        ("videos_per_class", (3, 0)),
        ("videos_per_class", (3,)),
        ("features", torch.ones(4, 4, 5)),
        ("features", torch.ones(3, 4)),
        ("features", torch.ones(3, 0, 5)),
        ("features", torch.ones(3, 4, 5).long()),
        ("features", NAN),
        ("class_text", torch.ones(3, 5)),
        ("class_text", torch.ones(2, 6)),
        ("class_text", NAN[0, :2]),
        ("stage_text", torch.ones(2, 2, 5)),
        ("stage_text", torch.ones(2, 5)),
        ("stage_text", NAN[:2, :3]),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        EncodedDataset(**GOOD | {name: value})


def test_a_fingerprint_is_of_the_values_not_of_how_they_lie_in_memory():
    spread = torch.ones(3, 4, 10)[..., ::2].requires_grad_()
    one = EncodedDataset(**GOOD)
    assert EncodedDataset(**GOOD | {"features": spread}).fingerprint == one.fingerprint
    assert EncodedDataset(**GOOD | {"classes": ("b", "a")}).fingerprint != one.fingerprint


def test_a_subset_takes_the_rows_and_the_text_of_its_classes(encoded):
    data = replace(encoded(classes=4, videos=3), stage_text=torch.randn(4, 3, 16))
    part = data.subset(["action 2", "action 0"])
    assert part.classes == ("action 2", "action 0") and part.videos_per_class == (3, 3)
    assert torch.equal(part.features, torch.cat([data.features[6:9], data.features[0:3]]))
    assert torch.equal(part.class_text, data.class_text[[2, 0]])
    assert torch.equal(part.stage_text, data.stage_text[[2, 0]])
    named = replace(data, classes=("arre\u0302ter", *data.classes[1:])).subset(["arr\xeater"])  # NFD and NFC
    assert torch.equal(named.features, data.features[:3])
    for wrong in ([], ["nobody"], ["action 0", "action 0"]):
        with pytest.raises(ValueError, match="classes"):
            data.subset(wrong)


def test_what_is_saved_comes_back(encoded, tmp_path):
    data = replace(encoded(), encoder="DINO ViT-S/16, żółć")
    staged = replace(data, stage_text=torch.randn(6, 3, 16))
    assert staged.fingerprint != data.fingerprint
    for kept in (data, staged, replace(data, class_text=None, encoder=None)):
        kept.save(tmp_path / "features")
        again = EncodedDataset.load(tmp_path / "features")
        assert again.fingerprint == kept.fingerprint and again.encoder == kept.encoder
        assert (again.classes, again.class_text is None) == (kept.classes, kept.class_text is None)


LISTS = {"classes": '["跳绳", "b/c"]', "videos_per_class": "[2, 1]"}
HALF = {"features": torch.ones(3, 4, 5, dtype=torch.bfloat16)}


def test_a_file_that_anybody_wrote_is_read_as_float32(tmp_path):
    save_file(HALF | {"more": torch.ones(1)}, tmp_path / "features", LISTS)
    data = EncodedDataset.load(tmp_path / "features")
    assert (data.classes, data.videos_per_class, data.features.dtype) == (("跳绳", "b/c"), (2, 1), torch.float32)


@pytest.mark.parametrize(
    ("tensors", "header"),
    [
        (HALF, {}),
        (HALF, LISTS | {"classes": "x"}),
        (HALF, LISTS | {"videos_per_class": "[1, 1]"}),
        (HALF, LISTS | {"format_version": "2"}),
        ({"feature": HALF["features"]}, LISTS),
        ({"features": torch.ones(3, 4, 5, dtype=torch.uint8)}, LISTS),
        ({"features": NAN}, LISTS),
        (HALF | {"class_text": torch.ones(2, 6)}, LISTS),
        (None, "no safetensors"),
    ],
)
def test_a_file_that_is_not_features_is_one_error_that_names_it(tensors, header, tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_text(header) if tensors is None else save_file(tensors, path, header)
    with pytest.raises(CheckpointError, match="mine.safetensors") as error:
        EncodedDataset.load(path)
    assert "\n" not in str(error.value)
