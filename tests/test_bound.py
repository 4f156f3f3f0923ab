"""Weights, variances and the bound in bits, each against a number that was made in another way."""

import math

import pytest
import torch

from ddpm_lib import (
    Denoiser,
    ExactDenoiser,
    GaussianMixture,
    bits_per_dim,
    linear_schedule,
    posterior,
    simple_loss,
    weighted_loss,
)
from ddpm_lib.denoisers import Guess
from ddpm_lib.losses import bound_weight, check_data, loss_by_time, min_snr_weight, pixel_nats, reverse_variance

SCHEDULE = linear_schedule()
X0 = torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def test_the_label_and_the_time_of_each_sample_reach_the_model():
    seen = {}

    def model(x, t, label):
        seen.update(t=t.tolist(), label=label.tolist())
        return x

    t, label = torch.arange(1, 9), torch.arange(8) % 3
    loss = simple_loss(model, SCHEDULE, X0, t=t, label=label)
    assert seen == {"t": list(range(1, 9)), "label": label.tolist()} and loss.ndim == 0
    simple_loss(model, SCHEDULE, X0, t=5, label=label)
    assert seen["t"] == [5] * 8
    assert loss_by_time(model, SCHEDULE, X0, [3, 4, 5], label=label).shape == (3,) and seen["label"] == label.tolist()


def test_every_sample_has_the_weight_of_its_own_time():
    t, eps, weight = torch.tensor([1, 2, 3, 4] * 2), torch.randn_like(X0), torch.arange(1001, dtype=torch.float64)
    each = (X0 - eps).square().mean((1, 2, 3)) * t
    given = weighted_loss(lambda x, time: X0, SCHEDULE, X0, weight, t=t, eps=eps)
    torch.testing.assert_close(given, each.mean())


def test_weights_are_the_formulas_at_every_time():
    snr = SCHEDULE.snr[1:]
    torch.testing.assert_close(min_snr_weight(SCHEDULE)[1:], snr.clamp(max=5) / snr)
    torch.testing.assert_close(min_snr_weight(SCHEDULE, 2.0)[1:], snr.clamp(max=2) / snr)
    a, abar = SCHEDULE.alpha[1:], SCHEDULE.alpha_bar[1:]
    torch.testing.assert_close(bound_weight(SCHEDULE)[1:], (1 - a) / (2 * a * (1 - abar)))
    assert bound_weight(SCHEDULE)[0] == 0 and len(bound_weight(SCHEDULE)) == 1001


def test_variances_of_the_reverse_steps():
    x = torch.zeros(1, 1, dtype=torch.float64)
    for t in (1, 2, 3, 500, 1000):
        assert reverse_variance(SCHEDULE, t, "beta") == SCHEDULE.beta[t]
        expected = posterior(SCHEDULE, x, x, max(t, 2))[1]
        torch.testing.assert_close(reverse_variance(SCHEDULE, t, "posterior"), expected)
    assert reverse_variance(linear_schedule(1), 1, "posterior") == 1e-4, "no later step to take it from"


