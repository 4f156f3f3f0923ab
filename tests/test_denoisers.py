"""Denoisers: one guess seen from every side, exact ones against closed forms, wrappers."""

import pytest
import torch

from ddpm_lib import (
    Denoiser,
    ExactDenoiser,
    GaussianMixture,
    add_noise,
    clip,
    cosine_schedule,
    guide,
    linear_schedule,
    score,
)
from ddpm_lib.denoisers import guess_from, target_for
from ddpm_lib.losses import simple_loss
from ddpm_lib.models import UNet

SCHEDULE = linear_schedule()
X0 = torch.randn(6, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
EPS = torch.randn(6, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("predicts", ["eps", "x0", "v"])
@pytest.mark.parametrize("schedule", [SCHEDULE, cosine_schedule(100)], ids=repr)
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 1.0])
def test_every_prediction_tells_the_same_guess(predicts, schedule, share):
    t = max(1, int(share * schedule.T))
    xt = add_noise(schedule, X0, t, EPS)
    guess = Denoiser(lambda x, time: target_for(predicts, schedule, X0, EPS, t), schedule, predicts)(xt, t)
    # Told from the noise, the data is uncertain by sigma times the rounding of float64 (chapter 3).
    slack = 1e-13 * max(1.0, schedule.sigma[t].item() * 10)
    torch.testing.assert_close(guess.x0, X0, atol=slack, rtol=1e-9)
    torch.testing.assert_close(guess.eps, EPS, atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(add_noise(schedule, guess.x0, t, guess.eps), xt)


def test_exact_denoiser_of_one_gaussian_is_the_textbook_formula():
    mean, std, t = 0.3, 0.6, 400
    exact = ExactDenoiser(GaussianMixture(torch.full((1, 2), mean, dtype=torch.float64), std), SCHEDULE)
    x = torch.randn(50, 2, dtype=torch.float64)
    a, noise = SCHEDULE.signal_rate[t], SCHEDULE.noise_rate[t]
    expected = mean + a * std**2 / (a**2 * std**2 + noise**2) * (x - a * mean)
    torch.testing.assert_close(exact(x, t).x0, expected)


def test_exact_score_is_the_gradient_of_the_log_density():
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.5], [0.0, -1.0]], dtype=torch.float64)
    mixture = GaussianMixture(means, std=torch.tensor([0.1, 0.2, 0.3]), weights=torch.tensor([1.0, 2.0, 3.0]))
    x = torch.randn(40, 2, dtype=torch.float64).requires_grad_()
    for t in (1, 50, 400, 1000):
        gradient = torch.autograd.grad(mixture.at(SCHEDULE, t).log_density(x).sum(), x)[0]
        torch.testing.assert_close(
            score(ExactDenoiser(mixture, SCHEDULE), x.detach(), t), gradient, rtol=1e-6, atol=1e-8
        )


def test_mixture_density_integrates_to_one_and_samples_match():
    mixture = GaussianMixture(
        torch.tensor([[-0.5], [0.8]], dtype=torch.float64),
        std=torch.tensor([0.1, 0.3]),
        weights=torch.tensor([3.0, 1.0]),
    )
    grid = torch.linspace(-4, 4, 8001, dtype=torch.float64)[:, None]
    density = mixture.log_density(grid).exp()
    assert torch.trapezoid(density, grid[:, 0]).item() == pytest.approx(1, abs=1e-6)
    samples = mixture.sample(100_000, torch.Generator().manual_seed(0))
    assert samples.mean().item() == pytest.approx(-0.175, abs=0.01)


def test_points_are_spikes_and_come_back_at_small_t():
    points = torch.randn(20, 3)
    guess = ExactDenoiser(points, SCHEDULE)(add_noise(SCHEDULE, points, 1, 0.5 * torch.ones_like(points)), 1)
    torch.testing.assert_close(guess.x0, points)


def test_exact_denoiser_takes_a_time_per_sample():
    exact, x = ExactDenoiser(torch.randn(10, 2), SCHEDULE), torch.randn(4, 2)
    times = torch.tensor([3, 900, 3, 40])
    together = exact(x, times)
    for i, t in enumerate(times.tolist()):
        torch.testing.assert_close(together.x0[i], exact(x[i : i + 1], t).x0[0])


def test_clip_keeps_both_views_one_guess():
    wild = Denoiser(lambda x, t: 5 * torch.ones_like(x), SCHEDULE)
    xt = torch.randn(6, 1, 4, 4)
    guess = clip(wild)(xt, 700)
    assert guess.x0.abs().max() <= 1
    torch.testing.assert_close(add_noise(SCHEDULE, guess.x0, 700, guess.eps), xt)


