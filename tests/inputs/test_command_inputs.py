"""Commands with options that cannot be: one line that says so, an exit status, and nothing read or written before."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from few_examples import few
from hypothesis import given
from hypothesis import strategies as st

from clipspm_lite.__main__ import main
from clipspm_lite.checkpoints import LITE_MODEL
from clipspm_lite.data.datasets import SAMPLES

NO_COUNT = ["0", "-1", "x", "1.5", "nan", "", "1e3", "٣٣x", str(10**30)]
NO_SEED = ["-1", "x", "1.5", "", str(2**63)]
NO_FRAMES = [*NO_COUNT, "1001"]
NO_DEVICE = ["foo", "cuda:99", "meta", "", "CPU", "cpu:1"]
NO_BACKBONE = ["nowhere", "", "local-dir:", "local-dir:nowhere", "local-dir:file", "RN50"]
NO_WEIGHTS = ["x", "", "file", "data", "nowhere.pt"]  # the tiny CLIP has its own
NO_STORE = ["file", "file/x", ""]
NO_DATA = ["nowhere", "file", "", "empty", "same", "wordless", "clipless", "two.json"]
NO_SPLIT = [
    "nowhere.json", "", "data", "file", "broken.json", "list.json", "numbers.json", "text.json", "none.json",
    "twice.json", "alike.json", "outside.json", "absent.json", "newer.json", "latin.json", "deep.json",
    "surrogate.json", "wordless.json", "long.json",
]  # fmt: skip
NO_HEAD = ["nowhere", "data", "file", "", "empty.safetensors"]
NO_FILE = ["", "data", "file/x"]  # to be written

# The command that can run, and for each of its options what it cannot take.
DATA = {
    "--data": NO_DATA,
    "--split": NO_SPLIT,
    "--benchmark": ["x", "ucf101", "ssv2_full"],
    "--video-list": ["x"],
}
BACKBONE = {
    "--backbone": NO_BACKBONE, "--weights": NO_WEIGHTS, "--frames": NO_FRAMES, "--device": NO_DEVICE,
    "--store": NO_STORE,
}  # fmt: skip
EPISODES = {
    "--way": [*NO_COUNT, "4"], "--queries": [*NO_COUNT, "3"], "--episodes": NO_COUNT, "--seed": NO_SEED,
    "--part": ["", "test", "Novel"],
}  # fmt: skip
COMMANDS = {
    "evaluate": (
        ["--data", "data", "--way", "2", "--episodes", "4", "--store", "store"],
        DATA | BACKBONE | EPISODES
        | {"--shot": [*NO_COUNT, "3"], "--method": ["x", ""], "--checkpoint": NO_HEAD,
           "--dataset-settings": ["x", "hmdb51"]},
    ),
    "table": (
        ["--data", "data", "--way", "2", "--episodes", "4", "--shots", "1", "--store", "store"],
        DATA | BACKBONE | EPISODES
        | {"--shots": [*NO_COUNT, "3"], "--methods": ["x", ""], "--checkpoint": NO_HEAD, "--results": NO_FILE,
           "--figure": [*NO_FILE, "table.pdf", "table"], "--episodes": [*NO_COUNT, "1"],
           "--dataset-settings": ["x", "hmdb51"]},
    ),
    "train": (
        ["--out", "run", "--data", "data", "--split", "good.json", "--way", "1", "--store", "store"],
        DATA | BACKBONE
        | {"--frames": [*NO_FRAMES, "1"],
            "--out": ["", "file", "file/x", "trained"], "--way": [*NO_COUNT, "2"], "--shot": [*NO_COUNT, "9"],
           "--steps": NO_COUNT, "--episodes-per-step": NO_COUNT, "--patience": NO_COUNT, "--seed": NO_SEED,
           "--learning-rate": ["0", "-1", "nan", "inf", "-inf", "x", ""], "--preset": ["x", ""],
           "--devices": [*NO_COUNT, "9"], "--nodes": [*NO_COUNT, "9"],
           "--precision": ["x", "", "16-mixed", "bf16-mixed"]},
    ),
    "predict": (
        ["clip.mp4", "--support", "data", "--store", "store"],
        BACKBONE
        | {"--support": [*NO_DATA, "single"], "--recogniser": ["nowhere", "data", "file", "", "head.safetensors"],
           "--save": NO_FILE, "--method": ["x", ""], "--checkpoint": NO_HEAD},
    ),
    "compare": (
        ["--out", "runs"],
        {"--out": ["", "file", "file/x"], "--seeds": NO_SEED, "--part": ["x", "base", ""], "--shot": [*NO_COUNT, "19"],
         "--episodes": NO_COUNT, "--seed": NO_SEED, "--results": NO_FILE, "--figure": [*NO_FILE, "figure.pdf"],
         "--reference": ["x", "", "trx"], "--extensions": ["x", ""]},
    ),
    "start": ([], {"--out": ["", "file", "file/x"]}),
    "check": (
        ["data"],
        {"--minimum": NO_COUNT, "--benchmark": ["x", "ssv2_full"], "--video-list": ["x"]},
    ),
}  # fmt: skip


class WorkStarted(BaseException):
    """A video was about to be read."""


@pytest.fixture(scope="module", autouse=True)
def small_world(tmp_path_factory):
    """A working folder with three classes of three clips, and much that is none. No video may be read."""
    here = tmp_path_factory.mktemp("world")
    names = ("a_ball_bouncing", "a_ball_falling", "a_ball_rising")
    clips = [sorted((SAMPLES / "clips" / name).iterdir())[:3] for name in names]

    def make(folder, *classes):
        for name, files in zip(classes, clips, strict=False):
            (here / folder / name).mkdir(parents=True)
            for file in files:
                shutil.copy(file, here / folder / name)

    make("data", *names)
    make("same", "Jump_rope", "jump rope", "c")
    make("wordless", "___", "b", "c")
    make("single", names[0])
    (here / "clipless" / "a").mkdir(parents=True)
    (here / "empty").mkdir()
    (here / "trained").mkdir()
    (here / "trained" / "last.safetensors").write_text("a run")
    (here / "file").write_text("x")
    (here / "empty.safetensors").write_bytes(b"")
    shutil.copy(LITE_MODEL, here / "head.safetensors")
    shutil.copy(clips[0][0], here / "clip.mp4")
    a, b, c = names
    for name, novel in {
        "good": f'["{c}"]', "numbers": "[1, 2]", "text": '"a"', "none": "[]", "twice": f'["{a}", "{a}"]',
        "alike": '["Jump_rope", "jump rope"]', "outside": '["..", "a/b"]', "absent": '["nowhere"]',
        "surrogate": '["\\ud800"]', "wordless": '["()"]', "long": f'["{"a" * 300}"]', "two": f'["{a}", "{b}"]',
    }.items():  # fmt: skip
        base = f'["{a}"]' if name in ("good", "two") else novel
        split = f'{{"format_version": 1, "base": {base}, "validation": ["{b}"], "novel": {novel}}}'
        (here / f"{name}.json").write_text(split)
    (here / "broken.json").write_text("{")
    (here / "list.json").write_text("[1]")
    (here / "newer.json").write_text('{"format_version": 99, "novel": ["a"]}')
    (here / "latin.json").write_bytes('{"format_version": 1, "novel": ["é"]}'.encode("latin-1"))
    (here / "deep.json").write_text("[" * 100_000)

    def read(*_, **__):
        raise WorkStarted

    with pytest.MonkeyPatch.context() as patch:
        for place in (
            "features.load_video",
            "sources.load_video",
            "data.check.count_frames",
            "notebooks.execute",
        ):
            patch.setattr(f"clipspm_lite.{place}", read)
        patch.setattr("clipspm_lite.__main__.train", read)
        patch.setenv("XDG_CACHE_HOME", str(here / "cache"))  # no features that were stored before
        patch.chdir(here)
        yield here


def run(arguments, capsys):
    """Exit status and what is on stderr."""
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    return status, capsys.readouterr().err


def tree():
    return {path: path.stat().st_mtime_ns for path in Path().rglob("*")}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_below_run_where_nothing_is_wrong(command):
    with pytest.raises(WorkStarted):
        main([command, *COMMANDS[command][0]])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["compare", "--out", "runs", "--seeds", "0", "0"], "--seeds: one is there twice"),
        (["compare", "--out", "runs", "--committed", "--shot", "3"], "--committed"),
        (["table", "--results", "one.png", "--figure", "one.png"], "one file cannot be both"),
        (
            ["evaluate", "--method", "otam", "--checkpoint", "head.safetensors"],
            "--checkpoint: only a trained head",
        ),
        (
            ["evaluate", "--method", "otam", "--dataset-settings", "hmdb51"],
            "--dataset-settings: only a trained head",
        ),
        (
            ["predict", "--support", "data", "clip.mp4", "--method", "otam", "--checkpoint", "x"],
            "only a trained head",
        ),
        (
            ["predict", "--support", "data", "clip.mp4", "nowhere.mp4", "data"],
            "nothing was done: nowhere.mp4, data",
        ),
        (["predict", "--recogniser", "head.safetensors", "clip.mp4"], "knows no actions"),
        (["predict", "--support", "data", "--recogniser", "x", "clip.mp4"], "not allowed with"),
        (["predict", "clip.mp4"], "--support --recogniser is required"),
        (
            ["evaluate", "--data", "data", "--part", "validation"],
            "--part validation: --data alone has no parts",
        ),
        (["evaluate", "--split", "study_c"], "no split 'study_c'.*default, study_a, study_b"),
        (["train", "--data", "data"], "--out"),
        (["nonsense"], "invalid choice: 'nonsense'.*start.*predict"),
        ([], "COMMAND"),
        (["evaluate", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_options_that_do_not_go_together_are_named(arguments, message, capsys):
    assert re.search(message, refused(arguments, capsys))


@pytest.mark.parametrize("missing", ["nbformat", "nbclient"])
def test_start_without_the_packages_of_notebooks_says_what_to_install(missing, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "clipspm_lite.notebooks", raising=False)
    monkeypatch.delattr("clipspm_lite.notebooks", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    assert "pip install -e '.[notebooks]'" in refused(["start"], capsys)


def test_a_folder_where_nothing_may_be_written_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("os.access", lambda *_: False)  # a test that runs as root may write everywhere
    for arguments in (["train", *COMMANDS["train"][0]], ["start"], ["table", "--results", "x.json"]):
        assert "cannot be written" in refused(arguments, capsys)


def refused(arguments, capsys):
    before = tree()
    status, error = run(arguments, capsys)
    assert status in (1, 2), arguments
    last = error.strip().splitlines()[-1]
    assert last.startswith("error: ") and 20 < len(last) < 400, last
    rest = error.strip().splitlines()[:-1]
    assert all(line.startswith("warning: the tiny CLIP") for line in rest), rest
    assert tree() == before
    return last


@pytest.mark.parametrize(
    "command, option, value",
    [
        (command, option, value)
        for command, (_, options) in COMMANDS.items()
        for option, values in options.items()
        for value in values
    ],
)
def test_one_wrong_option_is_one_line_before_any_work(command, option, value, capsys):
    arguments, _ = COMMANDS[command]
    refused([command, *arguments, option, value], capsys)


@few
@given(data=st.data())
def test_several_wrong_options_are_still_one_line(data, capsys):
    command = data.draw(st.sampled_from(sorted(COMMANDS)))
    good, options = COMMANDS[command]
    chosen = data.draw(st.lists(st.sampled_from(sorted(options)), min_size=1, max_size=4, unique=True))
    arguments = [command, *good]
    for option in chosen:
        arguments += [option, data.draw(st.sampled_from(options[option]))]
    refused(arguments, capsys)


TEXT_OPTIONS = (
    "--data",
    "--split",
    "--part",
    "--backbone",
    "--weights",
    "--device",
    "--store",
    "--checkpoint",
)


@few
@given(
    command=st.sampled_from(["evaluate", "table", "predict"]),
    option=st.sampled_from(TEXT_OPTIONS),
    text=st.text(max_size=8),
)
def test_any_text_is_taken_or_refused_in_one_line(command, option, text, capsys):
    arguments = [command, *COMMANDS[command][0], option, text]
    try:
        status, error = run(arguments, capsys)
    except WorkStarted:
        assert option in ("--store", "--part"), arguments
        return
    *warnings, last = error.splitlines()
    assert status in (1, 2) and last.startswith("error: "), (arguments, error)
    assert all(line.startswith("warning: the tiny CLIP") for line in warnings), (arguments, error)


BROKEN = "file/a\nb\tc"  # no such file, and none that could be written


@pytest.mark.parametrize(
    "arguments",
    [
        *(["evaluate", option, BROKEN]
          for option in ("--data", "--split", "--backbone", "--weights", "--device", "--checkpoint", "--method")),
        ["evaluate", "--data", "data", "--split", BROKEN],
        ["table", "--results", BROKEN],
        ["table", "--figure", BROKEN],
        ["train", "--out", BROKEN],
        ["compare", "--out", "runs", "--reference", BROKEN],
        ["predict", BROKEN, "--support", "data"],
        ["predict", "clip.mp4", "--support", "data", "--save", BROKEN],
        ["predict", "clip.mp4", "--recogniser", BROKEN],
        ["check", BROKEN],
        ["start", "--out", BROKEN],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_line_break_in_a_name_is_spelled_out(arguments, capsys):
    assert r"file/a\nb\tc" in refused(arguments, capsys)


@pytest.mark.parametrize("option", ["--data", "--support"])
@pytest.mark.parametrize("classes", [["a\nb"], ["a\nb", "a b"], ["\n", "b"], []])
def test_a_line_break_in_a_class_or_folder_is_spelled_out(option, classes, tmp_path, capsys):
    folder = tmp_path / "my\nvideos"
    for name in classes:
        (folder / name).mkdir(parents=True)
    command = ["evaluate", "--method", "otam"] if option == "--data" else ["predict", "clip.mp4"]
    assert r"my\nvideos" in refused([*command, option, str(folder)], capsys)
