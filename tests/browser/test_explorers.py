"""Every explorer, used in JupyterLab in a real browser: each kind of control moves, and the picture follows."""

import time

import pytest

from clipspm_lite.data.datasets import SAMPLES


def images(explorer):
    return explorer.locator("img").evaluate_all("all => all.map(image => image.src)")


def wait_for_change(page, explorer, before, seconds=20):
    """Wait until a picture of the explorer differs from ``before``: which ones do."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = images(explorer)
        if now != before:
            return now
        page.wait_for_timeout(50)
    raise AssertionError("no picture changed")


def settle(page, explorer):
    """Wait until no picture changes any more."""
    before = images(explorer)
    for _ in range(100):
        page.wait_for_timeout(300)
        now = images(explorer)
        if now == before:
            return now
        before = now
    raise AssertionError("the pictures do not come to rest")


def say_no_error(page, explorer):
    assert explorer.locator("strong").count() == 0, explorer.locator("strong").first.inner_text()
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0


def move_slider(page, explorer):
    for handle in explorer.locator(".noUi-handle:visible").all():
        value = handle.get_attribute("aria-valuenow")
        low, high = (float(handle.get_attribute(f"aria-value{end}")) for end in ("min", "max"))
        if low == high:
            continue
        handle.focus()
        page.keyboard.press("ArrowLeft" if float(value) == high else "ArrowRight")
        assert handle.get_attribute("aria-valuenow") != value
        return
    pytest.fail("no slider that can be moved")


def choose_another(page, explorer):
    select = next(s for s in explorer.locator("select").all() if s.locator("option").count() > 1)
    chosen = select.input_value()
    values = [option.get_attribute("value") for option in select.locator("option").all()]
    select.select_option(next(value for value in values if value != chosen))


def press_play(page, explorer):
    button = explorer.locator(".widget-play button").first
    button.focus()
    page.keyboard.press("Enter")


def choose_file(page, explorer, path):
    with page.expect_file_chooser() as chooser:
        explorer.get_by_role("button", name="choose a clip").click()
    chooser.value.set_files(path)


@pytest.mark.parametrize("name", ["10_explore", "03_matching_in_time", "06_padm"])
def test_every_control_moves_its_picture_and_nothing_plays_by_itself(name, run_notebook, screenshots):
    page = run_notebook(name)
    explorers = page.locator(".clipspm-explorer")
    assert explorers.count() >= 1
    for number in range(explorers.count()):
        explorer = explorers.nth(number)
        explorer.scroll_into_view_if_needed()
        say_no_error(page, explorer)
        assert all(image.get_attribute("alt") for image in explorer.locator("img").all())
        settle(page, explorer)
        for control, act in ((".noUi-handle", move_slider), ("select", choose_another), (".widget-play", press_play)):
            if explorer.locator(control).count():
                before = images(explorer)
                act(page, explorer)
                wait_for_change(page, explorer, before)
                if act is press_play:
                    explorer.locator(".widget-play button").nth(1).click()  # stop
                settle(page, explorer)
                say_no_error(page, explorer)
        explorer.screenshot(path=screenshots / f"{name}_{number}.png")


def write_path(page, explorer, path):
    field = explorer.get_by_label("or its path")
    field.fill(str(path))
    field.press("Enter")


def test_a_clip_uploaded_in_the_browser_is_answered_and_an_unreadable_file_is_refused(
    run_notebook, screenshots, tmp_path
):
    page = run_notebook("11_your_own_videos")
    explorer = page.locator(".clipspm-explorer").first
    explorer.scroll_into_view_if_needed()
    say_no_error(page, explorer)
    before = settle(page, explorer)
    clip = SAMPLES / "clips" / "lowering_a_box" / "lowering_a_box_11.mp4"
    choose_file(page, explorer, clip)
    wait_for_change(page, explorer, before)
    explorer.get_by_text("lowering_a_box_11.mp4: ").wait_for()
    after = settle(page, explorer)
    say_no_error(page, explorer)
    choose_another(page, explorer)
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
