"""A few clips with random damage; `python tests/nightly/mutations.py` reads 10,000 and prints a table."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "nightly"))

import mutations


def test_the_script_tells_right_frames_from_wrong_ones(tmp_path):
    mutations.write_clips(tmp_path)
    whole = mutations._whole(tmp_path / "h264.mp4")
    right = whole[[(2 * i + 1) * 60 // 16 for i in range(8)]]
    smeared = right.clone()
    smeared[3, :, 8:32, 16:40] = 0.5
    assert mutations.outcome(tmp_path / "h264.mp4", whole) == mutations.RIGHT
    assert mutations._compared(whole[:8], whole) == mutations.OTHER
    for wrong in (right.flip(0), smeared, right[..., :-8]):
        assert mutations._compared(wrong, whole) == mutations.UNSEEN


def test_random_damage_gives_frames_or_one_error_and_nothing_worse():
    table, _ = mutations.run(2 * len(mutations.CLIPS))
    assert sum(sum(row.values()) for row in table.values()) == 2 * len(mutations.CLIPS)
    assert not mutations.broken(table)
    assert sum(row[mutations.REFUSED] for row in table.values()) > len(mutations.CLIPS) / 2
