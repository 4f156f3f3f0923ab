"""OneDimension: a density on a line, drawn by the reader, and what the noise makes of it, exactly."""

import math

import torch
import traitlets

from . import encode
from .figure import Figure

VIEWS = ["marginals", "posterior", "samples"]
PROCESSES = ["chain", "ddpm", "ddim"]
BINS, LOW, WIDTH, STD = 64, -2.0, 0.0625, 0.045  # as BINS in density_math.js
NARROWEST = 0.02  # a bell thinner than this would fall between two pixels


def _bins(height) -> list:
    """Rows (weight, mean, std) from a height for each place x."""
    centres = [LOW + (i + 0.5) * WIDTH for i in range(BINS)]
    return [(round(height(x), 4), x, STD) for x in centres if height(x) > 0.004]


# Rows (weight, mean, std) of a mixture; the weights need not add up to 1.
DENSITIES = {
    "two bumps": [(0.5, -1.0, 0.2), (0.5, 1.0, 0.2)],
    "three uneven bumps": [(0.5, -0.9, 0.1), (0.2, 0.2, 0.15), (0.3, 0.8, 0.05)],
    "skewed": _bins(lambda x: 4 * max(x + 1, 0) * math.exp(-2.4 * max(x + 1, 0))),
    "nearly a point": [(1.0, 0.6, 0.03)],
    "flat": _bins(lambda x: float(abs(x) < 1)),
}


