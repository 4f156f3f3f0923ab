"""Schedules: closed-form values, grids of times, and what is refused."""

import math

import pytest
import torch

from ddpm_lib import Schedule, cosine_schedule, linear_schedule, scaled_linear_schedule

KINDS = [linear_schedule, cosine_schedule, scaled_linear_schedule]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("T", [2, 10, 200, 1000])
def test_alpha_bar_starts_at_one_and_falls(make, T):
    schedule = make(T)
    assert schedule.T == T and len(schedule.alpha_bar) == T + 1
    assert schedule.alpha_bar[0] == 1 and schedule.noise_rate[0] == 0 and schedule.snr[0] == math.inf
    assert bool((schedule.alpha_bar.diff() < 0).all())
    assert schedule.beta.dtype == torch.float64


@pytest.mark.parametrize("make", KINDS)
def test_rates_lie_on_the_unit_circle(make):
    schedule = make()
    torch.testing.assert_close(schedule.signal_rate**2 + schedule.noise_rate**2, torch.ones(1001, dtype=torch.float64))
    torch.testing.assert_close(schedule.log_snr[1:], -2 * schedule.sigma[1:].log())


def test_numbers_of_the_papers():
    assert linear_schedule().alpha_bar[-1].item() == pytest.approx(4.0358e-5, rel=1e-4)
    # With fewer steps the same betas leave signal behind; the product form makes both figures exact.
    assert linear_schedule(200).signal_rate[-1].item() == pytest.approx(0.363, abs=2e-3)
    assert linear_schedule(50).signal_rate[-1].item() == pytest.approx(0.777, abs=2e-3)
    assert scaled_linear_schedule().alpha_bar[-1].item() == pytest.approx(0.00466, rel=2e-3)
    assert cosine_schedule().beta.max() == 0.999


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("n", [1, 2, 7, 20, 100, 999, 1000])
@pytest.mark.parametrize("grid", ["even_times", "karras_times", "logsnr_times"])
def test_grids_fall_strictly_from_T_to_0(make, n, grid):
    times = getattr(make(), grid)(n)
    assert len(times) == n + 1 and times[0] == 1000 and times[-1] == 0
    assert all(t > s for t, s in zip(times, times[1:]))


def test_logsnr_grid_is_even_where_whole_times_allow_it():
    schedule = linear_schedule()
    steps = schedule.log_snr[schedule.logsnr_times(8)[:-1]].diff()
    assert steps.max() / steps.min() < 1.15


def test_at_shapes_and_casts():
    schedule, x = linear_schedule(10), torch.zeros(4, 3, 8, 8)
    values = schedule.at(schedule.alpha_bar, torch.tensor([0, 1, 5, 10]), x)
    assert values.shape == (4, 1, 1, 1) and values.dtype == torch.float32
    assert schedule.at(schedule.beta, 3, x).ndim == 0


@pytest.mark.parametrize("t, error, says", [
    (11, ValueError, "0..10"), (-1, ValueError, "0..10"), (0.5, TypeError, "integer"),
    (torch.ones(3).long(), ValueError, "one per sample"), (torch.ones(2, 2).long(), ValueError, "shape"),
])  # fmt: skip
def test_bad_times_are_refused(t, error, says):
    schedule = linear_schedule(10)
    with pytest.raises(error, match=says):
        schedule.at(schedule.beta, t, torch.zeros(4, 2))


@pytest.mark.parametrize(
    "beta", [[0.1, 0.2], [0.0], [0.0, 1.0, 0.5], [0.0, 1.1], [0.0, -0.1], [[0.0, 0.1]], [0.0, float("nan")]]
)
def test_bad_betas_are_refused(beta):
    with pytest.raises(ValueError, match="beta"):
        Schedule(torch.tensor(beta))


def test_bad_step_counts_are_refused():
    for n in (0, 1001):
        with pytest.raises(ValueError, match="1..1000"):
            linear_schedule().even_times(n)
    with pytest.raises(ValueError, match="at least 1"):
        linear_schedule(0)


