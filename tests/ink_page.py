"""A page of one's own for a figure, twice on it, and what moves it: for the tests of the two picture figures."""

import numpy as np
import pytest
import torch

from ddpm_lib.painting import painting
from ddpm_lib.schedules import linear_schedule
from ddpm_lib.widgets.ink import InkAndRestorer
from tests.figures_page import HEAD, pixels
from tools import site

SIDE = 24
PAINTING = painting(SIDE)
CLEAN = ((PAINTING + 1) * 127.5).round().permute(1, 2, 0).numpy()
WORKS = torch.stack([painting(SIDE, seed) for seed in (11, 14, 23, 27, 30)])


@pytest.fixture(scope="session")
def ink_address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ink")
    html = InkAndRestorer(linear_schedule(), PAINTING, WORKS, caption="Splash.").html()
    (folder / "index.html").write_text(HEAD + html + html, encoding="utf-8")
    (folder / "blank.html").write_text(HEAD, encoding="utf-8")
    with site.serving(folder) as address:
        yield address


@pytest.fixture
def ink(open_page, ink_address):
    """The page with the figure twice, once all its pictures are there."""

    def open_one(**options):
        page, log = open_page(f"{ink_address}/index.html", **options)
        page.wait_for_function("document.querySelectorAll('.ddpm-body[data-loaded]').length === 2")
        return page, log

    return open_one


def easel(where):
    return pixels(where, "ddpm-easel-picture")[..., :3]


def off(picture, clean=CLEAN):
    """Root of the mean squared difference, in the figure's units (-1..1)."""
    return float(np.sqrt(np.mean((picture - clean) ** 2)) / 127.5)


def shares(where):
    """The weight of each work, the lost painting last."""
    return [float(v) for v in where.locator(".ddpm-work").evaluate_all("all => all.map(one => one.dataset.share)")]
