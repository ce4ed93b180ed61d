"""Where data enters: names, splits, folders, features, episodes, support, and the settings of work on them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from few_examples import few
from hypothesis import given
from hypothesis import strategies as st

from clipspm_lite.clip.backbone import load_backbone, public_name
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.clip.prompts import fill_templates
from clipspm_lite.data.benchmarks import BENCHMARKS, class_key, find_benchmark, open_benchmark, read_video_lists
from clipspm_lite.data.datasets import (
    DatasetError,
    check_class_names,
    class_folders,
    open_folder,
    read_split,
    reversed_pairs,
    sample_world,
    video_names,
)
from clipspm_lite.data.encoded import EncodedDataset, check_finite
from clipspm_lite.data.episodes import EpisodeSampler, gather
from clipspm_lite.data.inspection import Report, check, check_benchmark
from clipspm_lite.data.names import on_one_line, on_terminal, printable, readable
from clipspm_lite.evaluation.benchmark_table import Entry, measure
from clipspm_lite.evaluation.published import published_numbers
from clipspm_lite.evaluation.scoring import evaluate, evaluate_pairs, paired_difference, pooled
from clipspm_lite.exercises import check as check_answer
from clipspm_lite.exercises import exercises
from clipspm_lite.exercises.exercise import tensor_hint
from clipspm_lite.model.baselines import otam
from clipspm_lite.recognition.leave_one_out import LeaveOneOut, leave_one_out
from clipspm_lite.recognition.recogniser import Recogniser, Support, ask, method_name
from clipspm_lite.storage.files import check_writable

ODD = [None, 0, -1, 1.5, float("nan"), float("inf"), "3", [], True, 10**30]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def tiny():
    return load_backbone("tiny")


@few
@given(name=st.text(st.characters(), max_size=20))
def test_any_name_reads_as_plain_words_once_and_prints_on_one_line(name):
    words = readable(name)
    assert readable(words) == words and words == words.strip().lower() and "_" not in words
    assert printable(name).isprintable() and on_terminal(name.replace("\n", "")).isprintable()
    assert on_one_line(name).isprintable() and on_terminal(name).count("\n") == name.count("\n")


def test_a_line_break_in_a_name_makes_no_line_of_a_report():
    report = Report(Path("my\nvideos"), {"a": 2}, (), ())
    assert str(report).splitlines() == [
        r"'my\nvideos': 1 classes, 2 videos that can be read (2 to 2 a class)",
        "usable",
    ]
    clips = LeaveOneOut(("a", "b\nc"), asked=(0, 0), answers={"otam": (0, 0)}, never_asked=("b\nc",))
    assert r"'b\nc' not" in str(clips).splitlines()[0]


@few
@given(content=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), part=st.text(max_size=5))
def test_any_file_is_a_split_or_refused_by_name(content, part, tmp_path):
    path = tmp_path / "split.json"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="split.json$"):
        read_split(path, part)


@few
@given(names=st.lists(st.text(max_size=6) | JSON, max_size=4))
def test_any_list_of_classes_is_readable_names_or_refused(names, tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"format_version": 1, "novel": names}))
    try:
        classes = read_split(path, "novel")
    except DatasetError as error:
        assert str(error).endswith("split.json")
        return
    words = [readable(name) for name in classes]
    assert list(classes) == names and all(words) and len(set(words)) == len(words)
    with pytest.raises(DatasetError, match="has no folder here"):
        open_folder(tmp_path, classes)


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a"],
        ["Jump_rope", "jump rope"],
        ["ApplyMakeup", "apply makeup"],
        ["(b)", "B"],
        ["_"],
        [""],
        [1],
        ["\ud800"],
    ],
)
def test_names_that_read_alike_or_as_nothing_are_refused_wherever_they_enter(names, tmp_path, tiny):
    with pytest.raises(DatasetError):
        check_class_names(names, tmp_path)
    if len(names) == 2:
        features, mask = torch.ones(2, 1, 3, 4), torch.ones(2, 1, dtype=torch.bool)
        with pytest.raises(ValueError, match="different names"):
            Support(tuple(names), features, mask, torch.ones(2, 4))
    else:
        with pytest.raises((ValueError, TypeError), match="names: "):
            tiny.encode_class_names(names)


def test_a_split_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "split.json").write_text('{"format_version": 1, "novel": ["a"]}', encoding="utf-8-sig")
    assert read_split(tmp_path / "split.json", "novel") == ("a",)


@pytest.mark.parametrize("wrong", ["nowhere", "file", "a\0b", "n" * 300])
def test_what_is_no_folder_is_refused_by_name(wrong, tmp_path):
    (tmp_path / "file").write_text("x")
    for opener in (open_folder, check, lambda root: open_benchmark("hmdb51", root)):
        with pytest.raises((DatasetError, OSError)) as error:
            opener(tmp_path / wrong)
        assert wrong[:5] in str(error.value)
    assert class_folders(tmp_path) == () and video_names(tmp_path) == ()


@pytest.mark.parametrize("name", ["", "HMDB51", "kinetics"])
def test_an_unknown_benchmark_split_or_part_is_refused_with_the_known_ones(name, tmp_path):
    for call in (find_benchmark, lambda n: check_benchmark(n, tmp_path), lambda n: open_benchmark(n, tmp_path)):
        with pytest.raises(DatasetError, match="there are hmdb51"):
            call(name)
    with pytest.raises(DatasetError, match="the parts are base, validation, novel"):
        open_benchmark("hmdb51", tmp_path, name)
    with pytest.raises(DatasetError, match="there are default"):
        sample_world("novel", name)
    with pytest.raises(DatasetError, match="no part"):
        sample_world(name)
    assert reversed_pairs([name]) == [] and published_numbers(name, "ViT-B/16", 1) == []
    assert public_name(name) == name and class_key(name) == class_key(name.lower())


@few
@given(text=st.text(max_size=60) | st.binary(max_size=60))
def test_any_text_is_a_video_list_or_refused_by_name_and_line(text, tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
    try:
        listed = read_video_lists(BENCHMARKS["ssv2_small"], [path])
    except DatasetError as error:
        assert "list.txt" in str(error)
    else:
        assert not any(listed.values())


@pytest.mark.parametrize("name", ["way", "shot", "queries"])
@pytest.mark.parametrize("value", [value for value in ODD if value is not True])
def test_episodes_of_sizes_that_cannot_be_are_refused_by_name(name, value, encoded):
    with pytest.raises(ValueError, match=name):
        EpisodeSampler([3, 3, 3], **{"way": 2, name: value})
    with pytest.raises(ValueError, match=name):
        evaluate(otam, encoded(), **{"way": 2, name: value})


@pytest.mark.parametrize("index", ["0", 1.5, None, -1])
def test_an_index_that_is_no_episode_is_refused(index):
    with pytest.raises((TypeError, IndexError)):
        EpisodeSampler([3, 3], way=2)[index]


@few
@given(
    counts=st.lists(st.integers(0, 5), max_size=5),
    way=st.integers(1, 4),
    shot=st.integers(1, 3),
    index=st.integers(0, 10**12),
)
def test_any_data_set_gives_whole_episodes_or_is_refused(counts, way, shot, index):
    try:
        episode = EpisodeSampler(counts, way, shot)[index]
    except ValueError as error:
        assert way > len(counts) or min(counts) < shot + 1, error
        return
    videos = [video for shots in episode.support for video in shots] + list(episode.query)
    assert len(set(videos)) == way * (shot + 1) and max(videos) < sum(counts)


def test_episodes_of_another_data_set_are_refused_before_a_gpu_would_end_the_process():
    features, text = torch.randn(4, 3, 2), torch.randn(2, 2)
    episode = EpisodeSampler([2, 2], way=2)[0]
    assert gather(features, text, [episode]).support.shape == (1, 2, 1, 3, 2)
    for wrong in (
        [],
        [replace(episode, query=(0, 4))],
        [replace(episode, classes=(0, 2))],
        [replace(episode, query=(-1, 0))],
    ):
        with pytest.raises(ValueError, match="episodes: "):
            gather(features, text, wrong)
    with pytest.raises(ValueError):
        gather(features, text, [episode, EpisodeSampler([2, 2], way=1)[0]])


SOUND = dict(classes=("a", "b"), videos_per_class=(2, 1), features=torch.ones(3, 4, 5), class_text=torch.ones(2, 5))
NAN = torch.full((3, 4, 5), float("nan"))
WRONG_DATA = [
    ("classes", ()),
    ("classes", ("a", "a")),
    ("classes", ("a",)),
    ("videos_per_class", (3, 0)),
    ("videos_per_class", (2, 2)),
    ("videos_per_class", (3,)),
    ("features", torch.ones(3, 4)),
    ("features", torch.ones(0, 4, 5)),
    ("features", torch.ones(3, 0, 5)),
    ("features", torch.ones(3, 4, 6)),
    ("features", torch.ones(3, 4, 5).long()),
    ("features", [[1.0]]),
    ("features", NAN),
    ("features", torch.ones(3, 4, 5).index_put((torch.tensor(1),), torch.tensor(float("-inf")))),
    ("class_text", torch.ones(3, 5)),
    ("class_text", torch.ones(2, 6)),
    ("class_text", torch.ones(5)),
    ("class_text", NAN[0, :2]),
    ("class_text", torch.ones(2, 5, dtype=torch.complex64)),
]


@pytest.mark.parametrize("name, value", WRONG_DATA)
def test_an_encoded_data_set_that_is_none_is_refused_by_name(name, value):
    assert len(EncodedDataset(**SOUND).fingerprint) == 64
    with pytest.raises((ValueError, TypeError), match="classes|videos_per_class|features|class_text"):
        EncodedDataset(**SOUND | {name: value})


def test_a_fingerprint_is_of_the_values_not_of_how_they_lie_in_memory():
    spread = torch.ones(3, 4, 10)[..., ::2].requires_grad_()
    assert EncodedDataset(**SOUND | {"features": spread}).fingerprint == EncodedDataset(**SOUND).fingerprint


@pytest.mark.parametrize("classes", [[], ["c"], ["a", "a"], "ab?"])
def test_a_subset_of_other_classes_is_refused(classes):
    with pytest.raises(ValueError, match="classes: expected"):
        EncodedDataset(**SOUND).subset(classes)


@pytest.mark.parametrize("name", ["episodes", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3", None])
def test_evaluation_refuses_numbers_that_are_none(name, value, encoded):
    with pytest.raises(ValueError, match=f"{name}: expected a whole number"):
        evaluate(otam, encoded(), **{"way": 2, name: value})


def test_evaluation_says_that_it_takes_features_and_a_method_to_call(encoded):
    with pytest.raises(TypeError, match="data: .*found a VideoDataset: FeatureStore.encode_dataset"):
        evaluate(otam, sample_world())
    with pytest.raises(TypeError, match="str"):
        evaluate("otam", encoded())


class Answer:
    def __init__(self, logits):
        self.logits = logits


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t[0], "logits"),
        (lambda t: t[..., :1], "logits"),
        (lambda t: t.mT[..., :1], "logits"),
        (lambda t: t * float("nan"), "NaN"),
    ],
)
def test_a_method_whose_logits_are_no_answer_is_refused(change, message, encoded):
    with pytest.raises(ValueError, match=f"method: .*{message}"):
        evaluate(lambda *episode: Answer(change(otam(*episode).logits)), encoded(), way=3, episodes=5)


def test_results_of_other_episodes_or_of_none_are_refused(encoded):
    data = encoded()
    one = evaluate(otam, data, way=2, episodes=5)
    with pytest.raises(ValueError, match="same episodes"):
        paired_difference(one, evaluate(otam, data, way=2, episodes=6))
    with pytest.raises(ValueError, match="none of them"):
        evaluate_pairs(otam, data, [("a", "b")])
    with pytest.raises(ValueError):
        pooled([])


def support(**changes):
    return Support(
        **dict(
            classes=("a", "b"),
            features=torch.randn(2, 2, 3, 4),
            mask=torch.ones(2, 2, dtype=torch.bool),
            class_text=torch.randn(2, 4),
        )
        | changes
    )


@pytest.mark.parametrize(
    "changes",
    [
        dict(classes=("a",)),
        dict(classes=("a", "b", "c")),
        dict(features=torch.randn(2, 2, 4)),
        dict(features=[1]),
        dict(features=torch.randn(2, 0, 3, 4)),
        dict(features=torch.full((2, 2, 3, 4), float("inf"))),
        dict(mask=torch.ones(2, 2)),
        dict(mask=torch.zeros(2, 2, dtype=torch.bool)),
        dict(mask=None),
        dict(class_text=torch.randn(2, 5)),
        dict(class_text=torch.full((2, 4), float("nan"))),
        dict(class_text=torch.randn(2, 4).double()),
    ],
)
def test_a_support_that_is_none_is_refused(changes):
    with pytest.raises((ValueError, TypeError)):
        support(**changes)


def test_what_stands_in_the_place_of_a_missing_clip_does_not_matter():
    features, mask = torch.randn(2, 2, 3, 4), torch.tensor([[True, True], [True, False]])
    features[1, 1] = float("nan")
    assert ask("otam", support(features=features, mask=mask), torch.randn(1, 3, 4)).logits.isfinite().all()


@pytest.mark.parametrize("method", ["nonsense", "", None, 3, otam, torch.nn.Linear(1, 1)])
def test_what_is_no_method_is_refused_with_the_known_ones(method, tiny, tmp_path):
    store = FeatureStore(tiny, tmp_path)
    for call in (method_name, lambda m: Recogniser(m, store), lambda m: leave_one_out([m], support())):
        with pytest.raises(ValueError, match="method: expected a head or one of zero-shot"):
            call(method)


@pytest.mark.parametrize("methods", [[], ["otam", "otam"]])
def test_methods_to_choose_from_are_different_ones(methods):
    with pytest.raises(ValueError, match="methods: expected different ones"):
        leave_one_out(methods, support())


def test_one_path_in_place_of_a_list_is_said_so(tiny, tmp_path):
    store = FeatureStore(tiny, tmp_path)
    for path in ("clip.mp4", Path("clip.mp4")):
        with pytest.raises(TypeError, match=r"use \['clip.mp4'\]"):
            store.encode(path)
        with pytest.raises(TypeError, match=r"use \['clip.mp4'\]"):
            Recogniser("otam", store, support()).predict(path)
    with pytest.raises(TypeError, match="use \\['a'\\]"):
        tiny.encode_class_names("a")
    with pytest.raises(ValueError, match="at least one video"):
        store.encode([])


@pytest.mark.parametrize("frames", [0, -1, 1001, "8", 8.5, None])
def test_no_number_of_frames_is_refused(frames, tiny, tmp_path):
    with pytest.raises(ValueError, match="frames: expected a whole number from 1 to 1000, found"):
        FeatureStore(tiny, tmp_path, frames=frames)


@pytest.mark.parametrize("resize", [0, 63, 64.5, "64"])
def test_a_resize_that_leaves_no_square_is_refused(resize, tiny, tmp_path):
    with pytest.raises(ValueError, match="resize: expected a whole number of at least 64, found"):
        FeatureStore(tiny, tmp_path, resize=resize)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "8", None])
def test_counts_that_are_none_are_refused_by_name(wrong, tiny, tmp_path):
    store, frames = FeatureStore(tiny, tmp_path), torch.rand(1, 3, SIZE, SIZE)
    for name, refuse in {
        "chunk": lambda: tiny.encode_frames(frames, chunk=wrong),
        "minimum": lambda: check("nowhere", minimum=wrong or None),  # 0 asks for no videos
        "episodes": lambda: measure([Entry("otam", 1, otam, store)], sample_world(), data="", episodes=wrong),
    }.items():
        with pytest.raises(ValueError, match=f"{name}: expected a whole number of at least .*, found"):
            refuse()


@pytest.mark.parametrize("where", ["file/store", "file"])
def test_a_store_that_cannot_be_written_is_refused_before_a_video_is_read(where, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("clipspm_lite.clip.feature_store.load_video", lambda *_, **__: pytest.fail("read a video"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="cannot be written"):
        FeatureStore(tiny, tmp_path / where).encode(sample_world().paths[:1])
    with pytest.raises(OSError, match="cannot be written"):
        check_writable(tmp_path)


def test_features_that_are_not_finite_are_never_given_out(tiny, tmp_path, monkeypatch):
    store = FeatureStore(tiny, tmp_path)
    monkeypatch.setattr(store, "_encode", lambda videos: torch.full((len(videos), 8, tiny.dim), float("nan")))
    with pytest.raises(ValueError, match="not finite"):
        store.encode(sample_world().paths[:1])
    with pytest.raises(ValueError, match="x: expected floating-point"):
        check_finite("x", torch.ones(2, dtype=torch.long))


SIZE = 64
NO_FRAMES = {
    "whole numbers": lambda t: (255 * t).byte(),
    "0 to 255": lambda t: 255 * t,
    "below 0": lambda t: t - 1,
    "NaN": lambda t: t * float("nan"),
    "two channels": lambda t: t[:, :2],
    "no time axis": lambda t: t[0],
    "channels last": lambda t: t.permute(0, 2, 3, 1),
    "another size": lambda t: t[..., 1:, 1:],
    "on another device": lambda t: t.to("meta"),
    "an array": lambda t: t.numpy(),
    "a list": lambda t: list(t),
}


@pytest.mark.parametrize("wrong", NO_FRAMES)
def test_the_backbone_refuses_what_are_no_frames(wrong, tiny):
    with pytest.raises((ValueError, TypeError), match="^frames "):
        tiny.encode_frames(NO_FRAMES[wrong](torch.rand(2, 3, SIZE, SIZE)))


@few
@given(
    leading=st.lists(st.integers(0, 2), min_size=1, max_size=2), dtype=st.sampled_from([torch.float64, torch.float16])
)
def test_the_backbone_takes_frames_of_any_floating_dtype_laid_out_in_any_way(leading, dtype, tiny):
    frames = torch.rand(*leading, 3, SIZE, SIZE).to(dtype)
    features = tiny.encode_frames(frames)
    assert features.shape == (*leading, tiny.dim) and features.isfinite().all()
    torch.testing.assert_close(tiny.encode_frames(frames.mT.contiguous().mT), features, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("templates", [[], ["no place"], ["{} and {}"], "a {}"])
def test_templates_without_one_place_for_the_name_are_refused(templates):
    with pytest.raises(ValueError, match="templates"):
        fill_templates("x", templates)


ANSWERS = [
    None,
    ...,
    0,
    float("nan"),
    "text",
    [],
    {},
    torch.ones(2),
    torch.full((8, 8), float("nan")),
    len,
    object(),
    Exception,
    (lambda: None),
    (lambda *a, **k: torch.ones(())),
    (lambda *a, **k: a[0] if a else None),
]


@pytest.mark.parametrize("number", sorted(exercises()))
def test_no_answer_to_an_exercise_ends_in_a_traceback(number, capsys):
    for answer in ANSWERS:
        check_answer(number, answer)
        assert capsys.readouterr().out.startswith(f"Exercise {number}: not yet. ")


def test_no_number_of_an_exercise_ends_in_a_traceback(capsys):
    for number in (None, 1.1, "1.1", "", [], "99.1"):
        check_answer(number, 0)
        assert "There is no exercise" in capsys.readouterr().out
    assert tensor_hint("x", torch.ones(1)) and tensor_hint(torch.ones(2), torch.ones(1))
