"""The benchmarks open from their official layouts, and nothing wrong with a download or a list goes unsaid."""

import os
import re
import shlex

import pytest
from small_benchmarks import CLASSES, VIDEOS, content, make_download, make_published_numbers_small

from clipspm_lite.commands.main import main
from clipspm_lite.data.benchmarks import BENCHMARKS, class_key, open_benchmark, read_video_lists
from clipspm_lite.data.datasets import DatasetError
from clipspm_lite.data.decoding.video import load_video
from clipspm_lite.data.inspection import check_benchmark

WITH_LISTS = ("kinetics100", "ssv2_full", "ssv2_small")
FULL_TITLES = {"hmdb51": 51, "ucf101": 101, "kinetics100": 100, "ssv2_full": 100, "ssv2_small": 100}
PUBLISHED = {  # SPEC section 7: base, validation, novel
    "hmdb51": (4280, 1194, 1292),
    "ucf101": (9154, 1421, 2745),
    "kinetics100": (6400, 1200, 2400),
    "ssv2_full": (77500, 1926, 2857),
    "ssv2_small": (6400, 1200, 2400),
}


@pytest.fixture
def small(monkeypatch):
    make_published_numbers_small(monkeypatch)


@pytest.fixture(params=CLASSES)
def download(request, small, tmp_path):
    """A complete small download: the benchmark's name, its folder and the lists that it needs, by part."""
    root = tmp_path / "download"
    lists = make_download(root, request.param)
    return request.param, root, lists if request.param in WITH_LISTS else {}


def a_list(tmp_path, *lines):
    path = tmp_path / "list.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


# --- the published facts


def test_published_classes_and_numbers_of_videos_add_up():
    for name, benchmark in BENCHMARKS.items():
        names = [c for classes in benchmark.classes.values() for c in classes]
        assert len(names) == len(set(names)) == FULL_TITLES[name]
        assert tuple(benchmark.videos) == tuple(benchmark.classes) == ("base", "validation", "novel")
        assert tuple(benchmark.videos.values()) == PUBLISHED[name]
        for part, classes in benchmark.classes.items():
            assert name == "ssv2_full" or sum(classes.values()) == benchmark.videos[part]
        assert len({class_key(c) for c in names}) == len(names)  # no spelling of one is another
    assert BENCHMARKS["ssv2_full"].counts("base") == (77500, 67013)  # as two lists of it have it


# --- official layouts


@pytest.mark.parametrize("part", ["base", "validation", "novel"])
def test_a_part_opens_with_its_classes_and_videos_that_can_be_read(download, part):
    name, root, lists = download
    data = open_benchmark(name, str(root), part, list(lists.values()))
    assert data.classes == CLASSES[name][part]
    assert data.videos_per_class == (VIDEOS, VIDEOS)
    assert len(set(data.paths)) == 2 * VIDEOS
    for path in data.paths:
        assert root in path.parents and load_video(path, frames=2).shape == (2, 3, 48, 64)


def laid_out(root, name, place):
    """A small download with each video moved to where ``place`` says, of its folder and file, and every second part."""
    lists = make_download(root.with_name("official"), name)
    for number, path in enumerate(sorted(p for p in root.with_name("official").rglob("*.*") if p.is_file())):
        target = root / place.format(folder=path.parent.name, file=path.name, part=("train", "val")[number % 2])
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return lists if name in WITH_LISTS else {}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("hmdb51", "{folder}/{folder}/{file}"),
        ("hmdb51", "hmdb51_org/{folder}/{folder}/{file}"),
        ("ucf101", "UCF101/UCF-101/{folder}/{file}"),
        ("ucf101", "downloads/UCF101/UCF-101/{folder}/{file}"),
        ("kinetics100", "train_256/{folder}/{file}"),
        ("kinetics100", "k400/compress/val_256/{folder}/{file}"),
        ("kinetics100", "train/{file}"),
        ("kinetics100", "Kinetics400/train/part_0/{file}"),
        ("kinetics100", "{folder}/{folder}/{file}"),
        ("kinetics100", "{part}/{folder}/{file}"),
        ("ssv2_full", "20bn-something-something-v2/{file}"),
        ("ssv2_small", "sthv2/videos/0/{file}"),
    ],
)
def test_the_ways_in_which_downloads_lie_on_disks_open(small, tmp_path, name, place):
    lists = laid_out(tmp_path / "data", name, place)
    (tmp_path / "data" / "__MACOSX" / "golf").mkdir(parents=True)
    data = open_benchmark(name, tmp_path / "data", "novel", list(lists.values()))
    assert data.classes == CLASSES[name]["novel"] and data.videos_per_class == (VIDEOS, VIDEOS)
    assert all(path.is_file() for path in data.paths)


