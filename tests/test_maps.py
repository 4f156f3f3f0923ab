"""LossByTime and GuidanceMap from Python's side: what they bake, what they refuse, their arithmetic in node."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_lib import add_noise
from ddpm_lib.denoisers import guess_from
from ddpm_lib.examples import loss_examples
from ddpm_lib.widgets.grey_sheets import grey_sheet
from ddpm_lib.widgets.guidance_map import GuidanceMap
from ddpm_lib.widgets.loss_by_time import LossByTime
from tests.figures_page import still_of
from tests.maps_page import (
    SCHEDULE,
    TIMES,
    digits,
    grid,
    guesses_half,
    loss_figure,
    map_figure,
    picture_view,
    seeded,
)
from tests.node import run_node_tests

MAKERS = {"loss": loss_figure, "map": map_figure}


@pytest.fixture(params=MAKERS)
def maker(request):
    return MAKERS[request.param]


def test_it_is_a_widget_and_a_page_and_the_same_each_time(maker):
    figure = maker()
    assert figure._repr_mimebundle_()[0]["text/html"] == figure.html() == maker().html()
    assert figure.html() != maker(caption="Something else.").html() and len(figure.html()) < 100_000
    assert "</" not in figure._esm and "<!--" not in figure._esm
    script = figure.html().split('<script type="module">')[1]
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_the_joined_modules_name_nothing_twice(maker):
    names = re.findall(r"^(?:async )?(?:const|function|let|class) (\w+)", maker()._esm, re.MULTILINE)
    assert len(names) > 30 and sorted(names) == sorted(set(names))


def test_the_still_is_a_drawing_with_words(maker):
    html = maker().html()
    still = still_of(html)
    drawn = re.sub(r'href="[^"]*"', "", still)
    assert still.count("<svg") == 1 and 'aria-label="' in still and "nan" not in drawn and "inf" not in drawn
    assert drawn.count("<text") >= 3


def test_the_still_keeps_to_the_axes_of_its_view():
    falling = {"c": ([1, 10, 1000], [0.1, 0.01, 0.001])}
    path = lambda **axes: LossByTime({"a": dict(curves=falling, **axes)}).still().split('d="M')[2].split('"')[0]  # noqa: E731
    places = [tuple(map(float, spot.split())) for spot in path(log_t=True, log_loss=True).split("L")]
    assert places[0] == (40.0, 4.0) and places[1][0] == pytest.approx(40 + 550 / 3, abs=0.1)
    assert path() != path(log_t=True) != path(log_t=True, log_loss=True)


def test_the_still_of_evil_names_breaks_nothing():
    evil = {'<b>&"': (TIMES, [0.5] * 6)}
    still = LossByTime({"</script>": dict(curves=evil)}).still()
    assert "<b>" not in still and "&lt;b>&amp;" in still


def unsheet(address, side):
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    assert image.mode == "L"
    return (np.asarray(image).astype(float) - 128).reshape(-1, side, side) / 127


def test_a_sheet_keeps_its_levels_and_zero():
    x = torch.linspace(-1, 1, 2 * 16).reshape(2, 4, 4)
    assert np.abs(unsheet(grey_sheet(x), 4) - x.numpy()).max() < 0.5 / 127 + 1e-6
    assert np.abs(unsheet(grey_sheet(x, 5), 4) - x.numpy()).max() < 0.1 + 0.5 / 127 + 1e-6
    assert len(np.unique(unsheet(grey_sheet(x, 5), 4))) == 11
    assert not unsheet(grey_sheet(torch.zeros(1, 4, 4), 5), 4).any()


def test_what_was_seen_and_said_is_baked():
    figure, truth = loss_figure(), picture_view()["examples"]["half"]
    baked = figure.views[0]["examples"]
    assert (baked["kind"], baked["times"], baked["count"], baked["side"]) == ("pictures", TIMES, 3, 8)
    half = next(one for one in baked["answers"] if one["name"] == "half")
    size = np.array(half["size"]).reshape(len(TIMES), 3, 1, 1)
    errors = unsheet(half["sheet"], 8).reshape(len(TIMES), 3, 8, 8) * size
    wanted = (truth.eps_guess - truth.eps)[:, :, 0].numpy()
    assert (np.abs(errors - wanted) <= 0.06 * size).all()  # half a level of ten
    assert np.allclose(half["loss"], truth.loss, rtol=1e-3)
    eps = np.frombuffer(base64.b64decode(baked["eps"]["numbers"]), "i1") * baked["eps"]["unit"]
    assert np.abs(eps - truth.eps.flatten().numpy()).max() <= 0.51 * baked["eps"]["unit"]
    assert (figure.view, figure.who, figure.t, figure.log_t, figure.log_loss) == ("bars", "half", 100, True, False)


def test_points_and_the_floor_are_baked():
    view = loss_figure().views[1]
    assert view["examples"]["kind"] == "points" and view["examples"]["count"] == 20
    assert [one["name"] for one in view["examples"]["answers"]] == ["half", "floor"]
    assert all(high >= low for high, low in zip(view["curves"][0]["loss"], view["floor"]["loss"]))


def test_rounding_is_not_blown_up_to_an_error():
    exact = loss_examples(lambda xt, t: digits(), SCHEDULE, digits(), TIMES, predicts="x0", generator=seeded())
    assert 0 < (exact.eps_guess[0] - exact.eps).abs().max() < 0.1
    still = exact._replace(eps_guess=exact.eps[None] + 1e-6 * torch.ones_like(exact.eps_guess))
    figure = LossByTime({"a": dict(curves={"c": (TIMES, [0.1] * 6)}, examples={"c": still})})
    answer = figure.views[0]["examples"]["answers"][0]
    assert set(answer["size"]) == {0.0} and not unsheet(answer["sheet"], 8).any()


def test_the_grid_is_baked_with_its_first_row_once():
    figure, given = map_figure(), grid()
    pictures = unsheet(figure.grid["sheet"], 8)
    assert len(pictures) == 4 + 2 * 2 * 4 and figure.grid["shared"]
    assert np.abs(pictures[4:12].mean((1, 2)) - given.images[0, 1:].flatten(2).mean(2).flatten().numpy()).max() < 0.06
    judged = np.frombuffer(base64.b64decode(figure.grid["judged"]), "<i2").reshape(2, 3, 4, 10) / 32767
    assert np.abs(judged - given.judged.numpy()).max() < 1e-4
    assert (figure.label, figure.row, figure.column) == (4, 1, 0)
    own = given._replace(images=given.images + 0.001 * torch.arange(2).reshape(2, 1, 1, 1, 1, 1))
    alone = GuidanceMap(own)
    assert len(unsheet(alone.grid["sheet"], 8)) == 24 and not alone.grid["shared"]
    assert "judged" not in GuidanceMap(grid(judged=False)).grid


def curves(t=TIMES, loss=(0.5,) * 6):
    return {"c": (t, loss)}


def views(**parts):
    return LossByTime({"a": dict(curves=curves()) | parts})


def seen(x0=None, seed=0, times=TIMES):
    x0 = digits() if x0 is None else x0
    return loss_examples(guesses_half, SCHEDULE, x0, times, generator=seeded(seed))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: LossByTime({}), "nothing to show"),
        (lambda: views(curves={}), "has no curves"),
        (lambda: views(curves=curves([1, 2], [0.5])), "one loss for each"),
        (lambda: views(curves=curves(TIMES[::-1])), "must rise from 1"),
        (lambda: views(curves=curves([0, *TIMES[1:]])), "must rise from 1"),
        (lambda: views(curves=curves(loss=[float("nan")] * 6)), "finite"),
        (lambda: views(curves=curves(loss=[0] * 6)), "not all 0"),
        (lambda: views(curves={"floor": (TIMES, [0.5] * 6)}), "name of the floor"),
        (lambda: views(examples={"other": seen()}), "belong to no curve"),
        (lambda: views(examples={"floor": seen()}), "belong to no curve"),
        (lambda: views(curves=curves() | {"d": (TIMES, [0.5] * 6)}, examples={"c": seen(), "d": seen(seed=1)}), "seed"),
        (lambda: views(examples={"c": seen(times=TIMES[::-1])}), "must rise"),
        (lambda: views(examples={"c": seen(digits().expand(-1, 3, -1, -1))}), "grey square"),
        (lambda: views(examples={"c": seen(torch.zeros(5, 1, 8, 8))}), "at most 4"),
        (lambda: views(examples={"c": seen(torch.zeros(5, 3))}), r"\(n, 2\)"),
        (
            lambda: views(examples={"c": seen()._replace(eps_guess=torch.full((6, 3, 1, 8, 8), torch.nan))}),
            "not finite",
        ),
        (lambda: GuidanceMap(grid()._replace(seeds=[1, 2])), r"\(labels, scales, seeds"),
        (lambda: GuidanceMap(grid()._replace(scales=[0, 3, 1])), "must rise"),
        (lambda: GuidanceMap(grid(), label=7), "no label 7"),
        (lambda: GuidanceMap(grid(seeds=range(80))), "fewer seeds"),
        (lambda: GuidanceMap(grid()._replace(images=torch.zeros(2, 3, 4, 3, 8, 8))), "grey square"),
    ],
)
def test_bad_input_is_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def _example(t):
    """One sample at time t, its guess of the data by the library's own denoiser."""
    one = loss_examples(guesses_half, SCHEDULE, digits(1), [t], generator=seeded(t))
    xt = add_noise(SCHEDULE, one.x0, t, one.eps)
    x0 = guess_from("eps", one.eps_guess[0], SCHEDULE, xt, t).x0
    named = {"x0": one.x0, "eps": one.eps, "guess_eps": one.eps_guess, "guess_x0": x0, "xt": xt}
    numbers = {name: value.flatten().tolist() for name, value in named.items()}
    return {"t": t, **numbers, "loss": float(one.loss), "rates": one.rates[0].tolist()}


