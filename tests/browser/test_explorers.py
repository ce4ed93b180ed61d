"""Every explorer, used in JupyterLab in a real browser: each kind of control moves, and the picture follows."""

import time

import pytest

from clipspm_lite.data.datasets import SAMPLES


def picture(explorer):
    """What is shown at the right: the picture with its caption, as HTML."""
    return explorer.locator(".widget-html:visible", has=explorer.page.locator("img")).first.inner_html()


def wait_for_change(page, explorer, before, seconds=20):
    """Wait until the picture or its caption differs from ``before``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if picture(explorer) != before:
            return
        page.wait_for_timeout(30)
    raise AssertionError("the picture did not change")


def settle(page, explorer):
    """Wait until the picture doesn't change any more."""
    before = picture(explorer)
    for _ in range(100):
        page.wait_for_timeout(250)
        now = picture(explorer)
        if now == before:
            return now
        before = now
    raise AssertionError("the picture does not come to rest")


def say_no_error(page, explorer):
    assert explorer.locator("strong").count() == 0, explorer.locator("strong").first.inner_text()
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0


def cells(page):
    """The kind of every cell and which one is active: what keys that reach JupyterLab would change."""
    return page.locator(".jp-Cell").evaluate_all(
        "all => all.map(cell => cell.className.match(/jp-\\w+Cell|jp-mod-active/g))"
    )


def press(page, where, key):
    """A real key on a control, which keeps it: the notebook stays as it is, and the control its focus."""
    where.focus()
    before = cells(page)
    page.keyboard.press(key)
    assert cells(page) == before
    assert where.evaluate("control => control === document.activeElement")


def scroll_to_top(explorer):
    explorer.evaluate("explorer => explorer.scrollIntoView({block: 'start'})")


def stand_on_one_screen(explorer, control):
    """The control and all of the picture are seen at once, the picture large enough to be read."""
    image = explorer.locator("img:visible").first
    (top, bottom), box = (0, explorer.page.viewport_size["height"]), image.bounding_box()
    for part in (control.bounding_box(), box):
        assert top <= part["y"] and part["y"] + part["height"] <= bottom
    assert box["width"] >= 0.8 * image.evaluate("image => image.naturalWidth")


def turn_to(page, explorer, button):
    """Look at another picture, by key."""
    if "mod-active" not in button.get_attribute("class"):
        before = picture(explorer)
        press(page, button, "Space")
        wait_for_change(page, explorer, before)
        settle(page, explorer)


def look_at_every_picture(page, explorer, screenshots, name):
    """Turn to each picture by key, and move by key every slider that is not grey there: what it shows changes."""
    moved = set()
    for button in explorer.locator(".widget-toggle-buttons button").all():
        turn_to(page, explorer, button)
        scroll_to_top(explorer)
        explorer.page.screenshot(path=screenshots / f"{name}_{button.inner_text()}.png")
        for row in explorer.locator(".widget-hslider").all():
            handle = row.locator(".slider:not([disabled]) .noUi-handle")
            low, high, value = (
                float(row.locator(".noUi-handle").get_attribute(f"aria-value{end}")) for end in ("min", "max", "now")
            )
            label = row.locator(".widget-label").inner_text()
            if handle.count() and low < high and label not in moved:
                moved.add(label)
                stand_on_one_screen(explorer, handle)
                before = picture(explorer)
                press(page, handle, "ArrowDown" if value == high else "ArrowUp")
                wait_for_change(page, explorer, before)
                settle(page, explorer)
                say_no_error(page, explorer)
    return moved


def play_and_stop(page, explorer):
    """Play on the first picture that it moves."""
    start, stop = explorer.locator(".widget-play button").first, explorer.locator(".widget-play button").nth(1)
    for button in explorer.locator(".widget-toggle-buttons button").all():
        turn_to(page, explorer, button)
        if start.is_enabled():
            before = picture(explorer)
            start.focus()
            page.keyboard.press("Enter")
            wait_for_change(page, explorer, before)
            stop.click()
            settle(page, explorer)
            return
    pytest.fail("nothing to play")


