"""Clips with random damage: CLIPSPM_MUTATIONS=10000 makes the long form of this test, mutate.py prints its table."""

import os

import mutate
import pytest


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    mutate.write_clips(folder)
    return folder


def test_undamaged_clips_give_the_right_frames(clips):
    for name in mutate.CLIPS:
        expected = mutate.REFUSED if name.endswith(".ts") else mutate.RIGHT
        assert mutate.outcome(clips / name, mutate._whole(clips / name)) == expected, name


def test_frames_that_are_not_the_clips_are_told_apart(clips):
    whole = mutate._whole(clips / "h264.mp4")
    right = whole[[(2 * i + 1) * 60 // 16 for i in range(8)]]
    assert mutate._compared(right, whole) == mutate.RIGHT
    assert mutate._compared(whole[:8], whole) == mutate.OTHER
    assert mutate._compared(right.flip(0), whole) == mutate.UNSEEN
    smeared = right.clone()
    smeared[3, :, 8:32, 16:40] = 0.5
    assert mutate._compared(smeared, whole) == mutate.UNSEEN
    assert mutate._compared(right[..., :-8], whole) == mutate.UNSEEN


@pytest.mark.slow
def test_random_damage_gives_frames_or_one_error_and_nothing_worse():
    count = int(os.environ.get("CLIPSPM_MUTATIONS", "280"))
    table, _ = mutate.run(count)
    print(mutate.markdown(table))
    assert sum(sum(row.values()) for row in table.values()) == count
    assert not mutate.broken(table)
    refused = sum(row[mutate.REFUSED] for row in table.values())
    unseen = sum(row[mutate.UNSEEN] for row in table.values())
    assert refused > count / 2 and unseen < count / 8, mutate.markdown(table)
