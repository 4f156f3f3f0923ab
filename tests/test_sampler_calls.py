"""How samplers are called: alike, checked at once, with one schedule; and what they make of the ends of a schedule."""

import inspect
import warnings

import pytest
import torch

from ddpm_lib import (
    Denoiser,
    ExactDenoiser,
    GaussianMixture,
    Guess,
    cosine_schedule,
    guide,
    last,
    linear_schedule,
    sample_ddim,
    sample_ddpm,
    sample_dpmpp,
    sample_heun,
)  # fmt: skip
from ddpm_lib.models import MLP
from ddpm_lib.schedules import Schedule

LINEAR = linear_schedule()
SAMPLERS = [sample_ddpm, sample_ddim, sample_heun, sample_dpmpp]
EXACT = ExactDenoiser(GaussianMixture(torch.tensor([[0.5, -0.5], [-0.5, 0.5]], dtype=torch.float64), 0.2), LINEAR)
START = torch.randn(200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def without_signal(schedule=LINEAR):
    """The same betas rescaled so that no signal is left at T: Lin et al. 2024, Algorithm 1."""
    root = schedule.signal_rate[1:]
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), root**2])
    return Schedule(torch.cat([torch.zeros(1, dtype=torch.float64), 1 - alpha_bar[1:] / alpha_bar[:-1]]))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_all_take_the_times_in_the_fourth_place_and_their_options_by_name(sampler):
    first, *options = inspect.signature(sampler).parameters.values()
    assert [first.name, *(p.name for p in options[:3])] == ["denoise", "schedule", "noise", "times"]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in options[3:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [step.t for step in sampler(EXACT, LINEAR, START, LINEAR.even_times(3))] == LINEAR.even_times(3)


def test_the_order_of_before_is_understood_with_one_warning():
    times = LINEAR.even_times(5)
    new = last(sample_ddpm(EXACT, LINEAR, START, times, variance="beta", generator=seeded(1))).x
    with pytest.warns(DeprecationWarning, match="sample_ddpm: give variance=…, generator=… by name") as told:
        old = last(sample_ddpm(EXACT, LINEAR, START, "beta", seeded(1), times)).x
    assert len(told) == 1 and told[0].filename == __file__ and old.equal(new)
    with pytest.warns(DeprecationWarning, match="variance=…"):
        assert len(list(sample_ddpm(EXACT, LINEAR, START, "beta", times=times))) == 6
    new = last(sample_ddim(EXACT, LINEAR, START, times, eta=0.5, generator=seeded(1))).x
    with pytest.warns(DeprecationWarning, match="sample_ddim: give eta=…, generator=… by name"):
        assert last(sample_ddim(EXACT, LINEAR, START, times, 0.5, seeded(1))).x.equal(new)
    with pytest.warns(DeprecationWarning), pytest.raises(TypeError, match="each once"):
        sample_ddpm(EXACT, LINEAR, START, "beta", variance="beta")


def test_arguments_are_checked_when_the_sampler_is_called():
    # Nothing is drawn here: a generator that waits for its first step would be silent.
    with pytest.raises(ValueError, match="variance must be"):
        sample_ddpm(EXACT, LINEAR, START, variance="large")
    with pytest.raises(ValueError, match="eta must lie"):
        sample_ddim(EXACT, LINEAR, START, [10, 0], eta=5)
    for sampler in SAMPLERS:
        with pytest.raises(ValueError, match="times must fall"):
            sampler(EXACT, LINEAR, START, [0, 10])


@pytest.mark.parametrize("times", [[1000.9, 500.5, 0.0], [10, 1.5, 0], torch.tensor([10.0, 0.0]), ["10", "0"]])
def test_times_that_are_no_whole_numbers_are_refused_and_not_cut(times):
    for sampler in SAMPLERS:
        with pytest.raises(TypeError, match="whole numbers"):
            sampler(EXACT, LINEAR, START, times)


@pytest.mark.parametrize("other", [cosine_schedule(), linear_schedule(100)])
def test_a_denoiser_of_another_schedule_is_refused(other):
    for sampler in SAMPLERS:
        for denoise in (EXACT, Denoiser(MLP(), LINEAR), guide(EXACT, EXACT, 2.0)):
            with pytest.raises(ValueError, match="must share one schedule"):
                sampler(denoise, other, START, other.even_times(5))
        equal = linear_schedule()
        assert equal is not LINEAR and last(sampler(EXACT, equal, START, [10, 0])).t == 0


def test_a_bare_network_is_told_from_a_denoiser_and_a_plain_function_may_guess():
    for sampler in SAMPLERS:
        with pytest.raises(TypeError, match="not yet a denoiser"):
            sampler(MLP(), LINEAR, START, [10, 0])
        assert last(sampler(lambda x, t: Guess(0 * x, x), LINEAR, START, [10, 5, 0])).x.abs().max() == 0


def test_no_gradients_are_kept_and_the_switch_is_left_as_it_was():
    net = MLP().double()
    for sampler in SAMPLERS:
        steps = sampler(Denoiser(net, LINEAR), LINEAR, START, [10, 5, 0])
        next(steps)
        assert torch.is_grad_enabled() and not next(steps).x.requires_grad and torch.is_grad_enabled()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_schedule_that_ends_without_signal_can_be_sampled(sampler):
    schedule = without_signal()
    assert schedule.alpha_bar[-1] == 0 and schedule.ends_in_pure_noise and not LINEAR.ends_in_pure_noise
    exact = ExactDenoiser(GaussianMixture(torch.full((1, 2), 0.5, dtype=torch.float64), 0.3), schedule)

    def network(xt, t):  # the best v
        guess = exact(xt, int(t[0]))
        return schedule.noise_rate[t[0]] * -guess.x0 + schedule.signal_rate[t[0]] * guess.eps

    noise = torch.randn(5000, 2, dtype=torch.float64, generator=seeded(1))
    for grid in (schedule.logsnr_times(50), schedule.karras_times(50)):
        assert grid[0] == 1000 and len(set(grid)) == 51
        x = last(sampler(Denoiser(network, schedule, "v"), schedule, noise, grid)).x
        # Fifty steps of first order end too narrow, as on any schedule: DDPM at 0.223 and 0.261, DDIM at 0.256.
        close = 0.02 if sampler in (sample_heun, sample_dpmpp) else 0.08
        assert x.mean().item() == pytest.approx(0.5, abs=0.02) and x.std().item() == pytest.approx(0.3, abs=close)


def test_noise_says_nothing_of_the_data_where_no_signal_is_left():
    schedule = without_signal()
    denoise, x = Denoiser(lambda x, t: x, schedule, "eps"), START.float()
    for t in (1000, torch.full((len(x),), 1000)):
        with pytest.raises(ValueError, match='predicts "v" or "x0"'):
            denoise(x, t)
    assert denoise(x, 999).x0.isfinite().all()


@pytest.mark.parametrize("dtype, close", [(torch.float16, 0.01), (torch.bfloat16, 0.03)])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_half_precision_comes_near_to_double(sampler, dtype, close):
    cosine = cosine_schedule()
    spots = torch.tensor([[0.8, 0.0], [-0.8, 0.0], [0.0, 0.8], [0.0, -0.8]], dtype=torch.float64)
    exact = ExactDenoiser(GaussianMixture(spots, 0.05), cosine)
    start, times = torch.randn(500, 2, generator=seeded(0)).to(dtype), cosine.karras_times(40)

    def off(noise):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            x = last(sampler(exact, cosine, noise, times)).x
        assert x.dtype == noise.dtype and x.isfinite().all()
        return torch.cdist(x.double(), spots).min(1).values.mean().item()

    assert off(start) == pytest.approx(off(start.double()), abs=close)