def choose_file(page, explorer, path):
    with page.expect_file_chooser() as chooser:
        explorer.get_by_role("button", name="choose a clip").click()
    chooser.value.set_files(path)


@pytest.mark.parametrize("name", ["10_explore", "03_matching_in_time", "06_padm"])
def test_every_control_moves_the_picture_beside_it_by_key_and_nothing_plays_by_itself(name, run_notebook, screenshots):
    page = run_notebook(name)
    explorers = page.locator(".clipspm-explorer")
    assert explorers.count() >= 1
    for number, explorer in enumerate(explorers.all()):
        scroll_to_top(explorer)
        say_no_error(page, explorer)
        assert all(image.get_attribute("alt") for image in explorer.locator("img").all())
        assert "the kernel has stopped" in explorer.inner_text()
        settle(page, explorer)
        assert len(look_at_every_picture(page, explorer, screenshots, f"{name}_{number}")) > 3
        if explorer.locator(".widget-play").count():
            play_and_stop(page, explorer)
        page.set_viewport_size({"width": 800, "height": 760})
        page.keyboard.press("Control+b")  # the list of files
        scroll_to_top(explorer)
        page.wait_for_timeout(500)
        stand_on_one_screen(explorer, explorer.locator(".widget-toggle-buttons"))
        page.screenshot(path=screenshots / f"{name}_{number}_narrow.png")
        page.keyboard.press("Control+b")
        page.set_viewport_size({"width": 1300, "height": 760})


def write_path(page, explorer, path):
    field = explorer.get_by_label("or its path")
    field.fill("")
    before = cells(page)
    page.keyboard.type(str(path))  # letters stay in the field, too
    press(page, field, "Enter")
    assert cells(page) == before


def test_a_clip_uploaded_in_the_browser_is_answered_and_an_unreadable_file_is_refused(
    run_notebook, screenshots, tmp_path
):
    page = run_notebook("11_your_own_videos")
    explorer = page.locator(".clipspm-explorer").first
    scroll_to_top(explorer)
    say_no_error(page, explorer)
    before = settle(page, explorer)
    clip = SAMPLES / "clips" / "lowering_a_box" / "lowering_a_box_11.mp4"
    choose_file(page, explorer, clip)
    wait_for_change(page, explorer, before)
    explorer.get_by_text("lowering_a_box_11.mp4: ").wait_for()
    after = settle(page, explorer)
    say_no_error(page, explorer)
    press(page, explorer.locator(".noUi-handle").first, "ArrowUp")
    wait_for_change(page, explorer, after)
    settle(page, explorer)
    explorer.screenshot(path=screenshots / "10_upload.png")
    broken = tmp_path / "broken.mp4"
    broken.write_text("<html>not a video</html>")
    choose_file(page, explorer, broken)
    explorer.locator("strong", has_text="broken.mp4").wait_for()
    assert explorer.get_by_text("lowering_a_box_11.mp4: ").count() == 1
    write_path(page, explorer, SAMPLES / "clips" / "waving_the_left_arm" / "waving_the_left_arm_12.mp4")
    explorer.get_by_text("waving_the_left_arm_12.mp4: ").wait_for()
    say_no_error(page, explorer)
    write_path(page, explorer, tmp_path / "nowhere.mp4")
    explorer.locator("strong", has_text="nowhere.mp4").wait_for()
    explorer.screenshot(path=screenshots / "10_path.png")
    # Jupyter drops a message above 10 MB, as the note beside the button says; the path goes on working.
    large = tmp_path / "large.mp4"
    large.write_bytes(clip.read_bytes() + bytes(11_000_000))
    choose_file(page, explorer, large)
    write_path(page, explorer, large)
    explorer.get_by_text("large.mp4: ").wait_for()
    assert "10 MB" in explorer.inner_text()
