"""The two-sample test: its statistic by hand, its promise where nothing differs, its eye where something does."""

import math

import pytest
import torch

from ddpm_lib.two_samples import energy_distance, energy_test


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def by_hand(a, b):
    def mean_distance(x, y):
        return sum(float((p - q).norm()) for p in x for q in y) / (len(x) * len(y))

    return 2 * mean_distance(a, b) - mean_distance(a, a) - mean_distance(b, b)


def test_the_statistic_is_its_definition():
    a, b = torch.randn(7, 3, generator=seeded()).double(), torch.rand(5, 3, generator=seeded(1)).double()
    assert energy_distance(a, b) == pytest.approx(by_hand(a, b), abs=1e-12)
    assert energy_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert energy_distance(a, b) == pytest.approx(energy_distance(b, a), abs=1e-12)


def test_on_a_line_it_is_twice_the_area_between_the_distribution_functions_squared():
    # Székely & Rizzo 2004: in one dimension the energy distance is 2 ∫ (F − G)².
    a, b = torch.randn(40, 1, generator=seeded()).double(), 1 + torch.randn(30, 1, generator=seeded(1)).double()
    x = torch.cat([a, b]).flatten().sort().values
    F, G = (torch.searchsorted(s.flatten().sort().values, x, right=True) / len(s) for s in (a, b))
    area = ((F - G)[:-1] ** 2 * x.diff()).sum()
    assert energy_distance(a, b) == pytest.approx(2 * float(area), rel=1e-6)


def test_two_bells_apart_by_the_closed_form():
    # The difference of two unit bells, 2 apart, is N(2, 2): E|N(2, 2)| = 2 e⁻¹ / √π + 2 erf(1); of one bell, 2 / √π.
    across = 2 * math.exp(-1) / math.sqrt(math.pi) + 2 * math.erf(1)
    truth = 2 * across - 2 * 2 / math.sqrt(math.pi)
    a, b = torch.randn(3000, 1, generator=seeded()), 2 + torch.randn(3000, 1, generator=seeded(1))
    assert energy_distance(a, b) == pytest.approx(truth, rel=0.05)


def test_where_nothing_differs_p_is_uniform():
    p = []
    for seed in range(400):
        a, b = torch.randn(2, 40, 2, generator=seeded(seed))
        p.append(energy_test(a, b, permutations=99, generator=seeded(seed + 10_000)).p)
    p = torch.tensor(p)
    # Multiples of 1/100, each equally likely. Largest gap to the straight line: below 1.63 / √400 in 99 of 100 cases.
    steps = torch.arange(1, 101) / 100
    gap = torch.stack([(p <= step + 1e-9).double().mean() - step for step in steps]).abs().max()
    assert gap < 0.0815
    assert p.min() >= 0.01 - 1e-9 and p.max() <= 1


def test_the_null_is_what_fresh_draws_of_one_distribution_give():
    fresh = torch.tensor([energy_distance(*torch.randn(2, 200, 2, generator=seeded(seed))) for seed in range(200)])
    a, b = torch.randn(2, 200, 2, generator=seeded(999))
    null = energy_test(a, b, permutations=400, generator=seeded()).null
    assert null.mean() == pytest.approx(float(fresh.mean()), rel=0.15)
    assert null.quantile(0.95) == pytest.approx(float(fresh.quantile(0.95)), rel=0.25)


@pytest.mark.parametrize("change", [lambda x: x + 0.3, lambda x: 1.4 * x, lambda x: torch.sign(x) * 0.8])
def test_it_sees_a_shift_a_width_and_a_shape(change):
    found = [
        energy_test(
            torch.randn(300, 2, generator=seeded(seed)), change(torch.randn(300, 2, generator=seeded(seed + 50))), 99
        ).p
        for seed in range(20)
    ]
    assert sum(p <= 0.05 for p in found) >= 18


def test_a_test_can_be_repeated_and_takes_samples_of_two_sizes():
    a, b = torch.randn(50, 2, generator=seeded()), torch.randn(20, 2, generator=seeded(1))
    one, again = (energy_test(a, b, 49, seeded(2)) for _ in range(2))
    assert torch.equal(one.null, again.null) and one.p == again.p and one.null.shape == (49,)
    assert one.p == (1 + int((one.null >= one.statistic).sum())) / 50
    assert energy_test(torch.ones(4, 1), torch.ones(3, 1), 9).p == 1  # nothing to tell apart


def test_what_cannot_be_compared_is_refused():
    a = torch.zeros(4, 2)
    for b in (torch.zeros(4, 3), torch.zeros(4), torch.zeros(1, 2)):
        with pytest.raises(ValueError, match="rows of points"):
            energy_test(a, b)
    with pytest.raises(ValueError, match="too many"):
        energy_test(torch.zeros(9_000, 1), torch.zeros(9_000, 1))
    with pytest.raises(ValueError, match="not finite"):
        energy_test(a, a / 0)
