"""SamplerRace: four samplers side by side in the plane, from one noise, at equal cost."""

import math

import torch
import traitlets

from ..denoisers import ExactDenoiser, GaussianMixture
from ..metrics import sliced_wasserstein
from ..samplers import last, sample_ddim, sample_ddpm, sample_dpmpp, sample_heun
from . import encode
from .figure import Figure

GRIDS = {"even": "even_times", "logsnr": "logsnr_times", "karras": "karras_times"}
MOST_COMPONENTS, SAMPLES = 64, 250


def race_sets() -> dict[str, GaussianMixture]:
    """Three data sets of known density, each about as wide as N(0, I): two moons, a spiral, a grid of 25 spots.

    The shapes are those of ddpm_lib.data.moons and spiral, with their centres evenly spread instead of drawn.
    """
    angle = math.pi * (torch.arange(20, dtype=torch.float64) + 0.5) / 20
    moon = torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], 1)
    u = ((torch.arange(60, dtype=torch.float64) + 0.5) / 60).sqrt()
    coil = u[:, None] * torch.stack([(3 * math.pi * u).cos(), (3 * math.pi * u).sin()], 1)
    spots = torch.cartesian_prod(*[torch.arange(-2, 3, dtype=torch.float64)] * 2)
    return {
        "moons": GaussianMixture(torch.cat([moon, -moon]), 0.08),
        "spiral": GaussianMixture(1.6 * coil, 0.06),
        "25 spots": GaussianMixture(0.72 * spots, 0.07),
    }


