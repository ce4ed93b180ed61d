"""Distance correlation is its definition, and does not see shifts, scales and signs."""

import pytest
import torch
from made_up_episode import close, random_episode

from clipspm_lite.model import distance_correlation as module
from clipspm_lite.model.baselines import otam_dcor, prototype_dcor
from clipspm_lite.model.distance_correlation import distance_correlation
from clipspm_lite.model.otam import align


def by_loops(x, y):
    """dCor of two lists of numbers."""
    channels = range(len(x))

    def centred(values):
        a = [[abs(values[i] - values[j]) for j in channels] for i in channels]
        mean = [sum(row) / len(row) for row in a]
        return [[a[i][j] - mean[i] - mean[j] + sum(mean) / len(mean) for j in channels] for i in channels]

    a, b = centred(x), centred(y)
    xy, xx, yy = (sum(p[i][j] * q[i][j] for i in channels for j in channels) for p, q in ((a, b), (a, a), (b, b)))
    return (xy / (xx * yy) ** 0.5) ** 0.5


def two_videos(channels=7, *leading):
    torch.manual_seed(0)
    return torch.randn(*leading, 3, channels), torch.randn(*leading, 2, channels).round()  # with ties


@pytest.mark.parametrize("at_once", [1, 80, 2**24])
def test_it_is_the_definition_however_few_rows_are_made_at_once(at_once, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    x, y = two_videos()
    close(distance_correlation(x, y), torch.tensor([[by_loops(a, b) for b in y.tolist()] for a in x.tolist()]))
    x, y = two_videos(7, 4)
    close(distance_correlation(x, y), torch.stack([distance_correlation(*pair) for pair in zip(x, y, strict=True)]))


def test_it_is_symmetric_between_0_and_1_and_1_for_every_affine_map():
    x, y = two_videos(50)
    between = distance_correlation(x, y)
    close(between, distance_correlation(y, x).T)
    assert (between >= 0).all() and (between < 1).all()
    for scale, shift in ((1, 0), (3, -2), (1e-4, 5e-4), (-1, 1)):
        close(distance_correlation(x, scale * x + shift).diagonal(), torch.ones(3), 1e-4)
        close(distance_correlation(scale * x + shift, y), between, 1e-4)


def test_it_sees_a_relation_that_the_cosine_does_not_see():
    x = torch.linspace(-1, 1, 101)[None]
    assert float(distance_correlation(x, x.square())) > 0.4 and abs(float(x @ x.square().T)) < 1e-4


def test_a_frame_whose_channels_are_all_equal_is_like_no_other():
    x, y = two_videos()
    assert (distance_correlation(torch.ones_like(x), y) == 0).all()


def test_the_rows_are_prototype_and_otam_with_it_in_place_of_the_cosine():
    support, query, text, _ = random_episode(2)
    means = support.mean(-3)
    close(prototype_dcor(support, query, text).logits, distance_correlation(query.mean(-2), means.mean(-2)))
    logits = otam_dcor(support, query, text).logits
    for b, q, n in ((0, 0, 0), (1, 4, 2), (0, 3, 1)):
        close(logits[b, q, n], -align(1 - distance_correlation(query[b, q], means[b, n])))
