"""What is exactly true of data that is known: the least possible loss, a network's distance from it, the entropy.

Means over q(x_t) are sums over a grid in one or two dimensions, with no error that shows. In more
dimensions ask for draws: then they are means over random samples, with a standard error beside them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .denoisers import ExactDenoiser, GaussianMixture, as_denoiser, check_noisy, in_float64
from .losses import normal_kl, reverse_variance
from .noising import posterior

# Grids: nodes in each standard deviation, and how many of those beyond the means. A network is rougher than the truth,
# and what it says far outside would count for nothing.
OF_TRUTH, OF_NETWORK = (3, 7.0), (6, 5.5)
MOST_NODES = 2_000_000
ROOM = 4_000_000  # numbers that a table of rows and components may hold at once


class Estimate(NamedTuple):
    """A mean over a known distribution, and its standard error: 0 for a sum over a grid."""

    value: Tensor
    error: Tensor


class Excess(NamedTuple):
    """How far a network lies above the least possible loss, at each of K times.

    floor: (K,) that loss; above: (K,) E ‖ε_θ − E[ε | x_t]‖² per coordinate, so that the network's own loss is
    floor + above; percent: (K,) 100 above / floor; error: (K,) standard error of percent, 0 on a grid.
    """

    times: list[int]
    floor: Tensor
    above: Tensor
    percent: Tensor
    error: Tensor


def six_blots() -> GaussianMixture:
    """Six round blots on the unit circle of the plane, each of standard deviation 0.08."""
    angle = torch.arange(6) * math.pi / 3
    return GaussianMixture(torch.stack([angle.cos(), angle.sin()], dim=1), std=0.08)


def doubt(exact: ExactDenoiser, xt: Tensor, t: int) -> Tensor:
    """(batch,) variance of the noise given x_t, per coordinate: what even the best guess cannot know there.

    xt: (batch, ...), t: an int in 1..T. Cov[ε | x_t] = SNR · Cov[x_0 | x_t], and given x_t the clean data is again a
    mixture, so its variance is the mean of the components' own plus that of their means. float64, on the device of
    xt, or on the CPU where that has no float64.
    """
    t = int(check_noisy(exact.schedule, t, xt))
    return float(exact.schedule.snr[t]) * _clean_variance(exact, xt, t)


def _clean_variance(exact: ExactDenoiser, xt: Tensor, t: int) -> Tensor:
    """(batch,) variance of the clean data given x_t, per coordinate; float64."""
    xt = in_float64(xt)
    a, sigma2 = float(exact.schedule.signal_rate[t]), float(exact.schedule.noise_rate[t] ** 2)
    std, means = exact.data.std.to(xt.device), in_float64(exact.data.means).to(xt.device).flatten(1)
    gain = a * std**2 / (a**2 * std**2 + sigma2)
    own = std**2 * (1 - a * gain)  # variance of one component's clean data, given x_t
    shrunk = (1 - a * gain)[:, None] * means

    def rows(x: Tensor) -> Tensor:
        # Given x_t, component k's clean data lie around shrunk_k + gain_k x. Their spread by the squares, as tables
        # of (rows, K): float64 has digits enough for the difference.
        share, x = exact.responsibilities(x, t), x.flatten(1)
        mean = share @ shrunk + (share @ gain)[:, None] * x
        square = shrunk.square().sum(1) + 2 * gain * (x @ shrunk.T) + gain**2 * x.square().sum(1, keepdim=True)
        apart = ((share * square).sum(1) - mean.square().sum(1)).clamp(min=0) / x.shape[1]
        return share @ own + apart

    return torch.cat([rows(x) for x in xt.split(max(1, ROOM // len(means)))])


def floor_by_time(
    exact: ExactDenoiser, times: Sequence[int], draws: int | None = None, generator: torch.Generator | None = None
) -> Estimate:
    """The least possible loss of a noise predictor at each time, E ‖ε − E[ε | x_t]‖² per coordinate: (K,) numbers.

    times: K integers in 1..T; draws: samples at each time, or None for a grid (data in one or two dimensions).
    """
    found = [_mean(doubt(exact, x, t), weight) for t, x, weight in _places(exact, times, draws, generator)]
    return Estimate(*map(torch.stack, zip(*found)))


@torch.no_grad()
def excess_by_time(
    model: Callable,
    exact: ExactDenoiser,
    times: Sequence[int],
    *,
    predicts: str | None = None,
    draws: int | None = None,
    generator: torch.Generator | None = None,
) -> Excess:
    """How far a network lies above the least possible loss, in percent of it, at each of the times.

    model: a network for points, as for simple_loss, or a denoiser. The best guess is a projection, so the loss is
    the floor plus E ‖ε_θ − E[ε | x_t]‖²; the second part alone is measured, and it cannot be negative.
    times, draws: as for floor_by_time; the grid is good to about a fiftieth of the excess.
    The network is asked in the dtype of the data's means, whatever that of the exact sums.
    """
    denoise = as_denoiser(model, exact.schedule, predicts)
    rows = []
    for t, x, weight in _places(exact, times, draws, generator, OF_NETWORK):
        gap = in_float64(denoise(x.to(exact.data.means), t).eps).to(x.device) - exact(x, t).eps
        unknown, off = doubt(exact, x, t), gap.square().flatten(1).mean(1)
        floor, above = _mean(unknown, weight).value, _mean(off, weight).value
        ratio = above / floor
        # Of a ratio of two means over one sample: the spread of what is left of one when the other is taken out.
        rows.append((floor, above, 100 * ratio, 100 * _mean(off - ratio * unknown, weight).error / floor))
    return Excess([int(t) for t in times], *map(torch.stack, zip(*rows)))


def entropy_bits(data: GaussianMixture, draws: int | None = None, generator: torch.Generator | None = None) -> Estimate:
    """Differential entropy −E log₂ p(x) of the data, in bits per dimension: what no model's bits_per_dim gets below.

    draws: samples, or None for a grid (data in one or two dimensions). A density may exceed 1, an entropy of
    continuous data may be negative.
    """
    x, weight = _grid(data) if draws is None else _draw(data, draws, generator)
    return _mean(-data.log_density(x) / (math.log(2) * data.means[0].numel()), weight)


def exact_bound(exact: ExactDenoiser, variance: str = "beta") -> float:
    """The bound of losses.bits_per_dim for the best possible denoiser, without drawing: bits per dimension.

    Its terms are Gaussian, so all that they need of the data is the floor at every time and the mean square. For data
    in one or two dimensions, as continuous values (bins=None). Above the entropy by what the Gaussian steps lose.
    """
    schedule, data = exact.schedule, exact.data
    places = _places(exact, range(1, schedule.T + 1), None, None)
    missed = [_mean(_clean_variance(exact, x, t), weight).value for t, x, weight in places]  # E (x_0 − guess)²
    square = (data.weights * (in_float64(data.means).cpu().flatten(1).square().mean(1) + data.std**2)).sum()
    end = 1 - schedule.alpha_bar[-1]
    nats = normal_kl(0.0, end, 0.0, torch.ones(())) + schedule.alpha_bar[-1] * square / 2
    one = torch.ones((), dtype=torch.float64)
    for t in range(2, schedule.T + 1):
        # The posterior's mean is linear in x_0: a guess that is off by 1 moves it by the weight of x_0.
        pull, true_var = posterior(schedule, one, 0 * one, t)
        var = reverse_variance(schedule, t, variance)
        nats = nats + normal_kl(0.0, true_var, 0.0, var) + pull**2 * missed[t - 1] / (2 * var)
    var = reverse_variance(schedule, 1, variance)
    return float(nats + 0.5 * (missed[0] / var + math.log(2 * math.pi) + var.log())) / math.log(2)


def _places(
    exact: ExactDenoiser,
    times: Sequence[int],
    draws: int | None,
    generator: torch.Generator | None,
    fineness: tuple[int, float] = OF_TRUTH,
) -> Iterator[tuple[int, Tensor, Tensor | None]]:
    """(t, x, weight) for each time: where to look at x_t, and how much each place counts."""
    for t in times:
        noisy = exact.data.at(exact.schedule, int(check_noisy(exact.schedule, int(t), exact.data.means)))
        yield int(t), *(_grid(noisy, fineness) if draws is None else _draw(noisy, draws, generator))


def _grid(data: GaussianMixture, fineness: tuple[int, float] = OF_TRUTH) -> tuple[Tensor, Tensor]:
    """(n, d) nodes and (n,) weights: the trapezoidal rule, whose error falls exponentially for such densities."""
    means, step = in_float64(data.means).cpu().flatten(1), float(data.std.min()) / fineness[0]
    if means.shape[1] > 2:
        raise ValueError(
            f"a grid serves one or two dimensions, these data have {means.shape[1]}: ask for draws=10_000."
        )
    reach = fineness[1] * float(data.std.max())
    sides = [(float(axis.min()) - reach, float(axis.max()) + reach) for axis in means.T]
    counts = [int((high - low) / max(step, 1e-300)) + 2 for low, high in sides]
    if math.prod(counts) > MOST_NODES:
        raise ValueError("these data are too fine for a grid (a std far below the width): ask for draws=10_000.")
    axes = [torch.linspace(*side, count, dtype=torch.float64) for side, count in zip(sides, counts)]
    nodes = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    weight = torch.cat([data.log_density(x) for x in nodes.split(max(1, ROOM // len(means)))]).exp()
    some = weight > 1e-11 * weight.max()
    return nodes[some].reshape(-1, *data.means.shape[1:]), weight[some] / weight[some].sum()


def _draw(data: GaussianMixture, draws: int, generator: torch.Generator | None) -> tuple[Tensor, None]:
    if draws < 2:
        raise ValueError(f"draws must be 2 or more, or None for a grid, got {draws}.")
    wide = GaussianMixture(in_float64(data.means), data.std, data.weights)
    return wide.sample(draws, generator), None


def _mean(values: Tensor, weight: Tensor | None) -> Estimate:
    if weight is None:
        return Estimate(values.mean(), values.std() / math.sqrt(len(values)))
    return Estimate((weight * values).sum(), values.new_zeros(()))
