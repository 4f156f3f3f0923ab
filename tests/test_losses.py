"""The losses, their weights, and the bound in bits."""

import math

import pytest
import torch

from ddpm_lib import Denoiser, ExactDenoiser, GaussianMixture, bits_per_dim, linear_schedule, simple_loss, weighted_loss
from ddpm_lib.exact import exact_bound
from ddpm_lib.losses import bound_weight, loss_by_time, min_snr_weight, normal_kl
from ddpm_lib.schedules import Schedule

SCHEDULE = linear_schedule()
X0 = torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def test_a_silent_network_costs_the_variance_of_noise():
    loss = simple_loss(
        lambda x, t: torch.zeros_like(x), SCHEDULE, X0.repeat(500, 1, 1, 1), generator=torch.Generator().manual_seed(1)
    )
    assert loss.item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("predicts", ["eps", "x0", "v"])
def test_a_perfect_network_costs_nothing(predicts):
    from ddpm_lib.denoisers import target_for

    t, eps = torch.randint(1, 1001, (8,)), torch.randn_like(X0)
    perfect = lambda x, time: target_for(predicts, SCHEDULE, X0, eps, t)  # noqa: E731
    assert simple_loss(perfect, SCHEDULE, X0, t=t, eps=eps, predicts=predicts) == 0


def test_one_seed_gives_one_loss():
    runs = [simple_loss(lambda x, t: x, SCHEDULE, X0, generator=torch.Generator().manual_seed(4)) for _ in range(2)]
    assert runs[0] == runs[1]


def test_times_are_drawn_from_1_to_T():
    seen = []
    for seed in range(40):
        simple_loss(
            lambda x, t: seen.extend(t.tolist()) or x,
            linear_schedule(4),
            X0,
            generator=torch.Generator().manual_seed(seed),
        )
    assert set(seen) == {1, 2, 3, 4}


def test_weights():
    ones = torch.ones(1001, dtype=torch.float64)
    args = dict(t=torch.full((8,), 3), eps=torch.randn_like(X0))
    assert weighted_loss(lambda x, t: x, SCHEDULE, X0, 2 * ones, **args) == 2 * simple_loss(
        lambda x, t: x, SCHEDULE, X0, **args
    )
    # DDPM eq. 12 at t = 1: beta_1 cancels in numerator and denominator.
    assert bound_weight(SCHEDULE)[1].item() == pytest.approx(0.5 / (1 - 1e-4))
    assert min_snr_weight(SCHEDULE)[1000] == 1 and min_snr_weight(SCHEDULE)[1] < 1e-3


def test_the_bound_weight_turns_noise_errors_into_mean_errors():
    from ddpm_lib import posterior

    t, xt, error = 200, torch.randn(4, 3, dtype=torch.float64), 0.1
    means = [
        posterior(SCHEDULE, (xt - SCHEDULE.noise_rate[t] * e) / SCHEDULE.signal_rate[t], xt, t)[0] for e in (0.0, error)
    ]
    kl = ((means[0] - means[1]) ** 2 / (2 * SCHEDULE.beta[t])).mean()
    torch.testing.assert_close(kl, bound_weight(SCHEDULE)[t] * error**2)


def test_normal_kl_by_integration():
    x = torch.linspace(-20, 20, 200_001, dtype=torch.float64)
    log = lambda m, v: -0.5 * ((x - m) ** 2 / v + math.log(2 * math.pi * v))  # noqa: E731
    integral = torch.trapezoid(log(0.3, 0.5).exp() * (log(0.3, 0.5) - log(-1.0, 2.0)), x)
    assert normal_kl(torch.tensor(0.3), 0.5, -1.0, 2.0).item() == pytest.approx(integral.item(), rel=1e-5)


def test_bits_of_an_exact_model_are_the_datas_own():
    mixture = GaussianMixture(torch.zeros(1, 2, dtype=torch.float64), 0.5)
    x0 = mixture.sample(1000, torch.Generator().manual_seed(0))
    bits = bits_per_dim(
        ExactDenoiser(mixture, SCHEDULE), SCHEDULE, x0, bins=None, generator=torch.Generator().manual_seed(1)
    )
    own = -mixture.log_density(x0) / (2 * math.log(2))
    error = (bits - own).std().item() / 1000**0.5
    assert error < 0.05
    # The bound may lie above by what a chain of 1000 Gaussians loses, and below by chance alone.
    assert -4 * error < (bits - own).mean().item() < 0.1 + 4 * error


