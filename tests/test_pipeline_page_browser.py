"""The text-to-image pipeline in a browser: tokens as one types, nothing loaded unasked, diffusers' own pictures."""
# ruff: noqa: F401, F811 (fixtures are among the imports)

import numpy as np
import pytest
import torch

from ddpm_lib.widgets.tokenizer import pack_tokenizer
from tests.figures_page import control, until
from tests.page_measures import GRAVE, told, violations
from tests.pipeline_page import HEAD, furthest_answers, make_figure, pipeline_address, redraw, tiny_folder

WAIT = 120_000


@pytest.fixture
def opened(open_page, pipeline_address):
    """The page, and once it is asked for, the model with a first picture."""

    def open_one(load=True, **options):
        page, log = open_page(f"{pipeline_address}/index.html", **options)
        if load:
            control(page, "load").click()
            picture(page, 1)
        return page, log

    return open_one


def picture(page, count):
    """Wait for that many pictures in all: the last."""
    page.wait_for_function(f"pictures.length === {count}", timeout=WAIT)
    return page.evaluate("pictures.at(-1)")


# Presses the button, which says Stop while it runs, as soon as a step has been told.
STOP_AT_A_STEP = """() => {
  if (!document.querySelector(".ddpm-net-says").textContent.includes("Step ")) return false;
  document.querySelector('[data-control="draw"]').click();
  return true;
}"""


def says(page):
    return page.locator(".ddpm-net-says").inner_text()


def tokens(page):
    """(letters, number) of every token shown."""
    each = "all => all.map((li) => [...li.children].map((part) => part.textContent))"
    return page.locator(".ddpm-token").evaluate_all(each)