@pytest.mark.parametrize("T", [20, 50, 200, 4000])
def test_every_cosine_schedule_ends_in_noise(T):
    schedule = cosine_schedule(T)
    assert schedule.signal_rate[-1] < 0.01
    # Half-way the share of the data is that of the formula, whatever T is: cos² of (0.5 + s) / (1 + s) · 90°.
    assert schedule.alpha_bar[T // 2].item() == pytest.approx(math.cos(0.508 / 1.008 * math.pi / 2) ** 2, rel=1e-3)


def test_at_goes_where_the_data_is():
    schedule, x = linear_schedule(10), torch.zeros(2, 3, dtype=torch.float32, device="meta")
    for t in (3, torch.tensor([1, 5])):
        values = schedule.at(schedule.beta, t, x)
        assert values.device == x.device and values.dtype == x.dtype


def test_a_chain_may_have_one_step():
    assert Schedule(torch.tensor([0.0, 0.5])).T == 1
    assert all(make(1).even_times(1) == [1, 0] for make in KINDS)


def test_rates_are_those_of_at():
    schedule, x = linear_schedule(10), torch.zeros(4, 2, dtype=torch.float64)
    for t in (0, 3, 10, torch.tensor(4), torch.tensor([0, 1, 5, 10])):
        signal, noise = schedule.rates(t, x)
        expected = [schedule.at(table, t, x) for table in (schedule.signal_rate, schedule.noise_rate)]
        assert signal == expected[0] if isinstance(t, int) else torch.equal(signal, expected[0])
        assert noise == expected[1] if isinstance(t, int) else torch.equal(noise, expected[1])
    assert all(type(rate) is float for t in (0, 10) for rate in schedule.rates(t, x)), "numbers, which are fast"
    for t in (-1, 11, torch.tensor(11)):
        with pytest.raises(ValueError, match="0..10"):
            schedule.rates(t, x)


def test_one_bad_time_among_good_ones_is_refused():
    schedule, x = linear_schedule(10), torch.zeros(2, 2)
    for t in (torch.tensor([5, 11]), torch.tensor([-1, 5])):
        with pytest.raises(ValueError, match="0..10"):
            schedule.at(schedule.beta, t, x)
    for t in (torch.tensor([True, False]), torch.tensor([1 + 0j, 2]), torch.tensor([1.0, 2])):
        with pytest.raises(TypeError, match="integer"):
            schedule.at(schedule.beta, t, x)
    assert schedule.check_times(torch.tensor([], dtype=torch.long)).numel() == 0


def test_karras_grid_is_that_of_edm():
    schedule, n = linear_schedule(), 12
    low, high = (schedule.sigma[t].item() ** (1 / 7) for t in (1, 1000))
    wanted = [high + i / (n - 1) * (low - high) for i in range(n)]  # EDM eq. 5, before the seventh power
    levels = [sigma ** (1 / 7) for sigma in schedule.sigma[1:].tolist()]
    nearest = [1 + min(range(1000), key=lambda j: abs(levels[j] - w)) for w in wanted]
    assert schedule.karras_times(n) == [*nearest, 0]
    even = schedule.karras_times(n, rho=1)
    assert even[1] > nearest[1], "with rho = 1 the grid is even in sigma, and most of it lies at large t"


def test_even_grid_is_even():
    assert linear_schedule(10).even_times(5) == [10, 8, 6, 4, 2, 0] and linear_schedule(7).even_times(2) == [7, 4, 0]


def test_betas_rise_from_the_first_to_the_last():
    for make, first, last in ((linear_schedule, 1e-4, 0.02), (scaled_linear_schedule, 0.00085, 0.012)):
        beta = make().beta
        assert bool((beta.diff() > 0).all()) and beta[1].item() == pytest.approx(first)
        assert beta[-1].item() == pytest.approx(last)


def test_times_that_meet_are_pushed_apart_by_one():
    # The cosine schedule falls steeply at its end: several points of an even grid lie nearest to one time there.
    schedule, n = cosine_schedule(), 60
    times, levels = schedule.logsnr_times(n), schedule.log_snr[1:]
    grid = torch.linspace(float(levels[-1]), float(levels[0]), n, dtype=torch.float64)
    nearest = [1 + int((levels - level).abs().argmin()) for level in grid]
    met = [i for i in range(1, n) if nearest[i] >= times[i - 1]]
    assert met and all(times[i] == times[i - 1] - 1 for i in met)
    assert all(times[i] == max(nearest[i], n - i) for i in range(n) if i not in met)


def test_a_schedule_keeps_its_own_numbers():
    beta = torch.tensor([0.0, 0.1, 0.2], dtype=torch.float64)
    schedule = Schedule(beta)
    beta[1] = 0.4
    assert schedule.beta.tolist() == [0.0, 0.1, 0.2] and schedule.alpha_bar[1] == 0.9


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_rates_are_refused_for_data_that_cannot_hold_them(dtype):
    image = torch.full((2, 1, 4, 4), 200).to(dtype)
    with pytest.raises(TypeError, match="cannot hold a rate.*127.5"):
        linear_schedule().at(linear_schedule().signal_rate, 500, image)


@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16, torch.uint32, torch.int8, torch.int16])
def test_times_of_every_whole_kind_are_taken(kind):
    t = torch.tensor([3, 100]).to(kind)
    assert linear_schedule().check_times(t).tolist() == [3, 100]


def test_a_table_has_a_number_for_every_time():
    schedule = linear_schedule(10)
    for length in (10, 12):
        with pytest.raises(ValueError, match=r"T \+ 1 = 11 numbers"):
            schedule.at(torch.ones(length), 3, torch.zeros(2, 2))


def test_betas_that_leave_nothing_long_before_the_end_are_refused():
    with pytest.raises(ValueError, match="nothing is left of the data from t = 108 on"):
        Schedule(torch.tensor([0.0] + [0.999] * 200, dtype=torch.float64))


def test_a_schedule_may_end_without_signal():
    last = Schedule(torch.tensor([0.0, 0.5, 0.9, 1.0]))
    assert last.ends_in_pure_noise and last.sigma[-1] == torch.inf and last.snr[-1] == 0
    for n in (1, 2, 3):
        for grid in (last.even_times(n), last.karras_times(n), last.logsnr_times(n)):
            assert grid[0] == 3 and grid[-1] == 0 and len(set(grid)) == n + 1 and grid == sorted(grid, reverse=True)
    assert Schedule(torch.tensor([0.0, 1.0])).karras_times(1) == [1, 0]


def test_grids_begin_at_T_also_where_nothing_is_added_at_the_end():
    still = Schedule(torch.tensor([0.0, 0.1, 0.2, 0.0, 0.0]))
    assert still.karras_times(2)[0] == still.logsnr_times(2)[0] == 4
