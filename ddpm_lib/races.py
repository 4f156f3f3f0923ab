"""Four samplers from one noise at equal cost, in the plane, where the best denoiser is known."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .denoisers import ExactDenoiser, GaussianMixture
from .metrics import sliced_wasserstein
from .samplers import last, sample_ddim, sample_ddpm, sample_dpmpp, sample_heun
from .schedules import Schedule

GRIDS = {"even": "even_times", "logsnr": "logsnr_times", "karras": "karras_times"}
SAMPLES, REAL = 250, 1000


class PlaneRace(NamedTuple):
    """What plane_race was asked, and what came out.

    real: (1000, 2) a draw of the data; ends: {sampler: (250, 2)} where its points end; distances: {sampler: sliced
    Wasserstein distance of its ends to real}; floor: the same of 250 fresh points of the data.
    """

    schedule: Schedule
    data: dict[str, GaussianMixture]
    dataset: str
    calls: int
    eta: float
    grid: str
    seed: int
    real: Tensor
    ends: dict[str, Tensor]
    distances: dict[str, float]
    floor: float


def plane_sets() -> dict[str, GaussianMixture]:
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


def plane_race(
    schedule: Schedule,
    data: dict[str, GaussianMixture] | None = None,
    *,
    dataset: str | None = None,
    calls: int = 10,
    eta: float = 0.0,
    grid: str = "logsnr",
    seed: int = 0,
) -> PlaneRace:
    """DDPM, DDIM, Heun and DPM-Solver++ from the same 250 points of noise, with the exact denoiser.

    data: {name: GaussianMixture in the plane}, plane_sets() if None; dataset: the one to run on, by default the first.
    calls: network calls of each sampler, 1..T; a step of Heun costs two, its last one, and it never spends more.
    eta: DDIM's share of fresh noise, 0..1; grid: "even" (in t), "logsnr" or "karras".
    """
    data = plane_sets() if data is None else data
    if not isinstance(data, dict) or not data:
        raise ValueError("data must be a dictionary {name: GaussianMixture} with at least one set.")
    for name, one in data.items():
        if not isinstance(one, GaussianMixture) or one.means.shape != (len(one.std), 2):
            raise ValueError(f"data {name!r} must be a GaussianMixture in the plane, with means of shape (K, 2).")
    dataset = next(iter(data)) if dataset is None else dataset
    if dataset not in data:
        raise ValueError(f"dataset must be one of {', '.join(data)}, got {dataset!r}.")
    if not 1 <= calls <= schedule.T:
        raise ValueError(f"calls must lie in 1..{schedule.T} (T of this schedule), got {calls}.")
    if grid not in GRIDS:
        raise ValueError(f"grid must be one of {', '.join(GRIDS)}, got {grid!r}.")
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(SAMPLES, 2, generator=generator, dtype=torch.float64)
    times, half = (getattr(schedule, GRIDS[grid])(n) for n in (calls, (calls + 1) // 2))
    go = ExactDenoiser(data[dataset], schedule), schedule, start
    ends = {
        "DDPM": last(sample_ddpm(*go, times, generator=generator)).x,
        "DDIM": last(sample_ddim(*go, times, eta=eta, generator=generator)).x,
        "Heun": last(sample_heun(*go, half)).x,
        "DPM-Solver++": last(sample_dpmpp(*go, times)).x,
    }
    real, fresh = (data[dataset].sample(n, torch.Generator().manual_seed(n)).double() for n in (REAL, SAMPLES))
    far = lambda x: sliced_wasserstein(real, x, generator=torch.Generator().manual_seed(0))  # noqa: E731
    distances = {name: far(x) for name, x in ends.items()}
    return PlaneRace(schedule, data, dataset, calls, eta, grid, seed, real, ends, distances, far(fresh))
