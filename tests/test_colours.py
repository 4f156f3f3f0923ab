"""One colour for one thing: in matplotlib's pictures, in the figures, by day and by night."""

import re
from pathlib import Path

import matplotlib
import pytest
import torch

from ddpm_lib import plots
from ddpm_lib.colours import COLOURS, HUE_OF, HUES, INK, colours_for, hue_of, hues_for
from ddpm_lib.evaluate.sampling import samplers
from ddpm_lib.races import plane_race
from ddpm_lib.schedules import linear_schedule
from ddpm_lib.widgets import LossByTime, OneDimension, SamplerRace

matplotlib.use("Agg")
WIDGETS = Path(plots.__file__).parent / "widgets"
RACERS = {"DDPM": "ddpm", "DDIM": "ddim", "Heun": "heun", "DPM-Solver++": "dpmpp"}


def _blocks(text):
    """The three places that give the figures their colours: by day, by night as chosen, by night as the system asks."""
    found = [dict(re.findall(r"--ddpm-([\w-]+): ?(?:var\([^,]*, ?)?(#\w{6})", block)) for block in text.split("{")]
    return [block for block in found if "noise" in block]


def test_the_figures_hues_are_the_tables():
    day, *nights = _blocks((WIDGETS / "figure.css").read_text())
    assert len(nights) == 2
    assert {hue: day.get(hue) for hue in HUES} == {hue: pair[0] for hue, pair in HUES.items()}
    for night in nights:
        assert {hue: night.get(hue) for hue in HUES} == {hue: pair[1] for hue, pair in HUES.items()}


@pytest.mark.parametrize("name", RACERS)
def test_a_racer_has_the_colour_of_its_sampler(name):
    css = (WIDGETS / "sampler_race.css").read_text()
    assert re.search(rf"\.ddpm-racer-{RACERS[name]} {{ color: var\(--ddpm-(\w+)\); }}", css)[1] == HUE_OF[name]
    assert COLOURS[name] in SamplerRace(plane_race(linear_schedule(20))).still()


@pytest.mark.parametrize("name", ["DDPM", "DDIM"])
def test_the_walkers_on_a_line_have_the_colour_of_their_sampler(name):
    hues = dict(re.findall(r"(\w+): \"(\w+)\"", re.search(r"WALK_HUE = {(.*?)}", OneDimension._esm)[1]))
    assert hues[name.lower()] == HUE_OF[name]


def test_the_loss_by_time_has_the_hues_of_the_same_curves_in_a_plot():
    names = ["U-Net", "x0", "by heart"]
    curves = {name: ([1, 2], [0.5, 0.25]) for name in names}
    baked = LossByTime({"view": dict(curves=curves)}).views[0]["curves"]
    drawn = _drawn(plots.show_curves(torch.arange(3), {name: torch.ones(3) for name in ["floor", *names]}))
    assert [HUES[curve["hue"]][0] for curve in baked] == [drawn[name].get_color() for name in names]


def test_every_sampler_that_is_measured_has_a_colour_of_its_own():
    names = samplers(linear_schedule(20), 10)
    assert all(hue_of(name) for name in names)
    assert {hue_of(name) for name in names} == {HUE_OF[name] for name in RACERS}
    assert len({COLOURS[name] for name in RACERS}) == 4 and len({COLOURS[name] for name in ("eps", "x0", "v")}) == 3


def test_the_known_keep_theirs_and_the_others_take_what_is_left():
    assert hue_of("DPM-Solver++(2M)") == "signal" and hue_of("DDPM, beta variance") == "noise"
    assert hue_of("velocity") is None and hue_of("noise rate") == "noise"
    assert hues_for(["a", "DDIM", "b", "floor"]) == ["noise", "plum", "signal", "ink"]
    assert colours_for(["floor"]) == [INK]
    many = hues_for([str(i) for i in range(9)])
    assert many[:6] == list(HUES) and many[6:] == list(HUES)[:3]


def _drawn(figure):
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    drawn |= {bars.get_label(): bars.lines[0] for bars in figure.axes[0].containers}
    return drawn


def test_plots_draw_each_thing_in_its_colour():
    names = ["Heun", "DDPM, posterior variance", "DDPM, beta variance", "other"]
    rows = [{"calls": n, "d": 1 / n, "sampler": name} for name in names for n in (5, 10)]
    lines = _drawn(plots.show_records(rows, "calls", "d", "sampler"))
    curves = _drawn(plots.show_curves(torch.arange(3), {name: torch.ones(3) for name in names}))
    for drawn in (lines, curves):
        assert [drawn[name].get_color() for name in names[:3]] == [COLOURS["Heun"], COLOURS["DDPM"], COLOURS["DDPM"]]
        assert drawn[names[1]].get_linestyle() != drawn[names[2]].get_linestyle()
        assert drawn["other"].get_color() not in (COLOURS["Heun"], COLOURS["DDPM"])
    matplotlib.pyplot.close("all")
