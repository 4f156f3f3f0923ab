"""Still pictures of what is exactly true: where a network is wrong in the plane, and a test beside its null."""

import math
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from .denoisers import AnyDenoiser, ExactDenoiser, GaussianMixture, as_denoiser
from .plots import ACCENT, INK, MUTED, PAPER, SECOND, looks_of

HEAT = LinearSegmentedColormap.from_list("heat", [PAPER, "#f6dfc8", "#e3a07c", ACCENT, "#7d2230"])
STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
FINE, COARSE = 81, 13  # nodes on a side: of the map, and of the arrows


def show_noise_gaps(
    models: dict[str, Callable], exact: ExactDenoiser, times: Sequence[int], limit: float = 2.4
) -> Figure:
    """Learned minus optimal noise over the plane: a row for each network, a column for each time.

    models: {name: network of points, or denoiser}; exact: of data in the plane. Colour is the length of
    ε_θ − E[ε | x_t] (the noise itself is about 1.4 long), an arrow is its direction. The lines enclose half
    and 99 % of all x_t: what a network says outside, no training step ever asked.
    """
    if exact.data.means.shape[1:] != (2,):
        raise ValueError(f"a map is of the plane, these data have the shape {tuple(exact.data.means.shape[1:])}.")
    side = 6.6 / max(len(times), 3)
    size = (side * len(times) + 0.7, len(models) * side + 0.3)
    figure, axes = plt.subplots(len(models), len(times), figsize=size, squeeze=False)
    for row, (name, model) in zip(axes, models.items()):
        denoise = as_denoiser(model, exact.schedule)
        for axis, t in zip(row, times):
            gap, _ = _gap(denoise, exact, t, FINE, limit)
            length = gap.norm(dim=1).reshape(FINE, FINE).T
            heat = axis.contourf(*[torch.linspace(-limit, limit, FINE)] * 2, length, STEPS, cmap=HEAT, extend="both",
                                 norm=BoundaryNorm(STEPS, HEAT.N, extend="both"), antialiased=False)  # fmt: skip
            marginal = exact.data.at(exact.schedule, t)
            outer = _contours(axis, marginal, limit)
            arrows, near = _gap(denoise, exact, t, COARSE, limit)
            inside = marginal.log_density(near).exp() > outer
            arrows = (arrows / arrows.norm(dim=1, keepdim=True).clamp(min=1e-12))[inside]
            axis.quiver(*near[inside].T, *arrows.T, color=INK, scale=18, width=0.008, headwidth=4, pivot="mid")
            axis.set(xticks=[], yticks=[], xlim=(-limit, limit), ylim=(-limit, limit))
        row[0].set_ylabel(name)
    for axis, t in zip(axes[0], times):
        axis.set_title(f"t = {t}")
    bar = figure.colorbar(heat, ax=axes, fraction=0.03, pad=0.01)
    bar.set_label("off by")
    return figure


def show_null(
    null: Tensor, found: dict[str, float], p: float = 0.05, xlabel: str = "statistic", log: bool = False
) -> Figure:
    """What a test finds where nothing differs, as a histogram, and what it found elsewhere, as named lines.

    null: (n,) values of the statistic under equality; found: {name: value}; p: the largest share p of the null is
    shaded, an alarm of level p begins there.
    """
    figure, axis = plt.subplots(figsize=(7.2, 2.9))
    null = torch.as_tensor(null).double()
    alarm, low, high = float(null.quantile(1 - p)), float(null.min()), float(null.max())
    edges = torch.logspace(math.log10(low), math.log10(high), 29) if log else torch.linspace(low, high, 29)
    counts, _, bars = axis.hist(null, edges.numpy(), color="#c9d6d8")
    for bar in bars:
        if bar.get_x() + bar.get_width() / 2 >= alarm:
            bar.set_color("#e3a07c")
    axis.axvline(alarm, color=INK, linestyle=":", label=f"alarm, p = {p:g}")
    # Listed by value; a sampler has its own colour, others one by the order given, from one picture to the next.
    looks = dict(zip(found, looks_of(found)))
    for name in sorted(found, key=found.get):
        axis.plot([found[name]] * 2, [0, counts.max() * 0.92], label=name, **looks[name])
    axis.set(xlabel=xlabel, yticks=[], ylim=(0, counts.max() * 1.05))
    if log:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.spines["left"].set_visible(False)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@torch.no_grad()
def _gap(denoise: AnyDenoiser, exact: ExactDenoiser, t: int, count: int, limit: float) -> tuple[Tensor, Tensor]:
    """(count², 2) learned minus optimal noise, and the points where."""
    axis = torch.linspace(-limit, limit, count)
    x = torch.cartesian_prod(axis, axis).to(exact.data.means.dtype)
    return (denoise(x, t).eps - exact(x, t).eps).double(), x


def _contours(axis: Axes, marginal: GaussianMixture, limit: float) -> float:
    """Lines around the densest half, and around the densest 99 %, of all points; returns the density at the latter."""
    edge = torch.linspace(-limit, limit, 2 * FINE, dtype=torch.float64)
    density = marginal.log_density(torch.cartesian_prod(edge, edge)).exp().reshape(2 * FINE, -1).T
    # What lies outside the map counts too: the levels are found from points of the data, not from the map.
    drawn = marginal.log_density(marginal.sample(20_000, torch.Generator().manual_seed(0))).exp()
    levels = [float(drawn.quantile(share)) for share in (0.01, 0.5)]
    axis.contour(edge, edge, density, levels, colors=[MUTED, SECOND], linewidths=[0.9, 1.2])
    return levels[0]