def test_guidance_is_linear_in_the_scale():
    one, zero = (Denoiser(lambda x, t, v=v: torch.full_like(x, v), SCHEDULE) for v in (1.0, 0.25))
    xt = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    for scale in (0.0, 1.0, 3.0):
        guess = guide(one, zero, scale)(xt, 300)
        torch.testing.assert_close(guess.eps, torch.full_like(xt, 0.25 + scale * 0.75))
        torch.testing.assert_close(add_noise(SCHEDULE, guess.x0, 300, guess.eps), xt)


def test_no_guidance_asks_the_network_once():
    calls = []
    count = lambda x, t: calls.append(1) or x  # noqa: E731
    guide(Denoiser(count, SCHEDULE), Denoiser(count, SCHEDULE), 1.0)(torch.zeros(1, 2), 5)
    assert len(calls) == 1


def test_label_reaches_the_network():
    seen = {}
    Denoiser(lambda x, t, label: seen.update(label=label, t=t) or x, SCHEDULE, label=torch.tensor([4, 2]))(
        torch.zeros(2, 2), 9
    )
    assert seen["label"].tolist() == [4, 2] and seen["t"].tolist() == [9, 9]


def test_refusals():
    with pytest.raises(ValueError, match="predicts must be"):
        Denoiser(None, SCHEDULE, predicts="noise")
    with pytest.raises(ValueError, match="predicts must be"):
        guess_from("noise", X0, SCHEDULE, X0, 5)
    with pytest.raises(ValueError, match="needs noise to remove"):
        Denoiser(lambda x, t: x, SCHEDULE)(X0, 0)
    with pytest.raises(ValueError, match="share one schedule"):
        guide(Denoiser(None, SCHEDULE), Denoiser(None, cosine_schedule()), 2.0)
    with pytest.raises(ValueError, match="weights"):
        GaussianMixture(torch.zeros(3, 2), 0.1, weights=torch.ones(2))


def test_a_network_says_what_it_predicts_also_through_what_it_is_wrapped_in():
    network = UNet(channels=1, dim=8, multipliers=(1,), blocks=1, attention_levels=(), predicts="v")
    wrapped, plain = torch.nn.DataParallel(network), lambda xt, t: network(xt, t)
    xt = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    told = Denoiser(plain, SCHEDULE, "v")(xt, 500).x0
    assert torch.equal(Denoiser(network, SCHEDULE)(xt, 500).x0, told)
    assert Denoiser(wrapped, SCHEDULE).predicts == "v" and Denoiser(network.forward, SCHEDULE).predicts == "v"
    with pytest.raises(ValueError, match='predicts="v"'):
        Denoiser(plain, SCHEDULE)
    asked, as_v, as_eps = (simple_loss(network, SCHEDULE, xt, t=500, eps=-xt, predicts=p) for p in (None, "v", "eps"))
    assert asked == as_v != as_eps


def test_clip_goes_to_the_bounds_and_no_further():
    wild = Denoiser(lambda x, t: -5 * x, SCHEDULE)
    xt = torch.linspace(-3, 3, 60).reshape(30, 2)
    plain = wild(xt, 700).x0
    assert plain.min() < -1 and plain.max() > 1
    assert torch.equal(clip(wild)(xt, 700).x0, plain.clamp(-1, 1))
    assert torch.equal(clip(wild, -0.25, 2.0)(xt, 700).x0, plain.clamp(-0.25, 2.0))
    assert clip(wild).schedule is SCHEDULE


def test_a_network_is_told_the_time_of_every_sample():
    seen = []
    denoise = Denoiser(lambda x, t: seen.append(t.tolist()) or 0 * x, SCHEDULE)
    xt = torch.ones(3, 1, 2, 2, dtype=torch.float64)
    guesses = [denoise(xt, t) for t in (7, torch.tensor(7), torch.tensor([7, 7, 7]), 1, 1000)]
    assert seen == [[7] * 3] * 3 + [[1] * 3, [1000] * 3]
    for guess in guesses[1:3]:
        torch.testing.assert_close(guess.x0, guesses[0].x0)
    mixed = denoise(xt, torch.tensor([1, 7, 1000])).x0
    torch.testing.assert_close(mixed[1], guesses[0].x0[1])
    torch.testing.assert_close(mixed[2], guesses[4].x0[2])
    for t in (1001, -1, torch.tensor([1, 0, 3])):
        with pytest.raises(ValueError, match="1..1000|0..1000"):
            denoise(xt, t)