def large(page):
    return np.array(page.locator('[data-canvas="picture"]').evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"), dtype=float)  # fmt: skip


def test_tokens_follow_the_hand_and_nothing_is_loaded_for_them(opened, pipeline_address, tiny_folder):
    from transformers import CLIPTokenizer

    page, log = opened(load=False)
    assert [t[0] for t in tokens(page)] == ["start", "red", "apple", ",", "noto", "style", "end"]
    control(page, "prompt").fill("")
    control(page, "prompt").press_sequentially("panda, ")
    control(page, "style-flat").check()
    until(page, lambda: control(page, "prompt").input_value() == "panda, flat style")
    ids = CLIPTokenizer.from_pretrained(tiny_folder / "tokenizer")("panda, flat style").input_ids
    assert [int(t[1]) for t in tokens(page)] == ids
    control(page, "style-flat").focus()
    page.keyboard.press("ArrowRight")
    until(page, lambda: control(page, "prompt").input_value().endswith(", blob style"))
    until(page, lambda: control(page, "style-blob").is_checked())
    control(page, "example").nth(3).press("Enter")
    until(page, lambda: control(page, "prompt").input_value() == "红苹果，noto 风格")
    until(page, lambda: control(page, "style-noto").is_checked())
    control(page, "style-none").check()
    until(page, lambda: control(page, "prompt").input_value() == "红苹果")
    control(page, "prompt").fill("𓀀 " + "apple " * 30)
    shown = tokens(page)
    assert [t[0] for t in shown[1:5]] == ["F0", "93", "80", "80"] and shown[23][0] == "end" and len(shown) == 32
    assert "what comes after is not read" in page.locator(".ddpm-token-note").inner_text()
    asked = [url for url in log.requests if not url.startswith("data:")]
    assert asked == [f"{pipeline_address}/index.html"]
    assert log.errors == []


def test_the_browser_says_what_torch_says(open_page, pipeline_address, tiny_folder):
    page, log = open_page(f"{pipeline_address}/index.html")
    found = furthest_answers(page, pipeline_address, tiny_folder)
    assert set(found) == {"text_encoder", "unet", "decoder"} and max(found.values()) < 1e-3
    assert log.foreign == []


def test_a_guided_picture_is_diffusers_own(opened, tiny_folder):
    page, log = opened()
    assert page.evaluate("document.activeElement.dataset.control") == "draw"
    loaded = [url.split("/_static/network/")[1] for url in log.requests if "_static" in url]
    files = make_figure(tiny_folder).files
    assert sorted(f"_static/network/{name}" for name in loaded) == sorted(
        [files["runtime"], files["wasm"], *(g[key] for g in files["graphs"].values() for key in ("graph", "weights"))]
    )
    drawn = page.evaluate("pictures[0]")
    assert (drawn["steps"], drawn["scale"], drawn["calls"]) == (4, 4, 4)
    assert [f["t"] for f in drawn["frames"]] == [1000, 750, 500, 250, 0]
    control(page, "negative").fill("blue heart")
    control(page, "prompt").fill("熊猫，blob 风格")
    control(page, "prompt").press("Enter")
    other = picture(page, 2)
    control(page, "scale").fill("1")
    control(page, "draw").click()
    plain = picture(page, 3)
    assert (other["negative"], plain["scale"]) == ("blue heart", 1)
    for one in (drawn, other, plain):
        last = torch.tensor(one["frames"][-1]["picture"]).reshape(3, 32, 32)
        again = redraw(tiny_folder, one)
        assert (last.clamp(-1, 1) - again).abs().max() < 1e-2 and again.std() > 0.05
    shown = large(page).reshape(32, 32, 4)[..., :3]
    assert np.abs(shown - ((last.clamp(-1, 1) + 1) * 127.5).permute(1, 2, 0).numpy()).max() <= 1
    assert "U-Net was asked 4 times" in says(page) and "熊猫" in says(page)
    assert log.foreign == [] and log.errors == []


def test_settings_count_and_the_film_is_seen_frame_by_frame(opened):
    page, log = opened(width=390, scheme="dark")
    control(page, "scale").fill("1")
    control(page, "steps").focus()
    page.keyboard.press("ArrowRight")
    control(page, "another").click()
    drawn = picture(page, 2)
    assert (drawn["scale"], drawn["steps"], drawn["seed"]) == (1, 5, 1)
    end = large(page)
    control(page, "frame-0").press("Enter")
    start = large(page)
    assert not np.array_equal(start, end) and control(page, "frame-0").get_attribute("aria-pressed") == "true"
    assert "noise" in page.locator('[data-canvas="picture"]').get_attribute("aria-label")
    assert control(page, "frame-6").is_disabled()  # five steps have six frames
    control(page, "frame-5").click()
    assert np.array_equal(large(page), end)
    control(page, "play").click()
    until(page, lambda: control(page, "frame-2").get_attribute("aria-pressed") == "true")
    until(page, lambda: control(page, "play").inner_text() == "Play the film" and np.array_equal(large(page), end))
    control(page, "steps").fill("50")
    control(page, "draw").click()
    # Looked at in every frame: on a quiet machine the steps are over before the next look from outside.
    page.wait_for_function(STOP_AT_A_STEP, polling="raf", timeout=WAIT)
    until(page, lambda: "Stopped" in says(page))
    assert "Stopped" in says(page) and control(page, "draw").inner_text() == "Draw"
    control(page, "steps").fill("2")
    control(page, "style-3d").check()
    assert picture(page, 3)["prompt"] == "red apple, 3d style"
    assert not np.array_equal(large(page), end)
    until(page, lambda: control(page, "drawn").count() == 3)
    control(page, "drawn").nth(1).press("Enter")  # the one before comes back, with what it was asked by
    until(page, lambda: np.array_equal(large(page), end) and control(page, "seed").input_value() == "1")
    assert control(page, "prompt").input_value() == "red apple, noto style" and control(page, "style-noto").is_checked()
    assert log.foreign == [] and log.errors == []


def test_two_on_one_page_do_not_meet(open_page, pipeline_address):
    page, log = open_page(f"{pipeline_address}/two.html")
    one, two = page.locator("figure").nth(0), page.locator("figure").nth(1)
    control(two, "style-blob").check()
    assert control(one, "style-noto").is_checked() and control(one, "prompt").input_value() == "red apple, noto style"
    assert control(two, "prompt").input_value() == "red apple, blob style"
    for figure in (one, two):
        control(figure, "load").click()
    for figure in (one, two):
        until(page, lambda: "U-Net was asked 2 times" in figure.locator(".ddpm-net-says").inner_text(), WAIT)  # noqa: B023
    assert page.evaluate("() => document.querySelectorAll('[id]').length") == 0
    blank, _ = open_page(f"{pipeline_address}/blank.html")
    names = "() => Object.getOwnPropertyNames(window)"
    assert set(page.evaluate(names)) == set(blank.evaluate(names))
    assert log.foreign == [] and log.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing_serious(opened, scheme, width):
    page, _ = opened(scheme=scheme, width=width)
    found = violations(page, {"include": ["figure"]})
    assert told([violation for violation in found if violation["impact"] in GRAVE]) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_a_host_does_not_have_is_said_and_no_second_try_promised(open_page, pipeline_address):
    page, _ = open_page(f"{pipeline_address}/bare.html")
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
def test_a_runtime_that_does_not_come_is_told_with_its_cause(answer, told, again, open_page, pipeline_address):
    page, _ = open_page(f"{pipeline_address}/index.html")
    page.context.route("**/ort.wasm.bundle*", lambda route: route.fulfill(**answer) if answer else route.abort())
    control(page, "load").click()
    until(page, lambda: told in says(page), WAIT)
    assert ("Trying again will not help" in says(page)) is not again
    assert control(page, "load").is_enabled() is again


def test_a_page_that_may_start_no_worker_says_so(open_page, pipeline_address):
    policy = {"content-security-policy": "worker-src 'none'"}
    page, _ = open_page("about:blank")
    page.context.route("**/index.html", lambda route: route.fulfill(response=route.fetch(), headers=policy))
    page.goto(f"{pipeline_address}/index.html")
    control(page, "load").click()
    until(page, lambda: "may not start the worker" in says(page) and "will not help" in says(page), WAIT)
    assert control(page, "load").is_disabled()


def test_in_a_notebook_the_button_says_where_it_works(open_page, pipeline_address):
    page, _ = open_page(f"{pipeline_address}/bare.html")
    page.evaluate("document.documentElement.removeAttribute('data-content_root')")
    control(page, "load").click()
    until(page, lambda: "In a notebook" in says(page))


def test_where_the_model_cannot_run_that_is_said_at_once_and_the_tokens_are_there(open_page, tmp_path, tiny_folder):
    (tmp_path / "index.html").write_text(HEAD + make_figure(tiny_folder).html(), encoding="utf-8")
    page, log = open_page((tmp_path / "index.html").as_uri())
    until(page, lambda: "opened as a file" in says(page))
    assert control(page, "load").is_hidden() and page.locator(".ddpm-net-gate img").is_visible()
    control(page, "prompt").fill("panda")
    assert [t[0] for t in tokens(page)] == ["start", "panda", "end"]
    assert log.errors == [] and len([url for url in log.requests if not url.startswith("data:")]) == 1
