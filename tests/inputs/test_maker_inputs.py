"""The commands that made the committed clips and the tiny CLIP: a wrong option is one line before any work."""

import pytest

from clipspm_lite.tiny_clip import train as tiny_clip
from clipspm_lite.world import write as clips

NO_FOLDER = ["", "file", "file/x"]
WRONG = [
    *((clips, "--out", value) for value in NO_FOLDER),
    *((clips, "--processes", value) for value in ("0", "-1", "x", "1.5", "999999", "")),
    *((tiny_clip, option, value) for option in ("--out", "--cache") for value in NO_FOLDER),
    *((tiny_clip, "--seed", value) for value in ("-1", "x", "1.5", str(2**63), "")),
]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A call of a command where nothing may be rendered: its exit status and the lines of its error."""

    def work(*_, **__):
        pytest.fail("the work was started")

    (tmp_path / "file").write_text("x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clips, "ProcessPoolExecutor", work)
    monkeypatch.setattr(tiny_clip.multiprocessing, "get_context", work)

    def call(command, *arguments):
        monkeypatch.setattr("sys.argv", ["command", *arguments])
        with pytest.raises(SystemExit) as stop:
            command.main()
        return stop.value.code, capsys.readouterr().err.splitlines()

    return call


@pytest.mark.parametrize(("command", "option", "value"), WRONG)
def test_a_wrong_option_is_one_line_before_any_work(command, option, value, run):
    good = ["--out", "out"] if command is clips else ["--out", "out", "--cache", "cache"]
    status, [line] = run(command, *good, option, value)
    assert status in (1, 2) and line.startswith("error: ") and 20 < len(line) < 400
    assert option in line or "cannot be written" in line


def test_without_pyav_no_clips_are_written_and_it_is_said_what_to_install(run, monkeypatch):
    monkeypatch.setattr(clips, "find_spec", lambda _: None)
    assert run(clips) == (
        1,
        ["error: clips are encoded with PyAV, which is not installed: pip install -e '.[world]'"],
    )
