"""A folder of classes is a data set; a split is a list of class names; names do not lead out of the folder."""

import json
import re
import unicodedata
from itertools import pairwise

import pytest
import yaml

from clipspm_lite.data import datasets
from clipspm_lite.data.datasets import DatasetError, open_folder, read_split, read_stages, sample_world
from clipspm_lite.data.inspection import check_folder


@pytest.fixture
def root(tmp_path):
    """Two classes with two videos each, and things that are not part of the data set."""
    for name in ("running/b.mp4", "running/a.AVI", "running/notes.txt", "running/.hidden.mp4", "jumping/c.webm"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "data" / "jumping" / "d.mov").write_bytes(b"")
    (tmp_path / "data" / ".cache").mkdir()
    (tmp_path / "data" / "README").write_text("about")
    return tmp_path / "data"


def split_file(path, **parts):
    path.write_text(json.dumps({"format_version": 1} | parts), encoding="utf-8")
    return path


def test_class_folders_and_their_videos_are_sorted_and_the_rest_is_passed_over(root):
    data = open_folder(str(root))
    assert data.classes == ("jumping", "running")
    assert data.videos == (("jumping/c.webm", "jumping/d.mov"), ("running/a.AVI", "running/b.mp4"))
    assert data.videos_per_class == (2, 2)
    assert data.paths == tuple(root / name for names in data.videos for name in names)


def test_named_classes_come_in_the_order_of_the_list(root):
    assert open_folder(root, ["running", "jumping"]).classes == ("running", "jumping")
    assert open_folder(root, ["running"]).paths == (root / "running/a.AVI", root / "running/b.mp4")


