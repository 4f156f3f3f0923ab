"""A page with figures and nothing else, and the hands that move them: for the browser tests."""

import base64
import io
import re
from html import unescape
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_lib.painting import painting
from ddpm_lib.schedules import linear_schedule
from ddpm_lib.widgets import ForwardReverse, ScheduleExplorer
from tools import site

SCHEDULE = linear_schedule(200, 5e-4, 0.1)
PICTURE = painting(48)  # small, so it travels without loss
HEAD = (
    '<!doctype html><meta charset="utf-8"><title>figures</title><link rel="icon" href="data:,">'
    '<meta name="viewport" content="width=device-width"><body style="max-width: 45rem; margin: auto">'
)


def make_figures():
    generator = torch.Generator().manual_seed(0)
    cloud = torch.randn(80, 2, generator=generator)
    noise = torch.randn(1, 3, 48, 48, generator=generator)
    times = range(200, -1, -10)
    plane = [SimpleNamespace(t=t, x=cloud * t / 200 + (1 - t / 200) * 1.5) for t in times]
    film = [SimpleNamespace(t=t, x=noise * t / 200 + PICTURE * (1 - t / 200), x0_guess=PICTURE[None]) for t in times]
    data = dict(points=cloud, points_reverse=plane, picture=PICTURE, picture_reverse=film)
    return (
        ForwardReverse(SCHEDULE, **data, caption="Drag the time."),
        ScheduleExplorer(linear_schedule(), PICTURE, caption="Shorten T."),
        ForwardReverse(SCHEDULE, points=cloud, caption="By itself.", autoplay=True),
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A page with the first figure twice, the explorer, and far below the one that plays by itself."""
    both, explorer, alone = make_figures()
    folder = tmp_path_factory.mktemp("figures")
    gap = '<div style="height: 3000px"></div>'
    page = HEAD + both.html() + explorer.html() + both.html() + gap + alone.html()
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "blank.html").write_text(HEAD, encoding="utf-8")
    for figure in (both, explorer):
        (folder / f"{type(figure).__name__}.js").write_text(figure._esm, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def address(folder):
    with site.serving(folder) as where:
        yield where


@pytest.fixture
def opened(open_page, address):
    """The page once all its pictures are there."""

    def open_one(**options):
        page, log = open_page(f"{address}/index.html", **options)
        page.wait_for_function("document.querySelectorAll('.ddpm-body[data-loaded]').length === 4")
        return page, log

    return open_one


def keeps_to_itself(page, log, open_page, address):
    """The page asked for itself alone, complained of nothing, and left no global beside those of an empty page."""
    assert log.foreign == [] and log.errors == []
    assert [url for url in log.requests if not url.startswith("data:")] == [f"{address}/index.html"]
    names = "() => Object.getOwnPropertyNames(window)"
    blank, _ = open_page(f"{address}/blank.html")
    assert set(page.evaluate(names)) == set(blank.evaluate(names))


def still_of(html):
    """The SVG in the picture that a figure's HTML keeps as its still."""
    address = re.search(r'<div class="ddpm-still"><img src="data:image/svg\+xml,([^"]*)"', html)[1]
    return unquote(unescape(address))


def figure(page, n):
    return page.locator("figure.ddpm-figure").nth(n)


def control(where, name):
    return where.locator(f'[data-control="{name}"]')


def number(where, name):
    return where.locator(f'[data-readout="{name}"] output').inner_text()


def time_of(where):
    return int(control(where, "t").input_value())


def pixels(where, kind, n=0):
    """The (height, width, 4) bytes of a canvas."""
    address = where.locator(f"canvas.{kind}").nth(n).evaluate("c => c.toDataURL()")
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    return np.asarray(image.convert("RGBA"), dtype=float)


def until(page, condition, limit=8000):
    """Wait until a Python condition holds."""
    for _ in range(limit // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within {limit} ms")


def frames(page, count):
    """Let the page draw so many frames: proof that is counted, whatever time a busy machine takes for each."""
    page.evaluate(
        """count => new Promise(done => {
          const next = () => (count-- ? requestAnimationFrame(next) : done());
          next();
        })""",
        count,
    )


def stands_still(page, read, count=60):
    """What a figure shows does not change while it could draw `count` more frames."""
    settle(page)  # a frame that was asked for before may still be drawn
    rest = read()
    frames(page, count)
    assert read() == rest
    return rest


def settle(page):
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


CLEAN = ((PICTURE + 1) * 127.5).round().permute(1, 2, 0).numpy()


def likeness(picture):
    """Correlation with the clean picture."""
    return np.corrcoef(picture[..., :3].ravel(), CLEAN.ravel())[0, 1]
