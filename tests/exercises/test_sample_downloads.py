"""Sample clips laid out as a benchmark's download open as the benchmark does, and show what they showed."""

import pytest

from clipspm_lite.data.benchmarks import BENCHMARKS, find_videos, open_benchmark, read_video_lists
from clipspm_lite.data.datasets import DatasetError, sample_world
from clipspm_lite.exercises.nb12_benchmarks_on_gpu import LINES
from clipspm_lite.exercises.sample_downloads import lay_out_samples
from clipspm_lite.storage.files import file_sha256


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_laid_out_part_opens_with_the_published_classes(name, tmp_path):
    lists = lay_out_samples(name, tmp_path / "download", videos=2, parts=["novel"])
    assert len(lists) == (BENCHMARKS[name].video_lists is not None)
    dataset = open_benchmark(name, tmp_path / "download", "novel", lists)
    assert dataset.classes == tuple(BENCHMARKS[name].classes["novel"])
    assert set(dataset.videos_per_class) == {2}


def test_its_parts_share_no_clip_and_hold_no_novel_sample(tmp_path):
    lay_out_samples("hmdb51", tmp_path / "download", videos=2)
    contents = {}
    for part in ("base", "validation", "novel"):
        dataset = open_benchmark("hmdb51", tmp_path / "download", part)
        contents[part] = {file_sha256(path) for path in dataset.paths}
        assert len(contents[part]) == len(dataset.paths)
    assert not contents["base"] & contents["validation"] | contents["validation"] & contents["novel"]
    novel_samples = {file_sha256(path) for path in sample_world("novel").paths}
    assert not novel_samples & set.union(*contents.values())


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(DatasetError, match="exists already"):
        lay_out_samples("ucf101", tmp_path / "mine")
    assert not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize("line, usable, _", LINES.values(), ids=list(LINES))
def test_exercise_12_1_says_of_each_line_what_the_library_makes_of_it(line, usable, _, tmp_path):
    benchmark, (root, video_list) = BENCHMARKS["kinetics100"], (tmp_path / "download", tmp_path / "list.txt")
    lay_out_samples("kinetics100", root, videos=2, parts=["base"])
    video_list.write_text(f"{line}\n")
    try:
        listed = read_video_lists(benchmark, [video_list])
    except DatasetError:
        assert not usable
    else:
        (name,) = (name for name, videos in listed.items() if videos)
        found = find_videos(benchmark, root, [name], listed)
        assert usable == (len(found.videos[name]) == 1 and not found.missing[name])
