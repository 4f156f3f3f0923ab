"""The loss by time and the map of guidance in a browser: by mouse, touch and keyboard, without a book."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.figures_page import control, figure, keeps_to_itself, number, pixels, settle, until
from tests.maps_page import loss_figure, map_figure, maps, maps_address, picture_view, point_view

SEEN, POINTS = picture_view()["examples"], point_view()


def panel(where, name):
    """The (height, width, 4) bytes of one picture of the view that is shown."""
    shown = where.locator(f'canvas[data-panel="{name}"]:visible')
    address = shown.evaluate("c => c.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGBA"), dtype=float)


def reading(where, name):
    text = number(where, name).split("\u00a0")[0].split(" ")[0]
    return float(text)


def choose(where, short, value):
    control(where, f"{short}-{value}").check()
    settle(where.page)


def chosen(where):
    return where.locator('[aria-selected="true"]').get_attribute("data-cell")


def cell(where, name):
    return where.locator(f'[data-cell="{name}"]')


def test_the_page_asks_nobody_and_complains_of_nothing(maps, open_page, maps_address):
    page, log = maps()
    keeps_to_itself(page, log, open_page, maps_address)
    assert page.evaluate("() => document.querySelectorAll('[id]').length") == 0


def test_the_slider_walks_over_the_times_by_keyboard(maps):
    page, log = maps()
    first, twin = figure(page, 0), figure(page, 2)
    loss = SEEN["half"].loss
    assert reading(first, "one") == pytest.approx(float(loss[2, 0]), rel=0.006)
    before = {name: panel(first, name) for name in ("seen", "said", "error", "guess", "eps", "x0")}
    control(first, "t").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert control(first, "t").get_attribute("aria-valuetext") == "300"
    assert reading(first, "one") == pytest.approx(float(loss[3, 0]), rel=0.006)
    for name, old in before.items():
        assert np.array_equal(old, panel(first, name)) == (name in ("eps", "x0"))  # the truth stays what it was
    page.keyboard.press("End")
    settle(page)
    assert control(first, "t").get_attribute("aria-valuetext") == "1000"
    assert reading(twin, "one") == pytest.approx(float(loss[2, 0]), rel=0.006)  # its twin rests
    assert log.errors == []


def test_a_finger_on_the_chart_finds_the_nearest_time(maps):
    page, _ = maps()
    first = figure(page, 0)
    chart = first.locator("svg.ddpm-loss-chart")
    box = chart.bounding_box()
    width = box["width"] - 54
    at = lambda share: (box["x"] + 44 + share * width, box["y"] + 60)  # noqa: E731
    page.mouse.click(*at(1 / 3))  # logarithmic: a third of three decades
    settle(page)
    assert control(first, "t").get_attribute("aria-valuetext") == "10"
    control(first, "log_t").uncheck()
    settle(page)
    page.mouse.move(*at(0.31))
    page.mouse.down()
    page.mouse.move(*at(0.62), steps=4)
    page.mouse.up()
    settle(page)
    assert control(first, "t").get_attribute("aria-valuetext") == "600"
    assert "t = 600" in chart.get_attribute("aria-label")


def test_who_answers_and_which_sample(maps):
    page, _ = maps()
    first = figure(page, 0)
    said, truth = panel(first, "said"), panel(first, "eps")
    choose(first, "who", "all")
    assert reading(first, "one") == pytest.approx(float(SEEN["all"].loss[2, 0]), rel=0.006)
    assert not np.array_equal(said, panel(first, "said")) and np.array_equal(truth, panel(first, "eps"))
    control(first, "example-0").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert reading(first, "one") == pytest.approx(float(SEEN["all"].loss[2, 1]), rel=0.006)
    assert not np.array_equal(truth, panel(first, "eps"))
    ratio = float(SEEN["all"].rates[2, 1] / SEEN["all"].rates[2, 0]) ** 2
    assert reading(first, "picture") == pytest.approx(float(SEEN["all"].loss[2, 1]) * ratio, rel=0.02)


def test_the_pictures_are_the_arithmetic(maps):
    """What was seen is signal x0 + noise eps: the ink of a pixel says so."""
    page, _ = maps()
    signal, noise = SEEN["half"].rates[2].tolist()
    wanted = signal * SEEN["half"].x0[0] + noise * SEEN["half"].eps[0]
    cover = panel(figure(page, 0), "seen")[..., 3].ravel()
    assert np.abs(cover - (127.5 * (wanted.flatten().numpy() + 1)).clip(0, 255)).max() < 3


def test_logarithmic_axes_move_the_curves(maps):
    page, _ = maps()
    first = figure(page, 0)
    path = lambda: first.locator('path[data-curve="half"]').get_attribute("d")  # noqa: E731
    shapes = [path()]
    for name in ("log_loss", "log_t"):
        control(first, name).focus()
        page.keyboard.press("Space")
        settle(page)
        shapes.append(path())
    assert len(set(shapes)) == 3


def test_the_other_view_has_a_floor_and_a_gap(maps):
    page, log = maps()
    first = figure(page, 0)
    assert not first.locator('[data-readout="gap"]').is_visible() and first.locator(".ddpm-gap").count() == 0
    choose(first, "view", "two blots")
    assert first.locator(".ddpm-gap").count() == 1
    assert not control(first, "log_t").is_checked()  # each view begins with its own axes
    [curve], floor = POINTS["curves"].values(), POINTS["floor"][1]
    share = float((curve[1] - floor)[1] / curve[1][1])  # of 5, 50, 200, …: t = 50 is nearest to 100
    assert control(first, "t").get_attribute("aria-valuetext") == "50"
    assert reading(first, "gap") == pytest.approx(100 * share, abs=0.6)
    before = panel(first, "guess")
    choose(first, "who", "floor")
    assert not first.locator('[data-readout="gap"]').is_visible()
    assert not np.array_equal(before, panel(first, "guess"))
    assert np.ptp(panel(first, "x0")[..., 3]) > 0  # the truth is drawn
    assert log.errors == []


def test_the_map_by_keyboard(maps):
    page, log = maps()
    second = figure(page, 1)
    assert chosen(second) == "1-0"
    assert second.locator('[role="gridcell"][tabindex="0"]').count() == 1
    large = pixels(second, "ddpm-map-large")
    cell(second, "1-0").focus()
    for key, where in [("ArrowRight", "1-1"), ("ArrowDown", "2-1"), ("End", "2-3"), ("ArrowRight", "2-3"),
                       ("Control+Home", "0-0"), ("PageDown", "2-0")]:  # fmt: skip
        page.keyboard.press(key)
        settle(page)
        assert chosen(second) == where
        assert page.evaluate("() => document.activeElement.dataset.cell") == where
    assert second.locator('[role="gridcell"][tabindex="0"]').count() == 1
    assert not np.array_equal(large, pixels(second, "ddpm-map-large"))
    assert chosen(figure(page, 3)) == "1-0" and log.errors == []


def test_the_map_by_mouse_and_the_judge(maps):
    page, _ = maps()
    second = figure(page, 1)
    what, verdict = second.locator(".ddpm-map-what"), second.locator(".ddpm-map-verdict")
    cell(second, "2-2").hover()
    until(page, lambda: what.inner_text().replace("\u00a0", " ") == "label 4, γ = 3, seed 9")
    assert "sees a 4, 91" in verdict.inner_text() and chosen(second) == "1-0"  # a look is no choice
    page.mouse.move(2, 2)
    until(page, lambda: what.inner_text().replace("\u00a0", " ") == "label 4, γ = 1, seed 7")
    assert "sees a 6, 55" in verdict.inner_text() and "a 4, 5.0" in verdict.inner_text()
    cell(second, "0-1").click()
    settle(page)
    assert chosen(second) == "0-1" and "no label heard" in what.inner_text()
    assert cell(second, "0-1").get_attribute("aria-label").startswith("scale 0, seed 8, the judge sees a 5")


def test_agreement_and_spread_of_a_row(maps):
    page, _ = maps()
    second = figure(page, 1)
    page.mouse.move(2, 2)
    until(page, lambda: number(second, "agreed") == "3 of 4" and number(second, "spread") == "1")
    heads = second.locator('[role="rowheader"]')
    assert heads.nth(2).get_attribute("aria-label") == "scale 3, agreement 100\u00a0%, spread 0.5"
    wide = second.locator('[role="rowheader"] .ddpm-map-spread i').evaluate_all("all => all.map(i => i.clientWidth)")
    assert wide[0] > wide[1] > wide[2] > 0
    before = pixels(second, "ddpm-map-large")
    choose(second, "label", "1")
    assert heads.nth(2).get_attribute("aria-label") == "scale 3, agreement 100\u00a0%, spread 0.8"
    assert not np.array_equal(before, pixels(second, "ddpm-map-large"))


def test_touch_chooses(chromium, maps_address):
    context = chromium.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    page = context.new_page()
    page.goto(f"{maps_address}/index.html")
    page.wait_for_function("document.querySelectorAll('.ddpm-body[data-loaded]').length === 4")
    first, second = figure(page, 0), figure(page, 1)
    cell(second, "2-3").tap()
    settle(page)
    assert chosen(second) == "2-3"
    chart = first.locator("svg.ddpm-loss-chart")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] - 12, box["y"] + 50)
    settle(page)
    assert control(first, "t").get_attribute("aria-valuetext") == "1000"
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_is_wide_enough_and_all_have_names(maps, scheme):
    page, log = maps(width=390, scheme=scheme)
    choose(figure(page, 0), "view", "two blots")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("figure input, figure canvas:not([aria-hidden]), figure svg.ddpm-chart,"
          + "figure [role=gridcell], figure [role=grid], figure [role=radiogroup]")]
          .filter(one => ![...(one.labels ?? [])].some(label => label.textContent.trim())
            && !one.getAttribute("aria-label")).map(one => one.outerHTML)"""
    )
    assert nameless == [] and log.errors == []


def test_a_figure_taken_away_listens_no_more(maps, maps_address):
    """Rendered by hand and disposed: the model has lost all its listeners."""
    page, log = maps()
    for name, state in (("LossByTime", loss_figure().state()), ("GuidanceMap", map_figure().state())):
        left = page.evaluate(
            """async ([address, state]) => {
              const { render } = (await import(address)).default, heard = new Map();
              const model = { get: name => state[name], set() {}, save_changes() {},
                on: (event, tell) => heard.set(tell, event), off: (event, tell) => heard.delete(tell) };
              const el = document.createElement("div");
              document.body.append(el);
              const dispose = render({ model, el });
              const most = heard.size;
              dispose();
              el.remove();
              return [most > 0, heard.size];
            }""",
            [f"{maps_address}/{name}.js", state],
        )
        assert left == [True, 0]
    assert log.errors == []
