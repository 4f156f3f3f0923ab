"""What a mistake costs: the same small experiment with the right library and with the wrong one.

A trial takes a whole library and a seed and returns a distance to real data, smaller is better. Points are compared by
the sliced Wasserstein distance, digits by the same distance between the features that the shipped judge sees.
"""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..seeding import drawn_from
from .broken import RIGHT, Library


class Trial(NamedTuple):
    """An experiment: what is done, in one line, and the function (library, seed) → distance."""

    what: str
    measure: Callable[[Library, int], float]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def train_points(lib: Library, seed: int, schedule=None, num_steps: int = 1000, loss=None) -> Callable:
    """The averaged network after num_steps on two moons, all of it by the given library."""
    schedule = schedule or lib.linear_schedule()
    with drawn_from(seed):
        model = lib.models.MLP(width=64, T=schedule.T)
    batches = lib.data.loader(lib.data.moons(4000, generator=seeded(seed)), batch_size=256, seed=seed)
    loss = loss or lib.simple_loss
    *_, step = lib.training.train(model, batches, schedule, num_steps, lr=3e-3, loss=loss, seed=seed)
    return step.ema.eval()


def draw_points(lib: Library, network: Callable, seed: int, schedule=None, n: int = 3000, calls: int = 20) -> Tensor:
    """(n, 2) points by DPM-Solver++ with at most so many network calls."""
    schedule = schedule or lib.linear_schedule()
    denoise, start = lib.Denoiser(network, schedule), torch.randn(n, 2, generator=seeded(1000 + seed))
    times = schedule.logsnr_times(min(calls, schedule.T))
    return lib.last(lib.sample_dpmpp(denoise, schedule, start, times)).x


def from_moons(points: Tensor, seed: int = 0) -> float:
    """Sliced Wasserstein distance to fresh points of the two moons."""
    real = RIGHT.data.moons(6000, generator=seeded(2000 + seed))
    return RIGHT.metrics.sliced_wasserstein(real, points.clamp(-9, 9), generator=seeded(0))


def _points(lib: Library, seed: int, schedule=None, loss=None) -> float:
    return from_moons(draw_points(lib, train_points(lib, seed, schedule, loss=loss), seed, schedule), seed)


def _coarse(lib: Library, seed: int) -> float:
    return _points(lib, seed, lib.cosine_schedule(10))


def uneven_spots(lib: Library, seed: int, T: int = 200, n: int = 2000) -> tuple[Tensor, Tensor]:
    """(real, drawn) points of two spots, nine in ten on the right one: the exact denoiser, DDPM in T cosine steps."""
    spots = torch.tensor([[0.7, 0.0], [-0.7, 0.0]], dtype=torch.float64)
    mixture = lib.GaussianMixture(spots, 0.1, torch.tensor([0.9, 0.1]))
    schedule, start = lib.cosine_schedule(T), torch.randn(n, 2, dtype=torch.float64, generator=seeded(seed))
    steps = lib.sample_ddpm(lib.ExactDenoiser(mixture, schedule), schedule, start, generator=seeded(seed))
    return mixture.sample(n, seeded(2000 + seed)), lib.last(steps).x


def _short(lib: Library, seed: int) -> float:
    return RIGHT.metrics.sliced_wasserstein(*uneven_spots(lib, seed), generator=seeded(0))


def _scaled(lib: Library, seed: int) -> float:
    return _points(lib, seed, lib.scaled_linear_schedule())


def _weighted(lib: Library, seed: int) -> float:
    weight = lib.losses.min_snr_weight(lib.linear_schedule())

    def loss(network, schedule, x0, label=None):
        return lib.weighted_loss(network, schedule, x0, weight)

    return _points(lib, seed, loss=loss)


def exact_moons(lib: Library, std: float = 0.05) -> Callable:
    """The best denoiser of the two moons, as 300 small Gaussians: no network, so that only the sampler can err."""
    centres = lib.data.moons(300, noise=0.0, generator=seeded(0)).double()
    return lib.ExactDenoiser(lib.GaussianMixture(centres, std), lib.linear_schedule())


def off_the_line(points: Tensor) -> float:
    """Mean distance of points from the thin line that two moons without noise would be."""
    line = RIGHT.data.moons(3000, noise=0.0, generator=seeded(3000)).double()
    return torch.cdist(points.double(), line).min(1).values.mean().item()


def ancestral_points(lib: Library, seed: int, calls: int = 20, n: int = 1500) -> Tensor:
    denoise, start = exact_moons(lib, 0.02), torch.randn(n, 2, dtype=torch.float64, generator=seeded(seed))
    times = denoise.schedule.even_times(calls)
    steps = lib.sample_ddpm(denoise, denoise.schedule, start, times, variance="beta", generator=seeded(seed))
    return lib.last(steps).x