def test_links_in_the_users_folder_are_followed(root, tmp_path):
    try:
        (root / "walking").symlink_to(root / "running", target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make links")
    assert open_folder(root).classes == ("jumping", "running", "walking")


OUTSIDE = [
    "..",
    ".",
    "",
    "../data/running",
    "/etc",
    "a\\b",
    "running/",
    "C:",
    "c:\\running",
    "\\\\server\\share",
    "a\0b",
]


@pytest.mark.parametrize(
    "name", [*OUTSIDE, "_", "\ud800", "n" * 300, "é" * 128, 3, None, float("nan"), ["a"]], ids=ascii
)
def test_what_is_not_the_name_of_a_folder_with_words_is_refused(root, tmp_path, name):
    split = split_file(tmp_path / "split.json", novel=[name])
    for source, refuse in ((root, lambda: open_folder(root, [name])), (split, lambda: read_split(split, "novel"))):
        with pytest.raises(DatasetError, match=f"class name.*{source}$") as error:
            refuse()
        assert len(str(error.value)) < 400 + len(str(source)) and str(error.value).isprintable()


def test_missing_and_empty_folders_are_named(root, tmp_path):
    for open_it in (open_folder, check_folder):
        with pytest.raises(DatasetError, match="nowhere$"):
            open_it(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="'flying' has no folder.*data"):
        open_folder(root, ["running", "flying"])
    (root / "empty").mkdir()
    with pytest.raises(DatasetError, match="'empty' has no videos"):
        open_folder(root)
    for open_it in (open_folder, check_folder):
        with pytest.raises(DatasetError, match="no class folders.*empty"):
            open_it(root / "empty")


@pytest.mark.parametrize("place", ["data", "running/running", "__MACOSX"])
def test_folders_that_archives_unpack_into_are_looked_through(root, tmp_path, place):
    top = tmp_path / "data"
    if place == "data":  # one folder too high, twice
        (tmp_path / "download" / "unpacked").mkdir(parents=True)
        top = tmp_path / "download"
        root = root.rename(top / "unpacked" / "data")
    elif place == "running/running":
        (root / "running").rename(root / "inner")
        (root / "Running").mkdir()
        (root / "inner").rename(root / "Running" / "running")
    else:
        (root / place).mkdir()
    data = open_folder(top)
    assert len(data.classes) == 2 and data.videos_per_class == (2, 2)
    assert all(path.is_file() and root in path.parents for path in data.paths)
    assert len(check_folder(top, minimum=0).readable) == 2


def test_an_error_says_where_the_videos_are(root):
    (root / "running").rename(root / "jumping" / "other")
    (root / "jumping" / "c.webm").unlink()
    (root / "jumping" / "d.mov").unlink()
    (root / "swimming").mkdir()
    with pytest.raises(DatasetError, match="'jumping' has no videos.* videos in .*jumping.other.*jumping$"):
        open_folder(root)
    with pytest.raises(DatasetError, match="no class folders.* videos in .*other$"):
        open_folder(root / "jumping" / "other")


def test_names_in_nfc_and_nfd_are_one_name(root, tmp_path):
    composed, apart = (unicodedata.normalize(form, "arrêter à 跳绳") for form in ("NFC", "NFD"))
    assert composed != apart
    (root / "running").rename(root / apart)
    split = split_file(tmp_path / "split.json", novel=[composed], base=[apart])
    assert read_split(split, "novel") == read_split(split, "base")
    for classes in ([composed], [apart], None):
        data = open_folder(root, classes)
        assert composed in data.classes and apart not in data.classes
        assert all(path.exists() for path in data.paths)
    with pytest.raises(DatasetError, match="'arr.xeater.*'arre.u0302ter"):
        read_split(split_file(tmp_path / "both.json", novel=[apart, composed]), "novel")
    try:
        (root / composed).mkdir()
    except FileExistsError:
        return  # this system has one name for both
    for refused in (lambda: open_folder(root), lambda: open_folder(root, [composed])):
        with pytest.raises(DatasetError, match="arr.xeater.*arre.u0302ter|arre.u0302ter.*arr.xeater"):
            refused()
    assert any("u0302" in problem for problem in check_folder(root, minimum=0).problems)


def test_a_split_gives_the_classes_of_a_part(tmp_path):
    path = split_file(tmp_path / "split.json", base=["b", "a"], novel=["é"])
    assert read_split(str(path), "base") == ("b", "a")
    assert read_split(path, "novel") == ("é",)
    with pytest.raises(DatasetError, match="test.*base, novel.*split.json"):
        read_split(path, "test")
    path.write_text('{"format_version": 1, "novel": ["a"]}', encoding="utf-8-sig")  # as Windows' editor saves it
    assert read_split(path, "novel") == ("a",)


@pytest.mark.parametrize("names", [["Jump_rope", "jump rope"], ["(b)", "B"], ["running", "jumping", "running"]])
def test_names_that_read_alike_are_refused(root, tmp_path, names):
    split = split_file(tmp_path / "split.json", base=names)
    for refuse in (lambda: open_folder(root, names), lambda: read_split(split, "base")):
        with pytest.raises(DatasetError, match=re.escape(names[-1])):
            refuse()


NO_VERSION, NEWER = '{"novel": ["a"]}', '{"format_version": 2, "novel": ["a"]}'
NO_LIST, NO_NAMES = '{"format_version": 1, "novel": "a"}', '{"format_version": 1, "novel": []}'


HUGE, NO_NUMBER = '{"format_version": ' + "9" * 5000 + "}", '{"format_version": 1e400, "novel": ["a"]}'
WRONG = ["", "[" * 100_000, "[]", NO_VERSION, NEWER, NO_LIST, NO_NAMES, HUGE, NO_NUMBER]


@pytest.mark.parametrize("content", WRONG, ids=lambda value: value[:30])
def test_a_damaged_foreign_or_newer_split_is_refused_by_name(tmp_path, content):
    (tmp_path / "split.json").write_text(content)
    for name in ("split.json", "other.json"):
        with pytest.raises(DatasetError, match=f"{name}$"):
            read_split(tmp_path / name, "novel")


def test_a_part_of_the_sample_world_holds_the_classes_of_its_split(root, tmp_path, monkeypatch):
    samples = tmp_path / "data_samples"
    monkeypatch.setattr(datasets, "SAMPLES", samples)
    samples.mkdir()
    root.rename(samples / "clips")
    (samples / "splits").mkdir()
    split_file(samples / "splits" / "default.json", base=["running"], novel=["jumping"])
    assert sample_world().classes == ("jumping",)
    assert sample_world("base").paths[0] == samples / "clips" / "running" / "a.AVI"
    with pytest.raises(ValueError, match="default.*../x"):
        sample_world(split="../x")
    assert sample_world().stages is None
    (samples / "stages.yaml").write_text("jumping: [stand, rise, land]")
    assert sample_world().stages == (("stand", "rise", "land"),)


SENTENCES = {"jump rope": ["The arms are down.", "the rope is up", "żółć"], "TaiChi": ["a", "b", "c"]}


@pytest.mark.parametrize("written", [json.dumps(SENTENCES), yaml.safe_dump(SENTENCES, allow_unicode=True)])
def test_sentences_come_in_the_order_of_the_classes_whatever_else_the_file_holds(written, tmp_path):
    (tmp_path / "mine.yaml").write_text(written, encoding="utf-8")
    assert read_stages(tmp_path / "mine.yaml", ["JumpRope"]) == (tuple(SENTENCES["jump rope"]),)
    assert read_stages(tmp_path / "mine.yaml", ["tai_chi", "Jump_Rope"]) == (
        ("a", "b", "c"),
        tuple(SENTENCES["jump rope"]),
    )


TWO, NUMBER, EMPTY = "jumping: [a, b]", "jumping: [a, b, 3]", "jumping: [a, '  ', c]"
NO_SENTENCES = [
    TWO,
    NUMBER,
    EMPTY,
    "jumping: a b c",
    "jmping: [a, b, c]",
    "{[1]: 2}",
    "jumping: 2020-99-99",
    "!!python/x y",
]


@pytest.mark.parametrize("content", [*WRONG, *NO_SENTENCES], ids=lambda value: value[:30])
def test_a_class_without_three_sentences_is_named_with_the_file(tmp_path, content):
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(DatasetError, match="mine.yaml$") as error:
        read_stages(tmp_path / "mine.yaml", ["jumping"])
    assert ("jmping" in str(error.value)) == ("jmping" in content)
    with pytest.raises(DatasetError, match="other.yaml$"):
        read_stages(tmp_path / "other.yaml", ["jumping"])


@pytest.mark.parametrize("found", ["['a', 'b']", "a b c", "['a', '', 'c']", "3", "{'a': 'b'}"])
def test_an_error_says_what_was_found_in_place_of_three_sentences(found, tmp_path):
    (tmp_path / "mine.yaml").write_text(f"sitting: [a, b, c]\nrising: [a, b, c]\njumping: {found}")
    with pytest.raises(DatasetError, match=f"'jumping'.*{re.escape(found)}.*rising, sitting"):
        read_stages(tmp_path / "mine.yaml", ["jumping"])


def test_a_syntax_error_of_a_stages_or_split_file_says_in_which_line(tmp_path):
    for name, read, argument in (("mine.yaml", read_stages, ["jumping"]), ("split.json", read_split, "novel")):
        (tmp_path / name).write_text('{"jumping": ["a",\n"b": }')
        with pytest.raises(DatasetError, match=f"line 2.*{name}$"):
            read(tmp_path / name, argument)


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    for again in ("jumping up", "JUMPING_UP"):
        (tmp_path / "mine.yaml").write_text(f"jumping up: [a, b, c]\n{again}: [d, e, f]")
        with pytest.raises(DatasetError, match="jumping up.*mine.yaml$"):
            read_stages(tmp_path / "mine.yaml", ["jumping up"])
    (tmp_path / "split.json").write_text('{"format_version": 1, "novel": ["a"], "novel": ["b"]}')
    with pytest.raises(DatasetError, match="novel.*split.json$"):
        read_split(tmp_path / "split.json", "novel")


def test_an_error_about_lists_of_lists_of_lists_stays_short(tmp_path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in pairwise("abcdefghi")]
    (tmp_path / "mine.yaml").write_text("\n".join([*lines, "jumping: *i"]))
    with pytest.raises(DatasetError, match="jumping") as error:
        read_stages(tmp_path / "mine.yaml", ["jumping"])
    assert len(str(error.value)) < 500
