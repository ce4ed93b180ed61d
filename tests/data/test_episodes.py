"""Episodes: balanced, without overlap, the same for ever for one (seed, index), and gathered class-major."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipspm_lite.data.episodes import Episode, EpisodeSampler, gather


@st.composite
def samplers(draw):
    way, shot, queries = (draw(st.integers(1, 6)) for _ in range(3))
    extra = draw(st.lists(st.integers(0, 5), min_size=way, max_size=12))
    videos = [shot + queries + more for more in extra]
    return EpisodeSampler(videos, way, shot, queries, seed=draw(st.integers(0, 2**64)))


@given(samplers(), st.integers(0, 10**12))
def test_an_episode_is_balanced_and_no_video_is_both_support_and_query(sampler, index):
    episode = sampler[index]
    bounds = [0, *torch.tensor(sampler.videos_per_class).cumsum(0).tolist()]
    assert len(set(episode.classes)) == len(episode.classes) == sampler.way
    used = [video for shots in episode.support for video in shots] + list(episode.query)
    assert len(set(used)) == len(used)
    for label, (number, shots) in enumerate(zip(episode.classes, episode.support, strict=True)):
        queries = [v for v, q in zip(episode.query, episode.query_labels, strict=True) if q == label]
        assert len(shots) == sampler.shot and len(queries) == sampler.queries
        assert all(bounds[number] <= video < bounds[number + 1] for video in [*shots, *queries])
    assert list(episode.query_labels) == sorted(episode.query_labels)


@given(samplers(), st.integers(0, 10**6))
def test_an_episode_depends_on_seed_and_index_only(sampler, index):
    again = EpisodeSampler(sampler.videos_per_class, sampler.way, sampler.shot, sampler.queries, seed=sampler.seed)
    again[index + 1]
    assert again[index] == sampler[index]


def test_episodes_are_the_same_on_every_machine_and_version():
    """Written down once: results that name their episodes by (seed, index) rely on it."""
    sampler = EpisodeSampler([4, 5, 6, 7], way=3, shot=2, queries=1, seed=7)
    assert sampler[0] == Episode((3, 2, 0), ((15, 19), (11, 12), (1, 2)), (17, 14, 0), (0, 1, 2))
    assert sampler[999_999] == Episode((2, 1, 3), ((11, 13), (7, 6), (18, 19)), (12, 8, 15), (0, 1, 2))


def test_seeds_and_indices_give_different_episodes_that_use_everything_evenly():
    sampler = EpisodeSampler([10] * 20, seed=1)
    episodes = [sampler[index] for index in range(4000)]
    assert len(set(episodes)) == 4000
    assert not set(episodes) & {EpisodeSampler([10] * 20, seed=2)[index] for index in range(100)}
    for part in (
        torch.tensor([e.classes for e in episodes]),
        torch.tensor([e.support for e in episodes]),
        torch.tensor([e.query for e in episodes]),
    ):
        counts = part.flatten().bincount().double()
        assert ((counts - counts.mean()).abs() < 5.5 * counts.mean().sqrt()).all()


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"way": 4}, "way=4.*3"),
        ({"way": 2, "shot": 3, "queries": 1}, "'two'.*shot=3.*queries=1"),
        ({"way": 0}, "way"),
        ({"shot": 0}, "shot"),
        ({"queries": 1.5}, "queries"),
    ],
)
def test_what_cannot_be_sampled_is_refused_at_once(settings, found):
    with pytest.raises(ValueError, match=found):
        EpisodeSampler([4, 4, 3], **({"way": 2} | settings), class_names=("zero", "one", "two"))


@pytest.mark.parametrize("index", [-1, 1.5, "0", slice(3)])
def test_episodes_are_taken_one_at_a_time_from_0_on(index):
    with pytest.raises(IndexError):
        EpisodeSampler([4, 4], way=2)[index]


def test_gathered_tensors_are_class_major_and_hold_the_right_rows():
    videos, frames, dim = (3, 4, 5), 2, 6
    features = torch.arange(12.0)[:, None, None].expand(12, frames, dim)
    class_text = torch.tensor([100.0, 101.0, 102.0])[:, None].expand(3, dim)
    sampler = EpisodeSampler(videos, way=2, shot=2, queries=1, seed=3)
    episodes = [sampler[index] for index in range(4)]
    batch = gather(features, class_text, episodes)
    assert batch.support.shape == (4, 2, 2, frames, dim)
    assert batch.query.shape == (4, 2, frames, dim)
    assert batch.class_text.shape == (4, 2, dim)
    assert batch.query_labels.tolist() == [[0, 1]] * 4
    for row, episode in enumerate(episodes):
        assert batch.support[row, :, :, 0, 0].tolist() == [list(map(float, s)) for s in episode.support]
        assert batch.query[row, :, 1, 2].tolist() == list(map(float, episode.query))
        assert batch.class_text[row, :, 0].tolist() == [100.0 + number for number in episode.classes]


def test_episodes_of_another_data_set_are_refused_before_a_gpu_would_end_the_process():
    features, text = torch.randn(4, 3, 2), torch.randn(2, 2)
    episode = EpisodeSampler([2, 2], way=2)[0]
    other = EpisodeSampler([2, 2], way=1)[0]
    for wrong in ([], [replace(episode, query=(0, 4))], [replace(episode, classes=(0, 2))], [episode, other]):
        with pytest.raises(ValueError):
            gather(features, text, wrong)