def test_a_few_terms_of_the_bound_stand_for_all():
    short, few = linear_schedule(12, 0.01, 0.3), torch.Generator().manual_seed(1)
    mixture = GaussianMixture(torch.zeros(1, 2, dtype=torch.float64), 0.5)
    worse = ExactDenoiser(GaussianMixture(torch.full((1, 2), 0.9, dtype=torch.float64), 0.5), short)
    x0 = mixture.sample(4000, torch.Generator().manual_seed(0))
    full = bits_per_dim(worse, short, x0, bins=None, generator=few).mean().item()
    parts = torch.stack(
        [bits_per_dim(worse, short, x0, bins=None, num_times=4, generator=few).mean() for _ in range(60)]
    )
    assert parts.mean().item() == pytest.approx(full, abs=4 * parts.std().item() / 60**0.5 + 0.01)
    all_of_them = [
        bits_per_dim(worse, short, x0, bins=None, num_times=n, generator=torch.Generator().manual_seed(2)).mean().item()
        for n in (None, 11, 50)
    ]
    assert all_of_them[0] == all_of_them[1] == all_of_them[2]


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_the_bound_of_one_step_by_hand(variance):
    one, x0 = linear_schedule(1, 0.2, 0.2), torch.tensor([[0.3, -0.1]], dtype=torch.float64)
    if variance == "posterior":  # T = 1 has no second step to borrow a variance from
        one = linear_schedule(2, 0.2, 0.3)
    exact = ExactDenoiser(GaussianMixture(torch.zeros(1, 2, dtype=torch.float64), 1.0), one)
    bits = bits_per_dim(exact, one, x0.repeat(20_000, 1), bins=None, variance=variance,
                        generator=torch.Generator().manual_seed(0))  # fmt: skip
    own = -torch.distributions.Normal(0.0, 1.0).log_prob(x0).sum() / (2 * math.log(2))
    assert bits.shape == (20_000,) and bits.mean().item() > own.item() - 4 * bits.std().item() / 20_000**0.5
    if variance == "beta":  # exact for x_0 ~ N(0, I), so that of one point of it the bound is the KL and the Gaussian
        a, var = one.alpha_bar[1].item(), 0.2
        prior = 0.5 * (a * x0**2 + (1 - a) - 1 - math.log(1 - a)).sum().item()
        # x0_hat = √a x_1, so x_0 − x0_hat has the mean (1 − a) x_0 and the variance a (1 − a).
        last = (0.5 * (((1 - a) * x0) ** 2 + a * (1 - a)) / var + 0.5 * math.log(2 * math.pi * var)).sum().item()
        expected = (prior + last) / (2 * math.log(2))
        assert bits.mean().item() == pytest.approx(expected, abs=4 * bits.std().item() / 20_000**0.5)


def test_grey_levels_by_integration_and_never_infinite():
    level, mean, var = (
        torch.tensor(2 * 100 / 255 - 1, dtype=torch.float64),
        0.1,
        torch.tensor(0.02, dtype=torch.float64),
    )
    inside = torch.linspace(level - 1 / 255, level + 1 / 255, 20_001, dtype=torch.float64)
    density = torch.distributions.Normal(mean, var.sqrt()).log_prob(inside).exp()
    expected = -torch.trapezoid(density, inside).log().item()
    assert pixel_nats(level, torch.tensor(mean), var, 256).item() == pytest.approx(expected, rel=1e-6)
    far = pixel_nats(torch.tensor(0.0), torch.tensor(50.0), torch.tensor(0.01), 256)
    assert far.item() == pytest.approx(-math.log(1e-12), rel=1e-3)
    # The outermost levels take all that lies beyond them.
    for edge in (-1.0, 1.0):
        assert pixel_nats(torch.tensor(edge), torch.tensor(30 * edge), torch.tensor(0.01), 256).item() == 0
    gaussian = pixel_nats(level, torch.tensor(mean), var, None).item()
    assert gaussian == pytest.approx(-torch.distributions.Normal(mean, var.sqrt()).log_prob(level).item(), rel=1e-6)


def test_the_bound_takes_256_grey_levels_unless_told_otherwise():
    pixels = 2 * torch.randint(256, (3, 1, 2, 2), generator=torch.Generator().manual_seed(0)) / 255 - 1
    exact = ExactDenoiser(GaussianMixture(torch.zeros(1, 1, 2, 2), 0.6), linear_schedule(5, 0.05, 0.5))
    bound = lambda **settings: bits_per_dim(  # noqa: E731
        exact, exact.schedule, pixels, generator=torch.Generator().manual_seed(3), **settings
    )
    assert torch.equal(bound(), bound(bins=256, variance="beta", num_times=None))
    assert not torch.equal(bound(), bound(bins=128)) and not torch.equal(bound(), bound(variance="posterior"))
    # A grey level is 2 / 255 wide: the bits of a density and of levels differ by the logarithm of that, about.
    assert (bound() - bound(bins=None)).mean().item() == pytest.approx(math.log2(255 / 2), abs=1)