def _gap(times, floor_times, at):
    """A curve over a floor, and the gap between them by numpy."""
    draw = np.random.default_rng(at)
    curve, floor = draw.uniform(0.5, 1, len(times)), draw.uniform(0.1, 0.5, len(floor_times))
    fine = np.unique([*times, *floor_times, at])
    fine = fine[(fine >= max(times[0], floor_times[0])) & (fine <= min(times[-1], floor_times[-1]))]
    high, low = np.interp(fine, times, curve), np.interp(fine, floor_times, floor)
    mean, under = (np.trapezoid(y, fine) / (fine[-1] - fine[0]) for y in (high, low))
    here = 1 - np.interp(at, floor_times, floor) / np.interp(at, times, curve)
    return {
        "curve": {"t": times, "loss": curve.tolist()},
        "floor": {"t": floor_times, "loss": floor.tolist()},
        "at": at, "here": here, "mean": mean, "overall": 1 - under / mean,
    }  # fmt: skip


def test_the_page_computes_what_the_library_does(tmp_path):
    gaps = [
        _gap([1, 5, 20, 100], [1, 5, 20, 100], 5),
        _gap([1, 50, 90], [5, 30, 95], 40),
        _gap([10, 1000], [1, 2000], 500),
    ]
    data = {"examples": [_example(t) for t in (1, 100, 500, 1000)], "gaps": gaps}
    assert run_node_tests("maps", MAPS_JSON=(tmp_path / "maps.json", json.loads(json.dumps(data)))) >= 15
