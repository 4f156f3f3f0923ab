"""What figures have in common on a page: their sheets do not meet, they fit a phone, sliders lie under their axes."""
# ruff: noqa: F811 (fixtures are among the imports)

import numpy as np
import pytest
import torch

from ddpm_lib.races import plane_race
from ddpm_lib.schedules import linear_schedule
from ddpm_lib.widgets import OneDimension, SamplerRace, ScheduleExplorer
from tests.figures_page import HEAD, control, figure, number, pixels, settle, until
from tests.maps_page import loss_figure
from tests.prompt_film_page import film_figure
from tools import site

SEEN_AT_ONCE = 780  # CSS pixels: a phone's 844 less the page's bar
THUMB = """range => {
  const box = range.getBoundingClientRect(), share = (range.value - range.min) / (range.max - range.min);
  return box.left + 8 + share * (box.width - 16);
}"""


def digit():
    """A grey picture whose paper is −1 and whose ink is 1."""
    picture = -torch.ones(1, 28, 28)
    picture[:, 6:22, 12:16] = 1
    return picture


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """One of each that has rules of its own, and last the one whose sheet repeats the shared rules."""
    schedule, folder = linear_schedule(), tmp_path_factory.mktemp("together")
    figures = (SamplerRace(plane_race(schedule)), film_figure(), loss_figure(), OneDimension(schedule),
               ScheduleExplorer(schedule, digit(), t=250))  # fmt: skip
    (folder / "index.html").write_text(HEAD + "".join(one.html() for one in figures), encoding="utf-8")
    with site.serving(folder) as address:
        yield f"{address}/index.html"


def test_a_figures_own_rules_hold_whatever_figure_comes_after_it(open_page, together):
    page, log = open_page(together)
    assert figure(page, 0).locator(".ddpm-race-chart").evaluate("one => one.clientHeight") == 250
    pill = figure(page, 1).locator(".ddpm-film-pills").first.locator("label span").nth(1)
    assert pill.evaluate("one => getComputedStyle(one).marginLeft") == "0px"
    assert log.errors == []


def test_numbers_and_axes_run_from_left_to_right_in_every_language(open_page, together):
    page, _ = open_page(together)
    page.evaluate("() => { document.documentElement.dir = 'rtl'; }")
    ways = page.locator(".ddpm-body").evaluate_all("all => all.map(one => getComputedStyle(one).direction)")
    assert len(ways) == 5 and set(ways) == {"ltr"}


@pytest.mark.parametrize("width", [1200, 390])
def test_a_slider_of_time_lies_under_the_axis_it_moves(open_page, together, width):
    page, _ = open_page(together, width=width)
    for n, mark in ((2, ".ddpm-loss-chart .ddpm-now"), (4, ".ddpm-cell-rates .ddpm-now")):
        one = figure(page, n)
        for key in ("Home", "PageUp", "End"):
            control(one, "t").press(key)
            settle(page)
            where = one.locator(mark).first.bounding_box()["x"]
            assert abs(control(one, "t").evaluate(THUMB) - where) < 2.5, (n, key)
    line = figure(page, 3)
    box = line.locator("canvas.ddpm-map").bounding_box()
    for key, edge in (("Home", box["x"]), ("End", box["x"] + box["width"])):
        control(line, "t").press(key)
        assert abs(control(line, "t").evaluate(THUMB) - edge) < 2.5


def test_a_digit_is_ink_on_paper_under_grey_noise(open_page, together):
    page, _ = open_page(together)
    explorer = figure(page, 4)
    until(page, lambda: pixels(explorer, "ddpm-picture").shape[0] == 28)
    noisy = pixels(explorer, "ddpm-picture")[..., :3]
    assert np.array_equal(noisy[..., 0], noisy[..., 1]) and np.array_equal(noisy[..., 0], noisy[..., 2])
    control(explorer, "t").press("Home")
    settle(page)
    clean = pixels(explorer, "ddpm-picture")[..., 0]
    assert clean[0, 0] == 255 and clean[10, 13] == 0
    control(explorer, "0..1").check()
    settle(page)
    assert 126 <= pixels(explorer, "ddpm-picture")[0, 0, 0] <= 128  # paper at grey
    assert number(explorer, "own").isdigit()


@pytest.mark.parametrize("path", [path for path in site.pages() if path[5:7].isdigit() or "index" in path])
def test_on_a_phone_a_figure_is_seen_at_once(open_page, path):
    page, _ = open_page(path, width=390, height=844)
    tall = page.locator(".ddpm-body").evaluate_all(
        "all => all.map(one => [one.closest('figure').dataset.figure, one.clientHeight])"
    )
    assert not [one for one in tall if one[1] > SEEN_AT_ONCE]


def test_out_of_sight_nothing_is_drawn_and_nothing_complains(open_page, together):
    page, log = open_page(together)
    page.evaluate("() => { document.body.style.display = 'none'; }")
    for n in (0, 2, 4):  # those with charts: a hidden one has no width
        hand = figure(page, n).locator("input[type=range]").first
        hand.evaluate("one => { one.value = one.min; one.dispatchEvent(new Event('input', { bubbles: true })); }")
    settle(page)
    assert log.errors == []
