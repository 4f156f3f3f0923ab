"""The picture figure in a browser: the chain and the jump, the reader's own file, the way back."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_lib.pictures import face
from ddpm_lib.schedules import linear_schedule
from ddpm_lib.widgets.picture_process import PictureProcess
from tests.figures_page import HEAD, control, figure, keeps_to_itself, number, pixels, settle, stands_still, until
from tests.ink_page import CLEAN, PAINTING, SIDE, off
from tools import site

SCHEDULE = linear_schedule()
FACE = ((face(SIDE) + 1) * 127.5).round().permute(1, 2, 0).numpy()


@pytest.fixture(scope="session")
def picture_address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("picture")
    html = PictureProcess(SCHEDULE, {"painting": PAINTING, "face": face(SIDE)}, t=0, caption="Drop one.").html()
    (folder / "index.html").write_text(HEAD + html + html, encoding="utf-8")
    (folder / "blank.html").write_text(HEAD, encoding="utf-8")
    with site.serving(folder) as address:
        yield address


@pytest.fixture
def opened(open_page, picture_address):
    def open_one(**options):
        page, log = open_page(f"{picture_address}/index.html", **options)
        page.wait_for_function("document.querySelectorAll('.ddpm-body[data-loaded][data-at]').length === 2")
        return page, log

    return open_one


def view(where, n):
    return pixels(where, "ddpm-view", n)[..., :3]


def go(page, where, t):
    control(where, "t").fill(str(t))
    until(page, lambda: where.locator(".ddpm-body").get_attribute("data-at") == str(t), 30_000)
    settle(page)


def deviation(where, name):
    return float(number(where, name).split(", ")[1])


def png(colour_left, colour_right, width=300, height=200, kind="PNG"):
    image = Image.new("RGB", (width, height), colour_left)
    image.paste(colour_right, (width // 2, 0, width, height))
    store = io.BytesIO()
    image.save(store, kind)
    return store.getvalue()


def test_it_asks_nobody_and_leaks_no_global(opened, open_page, picture_address):
    page, log = opened()
    keeps_to_itself(page, log, open_page, picture_address)


def test_chain_and_jump_are_two_pictures_with_one_law(opened):
    page, log = opened()
    first, twin = figure(page, 0), figure(page, 1)
    assert np.array_equal(view(first, 0), CLEAN) and np.array_equal(view(first, 1), CLEAN)
    go(page, first, 400)
    assert first.locator(".ddpm-count").first.inner_text() == "400 of 400 steps"
    chain, jump = view(first, 0), view(first, 1)
    assert off(chain, jump) > 0.5  # not the same grains
    signal, noise = SCHEDULE.signal_rate[400], SCHEDULE.noise_rate[400]
    law = float((signal**2 * PAINTING.double().var() + noise**2).sqrt())
    for name in ("chain", "jump", "formula"):
        assert abs(deviation(first, name) - law) < 0.05
    assert float(number(first, "formula").split(", ")[1]) == pytest.approx(law, abs=0.002)
    assert np.array_equal(view(twin, 0), CLEAN)
    go(page, first, 120)
    go(page, first, 400)  # back and forth again: the same noise
    assert np.array_equal(view(first, 0), chain) and np.array_equal(view(first, 1), jump)
    control(first, "noise").press("Enter")
    until(page, lambda: not np.array_equal(view(first, 1), jump))
    until(page, lambda: first.locator(".ddpm-count").first.inner_text() == "400 of 400 steps")
    assert log.errors == []


def test_forgetting_the_root_lets_the_variance_grow(opened):
    page, _ = opened()
    first = figure(page, 0)
    go(page, first, 1000)
    assert abs(deviation(first, "chain") - 1) < 0.06
    before = first.locator(".ddpm-hist-fill").get_attribute("d")
    control(first, "forget").press("Space")
    until(page, lambda: deviation(first, "chain") > 3)
    until(page, lambda: first.locator(".ddpm-count").first.inner_text() == "1000 of 1000 steps")
    law = float((PAINTING.var() + SCHEDULE.beta.sum()).sqrt())
    assert abs(deviation(first, "chain") - law) < 0.2 and abs(deviation(first, "formula") - law) < 0.01
    assert abs(deviation(first, "jump") - 1) < 0.06
    assert first.locator(".ddpm-hist-fill").get_attribute("d") != before


def test_time_by_keyboard_one_drop_and_play(opened):
    page, _ = opened()
    first = figure(page, 0)
    control(first, "t").focus()
    for key, t in [("ArrowRight", 1), ("End", 1000), ("Home", 0)]:
        page.keyboard.press(key)
        assert control(first, "t").input_value() == str(t)
    control(first, "step").click()
    until(page, lambda: control(first, "t").input_value() == "1")
    play = control(first, "play")
    play.press("Space")
    until(page, lambda: int(control(first, "t").input_value()) > 30)
    assert play.inner_text() == "Pause"
    play.click()
    stands_still(page, lambda: control(first, "t").input_value())
    assert play.inner_text() == "Play"


def test_another_picture_by_keyboard(opened):
    page, _ = opened()
    first = figure(page, 0)
    control(first, "picture-0").focus()
    page.keyboard.press("ArrowRight")
    until(page, lambda: np.array_equal(view(first, 0), FACE))
    assert control(first, "picture-1").is_checked() and control(figure(page, 1), "picture-0").is_checked()


def test_the_readers_own_file_stays_in_the_page(opened, picture_address):
    page, log = opened()
    first = figure(page, 0)
    picture = {"name": "half.png", "mimeType": "image/png", "buffer": png("red", "blue")}
    control(first, "file").set_input_files(picture)
    until(page, lambda: view(first, 0).shape == (128, 128, 3))
    until(page, lambda: (view(first, 0)[:, 5] == [255, 0, 0]).all())
    assert (view(first, 0)[:, 120] == [0, 0, 255]).all()  # the middle square of the wide picture
    assert control(first, "picture-2").is_checked()
    assert first.locator(".ddpm-pick").nth(2).inner_text() == "half"
    go(page, first, 300)
    assert abs(deviation(first, "chain") - deviation(first, "jump")) < 0.03
    another = {"name": "tall.jpg", "mimeType": "image/jpeg", "buffer": png("white", "white", 90, 400, "JPEG")}
    control(first, "file").set_input_files(another)
    until(page, lambda: first.locator(".ddpm-pick").nth(2).inner_text() == "tall")
    go(page, first, 0)
    assert view(first, 0).min() > 250 and first.locator(".ddpm-pick").count() == 4
    requests = [url for url in log.requests if not url.startswith(("data:", "blob:"))]
    assert requests == [f"{picture_address}/index.html"] and log.foreign == [] and log.errors == []


def test_a_file_that_is_no_picture_gets_one_clear_sentence(opened):
    page, log = opened()
    first = figure(page, 0)
    status = first.locator("[role=status]")
    control(first, "file").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    until(page, lambda: status.inner_text() != "")
    assert status.inner_text().startswith("“notes.txt” is not a picture") and "JPEG" in status.inner_text()
    assert np.array_equal(view(first, 0), CLEAN) and control(first, "picture-0").is_checked()
    control(first, "file").set_input_files({"name": "ok.png", "mimeType": "image/png", "buffer": png("red", "red")})
    until(page, lambda: view(first, 0).shape[0] == 128)
    assert status.inner_text() == "" and log.errors == []


def test_a_file_dropped_on_the_figure(opened):
    page, log = opened()
    first = figure(page, 0)
    data = page.evaluate_handle(
        """bytes => { const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" })); return data; }""",
        list(png("lime", "lime", 40, 40)),
    )
    body = first.locator(".ddpm-body")
    body.dispatch_event("dragover", {"dataTransfer": data})
    until(page, lambda: "ddpm-over" in body.get_attribute("class"))
    body.dispatch_event("drop", {"dataTransfer": data})
    until(page, lambda: view(first, 0).shape[0] == 128 and (view(first, 0) == [0, 255, 0]).all())
    assert "ddpm-over" not in body.get_attribute("class")
    assert page.url.endswith("index.html") and log.errors == []


