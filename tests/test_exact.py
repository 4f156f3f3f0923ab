"""What is exactly true: floors, entropies and bounds of known data, against closed forms and against each other."""

import math

import pytest
import torch

from ddpm_lib import Denoiser, ExactDenoiser, GaussianMixture, add_noise, bits_per_dim, linear_schedule, simple_loss
from ddpm_lib.checkpoints import load_pretrained
from ddpm_lib.exact import _grid, doubt, entropy_bits, exact_bound, excess_by_time, floor_by_time, six_blots
from ddpm_lib.losses import bound_weight

SCHEDULE = linear_schedule()
TIMES = [1, 40, 300, 700, 1000]
UNEVEN = GaussianMixture(
    torch.tensor([[0.5, 0.0], [-0.5, 0.2], [0.0, -0.6]], dtype=torch.float64),
    std=torch.tensor([0.1, 0.15, 0.3]),
    weights=torch.tensor([1.0, 2.0, 3.0]),
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def bell(std, dims=1):
    return ExactDenoiser(GaussianMixture(torch.full((1, dims), 0.3, dtype=torch.float64), std), SCHEDULE)


def bell_floor(std, t):
    kept = SCHEDULE.alpha_bar[t] * std**2
    return kept / (kept + 1 - SCHEDULE.alpha_bar[t])


@pytest.mark.parametrize("std", [0.02, 0.5, 1.0])
@pytest.mark.parametrize("dims", [1, 2])
def test_the_floor_of_one_gaussian_is_the_textbook_formula(std, dims):
    found = floor_by_time(bell(std, dims), TIMES)
    torch.testing.assert_close(found.value, torch.stack([bell_floor(std, t) for t in TIMES]))
    assert not found.error.any()


def test_many_dimensions_go_by_draws_with_an_error_that_covers_the_truth():
    points = torch.randn(8, 3, 2, generator=seeded()).double()
    exact = ExactDenoiser(GaussianMixture(points, std=0.2), SCHEDULE)
    few = floor_by_time(exact, [200], draws=500, generator=seeded(1))
    x0, eps = exact.data.sample(100_000, seeded(2)), torch.randn(100_000, 3, 2, generator=seeded(3)).double()
    errors = (eps - exact(add_noise(SCHEDULE, x0, 200, eps), 200).eps).square().flatten(1).mean(1)
    assert abs(few.value - errors.mean()) < 4 * math.hypot(few.error, errors.std() / math.sqrt(len(errors)))
    many = floor_by_time(exact, [200], draws=50_000, generator=seeded(4))
    assert float(few.error / many.error) == pytest.approx(10, rel=0.2)


def test_draws_agree_with_the_grid_and_their_error_is_honest():
    exact = ExactDenoiser(UNEVEN, SCHEDULE)
    truth = floor_by_time(exact, [150]).value
    tries = [floor_by_time(exact, [150], draws=400, generator=seeded(seed)) for seed in range(60)]
    scores = torch.cat([(one.value - truth) / one.error for one in tries])
    # Of 60 standard normal numbers: the mean has deviation 0.13, the deviation one of 0.09.
    assert abs(scores.mean()) < 0.5 and 0.65 < scores.std() < 1.4


def test_doubt_is_the_error_that_the_best_guess_makes():
    exact = ExactDenoiser(UNEVEN, SCHEDULE)
    x0, eps = UNEVEN.sample(200_000, seeded()), torch.randn(200_000, 2, generator=seeded(1)).double()
    for t in (5, 200, 900):
        xt = add_noise(SCHEDULE, x0, t, eps)
        error, promised = (eps - exact(xt, t).eps).square().mean(1), doubt(exact, xt, t)
        assert promised.min() >= 0
        assert (error - promised).mean().abs() < 4 * (error - promised).std() / math.sqrt(len(x0))
        # Not only on average: where it promises much, there is much, and where little, little.
        for part in promised.sort().indices.chunk(4):
            gap = (error - promised)[part]
            assert gap.mean().abs() < 4.5 * gap.std() / math.sqrt(len(part))


def test_doubt_does_not_depend_on_how_many_rows_are_asked_at_once(monkeypatch):
    exact, xt = ExactDenoiser(UNEVEN, SCHEDULE), torch.randn(50, 2, generator=seeded()).double()
    together = doubt(exact, xt, 77)
    monkeypatch.setattr("ddpm_lib.exact.ROOM", 20)
    torch.testing.assert_close(doubt(exact, xt, 77), together)


def test_the_grids_are_fine_enough():
    exact = ExactDenoiser(six_blots(), SCHEDULE)
    model, _ = load_pretrained("blots")
    for t in range(5, 1000, 90):
        (rough, weight), (x, fine_weight) = (
            _grid(exact.data.at(SCHEDULE, t)),
            _grid(exact.data.at(SCHEDULE, t), (9, 8.0)),
        )
        truth = (fine_weight * doubt(exact, x, t)).sum()
        assert abs((weight * doubt(exact, rough, t)).sum() - truth) < 5e-6
        gap = (Denoiser(model, SCHEDULE)(x.float(), t).eps - exact(x, t).eps).square().mean(1)
        above = (fine_weight * gap).sum()
        assert float(excess_by_time(model, exact, [t]).above) == pytest.approx(float(above), rel=0.03)


def test_the_best_guess_has_no_excess_and_silence_has_one_over_the_floor_minus_one():
    exact = ExactDenoiser(UNEVEN, SCHEDULE)
    best = excess_by_time(lambda xt, t: exact(xt, int(t[0])).eps, exact, TIMES)
    assert best.percent.abs().max() < 1e-8 and best.times == TIMES
    silent = excess_by_time(lambda xt, t: 0 * xt, exact, TIMES)
    torch.testing.assert_close(silent.percent, 100 * (1 / silent.floor - 1), rtol=1e-6, atol=1e-6)
    shy = excess_by_time(lambda xt, t: 0.9 * exact(xt, int(t[0])).eps, exact, TIMES)
    torch.testing.assert_close(shy.above, 0.01 * (1 - shy.floor), rtol=1e-6, atol=1e-9)


def test_floor_and_excess_add_up_to_the_loss():
    exact, t = ExactDenoiser(UNEVEN, SCHEDULE), 120
    model = lambda xt, times: 0.8 * torch.tanh(3 * xt)  # noqa: E731
    found = excess_by_time(model, exact, [t])
    x0 = UNEVEN.sample(400_000, seeded())
    loss = simple_loss(model, SCHEDULE, x0, t=torch.full((len(x0),), t), generator=seeded(1))
    assert float(found.floor + found.above) == pytest.approx(float(loss), rel=0.01)
    drawn = excess_by_time(model, exact, [t], draws=20_000, generator=seeded(2))
    assert 0 < drawn.error < 5 and abs(drawn.percent - found.percent) < 4 * drawn.error


def test_networks_that_predict_something_else_are_translated():
    exact = ExactDenoiser(UNEVEN, SCHEDULE)
    clean = excess_by_time(lambda xt, t: exact(xt, int(t[0])).x0, exact, [300], predicts="x0")
    assert clean.percent.abs().max() < 1e-8
    assert excess_by_time(exact, exact, [300]).percent.abs().max() < 1e-8  # a denoiser is taken as it is


def test_the_entropy_of_one_gaussian_and_of_blots_far_apart():
    std = 0.3
    one = 0.5 * math.log2(2 * math.pi * math.e * std**2)
    assert float(entropy_bits(bell(std).data).value) == pytest.approx(one, abs=1e-9)
    drawn = entropy_bits(bell(std, 5).data, draws=20_000, generator=seeded())
    assert abs(drawn.value - one) < 4 * drawn.error and 0 < drawn.error < 0.01
    # Which of four, 2 bits, shared by two dimensions; and where in it.
    square = GaussianMixture(5 * torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]), std)
    assert float(entropy_bits(square).value) == pytest.approx(one + 1, abs=1e-6)


