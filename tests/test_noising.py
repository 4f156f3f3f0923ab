"""Adding noise and the posterior, against arithmetic done another way."""

import pytest
import torch

from ddpm_lib import add_noise, linear_schedule, posterior
from ddpm_lib.noising import _step_back, noise_like, step_variance

SCHEDULE = linear_schedule()


def test_jump_has_the_moments_of_the_chain():
    generator = torch.Generator().manual_seed(0)
    x0 = torch.full((200_000, 1), 0.7, dtype=torch.float64)
    chain = x0
    for t in range(1, 101):
        beta = SCHEDULE.beta[t]
        chain = (1 - beta).sqrt() * chain + beta.sqrt() * noise_like(chain, generator)
    # Standard errors: the mean's is std / √n, the standard deviation's std / √(2n).
    std = SCHEDULE.noise_rate[100].item()
    assert abs(chain.mean() - SCHEDULE.signal_rate[100] * 0.7) < 4 * std / 200_000**0.5
    assert abs(chain.std() - std) < 4 * std / 400_000**0.5


def test_time_zero_is_the_data_itself():
    x0, eps = torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    assert torch.equal(add_noise(SCHEDULE, x0, 0, eps), x0)


def test_each_sample_gets_its_own_time():
    x0, eps = torch.randn(3, 2), torch.randn(3, 2)
    together = add_noise(SCHEDULE, x0, torch.tensor([1, 500, 1000]), eps)
    apart = torch.cat([add_noise(SCHEDULE, x0[i : i + 1], t, eps[i : i + 1]) for i, t in enumerate([1, 500, 1000])])
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("t, s", [(1, 0), (2, 1), (500, 499), (1000, 999), (1000, 0), (700, 200)])
def test_posterior_is_bayes_rule_on_a_grid(t, s):
    x0, xt = torch.tensor([[0.4]], dtype=torch.float64), torch.tensor([[-0.3]], dtype=torch.float64)
    mean, variance = posterior(SCHEDULE, x0, xt, t, s)
    if s == 0:
        assert variance == 0
        torch.testing.assert_close(mean, x0)
        return
    width = variance.sqrt().item()
    grid = mean.item() + torch.linspace(-10, 10, 20_001, dtype=torch.float64) * width
    beta = step_variance(SCHEDULE, t, s)
    log_prior = -0.5 * (grid - SCHEDULE.signal_rate[s] * x0).squeeze() ** 2 / (1 - SCHEDULE.alpha_bar[s])
    log_likelihood = -0.5 * (xt - (1 - beta).sqrt() * grid).squeeze() ** 2 / beta
    weight = torch.softmax(log_prior + log_likelihood, 0)
    assert (weight * grid).sum().item() == pytest.approx(mean.item(), abs=1e-9)
    assert (weight * (grid - mean.item()) ** 2).sum().item() == pytest.approx(variance.item(), rel=1e-6)


def test_last_step_has_no_noise_and_weight_exactly_one():
    x0, x1 = torch.randn(5, 3), torch.randn(5, 3)
    mean, variance = posterior(SCHEDULE, x0, x1, 1)
    assert variance == 0 and torch.equal(mean, x0)


def test_noise_is_drawn_where_the_generator_lives():
    x = torch.zeros(4, 3)
    first, second = (noise_like(x, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second) and first.shape == x.shape


def test_refusals():
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="shape of x0"):
        add_noise(SCHEDULE, x, 1, torch.zeros(2, 4))
    for t, s in [(0, None), (5, 5), (5, 7)]:
        with pytest.raises(ValueError, match="steps back"):
            posterior(SCHEDULE, x, x, t, s)


