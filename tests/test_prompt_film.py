"""PromptFilm from Python's side: what it packs and measures, what it refuses, its arithmetic in node."""

import base64
import io
import json
import re
from itertools import combinations, product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from ddpm_lib.widgets.figure import BUDGET
from ddpm_lib.widgets.prompt_film import ROOM, PromptFilm, colour, differ, pack
from tests.figures_page import still_of
from tests.node import run_node_tests
from tests.prompt_film_page import PROMPTS, SCALES, SEEDS, TIMES, colour_of, film_figure, frames


def smooth(*lead, side=64, detail=8, seed=0):
    """Random pictures, blurred up from detail × detail values: much like what an autoencoder decodes."""
    generator = torch.Generator().manual_seed(seed)
    few = torch.randn(int(np.prod(lead)), 3, detail, detail, generator=generator)
    return F.interpolate(few, size=(side, side), mode="bicubic").clamp(-1, 1).reshape(*lead, 3, side, side)


def things(*lead, side=64):
    """Four discs of chance on white with sharp edges, a picture: about as much to pack as an emoji."""
    generator = torch.Generator().manual_seed(1)
    axis, n = torch.linspace(-1, 1, side), int(np.prod(lead))
    x = torch.ones(n, 3, side, side)
    for _ in range(4):
        middle, radius, ink = (torch.rand(n, k, 1, 1, generator=generator) for k in (2, 1, 3))
        far = ((axis - middle[:, :1] + 0.5) ** 2 + (axis[:, None] - middle[:, 1:] + 0.5) ** 2).sqrt()[:, None, :, :]
        x = torch.where(far.reshape(n, 1, side, side) < 0.15 + 0.4 * radius, 2 * ink - 1, x)
    return x.reshape(*lead, 3, side, side)


def sheet(address):
    assert address.startswith("data:image/webp;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB"), dtype=float)


def unpacked(film):
    """What the page makes of a film: (prompts, scales, seeds, times, side, side, 3), bytes as floats."""
    lead, side = (len(film["prompts"]), len(film["scales"]) * len(film["seeds"])), film["sides"][-1]
    moments = []
    for address, small in zip(film["sheets"], film["sides"]):
        tiles = torch.tensor(sheet(address)).reshape(lead[0], small, lead[1], small, 3).permute(0, 2, 4, 1, 3)
        grown = F.interpolate(tiles.flatten(0, 1), size=(side, side), mode="bilinear")
        moments.append(grown.reshape(*lead[:1], len(film["scales"]), -1, 3, side, side))
    laid = [moments[-1] + 2 * (x - 128) if over else x for x, over in zip(moments, film["over"])]
    return torch.stack(laid, 3).clamp(0, 255).movedim(-3, -1).numpy()


def test_every_picture_lies_where_the_page_looks_for_it():
    film = film_figure().film
    assert film["sides"][:2] == [8, 8] and film["sides"][-1] == 32 and film["over"] == [False, False, True, False]
    shown = unpacked(film)
    for p, g, s, f in product(range(3), range(3), range(2), range(4)):
        middle = shown[p, g, s, f, 12:20, 12:20].mean((0, 1))
        assert np.abs(middle - colour_of(p, g, s, f)).max() < 12, (p, g, s, f)


def test_the_measures_are_those_of_the_docstring():
    x = smooth(2, 2, 3, 2, side=8)
    unit = (x + 1) / 2
    one = unit[1, 0, 2, 1]
    by_hand = np.mean([float(one[:, i, j].max() - one[:, i, j].min()) for i in range(8) for j in range(8)])
    assert float(colour(x)[1, 0, 2, 1]) == pytest.approx(by_hand, rel=1e-5)
    pairs = [float((unit[1, 0, a, 1] - unit[1, 0, b, 1]).square().mean()) for a, b in combinations(range(3), 2)]
    assert float(differ(x)[1, 0, 1]) == pytest.approx(np.mean(pairs) ** 0.5, rel=1e-5)
    assert not differ(x[:, :, :1]).any() and not differ(x[:, :, :1].expand(-1, -1, 3, -1, -1, -1, -1)).any()
    film = PromptFilm(x, ["a", "b"], [1, 2], [0, 1, 2], [5, 0]).film
    assert film["colour"][1][0][1] == pytest.approx(float(colour(x)[1, 0, :, 1].mean()), abs=6e-4)
    assert film["differ"][0][1][0] == pytest.approx(float(differ(x)[0, 1, 0]), abs=6e-4)
    assert PromptFilm(x[:, :, :1], ["a", "b"], [1, 2], [0], [5, 0]).film["differ"] is None


def test_a_film_of_full_size_fits_with_its_ends_in_the_better_quality():
    ends = things(6, 4, 3, 1)
    blurs = [
        F.interpolate(F.avg_pool2d(ends.flatten(0, 3), k), size=(64, 64), mode="bicubic") for k in (32, 16, 8, 4, 2)
    ]
    x = torch.cat([blur.reshape(ends.shape).clamp(-1, 1) for blur in blurs] + [ends], 3)
    figure = PromptFilm(x, [f"prompt {p}" for p in range(6)], [1, 2, 4, 8], [0, 1, 2], [1000, 800, 600, 400, 200, 0])
    film = figure.film
    assert len(figure.html()) < BUDGET and sum(map(len, film["sheets"])) <= ROOM
    assert film["sides"][0] <= 16 and film["sides"][-1] == 64 and film["over"] == sorted(film["over"][:-1]) + [False]
    errors = unpacked(film) - ((x + 1) * 127.5).movedim(-3, -1).numpy()
    off = np.sqrt(np.square(errors).mean((0, 1, 2, 4, 5, 6)))  # of 255, moment by moment
    assert off[-1] < 9 and off.max() < 16, off


