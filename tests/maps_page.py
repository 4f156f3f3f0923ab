"""A page with the loss by time and the map of guidance, on small made-up data: for their browser tests."""

import pytest
import torch

from ddpm_lib import ExactDenoiser, GaussianMixture, linear_schedule
from ddpm_lib.exact import excess_by_time
from ddpm_lib.examples import GuidedGrid, loss_examples
from ddpm_lib.losses import loss_by_time
from ddpm_lib.widgets.guidance_map import GuidanceMap
from ddpm_lib.widgets.loss_by_time import LossByTime
from tests.figures_page import HEAD
from tools import site

SCHEDULE = linear_schedule()
TIMES = [1, 10, 100, 300, 600, 1000]
TWO = GaussianMixture(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), std=0.1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def digits(n=3):
    """n pictures of bars, 8 × 8: -1 is paper."""
    x = torch.full((n, 1, 8, 8), -1.0)
    for i in range(n):
        x[i, 0, 1:7, 2 * i + 1] = 1
    return x


def guesses_half(xt, t):
    return 0.5 * xt


def guesses_all(xt, t):
    return xt


NETWORKS = {"half": guesses_half, "all": guesses_all}


def picture_view(n=3):
    seen = {name: loss_examples(net, SCHEDULE, digits(n), TIMES, generator=seeded()) for name, net in NETWORKS.items()}
    curves = {
        name: (TIMES, loss_by_time(net, SCHEDULE, digits(3), TIMES, generator=seeded(1)))
        for name, net in NETWORKS.items()
    }
    return dict(curves=curves, examples=seen, log_t=True)


def point_view():
    exact, x0, times = ExactDenoiser(TWO, SCHEDULE), TWO.sample(200, seeded()), [5, 50, 200, 500, 900]
    axis = torch.linspace(-5, 5, 201, dtype=torch.float64)
    plane = torch.cartesian_prod(axis, axis)
    density = torch.stack([TWO.at(SCHEDULE, t).log_density(plane).exp() for t in times])
    density = density / density.sum(1, keepdim=True)
    known = torch.stack([exact(plane, t).eps.square().mean(1) for t in times])
    floor = 1 - (density * known).sum(1)
    asked = {"half": guesses_half, "floor": exact}
    curve = floor + excess_by_time(guesses_half, exact, times).above
    seen = {name: loss_examples(net, SCHEDULE, x0[:20], times, generator=seeded()) for name, net in asked.items()}
    return dict(curves={"half": (times, curve)}, floor=(times, floor), examples=seen)


def loss_figure(caption="Point at a time."):
    return LossByTime({"bars": picture_view(), "two blots": point_view()}, t=100, caption=caption)


def grid(labels=(4, 1), scales=(0.0, 1.0, 3.0), seeds=(7, 8, 9, 10), judged=True, side=8):
    """Grey squares, no two alike but for the shared first row; the judge sees the label in all but one of scale 1."""
    L, S, N = len(labels), len(scales), len(seeds)
    shade = torch.linspace(-0.9, 0.9, L * S * N).reshape(L, S, N)
    shade[:, 0] = shade[:1, 0]
    images = shade[..., None, None, None].expand(L, S, N, 1, side, side)
    table = torch.full((L, S, N, 10), 0.01)
    for i, label in enumerate(labels):
        table[i, 1:, :, label] = 0.91
        table[i, 0, :, (label + 1) % 10] = 0.91
        table[i, 1, 0] = torch.full((10,), 0.05)
        table[i, 1, 0, (label + 2) % 10] = 0.55
    spread = torch.tensor([[3.0, 2.0, 1.0], [3.0, 1.5, 1.2]])[:L, :S]
    return GuidedGrid(list(labels), list(scales), list(seeds), images, table if judged else None, spread)


def map_figure(caption="Move over the digits."):
    return GuidanceMap(grid(), caption=caption)


@pytest.fixture(scope="session")
def maps_address(tmp_path_factory):
    """A page with the loss twice and the map twice."""
    folder = tmp_path_factory.mktemp("maps")
    loss, guidance = loss_figure(), map_figure()
    page = HEAD + loss.html() + guidance.html() + loss.html() + guidance.html()
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "blank.html").write_text(HEAD, encoding="utf-8")
    for figure in (loss, guidance):
        (folder / f"{type(figure).__name__}.js").write_text(figure._esm, encoding="utf-8")

    with site.serving(folder) as address:
        yield address


@pytest.fixture
def maps(open_page, maps_address):
    """The page once all its pictures are there."""

    def open_one(**options):
        page, log = open_page(f"{maps_address}/index.html", **options)
        page.wait_for_function("document.querySelectorAll('.ddpm-body[data-loaded]').length === 4")
        return page, log

    return open_one
