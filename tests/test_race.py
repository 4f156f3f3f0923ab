"""SamplerRace: its arithmetic against the library's, and its Python side."""

import math
import re

import pytest
import torch

from ddpm_lib import ExactDenoiser, GaussianMixture, metrics, samplers
from ddpm_lib.races import GRIDS, plane_race, plane_sets
from ddpm_lib.schedules import cosine_schedule, linear_schedule
from ddpm_lib.widgets.figure import BUDGET
from ddpm_lib.widgets.sampler_race import SamplerRace, reach_of
from tests.node import run_node_tests
from tests.test_samplers_js import POOL, START, Pool, mixture

SCHEDULE = linear_schedule()


def race(schedule=SCHEDULE, data=None, caption="", **options):
    return SamplerRace(plane_race(schedule, data, **options), caption=caption)


def _guess(name, data, t):
    x = 2 * POOL[:24].reshape(12, 2)
    guess = ExactDenoiser(data, SCHEDULE)(x, t)
    return {"set": name, "t": t, **{k: v.flatten().tolist() for k, v in dict(x=x, x0=guess.x0, eps=guess.eps).items()}}


def _distance(monkeypatch, real, points, directions):
    """The library's distance, with random directions and with the page's even fan."""
    random = metrics.sliced_wasserstein(real, points, generator=torch.Generator().manual_seed(0))
    angle = math.pi * (torch.arange(directions, dtype=torch.float64) + 0.5) / directions
    with monkeypatch.context() as patch:
        patch.setattr(metrics.torch, "randn", lambda *size, **_: torch.stack([angle.cos(), angle.sin()]))
        fan = metrics.sliced_wasserstein(real, points)
    return {
        "real": real.flatten().tolist(),
        "points": points.flatten().tolist(),
        "directions": directions,
        "distance": fan,
        "random": random,
    }


def _run(monkeypatch, name, data, sampler, calls, grid, eta=0.0):
    monkeypatch.setattr(samplers, "noise_like", Pool())
    steps = (calls + 1) // 2 if sampler == "heun" else calls
    times, exact = getattr(SCHEDULE, GRIDS[grid])(steps), ExactDenoiser(data, SCHEDULE)
    go = getattr(samplers, f"sample_{sampler}")
    options = {"ddpm": dict(times=times), "ddim": dict(times=times, eta=eta)}.get(sampler, dict(times=times))
    end = samplers.last(go(exact, SCHEDULE, START, **options)).x
    return {"set": name, "name": sampler, "calls": calls, "grid": grid, "eta": eta, "end": end.flatten().tolist()}


def test_the_race_is_the_librarys(monkeypatch, tmp_path):
    rows = dict(race().sets)
    sets = {name: mixture(row) for name, row in rows.items()}
    points = {n: m.sample(500, torch.Generator().manual_seed(1)) for n, m in sets.items()}
    noise = POOL[:500].reshape(250, 2)
    data = {
        "beta": SCHEDULE.beta.tolist(),
        "pool": POOL.tolist(),
        "start": START.flatten().tolist(),
        "sets": rows,
        "guesses": [_guess(n, m, t) for n, m in sets.items() for t in (1, 10, 200, 600, 1000)],
        "distances": [_distance(monkeypatch, points[n], other, 7) for n in sets for other in (noise, 0.7 * noise)]
        + [_distance(monkeypatch, points["moons"], points["spiral"], 40)],
        "runs": [
            _run(monkeypatch, "spiral", sets["spiral"], sampler, calls, grid, eta)
            for sampler, eta in [("ddpm", 0), ("ddim", 0), ("ddim", 0.6), ("heun", 0), ("dpmpp", 0)]
            for calls in (1, 10, 21)
            for grid in GRIDS
            if not (sampler == "heun" and grid == "even")
        ],
    }
    assert run_node_tests("race", RACE_JSON=(tmp_path / "race.json", data)) >= 11


@pytest.mark.parametrize("schedule", [SCHEDULE, cosine_schedule(), linear_schedule(10, 0.01, 0.5)])
def test_it_bakes(schedule):
    figure = race(schedule, caption="Look.")
    html = figure.html()
    assert html == race(schedule, caption="Look.").html()
    assert html != race(schedule, caption="Look.", calls=9).html()
    assert len(html) < BUDGET * 2 / 3
    script = html[html.index('<script type="module">') : html.index("</script>")]
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE) and html.count("</script") == 1
    assert (figure.dataset, figure.calls, figure.grid) == ("moons", 10, "logsnr")


def test_no_name_is_declared_twice_where_modules_become_one_scope():
    names = re.findall(r"^(?:async )?(?:const|let|function\*?|class) (\w+)", SamplerRace._esm, re.MULTILINE)
    assert len(names) > 60 and sorted(set(names)) == sorted(names)


