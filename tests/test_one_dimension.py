"""OneDimension: its arithmetic against the library's mixture and exact denoiser, and its Python side."""

import re

import pytest
import torch
from torch.distributions import Normal

from ddpm_lib import ExactDenoiser, GaussianMixture, score
from ddpm_lib.schedules import cosine_schedule, linear_schedule
from ddpm_lib.widgets.figure import BUDGET
from ddpm_lib.widgets.one_dimension import BINS, DENSITIES, LOW, STD, WIDTH, OneDimension
from tests.node import run_node_tests

SCHEDULES = [linear_schedule(), cosine_schedule(100)]
DATA = GaussianMixture(torch.tensor([[-0.9], [0.2], [0.8]]), torch.tensor([0.1, 0.15, 0.05]), torch.tensor([5, 2, 3]))


def mixture_of(rows):
    weight, mean, std = torch.tensor(rows, dtype=torch.float64).T
    return GaussianMixture(mean[:, None], std, weight)


def _case(name, rows, schedule, t):
    """Everything the page must reproduce at time t; distances and steps back by brute force on a fine grid."""
    data, x = mixture_of(rows), torch.tensor([-2.5, -0.93, -0.1, 0.0, 0.4, 0.81, 2.2], dtype=torch.float64)[:, None]
    guess, now = ExactDenoiser(data, schedule)(x, t), data.at(schedule, t)
    grid = torch.linspace(-9, 9, 18_001, dtype=torch.float64)[:, None]
    log_p, log_n = now.log_density(grid), Normal(0.0, 1.0).log_prob(grid)[:, 0]
    p, n, space = log_p.exp(), log_n.exp(), grid[:, 0]
    mean = torch.trapezoid(p * space, space)
    return {
        "name": name,
        "rows": rows,
        "beta": schedule.beta.tolist(),
        "t": t,
        "x": x[:, 0].tolist(),
        "density": now.log_density(x).exp().tolist(),
        "score": score(ExactDenoiser(data, schedule), x, t)[:, 0].tolist(),
        "x0": guess.x0[:, 0].tolist(),
        "eps": guess.eps[:, 0].tolist(),
        "mean": float(mean),
        "std": float(torch.trapezoid(p * (space - mean) ** 2, space).sqrt()),
        "tv": float(torch.trapezoid((p - n).abs(), space) / 2),
        "kl": float(torch.trapezoid(p * (log_p - log_n).nan_to_num(0, 0, 0), space)),
        "steps": [_step(data, schedule, 0.4, t, s) for s in {t - 1, t // 2, 0}],
    }


def _step(data, schedule, xt, t, s):
    """q(x_s | x_t) by Bayes on a grid: q(x_t | x_s) q(x_s), normalised."""
    x = torch.linspace(-8, 8, 32_001, dtype=torch.float64)
    kept = schedule.alpha_bar[t] / schedule.alpha_bar[s]
    noise = (1 - kept).sqrt() if s < t - 1 else schedule.beta[t].sqrt()
    joint = Normal(kept.sqrt() * x, noise).log_prob(torch.tensor(xt, dtype=torch.float64))
    joint = joint + data.at(schedule, s).log_density(x[:, None])
    p = (joint - joint.max()).exp()
    p = p / torch.trapezoid(p, x)
    mean = torch.trapezoid(p * x, x)
    at = (torch.linspace(-1, 1, 41, dtype=torch.float64) * 4_000).long() + 16_000
    std = torch.trapezoid(p * (x - mean) ** 2, x).sqrt()
    return {"from": xt, "s": s, "mean": float(mean), "std": float(std), "at": x[at].tolist(), "value": p[at].tolist()}


def test_the_page_knows_what_the_library_knows(tmp_path):
    cases = [
        _case(name, [list(row) for row in rows], schedule, t)
        for name, rows in DENSITIES.items()
        for schedule, times in zip(SCHEDULES, [(1, 60, 250, 1000), (50,)])
        for t in times
    ]
    data = {"cases": cases, "bins": [BINS, LOW, WIDTH, STD]}
    assert run_node_tests("density_math", DENSITIES_JSON=(tmp_path / "densities.json", data)) >= len(cases) + 8


def test_panels_and_strokes():
    assert run_node_tests("one_dimension") >= 6


@pytest.mark.parametrize("schedule", [*SCHEDULES, linear_schedule(10, 0.01, 0.5)])
def test_it_bakes(schedule):
    figure = OneDimension(schedule, "skewed", caption="Look.")
    html = figure.html()
    assert html == OneDimension(schedule, "skewed", caption="Look.").html()
    assert html != OneDimension(schedule, "flat", caption="Look.").html()
    assert len(html) < BUDGET * 2 / 3
    script = html[html.index('<script type="module">') : html.index("</script>")]
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE) and html.count("</script") == 1
    assert (figure.t, figure.steps) == (schedule.T // 4, min(200, schedule.T))


def test_no_name_is_declared_twice_where_modules_become_one_scope():
    names = re.findall(r"^(?:async )?(?:const|let|function\*?|class) (\w+)", OneDimension._esm, re.MULTILINE)
    assert len(names) > 40 and sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("name", [*DENSITIES, None])
def test_the_still_draws_the_density_it_starts_from(name):
    figure = OneDimension(SCHEDULES[0], **({"data": DATA} if name is None else {"density": name}))
    still = figure.still()
    assert still.count("<svg") == 1 and "nan" not in still and still.count("t = ") == 5
    others = {OneDimension(SCHEDULES[0], other).still() for other in DENSITIES if other != name}
    assert still not in others or name is None  # the text's three bells are one of the presets
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)
    for t in (0, 100, 1000):
        known = mixture_of(figure.rows()).at(SCHEDULES[0], t).log_density(x[:, None]).exp()
        torch.testing.assert_close(figure._marginal(x, t), known, rtol=1e-9, atol=1e-12)


def test_the_texts_own_mixture_comes_first():
    figure = OneDimension(SCHEDULES[0], data=DATA)
    assert figure.density == "as in the text" == figure.densities[0][0]
    torch.testing.assert_close(
        torch.tensor(figure.rows()), torch.tensor(DENSITIES["three uneven bumps"], dtype=torch.float32)
    )
    narrow = GaussianMixture(torch.tensor([[-1.0], [0.5]], dtype=torch.float64), std=0.2)
    assert OneDimension(SCHEDULES[0], data=narrow).rows() == [[0.5, -1.0, 0.2], [0.5, 0.5, 0.2]]


def test_what_was_drawn_can_be_read():
    figure = OneDimension(SCHEDULES[0])
    figure.heights = [0.0] * 10 + [0.5, 1.0] + [0.0] * 52
    figure.density = "drawn"
    assert figure.rows() == [[0.5, -1.34375, STD], [1.0, -1.28125, STD]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(density="bumpy"), "knows the densities two bumps.*'bumpy'"),
        (dict(view="film"), "view must be one of marginals, posterior, samples, got 'film'"),
        (dict(process="heun"), "process must be one of chain"),
        (dict(t=1001), r"0\.\.1000"),
        (dict(x=9), r"-3\.\.3"),
        (dict(data=GaussianMixture(torch.zeros(3, 2), 0.1)), "one dimension"),
        (dict(data=GaussianMixture(torch.zeros(3, 1), 0.001)), "0.02 <= std"),
        (dict(data=GaussianMixture(torch.full((3, 1), 5.0), 0.1)), "means up to 5"),
        (dict(data=GaussianMixture(torch.zeros(99, 1), 0.1)), "at most 64"),
    ],
)
def test_bad_input_is_named(options, says):
    with pytest.raises(ValueError, match=says):
        OneDimension(SCHEDULES[0], **options)


def test_too_few_steps_are_named():
    with pytest.raises(ValueError, match="10..1000.*T = 5"):
        OneDimension(linear_schedule(5))