@pytest.mark.parametrize(("name", "place"), [("ucf101", "one/{folder}/{file}"), ("kinetics100", "one/{file}")])
def test_two_copies_of_a_video_are_named_and_none_is_chosen(small, tmp_path, name, place):
    root, lists = tmp_path / "data", list(laid_out(tmp_path / "data", name, place).values())
    path = open_benchmark(name, root, "novel", lists).paths[0]
    copy = root / "two" / path.relative_to(root / "one")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(path.read_bytes())
    with pytest.raises(DatasetError, match=f"one/.*{path.name}.*two/.*{path.name}.* check "):
        open_benchmark(name, root, "novel", lists)
    assert not check_benchmark(name, root, lists, decode=False).ok


def test_an_error_says_where_other_videos_are(small, tmp_path):
    laid_out(tmp_path / "data", "ucf101", "all/{file}")
    with pytest.raises(DatasetError, match="no videos of 2 .*all/v_HandstandPushups_g"):
        open_benchmark("ucf101", tmp_path / "data")
    lists = laid_out(tmp_path / "k" / "data", "kinetics100", "{folder}/{file}")
    video = min((tmp_path / "k" / "data" / "tap dancing").iterdir())
    video.rename(video.parents[1] / "hurling (sport)" / video.name)
    with pytest.raises(DatasetError, match=f"tap_dancing/{video.stem}.*found hurling .sport./{video.name}"):
        open_benchmark("kinetics100", tmp_path / "k" / "data", "novel", [lists["novel"]])


@pytest.mark.parametrize("place", ["train/{file}", "train_256/{folder}/{file}"])
def test_annotation_files_say_the_class_of_the_videos_that_are_there(small, tmp_path, place):
    laid_out(tmp_path / "data", "kinetics100", place)
    rows = ["label,youtube_id,time_start,time_end,split", "abseiling,x,1,11,train", '"tap dancing","gone",1,11,train']
    rows += [f'"{c}","-id_{n:07d}",{n},{n + 10},"train"' for n, c in ((8, "hurling (sport)"), (10, "tap dancing"))]
    data = open_benchmark("kinetics100", tmp_path / "data", "novel", a_list(tmp_path, *rows))
    assert [path.name[:11] for path in data.paths] == ["-id_0000008", "-id_0000010"]


# --- lists


BENDING, REMOVING = CLASSES["ssv2_full"]["base"][0], CLASSES["ssv2_full"]["novel"][1]