class SamplerRace(Figure):
    """DDPM, DDIM, Heun and DPM-Solver++ from the same noise with the same number of network calls.

    250 points go back to the data by the exact denoiser, so that whatever is wrong at the end is the sampler's doing.
    Under each panel stands its distance to the data, `ddpm_lib.metrics.sliced_wasserstein` to a fixed draw of 1000
    real points (with an even fan of directions), beside the floor: what 250 real points get. Each run leaves its dot
    in a chart of distance against calls.

    schedule: a Schedule with 10 <= T <= 1000; its betas are baked in.
    data: {name: GaussianMixture} in the plane, up to 64 components of positive std each; race_sets() if None.
    dataset: the name of the set it starts with, by default the first.
    calls: network calls of each sampler, 1..T. Heun's step costs two, its last one: it never exceeds the calls.
    eta: DDIM's share of fresh noise, 0..1. grid: "even" (in t), "logsnr" or "karras".
    caption: what to notice; it stands under the figure.

    Live, `dataset`, `calls`, `eta`, `grid`, `seed`, `share` (of the calls that are spent, 0..1) and `playing` can be
    read, set and observed.
    """

    modules = ("figure.js", "schedule_math.js", "samplers.js", "race_math.js", "race_panels.js", "sampler_race.js")
    styles = ("figure.css", "sampler_race.css")
    T = traitlets.Int(1000).tag(sync=True, baked=True)
    beta = traitlets.Unicode().tag(sync=True, baked=True)
    sets = traitlets.List().tag(sync=True, baked=True)
    dataset = traitlets.Unicode().tag(sync=True, baked=True)
    calls = traitlets.Int(10).tag(sync=True, baked=True)
    eta = traitlets.Float(0.0).tag(sync=True, baked=True)
    grid = traitlets.Enum(list(GRIDS), "logsnr").tag(sync=True, baked=True)
    seed = traitlets.Int(0).tag(sync=True, baked=True)
    share = traitlets.Float(1.0).tag(sync=True, baked=True)
    playing = traitlets.Bool(False).tag(sync=True)

    def __init__(self, schedule, data=None, *, dataset=None, calls=10, eta=0.0, grid="logsnr", caption="", seed=0):
        if not 10 <= schedule.T <= 1000:
            raise ValueError(f"SamplerRace runs over T = 10..1000 times, got a schedule with T = {schedule.T}.")
        data = race_sets() if data is None else data
        if not isinstance(data, dict) or not data:
            raise ValueError("data must be a dictionary {name: GaussianMixture} with at least one set.")
        dataset = next(iter(data)) if dataset is None else dataset
        if dataset not in data:
            raise ValueError(f"dataset must be one of {', '.join(data)}, got {dataset!r}.")
        if not 1 <= calls <= schedule.T:
            raise ValueError(f"calls must lie in 1..{schedule.T} (T of this schedule), got {calls}.")
        if not 0 <= eta <= 1:
            raise ValueError(f"eta must lie in 0..1 (0: no fresh noise, 1: as much as DDPM), got {eta}.")
        if grid not in GRIDS:
            raise ValueError(f"grid must be one of {', '.join(GRIDS)}, got {grid!r}.")
        self._schedule, self._data = schedule, data
        super().__init__(
            T=schedule.T,
            beta=encode.numbers(schedule.beta, "<f8"),
            sets=[[name, _rows(name, mixture)] for name, mixture in data.items()],
            dataset=dataset,
            calls=int(calls),
            eta=float(eta),
            grid=grid,
            caption=caption,
            seed=seed,
        )

    def ends(self) -> dict[str, torch.Tensor]:
        """Where each sampler's points end, (250, 2), with the figure's calls, eta and grid; computed in Python.

        The noise is torch's and not the page's, so the points differ from those on the screen.
        """
        schedule, mixture = self._schedule, self._data[self.dataset]
        generator = torch.Generator().manual_seed(self.seed)
        start = torch.randn(SAMPLES, 2, generator=generator, dtype=torch.float64)
        make = getattr(schedule, GRIDS[self.grid])
        times, half = make(self.calls), make((self.calls + 1) // 2)
        go = ExactDenoiser(mixture, schedule), schedule, start
        eta = f", η = {self.eta:g}" if self.eta else ""
        return {
            "DDPM": last(sample_ddpm(*go, times=times, generator=generator)).x,
            f"DDIM{eta}": last(sample_ddim(*go, times, self.eta, generator)).x,
            "Heun": last(sample_heun(*go, half)).x,
            "DPM-Solver++": last(sample_dpmpp(*go, times)).x,
        }

    def still(self) -> str:
        """The ends of the four samplers over the data, with their distances and the floor."""
        mixture, reach = self._data[self.dataset], reach_of(self.sets)
        draw = lambda n, seed: mixture.sample(n, torch.Generator().manual_seed(seed)).double()  # noqa: E731
        real = draw(1000, 1)
        far = lambda x: sliced_wasserstein(real, x, generator=torch.Generator().manual_seed(0))  # noqa: E731
        inside, side = "", 154
        colours = ["#c0722f", "#2f6690", "#3f8f86", "#8a4f7d"]
        for i, ((name, x), colour) in enumerate(zip(self.ends().items(), colours)):
            inside += encode.dots(real[:400], 162 * i, side, reach, "#c9d0d6")
            inside += encode.dots(x, 162 * i, side, reach, colour)
            inside += f'<text x="{162 * i}" y="{side + 16}" font-weight="600">{name}</text>'
            inside += f'<text x="{162 * i}" y="{side + 32}">distance {far(x):.3f}</text>'
        calls = "1 call" if self.calls == 1 else f"{self.calls} calls"
        inside += f'<text x="0" y="{side + 52}">{calls} each; real points get {far(draw(SAMPLES, 2)):.3f}</text>'
        return encode.drawing("0 0 640 214", f"where four samplers end after {calls}", inside)


def reach_of(sets) -> float:
    """Half the side of a panel: all of the data, and most of the noise."""
    edge = max(max(abs(x), abs(y)) + 3 * std for _, rows in sets for _, x, y, std in rows)
    return round(max(1.15 * edge, 2.0), 3)


def _rows(name: str, data: GaussianMixture) -> list[list[float]]:
    """A mixture in the plane as rows of weight, x, y, std; a clear error if it is none."""
    if not isinstance(data, GaussianMixture) or data.means.ndim != 2 or data.means.shape[1] != 2:
        raise ValueError(f"data {name!r} must be a GaussianMixture in the plane, with means of shape (K, 2).")
    if len(data.means) > MOST_COMPONENTS:
        raise ValueError(f"data {name!r} must have at most {MOST_COMPONENTS} components, got {len(data.means)}.")
    if not (math.isfinite(float(data.means.sum())) and float(data.std.min()) > 0 and float(data.std.max()) < 100):
        raise ValueError(f"data {name!r} needs finite means and a positive std: a density, not spikes.")
    rows = torch.cat([data.weights[:, None], data.means.double(), data.std[:, None]], 1).tolist()
    return [[float(f"{v:.7g}") for v in row] for row in rows if row[0] > 0]
