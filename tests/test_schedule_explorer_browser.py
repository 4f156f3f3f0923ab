"""The schedule explorer in a browser: its sliders, kinds and ranges, and what they say of the picture."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

import re

import numpy as np
import pytest

from ddpm_lib.schedules import cosine_schedule, linear_schedule
from tests.figures_page import (
    PICTURE,
    address,
    control,
    figure,
    folder,
    likeness,
    number,
    opened,
    pixels,
    settle,
    time_of,
)


def test_explorer_sliders_by_keyboard(opened):
    page, _ = opened()
    explorer = figure(page, 1)
    curve = lambda: explorer.locator("path.ddpm-signal").get_attribute("d")  # noqa: E731
    seen = {curve()}
    assert number(explorer, "left") == "0.635 %" and number(explorer, "one") == "260"
    for name, key, presses in [
        ("T", "ArrowLeft", 50),
        ("beta_end", "ArrowRight", 30),
        ("beta_start", "ArrowRight", 90),
    ]:
        control(explorer, name).focus()
        for _ in range(presses):
            page.keyboard.press(key)
        settle(page)
        assert curve() not in seen, name
        seen.add(curve())
    assert control(explorer, "T").input_value() == "500"
    assert time_of(explorer) == 125  # T moved, and t with it: still a quarter
    start, end = (10 ** (int(control(explorer, name).input_value()) / 100) for name in ("beta_start", "beta_end"))
    schedule = linear_schedule(500, float(f"{start:.3g}"), float(f"{end:.3g}"))
    assert number(explorer, "signal") == f"{schedule.signal_rate[125]:.3f}"
    assert int(number(explorer, "one")) == int((schedule.alpha_bar > 0.5).sum())


def test_explorer_kinds_presets_and_picture(opened):
    page, log = opened()
    explorer = figure(page, 1)
    before = pixels(explorer, "ddpm-picture")
    control(explorer, "kind").focus()
    page.keyboard.press("c")  # cosine, by its letter
    settle(page)
    assert control(explorer, "kind").input_value() == "cosine"
    assert control(explorer, "beta_end").is_disabled()
    assert number(explorer, "signal") == f"{cosine_schedule().signal_rate[250]:.3f}"
    assert likeness(pixels(explorer, "ddpm-picture")) > likeness(before)  # cosine keeps more at a quarter
    control(explorer, "Stable Diffusion").click()
    settle(page)
    assert number(explorer, "left") == "6.83 %"
    control(explorer, "its betas, 50 steps").press("Enter")
    settle(page)
    assert number(explorer, "left") == "77.6 %" and number(explorer, "one") == "never"
    control(explorer, "t").press("End")
    settle(page)
    assert time_of(explorer) == 50 and likeness(pixels(explorer, "ddpm-picture")) > 0.3
    assert log.errors == []


def test_explorer_warns_of_what_is_left_and_cures_it(opened):
    page, log = opened()
    explorer = figure(page, 1)
    warned = lambda: explorer.locator(".ddpm-left").get_attribute("data-warning") is not None  # noqa: E731
    words = explorer.locator('.ddpm-left [role="status"]')
    assert not warned() and "as good as pure noise" in words.inner_text()
    control(explorer, "T").fill("200")
    settle(page)
    assert (
        warned()
        and "sampling begins" in words.inner_text()
        and number(explorer, "left") == f"{100 * float(linear_schedule(200).signal_rate[-1]):.3g} %"
    )
    control(explorer, "per_thousand").press("Space")
    settle(page)
    cured = linear_schedule(200, 5e-4, 0.1)
    assert not warned() and number(explorer, "left") == f"{100 * float(cured.signal_rate[-1]):.3g} %"
    assert number(explorer, "largest") == "0.1" and number(explorer, "signal") == f"{cured.signal_rate[50]:.3f}"
    control(explorer, "T").press("Home")  # T = 10: even now no beta reaches 1
    settle(page)
    assert number(explorer, "largest") == "0.999"
    control(explorer, "Stable Diffusion").click()
    settle(page)
    assert warned() and not control(explorer, "per_thousand").is_checked()
    assert log.errors == []


def test_explorer_weighs_the_picture_in_both_ranges(opened):
    page, log = opened()
    explorer, unit = figure(page, 1), (PICTURE + 1) / 2
    said = {key: explorer.locator(f'.ddpm-powers [data-range="{key}"]').inner_text() for key in ("-1..1", "0..1")}
    for key, x in {"-1..1": PICTURE, "0..1": unit}.items():
        numbers = re.findall(r"(?:mean|std|E\[x²\]) ([−.0-9]+)", said[key])
        weighed = [float(text.replace("−", "-")) for text in numbers]
        assert weighed == pytest.approx([float(v) for v in (x.mean(), x.std(), x.square().mean())], abs=0.008)
    control(explorer, "t").fill("0")
    control(explorer, "-1..1").focus()
    readings = []
    for key in (None, "ArrowRight"):
        if key:
            page.keyboard.press(key)
        settle(page)
        readings.append((number(explorer, "own"), pixels(explorer, "ddpm-picture")[..., :3]))
    for (own, seen), x in zip(readings, (PICTURE, unit)):
        snr = linear_schedule().snr * x.square().mean()
        assert abs(int(own) - int((snr > 1).sum())) <= 1  # the page's picture is made of bytes
        assert np.abs(seen / 127.5 - 1 - x.permute(1, 2, 0).numpy()).max() < 0.02
    assert int(readings[1][0]) < int(readings[0][0])
    assert number(explorer, "one") == "260"  # for data of power 1
    assert log.errors == []


def test_explorer_charts_answer_to_the_mouse(opened):
    page, _ = opened()
    explorer = figure(page, 1)
    for n, share in [(0, 0.75), (1, 0.2)]:
        box = explorer.locator("svg.ddpm-chart").nth(n).bounding_box()
        x = box["x"] + 30 + share * (box["width"] - 38)
        page.mouse.move(box["x"] + 60, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(x, box["y"] + 60, steps=3)
        page.mouse.up()
        settle(page)
        assert abs(time_of(explorer) - 1000 * share) < 12


def test_explorer_answers_within_50_ms(opened):
    page, _ = opened()
    took = control(figure(page, 1), "T").evaluate(
        """async range => {
          const times = [];
          for (let i = 0; i < 12; i++) {
            range.value = 1000 - 10 * i;
            const began = performance.now();
            range.dispatchEvent(new Event("input"));
            await new Promise(done => requestAnimationFrame(done));
            times.push(performance.now() - began);
          }
          return times.sort((a, b) => a - b);
        }"""
    )
    assert took[0] < 50, took  # the best of twelve: others may be using the machine