@pytest.mark.parametrize(
    ("name", "line", "class_name", "video"),
    [
        ("ssv2_full", "Bending something until it breaks/12345", BENDING, "12345"),
        ("ssv2_full", "Bending_something_until_it_breaks/12345.mp4\r", BENDING, "12345"),
        ("ssv2_full", "  train/bending something until it breaks/12345  ", BENDING, "12345"),
        ("ssv2_full", "train0/12345", BENDING, "12345"),
        ("ssv2_full", "test1//ssv2/videos/12345.webm", REMOVING, "12345"),
        ("kinetics100", "tap dancing/-a_b123456_", "tap_dancing", "-a_b123456_"),
        ("kinetics100", "test0//k400/val/hurling_(sport)/abc", "hurling_(sport)", "abc"),
        ("kinetics100", "train/abc_000001_000011.mp4 tap dancing", "tap_dancing", "abc_000001_000011"),
        ("kinetics100", "train_256/tap_dancing/abc.MP4 331", "tap_dancing", "abc"),
        ("kinetics100", "tap dancing/abc.mp4\t300 3", "tap_dancing", "abc"),
        ("kinetics100", 'abc.mp4,"hurling (sport)"', "hurling_(sport)", "abc"),
        ("ssv2_full", "12345.webm Removing [something], revealing [something] behind", REMOVING, "12345"),
    ],
)
def test_spellings_that_are_met_in_published_lists_are_understood(small, tmp_path, name, line, class_name, video):
    listed = read_video_lists(BENCHMARKS[name], [a_list(tmp_path, "", line, "")])
    assert {c: list(videos) for c, videos in listed.items() if videos} == {class_name: [video]}
    assert listed[class_name][video].endswith("list.txt, line 2")


OUTSIDE = ["../secret/Twisting something/1", "Twisting something/../../1", "/etc/Twisting something/1"]
OUTSIDE += ["Twisting something/..", "C:/Twisting something/1", "Twisting something\\1"]
OTHER = ["Twisting something/\x1b[2J1", "12345", "///", "Twisting something/.webm", "Juggling something/1", "test2/1"]
OTHER += ["train0/Twisting something/1", "x" * 10_000, "12345.webm 3", "Twisting something/1 Poking nothing"]
OTHER += ["Twisting something/1 Poking a hole into some substance", "1.webm Juggling", '[{"template": "x"}', "[1, 2]"]
OTHER += ["label,youtube_id,time_start,time_end,split", "[" * 100_000]


@pytest.mark.parametrize("line", OUTSIDE + OTHER)
def test_any_other_line_is_refused_with_file_and_line_number(small, tmp_path, line):
    path = a_list(tmp_path, "Twisting something/5", line)
    with pytest.raises(DatasetError) as error:
        read_video_lists(BENCHMARKS["ssv2_small"], [path])
    message = str(error.value)
    assert message.endswith(f"{path}, line 2") and message.isprintable() and len(message) < 600


def numbered(**parts):
    return [f"{part}{number}/{part}{number}v" for part, numbers in parts.items() for number in numbers]


@pytest.mark.parametrize(
    ("parts", "offsets"),
    [
        ({"train": range(64), "val": range(12), "test": range(24)}, {}),
        ({"train": range(64)}, {}),
        ({"train": range(24, 88), "val": range(88, 100), "test": range(24)}, {"train": 24, "val": 88}),
        ({"train": range(24, 88)}, {"train": 24}),
        ({"val": range(88, 100)}, {"val": 88}),
        ({"train": range(24, 64), "val": range(88, 90)}, {"train": 24, "val": 88}),
        ({"test": range(24)}, {}),
    ],
)
def test_both_numberings_of_ssv2_small_are_told_apart_by_the_whole_list(tmp_path, parts, offsets):
    """CLIP-SPM's authors number all 100 classes in one row: test 0 to 23, train 24 to 87, val 88 to 99."""
    listed = read_video_lists(BENCHMARKS["ssv2_small"], [a_list(tmp_path, *numbered(**parts))])
    classes = BENCHMARKS["ssv2_small"].classes
    names = {"train": [*classes["base"]], "val": [*classes["validation"]], "test": [*classes["novel"]]}
    assert {video: name for name, videos in listed.items() for video in videos} == {
        f"{part}{number}v": names[part][number - offsets.get(part, 0)]
        for part, numbers in parts.items()
        for number in numbers
    }


