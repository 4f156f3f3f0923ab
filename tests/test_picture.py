"""PictureProcess from Python's side, its pictures, and its arithmetic in node against the library."""

import base64
import json
import re

import pytest
import torch

from ddpm_lib import add_noise, linear_schedule
from ddpm_lib.painting import painting
from ddpm_lib.pictures import face, sample_pictures, shapes
from ddpm_lib.widgets.picture_process import PictureProcess
from tests.figures_page import still_of
from tests.node import run_node_tests

SCHEDULE = linear_schedule()


def small(caption="Drop a picture.", **options):
    return PictureProcess(SCHEDULE, {"one": painting(24), "two": face(24)}, caption=caption, **options)


def test_chain_jump_and_stroke_back_are_the_library(tmp_path):
    generator, strokes = torch.Generator().manual_seed(0), []
    for t in (1, 250, 500, 750, 1000):
        x0, eps, other = (torch.randn(64, generator=generator).double() for _ in range(3))
        xt = add_noise(SCHEDULE, x0[None], t, eps[None])[0]
        back = (xt - SCHEDULE.noise_rate[t] * (eps + 0.05 * other)) / SCHEDULE.signal_rate[t]
        case = {"t": t, "error": 0.05, "sigma": float(SCHEDULE.sigma[t])}
        named = {"x0": x0, "eps": eps, "other": other, "xt": xt, "back": back}
        strokes.append(case | {name: x.tolist() for name, x in named.items()})
    x = torch.linspace(-4, 4, 81, dtype=torch.float64)
    normal = list(zip(x.tolist(), torch.special.ndtr(x).tolist()))
    assert (
        run_node_tests("picture", PICTURE_JSON=(tmp_path / "picture.json", dict(strokes=strokes, normal=normal))) >= 12
    )


def test_the_factors_of_the_caption():
    """What the book says of an error in eps: 0.01, 0.95, 3.4, 17 and 157 times."""
    sigma = [float(f"{SCHEDULE.sigma[t]:.2g}") for t in (1, 250, 500, 750, 1000)]
    assert sigma == [0.01, 0.95, 3.4, 17, 160] and round(float(SCHEDULE.sigma[1000])) == 157


def test_it_bakes_its_pictures_and_is_the_same_each_time():
    figure = PictureProcess(SCHEDULE, sample_pictures(), caption="Look.")
    assert [one["name"] for one in figure.pictures] == ["painting", "a day", "a face", "shapes"]
    assert figure.t == 250 and figure.mode == "forward" and not figure.forget
    beta = torch.frombuffer(bytearray(base64.b64decode(figure.betas)), dtype=torch.float32)
    assert torch.allclose(beta.double(), SCHEDULE.beta, rtol=1e-6)
    html = figure.html()
    assert len(html) < 110_000
    assert small().html() == small().html() != small(mode="back").html()


def test_the_still_is_of_the_way_that_is_shown():
    forward, back = small().still(), small(mode="back").still()
    assert "step by step" in forward and "in one jump" in forward and "stroke" not in forward
    assert "back in one stroke" in back and "jump" not in back
    pairs = re.findall(r">([\d.]+), ([\d.]+)</text>", forward)
    assert len(pairs) == 5 and all(abs(float(a) - float(b)) < 0.1 for a, b in pairs)  # the chain and the jump


def test_no_name_or_caption_can_break_out():
    evil = "</script><!-- <script> \u2028 ` ${x}"
    html = PictureProcess(SCHEDULE, {evil: painting(16)}, caption=evil, mode="back", t=500, error=0.1).html()
    assert html.count("<script") == 1 and "<!--" not in html
    state = json.loads(re.search(r'^start\(".*?", (\{.*\}), render\);$', html, re.MULTILINE)[1])
    assert state["pictures"][0]["name"] == evil and (state["mode"], state["t"], state["error"]) == ("back", 500, 0.1)
    still = still_of(html)
    assert still.count("<svg") == 1 and still.count("<image") == 2 and "× 157" in still and "10 % in eps" in still


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: PictureProcess(SCHEDULE, {}), "dict of 1 to 6 pictures"),
        (lambda: PictureProcess(SCHEDULE, painting(16)), "dict of 1 to 6 pictures"),
        (lambda: PictureProcess(SCHEDULE, {"x": torch.zeros(3, 8, 9)}), "x must be one square picture"),
        (lambda: PictureProcess(SCHEDULE, {"x": torch.full((3, 8, 8), 255.0)}), "x must lie in"),
        (lambda: PictureProcess(SCHEDULE, {"x": torch.zeros(3, 200, 200)}), "at most 128 pixels"),
        (lambda: small(t=1001), r"0\.\.1000"),
        (lambda: small(mode="sideways"), '"forward" or "back"'),
        (lambda: small(error=0.5), r"0\.\.0\.2"),
    ],
)
def test_bad_input_is_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_the_samples_are_pictures():
    for name, picture in sample_pictures(32).items():
        assert picture.shape == (3, 32, 32) and picture.abs().max() <= 1, name
        assert picture.std() > 0.2, name
    assert not torch.equal(face(32), shapes(32))
    # One seed is the same picture at every size: averaged down they agree but for the soft edges.
    for make in (face, shapes):
        coarse = torch.nn.functional.avg_pool2d(make(96), 3)
        assert (coarse - make(32)).abs().mean() < 0.06
