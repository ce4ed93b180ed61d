"""A clip that is uploaded, as ipywidgets 7 and 8 hand it over, or named by its path: it is answered and not kept."""

import shutil
from datetime import datetime
from pathlib import Path

import ipywidgets as widgets
import pytest
from conftest import seen

from clipspm_lite.clip.backbone import load_backbone
from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL, load_model
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import VideoDataset, sample_world
from clipspm_lite.recognition.recogniser import Recogniser
from clipspm_lite.widgets.base import NO_PICTURE
from clipspm_lite.widgets.own_clip import own_clip_explorer


@pytest.fixture(scope="module")
def support():
    world = sample_world("validation")
    names = ("raising_a_box", "lowering_a_box", "waving_the_left_arm")
    videos = (world.videos[world.classes.index(name)][: 3 - k] for k, name in enumerate(names))
    return VideoDataset(world.root, names, tuple(videos))


@pytest.fixture
def explorer(support, tmp_path):
    store = FeatureStore(load_backbone("tiny"), tmp_path)
    methods = {"zero-shot": "zero-shot", "clip-spm": load_model(LITE_INDUCTIVE_MODEL)[0]}
    recognisers = {name: Recogniser(method, store).with_support(support) for name, method in methods.items()}
    return own_clip_explorer(recognisers, support, support.paths[0])


def part(explorer, kind):
    return next(child for child in explorer.children[0].children if type(child) is kind)


def upload(explorer, name, content):
    """What the browser's part of the button does, in the widget's version."""
    button = part(explorer, widgets.FileUpload)
    if isinstance(button.value, dict):
        button.metadata, button.data = [{"name": name, "type": "video/mp4", "size": len(content)}], [content]
        button._counter = 1
    else:
        about = {"name": name, "type": "video/mp4", "size": len(content), "last_modified": datetime(2026, 1, 1)}
        button.value = ({**about, "content": memoryview(content)},)
    return button


def test_an_uploaded_clip_is_answered_and_taken_out_of_the_button(explorer, support):
    before = seen(explorer, "ranking")
    clip = support.root / "waving_the_left_arm" / "waving_the_left_arm_15.mp4"
    button = upload(explorer, "mine <b>.mp4", clip.read_bytes())
    assert explorer.status.value == ""
    assert "mine &lt;b&gt;.mp4: zero-shot says" in seen(explorer, "ranking")
    assert seen(explorer, "ranking") != before
    assert not button.value
    upload(explorer, "mine.mp4", clip.read_bytes())  # a second one, of the same content
    assert "mine.mp4: zero-shot says" in seen(explorer, "ranking")


def test_the_answer_is_the_recognisers(explorer, support, tmp_path):
    clip = support.root / "lowering_a_box" / "lowering_a_box_11.mp4"
    explorer.controls["method"].value = "clip-spm"
    upload(explorer, "mine.MP4", clip.read_bytes())
    model, store = load_model(LITE_INDUCTIVE_MODEL)[0], FeatureStore(load_backbone("tiny"), tmp_path)
    expected = Recogniser(model, store).with_support(support).predict([clip])[0]
    said = seen(explorer, "ranking")
    assert f"says {expected.action.replace('_', ' ')}; it nearly was" in said
    assert expected.runner_up.action.replace("_", " ") in said


def test_a_method_without_alignment_shows_none_and_one_with_it_shows_why(explorer):
    assert seen(explorer, "alignment") == seen(explorer, "prototypes") == NO_PICTURE
    explorer.controls["method"].value = "clip-spm"
    assert explorer.status.value == ""
    assert "distance padm" in seen(explorer, "alignment")
    assert "Prototypes (large) and the clip" in seen(explorer, "prototypes")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [("notes.txt", b"a", "notes.txt"), ("broken.mp4", b"no video", "broken.mp4"), ("../../x.mp4", b"", "x.mp4")],
)
def test_what_is_no_video_is_refused_by_its_name_and_the_answer_stays(explorer, name, content, expected):
    before = seen(explorer, "ranking")
    button = upload(explorer, name, content)
    assert expected in explorer.status.value and "/tmp" not in explorer.status.value
    assert seen(explorer, "ranking") == before and not button.value


def test_a_clip_is_found_by_its_path_however_it_was_copied_and_errors_say_where_it_was_looked_for(
    explorer, support, tmp_path, monkeypatch
):
    clip = support.root / "waving_the_left_arm" / "waving_the_left_arm_15.mp4"
    shutil.copy(clip, tmp_path / "my clip.mp4")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = part(explorer, widgets.Text)
    for written in ("my clip.mp4", "~/my clip.mp4", f'"{tmp_path / "my clip.mp4"}" ', str(clip)):
        explorer.pictures["ranking"].value = ""
        path.value = written
        assert explorer.status.value == "" and f"{Path(written.strip(' ' + chr(34))).name}: zero-shot says" in (
            seen(explorer, "ranking")
        )
    path.value = "nowhere.mp4"
    assert str(tmp_path / "nowhere.mp4") in explorer.status.value
    path.value = str(tmp_path)
    assert "folder" in explorer.status.value
    path.value = " "
    assert (tmp_path / "my clip.mp4").exists()


def test_the_limit_of_the_button_is_said_beside_it(explorer):
    assert "10 MB" in part(explorer, widgets.HTML).value