def test_images_may_reach_ten_and_points_may_lie_anywhere():
    check_data(torch.full((2, 1, 4, 4), 10.0))
    check_data(torch.full((2, 1, 4, 4), -10.0))
    check_data(torch.full((2, 2), 500.0))
    check_data(torch.zeros(0, 1, 4, 4))
    one_bright_pixel = torch.zeros(2, 1, 4, 4)
    one_bright_pixel[1, 0, 2, 2] = 255
    with pytest.raises(ValueError, match="scaled"):
        check_data(one_bright_pixel)
    for value in (10.5, -10.5):
        with pytest.raises(ValueError, match="scaled"):
            check_data(torch.full((2, 1, 4, 4), value))
    with pytest.raises(TypeError):
        bits_per_dim(Denoiser(lambda x, t: x, SCHEDULE), SCHEDULE, torch.zeros(2, 2).long())


@pytest.mark.parametrize("num_times", [None, 2])
def test_a_perfect_guess_pays_for_the_end_of_the_chain_and_for_its_last_step(num_times):
    chain, x0 = linear_schedule(6, 0.05, 0.2), torch.tensor([[0.5, -0.9], [0.1, 0.7]], dtype=torch.float64)
    perfect = lambda xt, t: Guess(x0, (xt - chain.signal_rate[t] * x0) / chain.noise_rate[t])  # noqa: E731
    bits = bits_per_dim(perfect, chain, x0, variance="posterior", bins=None, num_times=num_times)
    # The chain's end is not quite N(0, I): KL of a Gaussian with mean √ᾱ x_0 and variance 1 − ᾱ against it.
    a = chain.alpha_bar[6]
    prior = 0.5 * (a * x0**2 - a - (1 - a).log()).sum(1)
    last = (2 * math.pi * reverse_variance(chain, 1, "posterior").double()).log()  # twice a half, for two dimensions
    torch.testing.assert_close(bits, (prior + last) / (2 * math.log(2)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_a_constant_guess_costs_what_the_formulas_say(variance):
    """The means of the true and the guessed step differ by a multiple of x_0 − guess: no noise is left in the bound."""
    chain, said = linear_schedule(4, 0.1, 0.3), 0.2
    x0 = torch.tensor([[-1.0, 1.0, 2 * 200 / 255 - 1, 2 * 90 / 255 - 1]], dtype=torch.float64).reshape(1, 1, 2, 2)
    constant = lambda xt, t: Guess(torch.full_like(x0, said), xt)  # noqa: E731
    abar, beta = chain.alpha_bar, chain.beta
    nats = 0.5 * (abar[4] * x0**2 - abar[4] - (1 - abar[4]).log())
    for t in (2, 3, 4):
        true = beta[t] * (1 - abar[t - 1]) / (1 - abar[t])
        ours = beta[t] if variance == "beta" else true
        gap = abar[t - 1].sqrt() * beta[t] / (1 - abar[t]) * (x0 - said)
        nats = nats + 0.5 * (true / ours - 1 - (true / ours).log() + gap**2 / ours)
    std = (beta[1] if variance == "beta" else beta[2] * (1 - abar[1]) / (1 - abar[2])).sqrt().item()
    below, above = (torch.distributions.Normal(said, std).cdf(x0 + side / 255) for side in (-1, 1))
    level = torch.where(x0 == 1, 1.0, above) - torch.where(x0 == -1, 0.0, below)
    expected = (nats - level.log()).sum((1, 2, 3)) / (4 * math.log(2))
    torch.testing.assert_close(bits_per_dim(constant, chain, x0, variance=variance), expected, rtol=1e-5, atol=1e-6)
