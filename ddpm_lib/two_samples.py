"""Could two sets of samples come from one distribution? The energy distance, and its values when they do."""

from typing import NamedTuple

import torch
from torch import Tensor

MOST_ROWS = 10_000  # of both samples together: their table of distances is then 800 MB


class TwoSampleTest(NamedTuple):
    """A test of "these two come from one distribution".

    statistic: what was measured; null: (permutations,) its values after the samples were mixed and dealt again, which
    is what it does when they do; p: share of those, this one included, that are as large.
    """

    statistic: float
    null: Tensor
    p: float


def energy_distance(a: Tensor, b: Tensor) -> float:
    """2 E|X − Y| − E|X − X'| − E|Y − Y'| of samples a, (n, d), and b, (m, d): Székely & Rizzo 2004.

    Of the distributions themselves it is 0 only if they are equal. Of samples it is never negative and, where they
    are of one distribution, of the order of 1/n + 1/m: read it beside its null. It is a squared maximum mean
    discrepancy (Gretton et al. 2012) with the distance for a kernel (Sejdinovic et al. 2013).
    """
    return energy_test(a, b, permutations=0).statistic


def energy_test(
    a: Tensor, b: Tensor, permutations: int = 199, generator: torch.Generator | None = None
) -> TwoSampleTest:
    """Test whether samples a, (n, d), and b, (m, d), are of one distribution, by the energy distance.

    Were they of one, it would not matter which sample a row belongs to. So the rows of both are dealt again at random
    `permutations` times, and p = (1 + how many of these distances are as large) / (1 + permutations): never 0, and
    at most α with probability α where nothing differs (Phipson & Smyth 2010). Costs (n + m)² distances.
    """
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"two samples are rows of points, (n, d) and (m, d), got {tuple(a.shape)} and {tuple(b.shape)}."
        )
    n, count = len(a), len(a) + len(b)
    if count > MOST_ROWS:
        raise ValueError(
            f"the test compares every row with every other: {count:,} are too many, {MOST_ROWS:,} the most."
        )
    both = torch.cat([a.cpu().double(), b.cpu().double()])  # in this order: Apple's MPS has no float64
    if not both.isfinite().all():
        raise ValueError("a sample holds values that are not finite.")
    # +1/n for the rows of one sample, −1/m for those of the other: the energy distance is −signᵀ D sign.
    sign = torch.full((count, permutations + 1), -1 / len(b), dtype=torch.float64)
    sign[:n, 0] = 1 / n
    where = "cpu" if generator is None else generator.device
    for column in range(1, permutations + 1):
        sign[torch.randperm(count, generator=generator, device=where)[:n].cpu(), column] = 1 / n
    found = -(sign * (torch.cdist(both, both, compute_mode="donot_use_mm_for_euclid_dist") @ sign)).sum(0)
    statistic, null = float(found[0]), found[1:]
    # Equal up to rounding is as large: with few rows, two deals are often the same.
    as_large = int((null >= statistic - 1e-12).sum())
    return TwoSampleTest(statistic, null, (1 + as_large) / (1 + permutations))
