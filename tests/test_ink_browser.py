"""Ink and restorer in a browser: the finger, the keys, the restorer, and what he has seen."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

import numpy as np

from ddpm_lib.schedules import linear_schedule
from tests.figures_page import control, figure, keeps_to_itself, number, settle, stands_still, until
from tests.ink_page import CLEAN, SIDE, easel, ink, ink_address, off, shares


def restored(page, where, limit=40_000):
    control(where, "restore").click()
    until(page, lambda: number(where, "deepest") == "0", limit)
    until(page, lambda: control(where, "restore").inner_text() == "Restore")
    return easel(where)


def test_it_asks_nobody_and_leaks_no_global(ink, open_page, ink_address):
    page, log = ink()
    keeps_to_itself(page, log, open_page, ink_address)


def test_the_finger_splashes_where_it_is_and_nowhere_else(ink):
    page, log = ink()
    first, twin = figure(page, 0), figure(page, 1)
    assert np.array_equal(easel(first), CLEAN) and number(first, "amplitude") == "100 %"
    control(first, "size").fill("4")
    box = first.locator(".ddpm-easel-picture").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4, steps=6)
    page.mouse.up()
    until(page, lambda: number(first, "deepest") != "0")
    settle(page)
    changed = (easel(first) != CLEAN).any(-1)
    assert changed[5:7, 6:12].mean() > 0.9 and not changed[SIDE - 5 :].any()
    assert float(number(first, "difference")) > 0.1
    before = easel(first)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8)  # not pressed: no ink
    settle(page)
    assert np.array_equal(easel(first), before)
    assert np.array_equal(easel(twin), CLEAN)
    assert log.errors == []


def test_splashing_by_keyboard(ink):
    page, _ = ink()
    first = figure(page, 0)
    canvas = first.locator(".ddpm-easel-picture")
    canvas.focus()
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowUp")
    until(page, lambda: f"brush at {SIDE // 2 - 8}, {SIDE // 2 - 8} " in canvas.get_attribute("aria-label"))
    assert first.locator(".ddpm-brush").evaluate("ring => getComputedStyle(ring).opacity") == "0.9"
    page.keyboard.press("Space")
    until(page, lambda: number(first, "deepest") == "400")
    assert page.evaluate("scrollY") == 0
    once = easel(first)
    page.keyboard.press("Space")
    until(page, lambda: number(first, "deepest") == "800")
    assert not np.array_equal(once, easel(first))
    amplitude = float(number(first, "amplitude").split()[0])
    assert 10 < amplitude < 99
    assert "deepest ink 800 of 1000" in canvas.get_attribute("aria-label")


def test_drowned_he_makes_a_painting_but_not_the_painting(ink):
    page, log = ink()
    first = figure(page, 0)
    control(first, "drown").click()
    until(page, lambda: number(first, "deepest") == "1000")
    assert number(first, "amplitude") == "0.635 %"  # signal rate at T
    assert abs(float(number(first, "open")) - 5) < 0.1 and max(shares(first)) < 0.25  # every work is as likely
    assert off(easel(first)) > 0.5
    made = restored(page, first)
    assert off(made) > 0.15 and abs(off(made) - float(number(first, "difference"))) < 0.01
    assert float(number(first, "open")) < 2.5 and shares(first)[-1] == 0
    assert np.abs(np.diff(made, axis=1)).mean() < 40  # paint, not noise
    assert log.errors == []
    control(first, "reset").click()
    until(page, lambda: np.array_equal(easel(first), CLEAN))


def test_under_a_thin_coat_he_finds_what_was_there(ink):
    page, _ = ink()
    thin, deep = figure(page, 0), figure(page, 1)
    for where, strength in ((thin, 50), (deep, 950)):
        control(where, "strength").fill(str(strength))
        control(where, "coat").press("Enter")
        until(page, lambda: number(where, "deepest") == str(strength))  # noqa: B023 (used at once)
        assert number(where, "amplitude") == f"{100 * linear_schedule().signal_rate[strength]:.3g} %"
    found, made_up = off(restored(page, thin)), off(restored(page, deep))
    assert found < 0.25 and found < 0.7 * made_up


def test_what_he_has_seen_comes_back(ink):
    page, _ = ink()
    first, twin = figure(page, 0), figure(page, 1)
    control(first, "seen").press("Space")
    control(first, "whole").check()
    control(first, "size").fill("12")
    for where in (first, twin):
        where.locator(".ddpm-easel-picture").focus()
        for _ in range(2):
            page.keyboard.press("Enter")
    until(page, lambda: number(twin, "deepest") == "800")
    assert shares(first)[-1] > 0.999 and shares(twin)[-1] == 0
    remembered, invented = off(restored(page, first)), off(restored(page, twin))
    assert remembered < 0.06 < invented / 1.5  # all but the grain that a work may differ by
    assert not control(twin, "seen").is_checked() and control(twin, "pieces").is_checked()


def test_one_look_at_a_time_and_pause(ink):
    page, _ = ink()
    first = figure(page, 0)
    control(first, "step").click()
    until(page, lambda: number(first, "deepest") == "0")  # nothing to do
    control(first, "drown").click()
    until(page, lambda: number(first, "deepest") == "1000")
    control(first, "step").press("Enter")
    until(page, lambda: number(first, "deepest") == "980")
    play = control(first, "restore")
    play.click()
    until(page, lambda: int(number(first, "deepest")) < 900)
    assert play.inner_text() == "Pause"
    play.press("Space")
    until(page, lambda: play.inner_text() == "Restore")
    stands_still(page, lambda: number(first, "deepest"))


def test_on_a_narrow_page_in_the_dark(ink):
    page, log = ink(width=390, scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    first = figure(page, 0)
    canvas = first.locator(".ddpm-easel-picture")
    assert canvas.evaluate("c => getComputedStyle(c).touchAction") == "none"  # a finger draws, it does not scroll
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(page, lambda: int(number(first, "deepest")) > 300)
    assert not np.array_equal(easel(first), CLEAN) and log.errors == []


def test_restoring_without_ink_says_what_to_do(ink):
    page, _ = ink()
    first = figure(page, 0)
    for name in ("restore", "step"):
        control(first, name).click()
        until(page, lambda: "There is no ink yet" in first.locator(".ddpm-ink-said").inner_text())
        assert control(first, "restore").inner_text() == "Restore"
    control(first, "coat").click()
    until(page, lambda: not first.locator(".ddpm-ink-said").is_visible())


def test_the_number_of_works_says_what_it_counts(ink):
    page, _ = ink()
    first = figure(page, 0)
    words = first.locator('[data-readout="open"] span').last
    assert words.inner_text() == "works possible for each place"
    control(first, "whole").check()
    until(page, lambda: words.inner_text() == "works still possible")
