"""Features of a data set: what does not fit together is refused, and the fingerprint is of the values."""

from dataclasses import replace

import pytest
import torch

from clipspm_lite.data.encoded import EncodedDataset

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
    data = encoded(classes=4, videos=3)
    part = data.subset(["action 2", "action 0"])
    assert part.classes == ("action 2", "action 0") and part.videos_per_class == (3, 3)
    assert torch.equal(part.features, torch.cat([data.features[6:9], data.features[0:3]]))
    assert torch.equal(part.class_text, data.class_text[[2, 0]])
    named = replace(data, classes=("arre\u0302ter", *data.classes[1:])).subset(["arr\xeater"])  # NFD and NFC
    assert torch.equal(named.features, data.features[:3])
    for wrong in ([], ["nobody"], ["action 0", "action 0"]):
        with pytest.raises(ValueError, match="classes"):
            data.subset(wrong)