def test_the_bound_of_the_best_denoiser_without_drawing_is_what_drawing_finds():
    schedule = linear_schedule(60, 1e-3, 0.25)
    exact = ExactDenoiser(UNEVEN, schedule)
    x0 = UNEVEN.sample(20_000, seeded())
    for variance in ("beta", "posterior"):
        bits = bits_per_dim(exact, schedule, x0, variance=variance, bins=None, generator=seeded(1))
        assert abs(bits.mean() - exact_bound(exact, variance)) < 4 * bits.std() / math.sqrt(len(bits))


def test_the_bound_lies_above_the_entropy_and_comes_down_to_it_with_the_number_of_steps():
    entropy, gaps = entropy_bits(UNEVEN).value, []
    for T in (50, 100, 200):
        schedule = linear_schedule(T, 0.1 / T, 20 / T)
        gaps.append(exact_bound(ExactDenoiser(UNEVEN, schedule)) - entropy)
    assert 0 < gaps[2] < gaps[1] < gaps[0]
    assert 1.6 < gaps[1] / gaps[2] < 2.2  # as 1 / T


def test_the_same_bound_with_a_worse_guess_costs_what_the_weighted_excess_says():
    schedule = linear_schedule(60, 1e-3, 0.25)
    exact = ExactDenoiser(UNEVEN, schedule)
    worse = lambda xt, t: 0.95 * exact(xt, int(t[0])).eps  # noqa: E731
    found = excess_by_time(worse, exact, range(1, 61))
    promised = float((bound_weight(schedule)[1:] * found.above).sum() / math.log(2))
    x0 = UNEVEN.sample(20_000, seeded())
    with_best, with_worse = (
        bits_per_dim(guess, schedule, x0, bins=None, generator=seeded(1))
        for guess in (exact, Denoiser(worse, schedule))
    )
    cost = with_worse - with_best
    assert promised > 0.001 and abs(cost.mean() - promised) < 4 * cost.std() / math.sqrt(len(cost))


def test_what_cannot_be_done_is_said():
    exact = ExactDenoiser(GaussianMixture(torch.zeros(2, 3), 0.1), SCHEDULE)
    with pytest.raises(ValueError, match="3: ask for draws"):
        floor_by_time(exact, [5])
    with pytest.raises(ValueError, match="too fine for a grid"):
        entropy_bits(GaussianMixture(torch.tensor([[-1.0, 0], [1, 0]]), 1e-4))
    with pytest.raises(ValueError, match="2 or more"):
        floor_by_time(exact, [5], draws=1)
    with pytest.raises(ValueError, match="1..1000"):
        floor_by_time(bell(0.5), [0])
    with pytest.raises(ValueError, match='"beta" or "posterior"'):
        exact_bound(ExactDenoiser(UNEVEN, linear_schedule(5, 0.1, 0.5)), "other")


def test_the_network_that_ships_is_near_the_best_possible_loss_at_every_time():
    model, schedule = load_pretrained("blots")
    found = excess_by_time(model, ExactDenoiser(six_blots(), schedule), [1, 10, 50, 100, 200, 300, 500, 800, 1000])
    assert (found.above < 0.005).all() and found.above.sum() / found.floor.sum() < 0.005