def test_step_variance_is_one_whether_times_are_numbers_or_tensors():
    pairs = [(500, 499), (500, 200), (1000, 0), (1, 0)]
    t, s = (torch.tensor(side) for side in zip(*pairs))
    together = step_variance(SCHEDULE, t, s)
    for i, (a, b) in enumerate(pairs):
        expected = SCHEDULE.beta[a] if a - b == 1 else 1 - SCHEDULE.alpha_bar[a] / SCHEDULE.alpha_bar[b]
        for found in (step_variance(SCHEDULE, a, b), step_variance(SCHEDULE, torch.tensor(a), b), together[i]):
            assert found == expected
    assert torch.equal(step_variance(SCHEDULE, 500, torch.tensor([499, 200])), together[:2])
    to_200 = [step_variance(SCHEDULE, t, 200) for t in (500, 201)]
    assert torch.equal(step_variance(SCHEDULE, torch.tensor([500, 201]), 200), torch.stack(to_200))


@pytest.mark.parametrize("t, s", [(1, 0), (2, 1), (1000, 999), (1000, 0)])
def test_one_time_for_all_is_computed_in_floats(t, s):
    numbers = _step_back(SCHEDULE, t, s, torch.zeros(2, 3))
    assert [type(number) for number in numbers] == [float] * 3, "in tensors the samplers would be ten times slower"


def test_posterior_of_a_batch_with_its_own_times():
    generator = torch.Generator().manual_seed(3)
    x0, xt = (torch.randn(4, 1, 2, 2, dtype=torch.float64, generator=generator) for _ in range(2))
    t, s = torch.tensor([1, 2, 500, 1000]), torch.tensor([0, 0, 499, 300])
    mean, variance = posterior(SCHEDULE, x0, xt, t, s)
    before, _ = posterior(SCHEDULE, x0, xt, t)
    assert variance.shape == (4, 1, 1, 1) and variance.dtype == torch.float64
    for i, (a, b) in enumerate(zip(t.tolist(), s.tolist())):
        alone, its_variance = posterior(SCHEDULE, x0[i : i + 1], xt[i : i + 1], a, b)
        torch.testing.assert_close(mean[i : i + 1], alone)
        torch.testing.assert_close(variance[i].squeeze(), its_variance)
        torch.testing.assert_close(before[i : i + 1], posterior(SCHEDULE, x0[i : i + 1], xt[i : i + 1], a)[0])


def test_one_bad_pair_of_times_among_good_ones_is_refused():
    x = torch.zeros(2, 3)
    good = posterior(SCHEDULE, x, x, torch.tensor([1, 1000]), torch.tensor([0, 999]))
    assert good[0].shape == (2, 3)
    for t, s in [([5, 9], [4, 9]), ([5, 9], [-1, 3]), ([5, 9], [-1, -1]), ([0, 5], [0, 4]), ([5, 1001], [4, 5])]:
        with pytest.raises(ValueError, match="0..1000" if 1001 in t else "steps back"):
            posterior(SCHEDULE, x, x, torch.tensor(t), torch.tensor(s))
    for t, s in [(1001, 5), (3, 3), (3, -1)]:
        with pytest.raises(ValueError):
            posterior(SCHEDULE, x, x, t, s)


def test_noise_like_takes_shape_and_dtype_of_the_data_and_chance_from_the_generator():
    x = torch.zeros(3, 5, dtype=torch.float64)
    expected = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(noise_like(x, torch.Generator().manual_seed(1)), expected)
    torch.manual_seed(4)
    assert torch.equal(noise_like(x), torch.randn(3, 5, dtype=torch.float64, generator=torch.manual_seed(4)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_noised_data_have_the_dtype_of_the_data_whatever_that_of_the_noise(dtype):
    x0 = torch.randn(3, 2).to(dtype)
    assert add_noise(SCHEDULE, x0, 500, torch.randn(3, 2)).dtype == dtype


def test_bytes_are_refused_and_not_rounded_to_nothing():
    image = torch.full((1, 1, 2, 2), 200, dtype=torch.uint8)
    for go in (lambda: add_noise(SCHEDULE, image, 500, image), lambda: posterior(SCHEDULE, image, image, 500)):
        with pytest.raises(TypeError, match="127.5"):
            go()
