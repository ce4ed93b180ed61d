"""What decord does to its own process stays there: crashes, hangs, and nothing is left running."""

import contextlib
import os
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from marked_video import numbers_in, write_marked_video

from clipspm_lite.data.clips import find_clip
from clipspm_lite.data.decoding import worker as workers
from clipspm_lite.data.decoding.video import VideoError, count_frames, load_video

# Stands in for decord where a real file would have to be found that brings it down: what it does is the file's content.
BAD_DECORD = """
    import ctypes, os, time

    class logging:
        INFO = 32
        set_level = staticmethod(lambda level: None)

    class DECORDError(Exception): pass
    class DECORDLimitReachedError(Exception): pass

    class VideoReader:
        def __init__(self, path, num_threads, fault_tol):
            what = open(path).read()
            if what == "crash":
                os.abort()
            if what == "hang with the lock":
                ctypes.PyDLL(None).sleep(1000)
            if what == "hang":
                time.sleep(1000)
            if what == "leave":
                os._exit(0)
            raise DECORDError(what)
"""


@pytest.fixture
def clip(tmp_path):
    return write_marked_video(tmp_path / "clip.mp4", 24)


@pytest.fixture
def bad_decord(tmp_path, monkeypatch):
    """Processes that are started from here on have the stand-in, until the test ends."""
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "decord.py").write_text(textwrap.dedent(BAD_DECORD))
    workers.end_workers()
    monkeypatch.syspath_prepend(str(tmp_path / "bad"))
    monkeypatch.setattr(workers, "TIME_LIMIT", 2.0)
    yield
    workers.end_workers()


@pytest.fixture(autouse=True)
def children():
    """The processes that a test started, not what runs already, such as a browser, which starts others of its own."""
    workers.end_workers()
    others = set(psutil.Process().children())
    return lambda: [child for child in psutil.Process().children() if child not in others]


def test_who_works_on_each_frame_may_take_longer_than_the_decoder(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "TIME_LIMIT", 0.3)
    clip = write_marked_video(tmp_path / "long.mp4", 300)
    seen = []

    def slowly(number, picture):
        seen.append(number)
        time.sleep(2.0 if number == 3 else 0)

    assert find_clip(clip).decode((), slowly)[1] == 300
    assert seen == list(range(300))


@pytest.mark.parametrize("what", ["crash", "hang", "hang with the lock", "leave", "said why"])
def test_whatever_decord_does_is_one_error_that_names_the_file(tmp_path, children, bad_decord, what):
    path = tmp_path / "clip.mp4"
    path.write_text(what)
    start = time.monotonic()
    for read in (load_video, count_frames):
        with pytest.raises(VideoError) as error:
            read(path)
        assert str(error.value).endswith(f"or leave it out: {path}")
        expected = {"crash": "crashed", "leave": "crashed", "said why": "said why"}.get(what, "no new frame for 2 s")
        assert expected in str(error.value)
    assert time.monotonic() - start < 30
    assert not children()


def test_good_videos_share_one_process_and_a_bad_one_ends_it(clip, children, tmp_path):
    workers.end_workers()
    load_video(clip)
    (first,) = children()
    load_video(clip)
    assert children() == [first]
    first.kill()  # while it is idle
    first.wait()
    assert numbers_in(load_video(clip, 2)) == [6, 18]
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    with pytest.raises(VideoError):
        load_video(bad)
    assert not children()


def test_an_interrupted_call_leaves_no_half_answer_behind(clip, monkeypatch):
    load_video(clip)
    process = workers._idle[-1]

    class Interrupted:
        def readline(self):
            raise KeyboardInterrupt

        close = process._answers.close

    monkeypatch.setattr(process, "_answers", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        load_video(clip)
    assert process not in workers._idle
    assert numbers_in(load_video(clip, 2)) == [6, 18]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_its_own(clip):
    load_video(clip)
    child = os.fork()
    if not child:
        status = 1
        with contextlib.suppress(BaseException):
            status = 0 if numbers_in(load_video(clip, 2)) == [6, 18] else 2
            workers.end_workers()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert numbers_in(load_video(clip, 2)) == [6, 18]


SCRIPT = """
    import multiprocessing, sys
    from clipspm_lite.data.decoding.video import load_video
    print(len(load_video(sys.argv[1])), flush=True)
    if multiprocessing.parent_process() is None:
        context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else None)
        worker = context.Process(target=load_video, args=(sys.argv[1],), daemon=True)
        worker.start()
        worker.join()
        print(worker.exitcode)
"""


def test_a_script_without_a_main_guard_and_a_daemon_can_read_and_leave_nothing_running(clip, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run([sys.executable, script, clip], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["8", "0"] and not done.stderr, done.stderr
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(script) in (p.info["cmdline"] or [])]


KILLED = """
    import os, signal, sys, threading
    from clipspm_lite.data.decoding import worker as workers
    from clipspm_lite.data.decoding.video import load_video
    workers.TIME_LIMIT = 2
    threading.Thread(target=load_video, args=(sys.argv[1],), daemon=True).start()
    while not workers._all: pass
    (process,) = workers._all
    print(process._process.pid, flush=True)
    threading.Event().wait(0.3)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_a_hanging_decoder_ends_though_its_caller_was_killed(tmp_path, bad_decord):
    path = tmp_path / "clip.mp4"
    path.write_text("hang with the lock")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), path], capture_output=True, env=environment, timeout=120
    )
    assert done.returncode == -9
    pid, end = int(done.stdout), time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "it is still there"
        time.sleep(0.1)


@pytest.mark.parametrize("content", ["raise ModuleNotFoundError(\"No module named 'decord'\")", ""])
def test_a_missing_or_broken_decoder_is_one_line_with_the_commands_that_help(
    content, clip, children, tmp_path, monkeypatch
):
    (tmp_path / "decord").mkdir()
    (tmp_path / "decord" / "__init__.py").write_text(content)  # empty: another package that shares it was removed
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RuntimeError, match="uninstall -y decord decord2 .* install") as error:
        load_video(clip)
    assert "\n" not in str(error.value) and sys.executable in str(error.value) and not children()
