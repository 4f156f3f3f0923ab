"""The figures in a browser: every control by mouse and by keyboard, in a page without a book."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

import numpy as np

from tests.figures_page import (
    CLEAN,
    SCHEDULE,
    address,
    control,
    figure,
    folder,
    keeps_to_itself,
    likeness,
    number,
    opened,
    pixels,
    settle,
    stands_still,
    time_of,
    until,
)


def test_the_page_asks_nobody_complains_of_nothing_and_leaks_no_global(opened, open_page, address):
    page, log = opened()
    keeps_to_itself(page, log, open_page, address)


def test_the_slider_of_time_by_mouse(opened):
    page, log = opened()
    first, second = figure(page, 0), figure(page, 2)
    assert time_of(first) == 0
    assert np.array_equal(pixels(first, "ddpm-picture")[..., :3], CLEAN)
    before = pixels(first, "ddpm-points")
    box = control(first, "t").bounding_box()
    page.mouse.move(box["x"] + 9, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    t = time_of(first)
    assert 90 <= t <= 110
    assert number(first, "signal") == f"{SCHEDULE.signal_rate[t]:.3f}"
    assert number(first, "noise") == f"{SCHEDULE.noise_rate[t]:.3f}"
    assert not np.array_equal(before, pixels(first, "ddpm-points"))
    assert likeness(pixels(first, "ddpm-picture")) < 0.7
    assert time_of(second) == 0 and likeness(pixels(second, "ddpm-picture")) > 0.999  # its twin rests
    assert log.errors == []


def test_the_slider_of_time_by_keyboard(opened):
    page, _ = opened()
    first = figure(page, 0)
    control(first, "t").focus()
    for key, t in [("ArrowRight", 1), ("ArrowRight", 2), ("End", 200), ("ArrowLeft", 199)]:
        page.keyboard.press(key)
        assert time_of(first) == t
    assert abs(likeness(pixels(first, "ddpm-picture"))) < 0.05
    page.keyboard.press("Home")
    until(page, lambda: number(first, "noise") == "0.000" and likeness(pixels(first, "ddpm-picture")) > 0.999)


def test_forward_is_the_jump_with_one_noise(opened):
    """Two times and the clean picture give two readings of eps: the same."""
    page, _ = opened()
    first, readings = figure(page, 0), []
    for t in (30, 60):
        control(first, "t").fill(str(t))
        x = pixels(first, "ddpm-picture")[..., :3] / 127.5 - 1
        inside = np.abs(x) < 0.98
        eps = (x - float(SCHEDULE.signal_rate[t]) * (CLEAN / 127.5 - 1)) / float(SCHEDULE.noise_rate[t])
        readings.append(np.where(inside, eps, np.nan))
    both = ~np.isnan(readings[0]) & ~np.isnan(readings[1])
    assert both.mean() > 0.4
    assert np.abs(readings[0] - readings[1])[both].max() < 0.05  # bytes are coarse


def test_play_forward_pause_and_reverse(opened):
    page, _ = opened()
    first = figure(page, 0)
    play = control(first, "play")
    assert play.inner_text() == "Play"
    play.click()
    until(page, lambda: time_of(first) > 15)
    assert play.inner_text() == "Pause"
    play.press("Space")
    until(page, lambda: play.inner_text() == "Play")
    stands_still(page, lambda: time_of(first))
    control(first, "t").fill("200")
    control(first, "reverse").check()
    until(page, lambda: time_of(first) == 200)
    play.press("Enter")
    until(page, lambda: time_of(first) == 0, 20000)
    until(page, lambda: play.inner_text() == "Play")  # a run ends at its end
    assert likeness(pixels(first, "ddpm-picture")) > 0.95
    assert first.locator(".ddpm-inset").is_visible()


def test_direction_by_keyboard_shows_another_process(opened):
    page, _ = opened()
    first, second = figure(page, 0), figure(page, 2)
    control(first, "t").fill("100")
    before = pixels(first, "ddpm-picture"), pixels(first, "ddpm-points")
    control(first, "forward").focus()
    page.keyboard.press("ArrowRight")
    until(page, lambda: control(first, "reverse").is_checked() and time_of(first) == 100)
    after = pixels(first, "ddpm-picture"), pixels(first, "ddpm-points")
    assert not np.array_equal(before[0], after[0]) and not np.array_equal(before[1], after[1])
    assert control(second, "forward").is_checked()  # the radio buttons of the twins do not meet


def test_a_figure_out_of_sight_rests(opened):
    page, _ = opened()
    alone = figure(page, 3)
    assert stands_still(page, lambda: time_of(alone)) == 0
    alone.scroll_into_view_if_needed()
    until(page, lambda: time_of(alone) > 5)
    page.evaluate("() => scrollTo(0, 0)")
    told = """node => new Promise(done => {
      new IntersectionObserver(([one]) => one.isIntersecting || done()).observe(node);
    })"""
    alone.evaluate(told)  # the browser has said that it is out of sight
    stands_still(page, lambda: time_of(alone))


def test_reduced_motion_is_respected(opened):
    page, _ = opened()
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    alone = figure(page, 3)
    alone.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('.ddpm-body[data-loaded]').length === 4")
    assert stands_still(page, lambda: time_of(alone), 90) == 0 and control(alone, "play").inner_text() == "Play"
    control(alone, "play").click()  # asked for, it goes in ten still pictures
    until(page, lambda: time_of(alone) > 0)
    assert time_of(alone) % 20 == 0


def test_the_theme_is_followed_at_once(opened):
    page, _ = opened()
    first = figure(page, 0)
    shades = []
    for theme in ("light", "dark", "light"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        settle(page)
        panel = first.locator(".ddpm-panel").first
        colour = panel.evaluate("e => getComputedStyle(e).backgroundColor")
        dots = pixels(first, "ddpm-points")
        shades.append((colour, dots[dots[..., 3] > 200][:, :3].mean()))
    assert shades[0] == shades[2] and shades[0][0] != shades[1][0]
    assert shades[1][1] > shades[0][1] + 20  # dots are lighter in the dark


def test_elsewhere_the_systems_scheme_is_followed(opened):
    ink = [
        figure(opened(scheme=scheme)[0], 0).evaluate("e => getComputedStyle(e).color") for scheme in ("light", "dark")
    ]
    assert ink[0] != ink[1]