def test_exact_denoiser_takes_one_or_two_times_for_a_batch():
    mixture = GaussianMixture(torch.randn(5, 1, 2, 2, dtype=torch.float64), torch.linspace(0.1, 0.5, 5))
    exact, x = ExactDenoiser(mixture, SCHEDULE), torch.randn(3, 1, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(exact(x, torch.tensor([9, 9, 9])).x0, exact(x, 9).x0)
    torch.testing.assert_close(exact(x, torch.tensor(9)).eps, exact(x, 9).eps)
    two = exact(x, torch.tensor([9, 800, 9]))
    for i, t in enumerate((9, 800, 9)):
        torch.testing.assert_close(two.x0[i], exact(x[i : i + 1], t).x0[0])
    shares = exact.responsibilities(x, 300)
    assert shares.shape == (3, 5)
    torch.testing.assert_close(shares.sum(1), torch.ones(3, dtype=torch.float64))


def test_a_mixture_of_images_has_the_density_of_its_pixels():
    means, std = torch.tensor([0.2, -0.4, 0.9, 0.0], dtype=torch.float64), 0.3
    x = torch.randn(6, 1, 2, 2, dtype=torch.float64)
    pixels = torch.distributions.Normal(means, std).log_prob(x.flatten(1)).sum(1)
    torch.testing.assert_close(GaussianMixture(means.reshape(1, 1, 2, 2), std).log_density(x), pixels)


def test_samples_of_a_mixture_have_its_spreads_and_shares():
    mixture = GaussianMixture(
        torch.tensor([[[-3.0, -3.0]], [[3.0, 3.0]], [[50.0, 50.0]]]), torch.tensor([0.5, 0.1, 1.0]), [1, 3, 0]
    )
    x = mixture.sample(20_000, torch.Generator().manual_seed(0))
    left = x[:, 0, 0] < 0
    assert x.shape == (20_000, 1, 2) and x.dtype == torch.float32 and x.max() < 10
    assert left.float().mean().item() == pytest.approx(0.25, abs=0.013)  # four standard errors
    assert x[left].std().item() == pytest.approx(0.5, rel=0.03) and x[~left].std().item() == pytest.approx(
        0.1, rel=0.03
    )
    assert (x[left] + 3).mean().abs() < 0.02
    assert GaussianMixture(torch.zeros(2, 3)).weights.tolist() == [0.5, 0.5] and float(mixture.weights.sum()) == 1


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -0.5], [1.0], [[0.5, 0.5]]])
def test_weights_that_are_no_shares_are_refused(weights):
    with pytest.raises(ValueError, match="2 numbers ≥ 0"):
        GaussianMixture(torch.zeros(2, 2), 0.1, weights)


def test_guidance_accepts_schedules_that_are_equal():
    says = lambda schedule: Denoiser(lambda x, t: x, schedule)  # noqa: E731
    assert guide(says(linear_schedule()), says(linear_schedule()), 2.0).scale == 2.0


def test_a_mixture_of_whole_numbers_can_be_drawn():
    mixture = GaussianMixture([[0, 0], [1, 1]], 0.1)
    assert mixture.sample(5).dtype == torch.get_default_dtype()
    assert ExactDenoiser(mixture, SCHEDULE)(torch.zeros(3, 2), 500).x0.shape == (3, 2)


@pytest.mark.parametrize("std", [-0.1, float("nan"), [0.1, -0.2], [0.1, 0.2, 0.3]])
def test_a_std_below_zero_or_of_another_length_is_refused(std):
    with pytest.raises(ValueError, match="std must be one number ≥ 0, or 2 of them"):
        GaussianMixture(torch.zeros(2, 2), std)


def test_spikes_have_no_density_but_at_a_time_they_have():
    spikes = GaussianMixture(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="std 0 have no density"):
        spikes.log_density(torch.zeros(1, 2))
    assert spikes.at(SCHEDULE, 1).log_density(torch.zeros(1, 2)).isfinite().all()


@pytest.mark.parametrize("t", [-1, 1001, torch.tensor([1, 2])])
def test_a_marginal_is_of_one_time_of_the_schedule(t):
    with pytest.raises(ValueError, match="t must lie in 0..1000|of one time"):
        GaussianMixture(torch.zeros(1, 2), 0.1).at(SCHEDULE, t)


def test_no_points_at_all_are_denoised_to_none():
    exact = ExactDenoiser(GaussianMixture(torch.zeros(1, 2), 0.1), SCHEDULE)
    for t in (5, torch.zeros(0, dtype=torch.long)):
        assert exact(torch.zeros(0, 2), t).x0.shape == (0, 2)