def test_numbers_that_fit_both_numberings_are_refused_and_not_guessed(tmp_path):
    lists = a_list(tmp_path, *numbered(train=range(24, 64), test=range(24)))
    with pytest.raises(DatasetError, match="SSv2-Small.*list.txt$"):
        read_video_lists(BENCHMARKS["ssv2_small"], [lists])
    mixed = a_list(tmp_path, *numbered(train=[0], val=[88]))
    with pytest.raises(DatasetError, match="val88.*line 2$"):
        read_video_lists(BENCHMARKS["ssv2_small"], [mixed])
    with pytest.raises(DatasetError, match="train64"):  # other benchmarks have no numbers in one row
        read_video_lists(BENCHMARKS["ssv2_full"], [a_list(tmp_path, *numbered(train=range(24, 88)))])


def test_times_of_a_kinetics_clip_count_only_where_both_sides_have_them(small, tmp_path):
    root = tmp_path / "kinetics"
    make_download(root, "kinetics100")
    for name in ("untimed.mp4", "timed_000001_000011.mp4", "two_000001_000011.mp4", "two_000020_000030.mp4"):
        (root / "tap dancing" / name).write_bytes(b"")

    def found(*videos):
        lines = ("hurling_(sport)/-id_0000008", *(f"tap_dancing/{video}" for video in videos))
        data = open_benchmark("kinetics100", root, "novel", [a_list(tmp_path, *lines)])
        return [path.name for path in data.paths[1:]]

    assert found("untimed_000005_000015") == ["untimed.mp4"]
    assert found("timed") == found("timed", "timed_000001_000011") == ["timed_000001_000011.mp4"]
    assert found("two_000020_000030") == ["two_000020_000030.mp4"]
    with pytest.raises(DatasetError, match="timed_000002_000012"):
        found("timed_000002_000012")
    with pytest.raises(DatasetError, match=r"two .*two_000001.*two_000020"):
        found("two")


def test_a_video_listed_under_two_classes_is_refused_and_one_listed_twice_counts_once(small, tmp_path):
    root = tmp_path / "ssv2"
    make_download(root, "ssv2_small")
    lines = ["Twisting something/1008", "Poking a hole into some substance/1009", "Twisting [something]/1008.webm"]
    path = a_list(tmp_path, *lines)
    assert open_benchmark("ssv2_small", root, "novel", [path, path]).videos_per_class == (1, 1)
    path = a_list(tmp_path, *lines, "Poking a hole into some substance/1008")
    with pytest.raises(DatasetError, match="1008 .*line 1.*Poking a hole.*line 4$"):
        open_benchmark("ssv2_small", root, "novel", [path])


def test_a_list_that_cannot_be_a_list_is_refused_by_name(tmp_path):
    (tmp_path / "archive.txt").write_bytes(b"PK\x03\x04\xff\xfe")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
    for path in (tmp_path / "nowhere.txt", tmp_path, tmp_path / "archive.txt", tmp_path / "pipe.txt"):
        with pytest.raises(DatasetError, match=f"{path.name}$"):
            read_video_lists(BENCHMARKS["ssv2_small"], [path])


@pytest.mark.parametrize("name", CLASSES)
def test_lists_are_asked_for_where_they_are_needed_and_only_there(name, small, tmp_path):
    lists = make_download(tmp_path / "root", name)
    needed = name in WITH_LISTS
    with pytest.raises(DatasetError, match="--video-list" if needed else "novel.txt"):
        open_benchmark(name, tmp_path / "root", "novel", [] if needed else [lists["novel"]])
    if needed:
        assert len(open_benchmark(name, tmp_path / "root", "novel", [lists["novel"]]).paths) == 2 * VIDEOS
        with pytest.raises(DatasetError, match="base"):
            open_benchmark(name, tmp_path / "root", "base", [lists["novel"]])


# --- what is missing


def test_missing_videos_are_named_with_the_official_page_and_the_folder(download):
    name, root, lists = download
    gone = open_benchmark(name, root, "novel", list(lists.values())).paths[VIDEOS:]
    for path in gone:
        path.unlink()
    for folder in (root.with_name("nowhere"), root):
        with pytest.raises(DatasetError) as error:
            open_benchmark(name, folder, "novel", list(lists.values()))
        (message,) = str(error.value).splitlines()
        assert BENCHMARKS[name].page in message and message.endswith(str(folder))
    assert CLASSES[name]["novel"][1] in message
    for line, path in enumerate(gone if lists else (), start=VIDEOS + 1):
        assert f"{path.stem} ({lists['novel']}, line {line})" in message
    assert open_benchmark(name, root, "base", list(lists.values())).videos_per_class == (VIDEOS, VIDEOS)