def test_what_is_blurred_is_kept_small_and_what_is_sharp_is_not():
    x = torch.cat([smooth(1, 2, 1, 1, detail=2), smooth(1, 2, 1, 1, detail=32), smooth(1, 2, 1, 1, detail=3)], 3)
    sheets, sides, over = pack(x)
    assert sides[0] < sides[1] <= sides[2] == 64 and len(sheets) == 3 and not any(over)


def test_what_is_nearly_the_end_is_kept_as_its_difference():
    sharp, haze = smooth(1, 2, 1, 1, detail=32), smooth(1, 2, 1, 1, detail=2, seed=1)
    x = torch.cat([haze, 0.9 * sharp + 0.1 * haze, sharp], 3)
    sheets, sides, over = pack(x)
    assert over == [False, True, False]
    assert len(sheets[1]) < len(sheets[2]) / 4


def test_more_than_the_page_can_carry_is_refused_when_the_figure_is_made(monkeypatch):
    noise = torch.rand(1, 4, 3, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    given = dict(frames=noise, prompts=["a"], scales=[1, 2, 3, 4], seeds=[0, 1, 2], times=[5, 0])
    monkeypatch.setattr("ddpm_lib.widgets.prompt_film.ROOM", 1)
    coarsest = len(film_figure(**given).html())
    monkeypatch.setattr("ddpm_lib.widgets.figure.BUDGET", coarsest - 1)
    with pytest.raises(ValueError, match="PromptFilm would put .* kB into the page"):
        film_figure(**given)


def test_it_is_a_widget_and_a_page_and_the_same_each_time():
    figure = film_figure()
    assert figure._repr_mimebundle_()[0]["text/html"] == figure.html() == film_figure().html()
    assert figure.html() != film_figure(caption="Other.").html() != film_figure(seeds=[1, 2], caption="Other.").html()
    assert (figure.prompt, figure.scale, figure.seed, figure.moment, figure.rows) == (0, 1, 0, 3, "seeds")
    assert len(figure.html()) < 60_000


def test_the_still_shows_every_prompt_at_every_scale():
    html = film_figure().html()
    still = still_of(html)
    assert still.count("<svg") == 1 and 'aria-label="pictures of 3 prompts at the guidance scales 1, 2.5, 7"' in still
    assert re.findall(r">([^<>]+)</text>", still) == ["γ = 1", "γ = 2.5", "γ = 7", *PROMPTS]
    page = sheet(re.search(r'href="([^"]+)"', still)[1])
    assert page.shape == (3 * 48, 3 * 48, 3)
    for p, g in product(range(3), range(3)):
        assert np.abs(page[48 * p + 24, 48 * g + 24] - colour_of(p, g, 0, 3)).max() < 12


def test_a_prompt_cannot_break_out():
    evil = '</script><!-- <b>"&'
    html = film_figure(prompts=[evil, "b", "c" * 60]).html()
    assert html.count("<script") == 1 and html.count("</script") == 1 and "<!--" not in html and "<b>" not in html
    assert "c" * 31 + "…" in still_of(html)
    state = json.loads(re.search(r'^start\(".*?", (\{.*\}), render\);$', html, re.MULTILINE)[1])
    assert state["film"]["prompts"][0] == evil


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (dict(frames=frames()[0]), r"\(prompts, scales, seeds, times, 3, side, side\) with \(3, 3, 2, 4\)"),
        (dict(frames=frames().transpose(0, 2)), "with"),
        (dict(frames=frames()[..., :1, :, :]), "with"),
        (dict(frames=frames() * 2), r"\[-1, 1\]"),
        (dict(frames=frames() * float("nan")), r"\[-1, 1\]"),
        (dict(prompts="abc"), "put it in brackets"),
        (dict(prompts=["a", "a", "b"]), "different"),
        (dict(seeds=[1, 1]), "different"),
        (dict(scales=[2, 1, 3]), "rise from 0"),
        (dict(scales=[-1, 1, 3]), "rise from 0"),
        (dict(times=[3, 2, 1, 1]), "fall to 0"),
        (dict(times=[4, 3, 2, 1]), "fall to 0"),
        (dict(times=[0, 1, 2, 3]), "fall to 0"),
        (dict(frames=frames()[:, :1], scales=[1]), "2 to 8 scales, got 1"),
        (dict(frames=frames()[:, :, :, -1:], times=[0]), "2 to 16 times, got 1"),
        (dict(frames=frames()[:, :, :0], seeds=[]), "1 to 6 seeds, got 0"),
    ],
)
def test_bad_input_is_named(parts, says):
    with pytest.raises(ValueError, match=says):
        film_figure(**parts)


def test_the_page_looks_where_the_library_put_it(tmp_path):
    x = smooth(2, 3, 2, 3, side=16)
    film = PromptFilm(x, ["a", "苹果"], [0, 1, 4], [5, 6], [9, 4, 0]).film
    ends, picture = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    as_bytes = lambda v: F.pad(((v + 1) * 127.5).round()[:3].T, (0, 1), value=255).flatten().int().tolist()  # noqa: E731
    laid = {"ends": as_bytes(ends), "kept": as_bytes((picture - ends) / 2), "pictures": as_bytes(picture)}
    data = {"film": film, "laid": laid, "colour": colour(x).mean((0, 2)).tolist(), "differ": differ(x).tolist()}
    assert run_node_tests("prompt_film", FILM_JSON=(tmp_path / "film.json", data)) >= 7


def test_the_made_up_film_is_what_the_browser_tests_take_it_for():
    assert frames().shape == (len(PROMPTS), len(SCALES), len(SEEDS), len(TIMES), 3, 32, 32)
    assert frames().abs().max() <= 1
