"""Laws every sampler obeys, on Gaussian data where the answer is known in closed form."""

import pytest
import torch

from ddpm_lib import (
    Denoiser,
    ExactDenoiser,
    GaussianMixture,
    cosine_schedule,
    last,
    linear_schedule,
    posterior,
    sample_ddim,
    sample_ddpm,
    sample_dpmpp,
    sample_heun,
    trajectory,
)  # fmt: skip
from ddpm_lib.metrics import sliced_wasserstein

SCHEDULE = linear_schedule()
MEAN, STD = 0.5, 0.3
GAUSSIAN = ExactDenoiser(GaussianMixture(torch.full((1, 2), MEAN, dtype=torch.float64), STD), SCHEDULE)


def noise(n=64, seed=0):
    return torch.randn(n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def ode_answer(x):
    """Where the probability-flow ODE takes x_T: the map between the Gaussians at T and at 0."""
    a, s = SCHEDULE.signal_rate[-1], SCHEDULE.noise_rate[-1]
    return MEAN + STD * (x - a * MEAN) / (a**2 * STD**2 + s**2).sqrt()


ODE = {
    "ddim": (sample_ddim, SCHEDULE.even_times(1000), 0.01),
    "heun": (sample_heun, SCHEDULE.karras_times(200), 0.001),
    "dpmpp": (sample_dpmpp, SCHEDULE.logsnr_times(100), 0.001),
}
ALL = {
    "ddpm": lambda x, d=GAUSSIAN, **k: sample_ddpm(d, SCHEDULE, x, times=SCHEDULE.even_times(10), **k),
    **{name: lambda x, d=GAUSSIAN, f=f: f(d, SCHEDULE, x, SCHEDULE.even_times(10)) for name, (f, _, _) in ODE.items()},
}


@pytest.mark.parametrize("name", ODE)
def test_ode_samplers_reach_the_closed_form(name):
    sampler, times, close = ODE[name]
    start = noise()
    error = (last(sampler(GAUSSIAN, SCHEDULE, start, times)).x - ode_answer(start)).abs().max()
    assert error < close


@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_ddpm_reaches_the_distribution(variance):
    generator = torch.Generator().manual_seed(1)
    x = last(sample_ddpm(GAUSSIAN, SCHEDULE, noise(20_000), variance=variance, generator=generator)).x
    # Four standard errors of 10,000 numbers, and no more.
    assert x.mean().item() == pytest.approx(MEAN, abs=4 * STD / 100)
    assert x.std().item() == pytest.approx(STD, abs=4 * STD / 100 / 2**0.5)


@pytest.mark.parametrize("sampler, factor", [(sample_ddim, 2), (sample_heun, 4)])
def test_order_of_convergence(sampler, factor):
    # A chain so fine that rounding the grid to whole times does not blur the order.
    fine = linear_schedule(20_000, 1e-4 / 20, 0.02 / 20)
    denoise = ExactDenoiser(GaussianMixture(torch.full((1, 2), MEAN, dtype=torch.float64), STD), fine)
    start = noise()
    a, s = fine.signal_rate[-1], fine.noise_rate[-1]
    exact = MEAN + STD * (start - a * MEAN) / (a**2 * STD**2 + s**2).sqrt()
    errors = [(last(sampler(denoise, fine, start, fine.karras_times(n))).x - exact).abs().mean() for n in (20, 40, 80)]
    for coarse, finer in zip(errors, errors[1:]):
        assert 0.8 * factor < coarse / finer < 1.25 * factor


def test_ddim_with_eta_one_on_all_times_is_ddpm():
    every, start = SCHEDULE.even_times(1000), noise()
    ddpm = last(sample_ddpm(GAUSSIAN, SCHEDULE, start, generator=torch.Generator().manual_seed(3))).x
    ddim = last(sample_ddim(GAUSSIAN, SCHEDULE, start, every, eta=1.0, generator=torch.Generator().manual_seed(3))).x
    torch.testing.assert_close(ddpm, ddim, rtol=0, atol=1e-9)


def test_ddpm_step_is_equation_11():
    x, t = noise(), 300
    eps = GAUSSIAN(x, t).eps
    mean, _ = posterior(SCHEDULE, GAUSSIAN(x, t).x0, x, t)
    paper = (x - SCHEDULE.beta[t] / SCHEDULE.noise_rate[t] * eps) / SCHEDULE.alpha[t].sqrt()
    torch.testing.assert_close(mean, paper)


@pytest.mark.parametrize("name", ALL)
def test_first_yield_is_the_untouched_start_and_frames_count(name):
    start = noise(4)
    steps = list(ALL[name](start))
    assert steps[0].x is start and steps[0].x0_guess is None and steps[0].t == 1000
    assert [s.t for s in steps] == SCHEDULE.even_times(10)
    assert trajectory(ALL[name](start)).shape == (11, 4, 2)
    # Nothing is left to guess at t = 0: the sample is the last guess.
    if name != "heun":
        torch.testing.assert_close(steps[-1].x, steps[-1].x0_guess)


@pytest.mark.parametrize("name", ALL)
def test_grad_mode_is_the_callers_between_yields(name):
    assert torch.is_grad_enabled()
    for _ in ALL[name](noise(2)):
        assert torch.is_grad_enabled()
    with torch.no_grad():
        for _ in ALL[name](noise(2)):
            assert not torch.is_grad_enabled()


@pytest.mark.parametrize("name", ALL)
def test_network_calls(name):
    calls = []

    class Counting:
        schedule = SCHEDULE

        def __call__(self, x, t):
            assert not torch.is_grad_enabled()
            calls.append(t)
            return GAUSSIAN(x, t)

    last(ALL[name](noise(2), Counting()))
    assert len(calls) == (19 if name == "heun" else 10) and min(calls) >= 1


def test_randomness_comes_only_through_the_generator():
    start = noise()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    runs = [last(ALL["ddpm"](start, generator=torch.Generator().manual_seed(5))).x for _ in range(2)]
    assert torch.equal(*runs) and torch.equal(before, torch.get_rng_state())
    for name in ODE:
        assert torch.equal(last(ALL[name](start)).x, last(ALL[name](start)).x)
    assert torch.equal(before, torch.get_rng_state())


def test_dpmpp_wants_even_log_snr():
    ring = torch.tensor([[0.8, 0.0], [-0.8, 0.0], [0.0, 0.8], [0.0, -0.8]], dtype=torch.float64)
    mixture = GaussianMixture(ring, 0.02)
    exact, start = ExactDenoiser(mixture, SCHEDULE), noise(2000)
    real = mixture.sample(2000, torch.Generator().manual_seed(9))
    even, logsnr = (
        sliced_wasserstein(
            real, last(sample_dpmpp(exact, SCHEDULE, start, times)).x, generator=torch.Generator().manual_seed(0)
        )
        for times in (SCHEDULE.even_times(10), SCHEDULE.logsnr_times(10))
    )
    assert logsnr < even / 2


def test_heun_on_even_times_explodes_with_the_cosine_schedule():
    # The cosine schedule ends at sigma = 20,000: an even grid falls from there in a few giant steps.
    cosine = cosine_schedule()
    spots = torch.tensor([[0.8, 0.0], [-0.8, 0.0], [0.0, 0.8], [0.0, -0.8]], dtype=torch.float64)
    exact = ExactDenoiser(GaussianMixture(spots, 0.5), cosine)
    reach = [
        last(sample_heun(exact, cosine, noise(), t)).x.abs().max()
        for t in (cosine.even_times(10), cosine.karras_times(50))
    ]
    assert reach[0] > 20 and reach[1] < 3


@pytest.mark.parametrize("times", [[1000], [1000, 5], [1000, 5, 5, 0], [0, 1000], [1001, 0], []])
def test_bad_grids_are_refused(times):
    for sampler in (sample_ddpm, sample_ddim, sample_heun, sample_dpmpp):
        with pytest.raises(ValueError, match="times must fall"):
            sampler(GAUSSIAN, SCHEDULE, noise(), times)


def test_other_refusals():
    with pytest.raises(ValueError, match="variance must be"):
        sample_ddpm(GAUSSIAN, SCHEDULE, noise(), variance="large")
    with pytest.raises(ValueError, match="eta"):
        sample_ddim(GAUSSIAN, SCHEDULE, noise(), [10, 0], eta=2)
    steps = sample_ddim(GAUSSIAN, SCHEDULE, noise(), [10, 0])
    last(steps)
    with pytest.raises(ValueError, match="already run"):
        last(steps)


def test_works_in_float32_with_a_network():
    denoise = Denoiser(lambda x, t: 0.5 * x, SCHEDULE)
    for name in ALL:
        assert last(ALL[name](noise(3).float(), denoise)).x.dtype == torch.float32


def test_heun_looks_ahead_wherever_there_is_noise_ahead():
    asked = []

    class Asked:
        schedule = SCHEDULE

        def __call__(self, x, t):
            asked.append(t)
            return GAUSSIAN(x, t)

    last(sample_heun(Asked(), SCHEDULE, noise(2), [1000, 400, 1, 0]))
    assert asked == [1000, 400, 400, 1, 1]


@pytest.mark.parametrize("eta", [-0.1, 1.1])
def test_more_or_less_fresh_noise_than_there_is_is_refused(eta):
    with pytest.raises(ValueError, match="eta must lie in 0..1"):
        sample_ddim(GAUSSIAN, SCHEDULE, noise(2), [10, 0], eta=eta)


def test_every_sampler_tells_time_sample_and_guess_of_each_step():
    start = noise(3)
    for name in ALL:
        steps = list(
            ALL[name](start, generator=torch.Generator().manual_seed(1)) if name == "ddpm" else ALL[name](start)
        )
        for before, step in zip(steps, steps[1:]):
            torch.testing.assert_close(step.x0_guess, GAUSSIAN(before.x, before.t).x0)
            assert step.x.shape == start.shape and step.t < before.t


def test_a_grid_may_start_below_T_and_hold_one_step():
    for sampler in (sample_ddim, sample_heun, sample_dpmpp):
        one = last(sampler(GAUSSIAN, SCHEDULE, noise(2), [300, 0]))
        torch.testing.assert_close(one.x, GAUSSIAN(noise(2), 300).x0)
    assert [step.t for step in sample_ddim(GAUSSIAN, SCHEDULE, noise(2), torch.tensor([1000, 2, 0]))] == [1000, 2, 0]