def test_the_command_that_an_error_advises_works_when_it_is_typed(small, tmp_path, capsys):
    root = tmp_path / "my data"
    lists = [*make_download(root, "kinetics100").values()]
    for path in (root / "tap dancing").iterdir():
        path.unlink()
    with pytest.raises(DatasetError) as error:
        open_benchmark("kinetics100", root, "novel", lists)
    python, _, package, *arguments = shlex.split(re.search("(python -m .*?); expected", str(error.value))[1])
    assert (python, package, main(arguments)) == ("python", "clipspm_lite", 1)
    printed = capsys.readouterr()
    assert printed.out.count("tap_dancing") == 1 and "all 2" in printed.out and not printed.err


def test_an_unknown_benchmark_or_part_is_refused(small, tmp_path):
    with pytest.raises(ValueError, match="hmdb51, ucf101.*ucf50"):
        open_benchmark("ucf50", tmp_path)
    with pytest.raises(ValueError, match="base, validation, novel.*test"):
        open_benchmark("ucf101", tmp_path, "test")


# --- check


def test_check_finds_nothing_wrong_with_a_complete_download(download):
    name, root, lists = download
    report = check_benchmark(name, root, list(lists.values()))
    assert report.ok, report
    assert report.readable == {c: VIDEOS for classes in CLASSES[name].values() for c in classes}
    assert str(report).endswith("usable")


def test_check_names_missing_unreadable_and_unlisted_videos(download):
    name, root, lists = download
    first, second = (open_benchmark(name, root, part, list(lists.values())).paths for part in ("base", "novel"))
    first[0].write_bytes(content(first[0].suffix, 9)[:200])
    assert check_benchmark(name, root, list(lists.values()), decode=False).ok  # it only counts
    second[0].unlink()
    assert not check_benchmark(name, root, list(lists.values()), decode=False).ok
    unlisted = second[-1].with_stem("123456")
    unlisted.write_bytes(content(second[-1].suffix, 8))
    report = check_benchmark(name, root, list(lists.values()))
    assert not report.ok
    assert any(line.endswith(str(first[0])) for line in report.problems)
    (lost_from, found_more) = CLASSES[name]["novel"]
    if lists:
        assert f"missing: {lost_from}/{second[0].stem} ({lists['novel']}, line 1)" in report.problems
        assert any("1 videos that no list names" in line and "123456" in line for line in report.remarks)
        assert report.readable[found_more] == VIDEOS
    else:
        assert f"{lost_from}: 1 videos, published are 2" in report.problems
        assert f"{found_more}: 3 videos, published are 2" in report.problems
    assert report.readable[lost_from] == 1 and report.readable[CLASSES[name]["base"][0]] == 1


def test_a_list_with_other_numbers_than_the_published_ones_is_a_problem(small, tmp_path):
    root = tmp_path / "root"
    make_download(root, "ssv2_small")
    path = a_list(tmp_path, "Twisting something/1008")
    report = check_benchmark("ssv2_small", root, [path], decode=False)
    assert "Twisting something: the lists name 1 videos, published are 2" in report.problems
    assert f"novel: 1 videos, published are 4: {root}" in report.problems


def test_folders_that_are_not_a_class_are_remarked_on(small, tmp_path):
    make_download(tmp_path / "ucf", "ucf101")
    (tmp_path / "ucf" / "Juggling").mkdir()
    report = check_benchmark("ucf101", tmp_path / "ucf", decode=False)
    assert report.ok and [remark.rsplit("/")[-1] for remark in report.remarks] == ["Juggling"]
