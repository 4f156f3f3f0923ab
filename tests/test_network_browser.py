"""The network in a browser: loaded only when asked, right to the digits, and moved by mouse and by keyboard."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

import numpy as np
import pytest
import torch

from ddpm_lib.checkpoints import load_pretrained
from tests.figures_page import control, pixels, stands_still, until
from tests.network_page import HEAD, answer, make_figure, network_address, redraw

WAIT = 120_000

# Stop while a call is under way (the first has just been answered), and draw again at once.
RESTART = """async () => {
  const press = (name) => document.querySelector(`[data-control="${name}"]`).click();
  const says = document.querySelector(".ddpm-net-says");
  press("draw");
  await new Promise((done) => new MutationObserver(() => {
    if (says.textContent.startsWith("Step 1 ")) done();
  }).observe(says, { childList: true }));
  for (const name of ["stop", "draw"]) press(name);
}"""


@pytest.fixture
def opened(open_page, network_address):
    """The page, and once it is asked for, the network."""

    def open_one(load=True, **options):
        page, log = open_page(f"{network_address}/index.html", **options)
        if load:
            control(page, "load").click()
            page.wait_for_function("films.length === 1", timeout=WAIT)  # loaded, it draws at once
        return page, log

    return open_one


def draw(page, count=2):
    """Press Draw and wait for the film."""
    control(page, "draw").click()
    page.wait_for_function(f"films.length === {count}", timeout=WAIT)
    return page.evaluate("films.at(-1)")


def says(page):
    return page.locator(".ddpm-net-says").inner_text()


def test_nothing_is_loaded_before_the_button_and_nothing_from_elsewhere_after(opened, network_address):
    page, log = opened(load=False)
    asked = [url for url in log.requests if not url.startswith("data:")]
    assert asked == [f"{network_address}/index.html"]
    assert control(page, "load").inner_text() == "Load the network and draw: 2.9 MB of weights, 3.7 MB of runtime"
    control(page, "load").press("Enter")
    page.wait_for_function("films.length === 1", timeout=WAIT)
    assert page.evaluate("document.activeElement.dataset.control") == "draw"
    assert "40 calls" in says(page) and "with the label and without" in says(page)
    assert control(page, "steps").get_attribute("aria-valuetext") == "20 (40 calls)"
    control(page, "scale").fill("1")
    until(page, lambda: control(page, "steps").get_attribute("aria-valuetext") == "20 (20 calls)")
    loaded = [url.split("/")[-1] for url in log.requests if "_static" in url]
    assert sorted(loaded) == ["digits.onnx.gz", "ort-wasm-simd-threaded.wasm.gz", "ort.wasm.bundle.min.js"]
    assert log.foreign == [] and log.errors == []


def test_the_browser_says_what_torch_says(open_page, network_address):
    page, _ = open_page(f"{network_address}/index.html")
    assert answer(page, network_address, [1, 100, 500, 1000], [3, -1, 0, 9]) < 1e-4


def test_a_film_is_the_librarys_and_its_digits_are_those_asked_for(opened):
    page, log = opened()
    control(page, "steps").fill("8")
    film = draw(page)
    drawn = torch.tensor(film["steps"][-1]["x"]).float()
    assert (drawn - redraw(film, "dpmpp", 2.0).flatten()).abs().max() < 1e-3
    control(page, "sampler").select_option("ddim")
    control(page, "label").select_option("all")
    control(page, "scale").fill("3")
    film = draw(page, 3)
    ten = torch.tensor(film["steps"][-1]["x"]).float().reshape(10, 1, 28, 28)
    again = redraw(film, "ddim", 3.0)
    assert (ten - again).abs().max() < 1e-3
    judge, _ = load_pretrained("digits-classifier")
    assert judge(ten).argmax(1).tolist() == judge(again).argmax(1).tolist()
    assert (judge(ten).argmax(1) == torch.arange(10)).sum() >= 9
    assert film["calls"] == 8 and "Ten digits" in says(page)
    assert log.foreign == [] and log.errors == []


def test_the_film_is_paused_stopped_scrubbed_and_played(opened):
    page, _ = opened()
    control(page, "steps").fill("60")
    control(page, "draw").click()
    until(page, lambda: "Step 3" in says(page), WAIT)
    control(page, "draw").click()  # it says Pause while it runs
    until(page, lambda: control(page, "draw").inner_text() == "Go on")
    page.locator(".ddpm-body[data-paused]").wait_for(timeout=WAIT)  # the call under way has landed
    stands_still(page, lambda: says(page))
    control(page, "stop").click()
    until(page, lambda: "Stopped" in says(page) and control(page, "draw").inner_text() == "Draw")
    assert page.evaluate("films.length") == 1
    control(page, "steps").fill("6")
    page.evaluate(RESTART)
    page.wait_for_function("films.length === 2", timeout=WAIT)
    assert page.evaluate("films[1].calls") == 6  # what the stopped run still heard is not counted here
    end = pixels(page, "ddpm-picture", 1)
    control(page, "frame").focus()
    page.keyboard.press("Home")
    until(page, lambda: "step 0, t = 1000" in control(page, "frame").get_attribute("aria-valuetext"))
    start = pixels(page, "ddpm-picture", 1)
    assert start[..., :3].std() > 60 and not np.array_equal(start, end)
    page.keyboard.press("End")
    assert np.array_equal(pixels(page, "ddpm-picture", 1), end)
    control(page, "play").press("Enter")
    until(page, lambda: control(page, "frame").input_value() == "6", 20_000)
    until(page, lambda: control(page, "play").inner_text() == "Play the film")


def test_a_digit_drawn_by_hand_is_noised_and_restored(opened):
    page, log = opened(width=390, scheme="dark")
    control(page, "mode-restore").check()
    pad = page.locator('[data-canvas="pad"]')
    box = pad.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.8, steps=6)
    page.mouse.up()
    column = pixels(page, "ddpm-picture", 0)[:, 14, 0]
    assert column[8:20].max() < 55 and column[:3].min() == 255  # a 1, as one writes it: ink on paper
    by_mouse = pixels(page, "ddpm-picture", 0)
    pad.focus()
    for key in ("ArrowRight", "ArrowRight", "Space", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    assert not np.array_equal(by_mouse, pixels(page, "ddpm-picture", 0))
    control(page, "clear").click()
    assert pixels(page, "ddpm-picture", 0)[..., :3].min() == 255
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.8, steps=6)
    page.mouse.up()
    control(page, "noise").fill("300")
    control(page, "label").select_option("1")
    control(page, "steps").fill("8")
    film = draw(page)
    assert film["steps"][0]["t"] == 300
    control(page, "scale").fill("5")
    assert control(page, "frame").input_value() == "8"  # the film stays until another picture is noised
    assert control(page, "label").locator("[value=all]").is_disabled()
    restored = torch.tensor(film["steps"][-1]["x"]).float().reshape(1, 1, 28, 28)
    judge, _ = load_pretrained("digits-classifier")
    assert int(judge(restored).argmax()) == 1
    control(page, "take").click()
    assert pixels(page, "ddpm-picture", 0)[..., :3].min() < 55
    assert log.foreign == [] and log.errors == []


def test_what_a_host_does_not_have_is_said_and_no_second_try_promised(open_page, network_address):
    page, _ = open_page(f"{network_address}/bare.html")
    control(page, "load").click()
    until(page, lambda: "could not be loaded (404). Trying again will not help." in says(page), WAIT)
    assert control(page, "load").is_disabled()


@pytest.mark.parametrize(
    ("answer", "told", "again"),
    [
        ({"status": 200, "content_type": "application/octet-stream", "body": ""}, "as application/octet-stream", False),
        ({"status": 503, "body": ""}, "ort.wasm.bundle.min.js could not be loaded (503). Nothing is lost", True),
        (None, "ort.wasm.bundle.min.js could not be loaded (offline). Nothing is lost", True),
    ],
)
def test_a_runtime_that_does_not_come_is_told_with_its_cause(answer, told, again, open_page, network_address):
    page, _ = open_page(f"{network_address}/index.html")
    page.context.route("**/ort.wasm.bundle*", lambda route: route.fulfill(**answer) if answer else route.abort())
    control(page, "load").click()
    until(page, lambda: told in says(page), WAIT)
    assert ("Trying again will not help" in says(page)) is not again
    assert control(page, "load").is_enabled() is again


def test_a_page_that_may_start_no_worker_says_so(open_page, network_address):
    policy = {"content-security-policy": "worker-src 'none'"}
    page, _ = open_page("about:blank")
    page.context.route("**/index.html", lambda route: route.fulfill(response=route.fetch(), headers=policy))
    page.goto(f"{network_address}/index.html")
    control(page, "load").click()
    until(page, lambda: "may not start the worker" in says(page) and "will not help" in says(page), WAIT)
    assert control(page, "load").is_disabled()


def test_in_a_notebook_the_button_says_where_it_works(open_page, network_address):
    page, _ = open_page(f"{network_address}/bare.html")
    page.evaluate("document.documentElement.removeAttribute('data-content_root')")
    control(page, "load").click()
    until(page, lambda: "In a notebook" in says(page))


def test_where_the_network_cannot_run_that_is_said_at_once_and_no_button_promises_it(open_page, tmp_path):
    (tmp_path / "index.html").write_text(HEAD + make_figure().html(), encoding="utf-8")
    page, log = open_page((tmp_path / "index.html").as_uri())
    until(page, lambda: "opened as a file" in says(page))
    assert control(page, "load").is_hidden() and page.locator(".ddpm-net-gate img").is_visible()
    assert log.errors == [] and len([url for url in log.requests if not url.startswith("data:")]) == 1