def test_the_way_back_and_its_error(opened):
    page, log = opened()
    first = figure(page, 0)
    control(first, "forward").focus()
    page.keyboard.press("ArrowRight")
    until(page, lambda: control(first, "back").is_checked())
    control(first, "error").fill("0")
    go(page, first, 1000)
    assert off(view(first, 0)) > 0.5 and off(view(first, 1)) < 0.01  # the true noise: x0 is back, from pure ink
    assert float(number(first, "out").replace("·10⁻⁵", "e-5").replace("·10⁻⁶", "e-6")) < 1e-4
    assert number(first, "amplified") == "× 157"
    control(first, "error").fill("0.05")
    for t, factor in [(250, 0.953), (500, 3.42), (750, 17.2)]:
        go(page, first, t)
        assert number(first, "amplified") == f"× {factor}"
        assert float(number(first, "out")) == pytest.approx(0.05 * factor, rel=0.05)
    assert first.locator(".ddpm-forward").is_hidden() and first.locator(".ddpm-back").is_visible()
    box = first.locator(".ddpm-back svg").bounding_box()
    page.mouse.click(box["x"] + 34 + (box["width"] - 44) * 0.3, box["y"] + 40)
    until(page, lambda: abs(int(control(first, "t").input_value()) - 300) < 8)
    assert log.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_slider_answers_at_once_on_a_narrow_page(opened, scheme):
    """The jump is there in the next frame; the chain follows, and no frame of it walks longer than its share."""
    page, log = opened(width=390, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    first = figure(page, 0)
    control(first, "file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png("red", "blue")})
    until(page, lambda: view(first, 0).shape[0] == 128)
    before = view(first, 1)
    control(first, "t").fill("1000")
    settle(page)
    assert not np.array_equal(view(first, 1), before)  # while the chain may still be on its way
    until(page, lambda: first.locator(".ddpm-body").get_attribute("data-at") == "1000", 30_000)
    assert log.errors == []


def test_on_a_phone_the_pictures_stand_in_line_and_no_ring_is_cut(opened):
    page, _ = opened(width=390)
    first = figure(page, 0)
    tops = [first.locator("canvas.ddpm-view").nth(k).bounding_box()["y"] for k in range(2)]
    assert abs(tops[0] - tops[1]) < 1
    thumb, body = first.locator(".ddpm-pick canvas").first.bounding_box(), first.locator(".ddpm-body").bounding_box()
    assert thumb["x"] - body["x"] >= 3.5 and thumb["y"] - body["y"] >= 3.5  # outline 2 px, 1.5 px off