def test_bits_of_a_wrong_model_are_more():
    mixture = GaussianMixture(torch.zeros(1, 2, dtype=torch.float64), 0.5)
    other = ExactDenoiser(GaussianMixture(torch.full((1, 2), 0.7, dtype=torch.float64), 0.5), SCHEDULE)
    x0 = mixture.sample(500, torch.Generator().manual_seed(0))
    right, wrong = (
        bits_per_dim(d, SCHEDULE, x0, bins=None, num_times=100, generator=torch.Generator().manual_seed(1)).mean()
        for d in (ExactDenoiser(mixture, SCHEDULE), other)
    )
    assert wrong > right + 0.3


def test_grey_levels_are_probabilities():
    from ddpm_lib.losses import pixel_nats

    levels = 2 * torch.arange(256, dtype=torch.float64) / 255 - 1
    nats = pixel_nats(levels, torch.tensor(0.2, dtype=torch.float64), torch.tensor(0.01, dtype=torch.float64), 256)
    assert (-nats).exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_loss_by_time_falls_for_an_exact_denoiser_as_the_noise_grows():
    exact = ExactDenoiser(GaussianMixture(torch.zeros(1, 1, 4, 4), 0.5), SCHEDULE)
    losses = loss_by_time(lambda x, t: exact(x, t).eps, SCHEDULE, X0.repeat(20, 1, 1, 1), [10, 100, 500, 1000])
    assert bool((losses.diff() < 0).all())


@pytest.mark.parametrize("x0, error, says", [
    (torch.zeros(2, 1, 4, 4).byte(), TypeError, "127.5"), (torch.full((2, 1, 4, 4), 255.0), ValueError, "scaled"),
])  # fmt: skip
def test_data_of_the_wrong_range_is_refused(x0, error, says):
    with pytest.raises(error, match=says):
        simple_loss(lambda x, t: x, SCHEDULE, x0)


def test_other_refusals():
    with pytest.raises(ValueError, match="return the shape"):
        simple_loss(lambda x, t: x[:, :, :2], SCHEDULE, X0)
    with pytest.raises(ValueError, match="variance must be"):
        bits_per_dim(Denoiser(lambda x, t: x, SCHEDULE), SCHEDULE, X0, variance="tiny", num_times=1)


def test_weights_are_one_for_every_time():
    weight = torch.ones(SCHEDULE.T)
    with pytest.raises(ValueError, match=r"T \+ 1 = 1001 numbers"):
        weighted_loss(lambda x, t: x, SCHEDULE, X0, weight, t=5)


def test_the_losses_look_at_one_sample_and_tell_bytes_from_pictures(monkeypatch):
    from ddpm_lib import losses

    seen = []
    monkeypatch.setattr(losses, "check_data", lambda x: seen.append(len(x)))
    simple_loss(lambda x, t: x, SCHEDULE, X0)
    assert seen == [1]
    monkeypatch.undo()
    with pytest.raises(ValueError, match="127.5"):
        simple_loss(lambda x, t: x, SCHEDULE, 255 * X0.abs().clamp(min=0.1))
    with pytest.raises(TypeError, match="float tensor"):
        simple_loss(lambda x, t: x, SCHEDULE, X0.to(torch.uint8))


def test_a_bound_of_another_schedule_is_refused():
    denoise = Denoiser(lambda x, t: x, SCHEDULE)
    with pytest.raises(ValueError, match="must share one schedule"):
        bits_per_dim(denoise, linear_schedule(100), X0)


def test_a_chain_of_one_step_has_a_bound():
    one = linear_schedule(1, 0.5, 0.5)
    exact = ExactDenoiser(GaussianMixture(torch.zeros(1, 2, dtype=torch.float64), 0.5), one)
    x0 = exact.data.sample(2000, torch.Generator().manual_seed(0))
    for variance in ("beta", "posterior"):
        bits = bits_per_dim(exact, one, x0, variance=variance, bins=None, generator=torch.Generator().manual_seed(1))
        assert bits.mean().item() == pytest.approx(exact_bound(exact, variance), abs=0.05)


@pytest.mark.parametrize("wrong", [dict(bins=1), dict(num_times=0), dict(variance="large")])
def test_bounds_of_nothing_are_refused(wrong):
    denoise = Denoiser(lambda x, t: x, SCHEDULE)
    with pytest.raises(ValueError, match="must be"):
        bits_per_dim(denoise, SCHEDULE, X0, **wrong)


def test_the_bound_of_a_schedule_that_ends_without_signal():
    schedule = Schedule(torch.tensor([0.0, 0.1, 0.3, 0.6, 1.0]))
    exact = ExactDenoiser(GaussianMixture(torch.full((1, 2), 0.5, dtype=torch.float64), 0.5), schedule)
    x0 = exact.data.sample(4000, torch.Generator().manual_seed(0))
    bits = bits_per_dim(exact, schedule, x0, bins=None, generator=torch.Generator().manual_seed(1)).mean().item()
    assert bits == pytest.approx(exact_bound(exact), abs=0.05)