class OneDimension(Figure):
    """A density of one number, its whole family q(x_t), and every way between data and noise, in closed form.

    schedule: a Schedule with 10 <= T <= 1000; its betas are baked in.
    density: the name the figure starts from, one of DENSITIES.
    data: instead of a name, a GaussianMixture in one dimension (means (K, 1) or (K,), |mean| <= 2,
        0.02 <= std <= 2): the reader finds it as "as in the text" beside the others. The reader may draw
        over any of them, on 64 narrow bells between -2 and 2.
    view: what is shown first: "marginals" (distances to N(0, 1)), "posterior" (p(x_0 | x_t) and the step back
        of the point that was picked), "samples" (walkers along the chain, DDPM and DDIM).
    process: which walkers, "chain", "ddpm" or "ddim". t: the time it starts at; a quarter of T if not given.
    x: the x_t it starts at. caption: what stands under the figure; None for its own words. seed: of the walkers.

    Live, `density`, `heights` (of the 64 bins, once drawn), `view`, `process`, `steps`, `jump`, `t`, `x` and
    `playing` can be read, set and observed; `rows()` gives the mixture on the screen.
    """

    modules = (
        "figure.js", "schedule_math.js", "samplers.js", "density_math.js", "density_grid.js",
        "density_panels.js", "density_walks.js", "density_hands.js", "one_dimension.js",
    )  # fmt: skip
    styles = ("figure.css", "one_dimension.css")
    T = traitlets.Int().tag(sync=True, baked=True)
    beta = traitlets.Unicode().tag(sync=True, baked=True)
    densities = traitlets.List().tag(sync=True, baked=True)
    density = traitlets.Unicode("two bumps").tag(sync=True, baked=True)
    heights = traitlets.List(traitlets.Float()).tag(sync=True, baked=True)
    view = traitlets.Enum(VIEWS, "marginals").tag(sync=True, baked=True)
    process = traitlets.Enum(PROCESSES, "ddpm").tag(sync=True, baked=True)
    steps = traitlets.Int(200).tag(sync=True, baked=True)
    jump = traitlets.Int(1).tag(sync=True, baked=True)
    t = traitlets.Int(0).tag(sync=True, baked=True)
    x = traitlets.Float(0.0).tag(sync=True, baked=True)
    playing = traitlets.Bool(False).tag(sync=True, baked=True)
    seed = traitlets.Int(0).tag(sync=True, baked=True)

    def __init__(
        self, schedule, density="two bumps", *, data=None, view="marginals", process="ddpm", t=None, x=0.3,
        caption=None, seed=0,
    ):  # fmt: skip
        if not 10 <= schedule.T <= 1000:
            raise ValueError(f"OneDimension draws T = 10..1000 steps, got a schedule with T = {schedule.T}.")
        t = schedule.T // 4 if t is None else t
        for name, value, known in [("view", view, VIEWS), ("process", process, PROCESSES)]:
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}.")
        if density not in DENSITIES:
            raise ValueError(f"OneDimension knows the densities {', '.join(DENSITIES)}, got {density!r}; or give data.")
        if not 0 <= t <= schedule.T:
            raise ValueError(f"t must lie in 0..{schedule.T} (0 is clean data), got {t}.")
        if not -3 <= x <= 3:
            raise ValueError(f"x must lie in -3..3, where the figure's axis runs, got {x}.")
        densities = [[name, [list(row) for row in rows]] for name, rows in DENSITIES.items()]
        if data is not None:
            density = "as in the text"
            densities = [[density, _rows(data)], *densities]
        self._schedule = schedule
        super().__init__(
            T=schedule.T,
            beta=encode.numbers(schedule.beta, "<f8"),
            densities=densities,
            density=density,
            view=view,
            process=process,
            steps=min(200, schedule.T),
            jump=max(schedule.T // 100, 1),
            t=t,
            x=float(x),
            caption=caption,
            seed=seed,
        )

    def rows(self) -> list[list[float]]:
        """The mixture on the screen: [weight, mean, std] for each bell, weights as they are (not normalised)."""
        known = dict(self.densities)
        if self.density in known:
            return known[self.density]
        return [[h, LOW + (i + 0.5) * WIDTH, STD] for i, h in enumerate(self.heights) if h > 0]

    def _marginal(self, x, t):
        """Density of q(x_t) at the places x, (n,)."""
        weight, mean, std = torch.tensor(self.rows(), dtype=torch.float64).T
        signal, noise = self._schedule.signal_rate[t], self._schedule.noise_rate[t]
        width = (signal**2 * std**2 + noise**2).sqrt()
        z = (x[:, None] - signal * mean) / width
        return (weight / weight.sum() / width * torch.exp(-(z**2) / 2)).sum(1) / math.sqrt(2 * math.pi)

    def variant(self) -> str:
        return self.view

    def still(self) -> str:
        """q(x_t) at five times, each beside N(0, 1), dashed; x runs upwards."""
        x = torch.linspace(-3, 3, 121, dtype=torch.float64)
        normal = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        inside = ""
        for i, share in enumerate((0, 0.06, 0.15, 0.35, 1)):
            t, left = round(share * self.T), 10 + 128 * i
            p = self._marginal(x, t)
            wide = 105 / max(float(p.max()), 0.5)
            path = "L".join(f"{left + wide * v:.1f} {100 - 33 * a:.1f}" for a, v in zip(x.tolist(), p.tolist()))
            flat = "L".join(f"{left + wide * v:.1f} {100 - 33 * a:.1f}" for a, v in zip(x.tolist(), normal.tolist()))
            colour = encode.PALETTE["signal"]
            inside += f'<path d="M{left} 199L{path}L{left} 1Z" fill="{colour}" fill-opacity=".25" stroke="{colour}"/>'
            inside += f'<path d="M{flat}" fill="none" stroke="currentColor" stroke-dasharray="4 4"/>'
            inside += f'<text x="{left}" y="216">t = {t}</text>'
        return encode.drawing("0 0 640 222", "the density at five times, from the data to N(0, 1)", inside)


def _rows(data) -> list[list[float]]:
    """A one-dimensional GaussianMixture as rows of weight, mean, std."""
    means = torch.as_tensor(data.means).double()
    if means.numel() != len(means):
        raise ValueError(f"data must have one dimension, means of shape (K, 1), got {tuple(means.shape)}.")
    means, std = means.flatten(), torch.as_tensor(data.std).double()
    if float(means.abs().max()) > 2 or float(std.min()) < NARROWEST or float(std.max()) > 2:
        raise ValueError(
            f"data must have |mean| <= 2 and {NARROWEST} <= std <= 2 to be seen, got means up to"
            f" {float(means.abs().max()):.3g} and std {float(std.min()):.3g}..{float(std.max()):.3g}."
        )
    if len(means) > BINS:
        raise ValueError(f"data must have at most {BINS} components, got {len(means)}.")
    return [
        [float(f"{v:.7g}") for v in row] for row in zip(data.weights.tolist(), means.tolist(), std.tolist()) if row[0]
    ]
