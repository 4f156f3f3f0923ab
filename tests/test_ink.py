"""InkAndRestorer from Python's side, and its arithmetic in node against the library and a plain numpy sum."""

import base64
import json
import re

import numpy as np
import pytest
import torch

from ddpm_lib import ExactDenoiser, GaussianMixture, linear_schedule
from ddpm_lib.painting import painting
from ddpm_lib.pictures import NIGHTS, night_pieces
from ddpm_lib.widgets.ink import InkAndRestorer
from tests.figures_page import still_of
from tests.node import run_node_tests

SCHEDULE = linear_schedule()
SIDE, STD = 12, 0.08
TIMES = (40, 300, 700, 1000)


def small():
    works = torch.stack([painting(SIDE, seed) for seed in NIGHTS[:5]])
    return painting(SIDE), works


def by_pieces(x, level, works):
    """The posterior by windows, written out: x (side, side, 3), level (side, side), works (K, side, side, 3)."""
    signal, noise = (table.numpy()[level][..., None] for table in (SCHEDULE.signal_rate, SCHEDULE.noise_rate))
    variance = signal**2 * STD**2 + noise**2
    misfit = ((x - signal * works) ** 2 / (2 * variance)).sum(-1)
    weight = np.empty(misfit.shape)
    for row in range(SIDE):
        for column in range(SIDE):
            reach = 1 + int(np.floor(20 * level[row, column] / SCHEDULE.T + 0.5))
            rows, columns = (slice(max(place - reach, 0), place + reach + 1) for place in (row, column))
            log = -misfit[:, rows, columns].sum((1, 2))
            weight[:, row, column] = np.exp(log - log.max()) / np.exp(log - log.max()).sum()
    mean = (weight[..., None] * works).sum(0)
    x0 = mean + signal * STD**2 / variance * (x - signal * mean)
    inked = weight[:, level > 0]
    entropy = -(inked * np.log(np.maximum(inked, 1e-300))).sum(0)
    lists = {"x0": x0.ravel().tolist(), "weight": weight.reshape(len(works), -1).tolist()}
    return {**lists, "open": np.exp(entropy).mean()}


def test_the_restorer_is_the_exact_denoiser_of_the_library(tmp_path):
    clean, works = small()
    flat = lambda picture: picture.permute(1, 2, 0).ravel().tolist()  # noqa: E731
    generator = torch.Generator().manual_seed(2)
    exact = ExactDenoiser(GaussianMixture(works, STD), SCHEDULE)
    case = {"side": SIDE, "clean": flat(clean), "works": [flat(work) for work in works], "times": TIMES}
    case |= {"x": [], "whole": []}
    for t in TIMES:
        eps = torch.randn(clean.shape, generator=generator)
        # Between two works: weights that are neither 0 nor 1.
        x = SCHEDULE.signal_rate[t].float() * (works[0] + works[1]) / 2 + SCHEDULE.noise_rate[t].float() * eps
        share = exact.responsibilities(x[None], t)[0]
        case["x"].append(flat(x))
        case["whole"].append({"x0": flat(exact(x[None], t).x0[0]), "share": share.tolist()})
    level = np.minimum(np.arange(SIDE * SIDE) * 8 // 40 * 40, 1000).reshape(SIDE, SIDE)
    signal, noise = (table.numpy()[level][..., None] for table in (SCHEDULE.signal_rate, SCHEDULE.noise_rate))
    blend = ((works[0] + works[1]) / 2).permute(1, 2, 0).numpy()
    x = signal * blend + noise * torch.randn(SIDE, SIDE, 3, generator=generator).numpy()
    case["x"].append(x.ravel().tolist())
    case |= {"levels": level.ravel().tolist(), "pieces": by_pieces(x, level, works.permute(0, 2, 3, 1).numpy())}
    assert run_node_tests("ink", INK_JSON=(tmp_path / "ink.json", case)) >= len(TIMES) + 7


@pytest.fixture(scope="module")
def museum():
    return night_pieces(64)


@pytest.fixture(scope="module")
def figure(museum):
    return InkAndRestorer(SCHEDULE, painting(64), museum, caption="Splash.")


def test_it_bakes_the_painting_the_museum_and_the_betas(figure):
    beta = torch.frombuffer(bytearray(base64.b64decode(figure.betas)), dtype=torch.float32)
    assert torch.allclose(beta.double(), SCHEDULE.beta, rtol=1e-6)
    assert figure.pictures["count"] == len(NIGHTS) == 17 and figure.pictures["side"] == 64
    assert figure.pictures["clean"].startswith("data:image/png")  # lossless: the lost painting itself
    assert len(figure.html()) < 110_000


def test_its_html_is_the_same_each_time_and_needs_nobody(figure, museum):
    html = figure.html()
    assert html == InkAndRestorer(SCHEDULE, painting(64), museum, caption="Splash.").html()
    assert html != InkAndRestorer(SCHEDULE, painting(64), museum, caption="Splash.", seen=True).html()


def test_its_still_and_its_caption_are_safe():
    evil = "</script><!-- <script> \u2028 ` ${x}"
    html = InkAndRestorer(SCHEDULE, *small(), caption=evil, whole=True).html()
    assert html.count("<script") == 1 and "<!--" not in html
    state = json.loads(re.search(r'^start\(".*?", (\{.*\}), render\);$', html, re.MULTILINE)[1])
    assert state["caption"] == evil and state["whole"] is True and state["seen"] is False
    still = still_of(html)
    assert still.count("<svg") == 1 and still.count("<image") == 2 and "drowned" in still


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: InkAndRestorer(SCHEDULE, torch.zeros(3, 8, 9), small()[1]), "one square picture"),
        (lambda: InkAndRestorer(SCHEDULE, torch.full((3, 12, 12), 255.0), small()[1]), "127.5"),
        (lambda: InkAndRestorer(SCHEDULE, torch.zeros(3, 128, 128), small()[1]), "at most 96 pixels"),
        (lambda: InkAndRestorer(SCHEDULE, painting(12), small()[1][:1]), "2 to 23 pictures"),
        (lambda: InkAndRestorer(SCHEDULE, painting(16), small()[1]), r"\(n, 3, 16, 16\), got \(5, 3, 12, 12\)"),
        (lambda: InkAndRestorer(SCHEDULE, painting(12), torch.stack([painting(12)] * 2)), "must not contain"),
    ],
)
def test_bad_input_is_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_the_museum_is_what_its_seeds_paint():
    assert 0 not in NIGHTS
    assert torch.equal(night_pieces(12)[3], painting(12, NIGHTS[3]))
