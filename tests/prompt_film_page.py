"""A page with the film of prompts twice, its pictures of flat colours that tell which they are."""

import pytest
import torch

from ddpm_lib.widgets.prompt_film import PromptFilm
from tests.figures_page import HEAD
from tools import site

PROMPTS, SCALES, SEEDS, TIMES = (
    ["a red apple", "panda, flat style", "红苹果，noto 风格"],
    [1, 2.5, 7],
    [4, 9],
    [1000, 600, 250, 0],
)


def colour_of(p, g, s, f):
    """Red tells the prompt, green scale and seed, blue the moment: bytes far enough apart for WebP."""
    return [40 + 80 * p, 20 + 40 * (2 * g + s), 30 + 60 * f]


def frames(side=32):
    """(3, 3, 2, 4, 3, side, side) of flat colours; the last two moments with stripes along their edges.

    Stripes do not survive shrinking: a moment that shares them with the end is kept as its difference from it.
    """
    lead = (len(PROMPTS), len(SCALES), len(SEEDS), len(TIMES))
    table = torch.tensor([colour_of(*place.tolist()) for place in torch.cartesian_prod(*map(torch.arange, lead))])
    x = (table / 127.5 - 1).reshape(*lead, 3, 1, 1).repeat(1, 1, 1, 1, 1, side, side)
    for edge in (slice(None, side // 8), slice(-side // 8, None)):
        x[:, :, :, 2:, :, ::2, edge] += 0.15
        x[:, :, :, 2:, :, 1::2, edge] -= 0.15
    return x


def film_figure(caption="Play the film.", **parts):
    given = dict(frames=frames(), prompts=PROMPTS, scales=SCALES, seeds=SEEDS, times=TIMES) | parts
    return PromptFilm(**given, caption=caption)


@pytest.fixture(scope="session")
def film_address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompt_film")
    html = film_figure().html()
    (folder / "PromptFilm.js").write_text(film_figure()._esm, encoding="utf-8")
    (folder / "index.html").write_text(HEAD + html + html, encoding="utf-8")
    (folder / "blank.html").write_text(HEAD, encoding="utf-8")
    with site.serving(folder) as address:
        yield address


@pytest.fixture
def films(open_page, film_address):
    """The page once all its pictures are there."""

    def open_one(**options):
        page, log = open_page(f"{film_address}/index.html", **options)
        page.wait_for_function("document.querySelectorAll('.ddpm-body[data-loaded]').length === 2")
        return page, log

    return open_one