def test_the_sets_are_about_as_wide_as_noise_and_fit_the_panel():
    reach = reach_of(race().sets)
    for data in plane_sets().values():
        x = data.sample(2000, torch.Generator().manual_seed(0))
        assert x.mean(0).abs().max() < 0.4 and 0.4 < x.std() < 1.1
        assert x.abs().max() < reach < 2.5
    wide = race(data={"far": GaussianMixture(torch.tensor([[5.0, 0.0]]), 0.5)})
    assert reach_of(wide.sets) == pytest.approx(1.15 * 6.5, abs=1e-3)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_race_is_four_samplers_from_one_noise(grid):
    ran = plane_race(SCHEDULE, dataset="25 spots", calls=20, eta=0.5, grid=grid, seed=3)
    start = torch.randn(250, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    exact = ExactDenoiser(plane_sets()["25 spots"], SCHEDULE)
    times, half = (getattr(SCHEDULE, GRIDS[grid])(n) for n in (20, 10))
    torch.testing.assert_close(ran.ends["Heun"], samplers.last(samplers.sample_heun(exact, SCHEDULE, start, half)).x)
    known = samplers.last(samplers.sample_dpmpp(exact, SCHEDULE, start, times)).x
    torch.testing.assert_close(ran.ends["DPM-Solver++"], known)
    one = plane_race(SCHEDULE, calls=1, eta=1.0, grid=grid).ends.values()  # one guess: nothing to do differently
    for end in one:
        torch.testing.assert_close(end, next(iter(one)))


def test_a_race_measures_itself_with_the_librarys_ruler():
    ran = plane_race(SCHEDULE, calls=50)
    known = metrics.sliced_wasserstein(ran.real, ran.ends["DDIM"], generator=torch.Generator().manual_seed(0))
    assert ran.distances["DDIM"] == known
    assert 0 < ran.floor < 0.1 and ran.distances["DPM-Solver++"] < 0.1
    assert plane_race(SCHEDULE, calls=2).distances["DDIM"] > 4 * known
    assert ran.distances == plane_race(SCHEDULE, calls=50).distances


def test_the_still_draws_the_ends_and_tells_their_distances():
    ran = plane_race(SCHEDULE, dataset="25 spots")
    still = SamplerRace(ran).still()
    assert still.count("<svg") == 1 and still.count("distance ") == 4 and "nan" not in still and "10 calls" in still
    assert all(f"distance {d:.3f}" in still for d in ran.distances.values()) and f"{ran.floor:.3f}" in still
    assert still != race(dataset="25 spots", calls=11).still()
    assert "DDIM, η = 0.5" in race(eta=0.5).still()
    assert "1 call each" in race(calls=1).still()


def test_a_set_of_ones_own():
    own = GaussianMixture(torch.tensor([[0.5, 0.0], [-0.5, 0.25]]), torch.tensor([0.1, 0.2]), torch.tensor([3, 1]))
    figure = race(data={"mine": own})
    assert figure.dataset == "mine" and figure.sets == [["mine", [[0.75, 0.5, 0.0, 0.1], [0.25, -0.5, 0.25, 0.2]]]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(calls=0), r"calls must lie in 1\.\.1000.*got 0"),
        (dict(calls=1001), r"calls must lie in 1\.\.1000"),
        (dict(eta=1.5), r"eta must lie in 0\.\.1"),
        (dict(grid="cosine"), "grid must be one of even, logsnr, karras, got 'cosine'"),
        (dict(dataset="swiss roll"), "dataset must be one of moons, spiral, 25 spots, got 'swiss roll'"),
        (dict(data={}), "at least one set"),
        (dict(data=[1]), "dictionary"),
        (dict(data={"a": torch.zeros(3, 2)}), "'a' must be a GaussianMixture in the plane"),
        (dict(data={"a": GaussianMixture(torch.zeros(3, 1), 0.1)}), r"means of shape \(K, 2\)"),
        (dict(data={"a": GaussianMixture(torch.zeros(65, 2), 0.1)}), "at most 64 components, got 65"),
        (dict(data={"a": GaussianMixture(torch.zeros(3, 2))}), "positive std"),
        (dict(schedule=linear_schedule(5), calls=5), "10..1000.*T = 5"),
    ],
)
def test_bad_input_is_named(options, says):
    with pytest.raises(ValueError, match=says):
        race(**options)


def test_a_figure_without_a_race_says_what_it_wants():
    with pytest.raises(ValueError, match="plane_race.*got Schedule"):
        SamplerRace(SCHEDULE)