def noisy_ddim_points(lib: Library, seed: int, calls: int = 50, n: int = 1500) -> Tensor:
    denoise, start = exact_moons(lib), torch.randn(n, 2, dtype=torch.float64, generator=seeded(seed))
    times = denoise.schedule.even_times(calls)
    return lib.last(lib.sample_ddim(denoise, denoise.schedule, start, times, eta=1.0, generator=seeded(seed))).x


@cache
def _judge() -> Callable:
    return RIGHT.checkpoints.load_pretrained("digits-classifier")[0]


@cache
def _real_features() -> Tensor:
    with redirect_stdout(io.StringIO()):
        images, _ = RIGHT.data.load_digits()
    return features(images[torch.randperm(len(images), generator=seeded(0))[:1000]])


@torch.no_grad()
def features(images: Tensor) -> Tensor:
    """What the shipped judge of digits sees: (n, 64) features of images (n, 1, 28, 28) in [−1, 1]."""
    return torch.cat([_judge().features(x) for x in images.float().clamp(-1, 1).split(200)])


def from_digits(images: Tensor) -> float:
    """Sliced Wasserstein distance to 1,000 real digits in the judge's features; the kernel distance needs far more."""
    return RIGHT.metrics.sliced_wasserstein(_real_features(), features(images), generator=seeded(0))


def guided_digits(lib: Library, seed: int, scale: float, calls: int = 8, each: int = 5) -> Tensor:
    """(10 · each, 1, 28, 28): the shipped network's digits, guided, clipped, by DDIM on an even grid."""
    model, schedule = lib.checkpoints.load_pretrained("digits")
    label = torch.arange(10).repeat_interleave(each)
    asked = lib.guide(lib.Denoiser(model, schedule, label=label), lib.Denoiser(model, schedule), scale)
    start = torch.randn(len(label), 1, 28, 28, generator=seeded(seed))
    return lib.last(lib.sample_ddim(lib.clip(asked), schedule, start, schedule.even_times(calls))).x


def train_digits(lib: Library, seed: int, num_steps: int = 300) -> Tensor:
    """(200, 1, 28, 28): what a small U-Net draws after num_steps on the book's 5,000 digits, brought to [−1, 1]."""
    with redirect_stdout(io.StringIO()):
        images, _ = lib.data.load_digits()
    with drawn_from(seed):
        model = lib.models.UNet(1, 16, (1, 2, 2), 1, (2,))
    schedule = lib.linear_schedule()
    batches = lib.data.loader(images, batch_size=32, seed=seed)
    *_, step = lib.training.train(model, batches, schedule, num_steps, lr=2e-3, ema_decay=0.98, seed=seed)
    denoise, start = lib.Denoiser(step.ema.eval(), schedule), torch.randn(200, 1, 28, 28, generator=seeded(seed))
    x = lib.last(lib.sample_dpmpp(denoise, schedule, start, schedule.logsnr_times(12))).x
    low, high = float(images.min()), float(images.max())
    return 2 * (x - low) / (high - low) - 1


TRIALS = {
    "points": Trial("a network trained for 1,000 steps on two moons", _points),
    "short": Trial("two uneven spots, exact denoiser, cosine schedule of T = 200", _short),
    "coarse": Trial("two moons again, with the cosine schedule of T = 10", _coarse),
    "scaled": Trial("two moons again, with the scaled-linear schedule", _scaled),
    "weighted": Trial("two moons again, the loss weighted by min-SNR", _weighted),
    "ancestral": Trial(
        "thin moons, exact denoiser, DDPM in 20 steps, off the line",
        lambda lib, seed: off_the_line(ancestral_points(lib, seed)),
    ),
    "noisy ddim": Trial(
        "exact denoiser, DDIM with η = 1 in 50 steps", lambda lib, seed: from_moons(noisy_ddim_points(lib, seed), seed)
    ),
    "digits": Trial(
        "a small U-Net trained for 300 steps on digits", lambda lib, seed: from_digits(train_digits(lib, seed))
    ),
    "guided": Trial(
        "the digits network at guidance 6, DDIM in 8 steps",
        lambda lib, seed: from_digits(guided_digits(lib, seed, 6.0)),
    ),
    "labelled": Trial(
        "the digits network at guidance 2, DDIM in 8 steps",
        lambda lib, seed: from_digits(guided_digits(lib, seed, 2.0)),
    ),
}  # fmt: skip
