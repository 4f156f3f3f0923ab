"""Samplers. Each is a generator that starts from noise and yields every step it takes.

The first yield is the untouched start. `times` comes from the schedule (even_times,
karras_times, logsnr_times): decreasing, from T to 0. Randomness comes only through
`generator`. Clipping and guidance belong to the denoiser, progress bars to the caller.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .noising import noise_like, posterior, step_variance
from .schedules import Schedule


class Step(NamedTuple):
    """Where a sampler is: its time, its sample, and the clean data it expected on the way here (None at the start)."""

    t: int
    x: Tensor
    x0_guess: Tensor | None


@torch.no_grad()
def sample_ddpm(
    denoise: Callable,
    schedule: Schedule,
    noise: Tensor,
    variance: str = "posterior",
    generator: torch.Generator | None = None,
    times: list[int] | None = None,
) -> Iterator[Step]:
    """Ancestral sampling: DDPM Algorithm 2, written with x0 (eq. 6–7) instead of eps (eq. 11).

    noise: (batch, ...), a sample of N(0, I). variance: "posterior" (β̃_t, exact for a single known x_0) or
    "beta" (β_t, exact for x_0 ~ N(0, I)), DDPM section 3.2. times: all T … 0 if None; with fewer, each step is
    the posterior of a longer jump. Network calls: one a step.
    """
    if variance not in ("posterior", "beta"):
        raise ValueError(f'variance must be "posterior" or "beta", got {variance!r}.')
    x = noise
    times = check_grid(schedule, list(range(schedule.T, -1, -1)) if times is None else times)
    yield Step(times[0], x, None)
    for t, s in zip(times, times[1:]):
        guess = denoise(x, t)
        x, spread = posterior(schedule, guess.x0, x, t, s)
        if variance == "beta" and s > 0:
            spread = step_variance(schedule, t, s).to(x)
        # At s = 0 the posterior's variance is 0: the last step adds no noise, whatever z is.
        x = x + spread.sqrt() * noise_like(x, generator)
        yield Step(s, x, guess.x0)


@torch.no_grad()
def sample_ddim(
    denoise: Callable,
    schedule: Schedule,
    noise: Tensor,
    times: list[int],
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Step]:
    """DDIM: Song, Meng & Ermon 2021, eq. 12 and 16. eta = 0 is deterministic, eta = 1 on all times is DDPM.

    noise: (batch, ...); times: decreasing, T … 0. Network calls: one a step.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in 0..1 (0: no fresh noise, 1: as much as DDPM), got {eta}.")
    x, alpha_bar = noise, schedule.alpha_bar.tolist()
    times = check_grid(schedule, times)
    yield Step(times[0], x, None)
    for t, s in zip(times, times[1:]):
        guess = denoise(x, t)
        abar_t, abar_s = alpha_bar[t], alpha_bar[s]
        variance = eta**2 * float(step_variance(schedule, t, s)) * (1 - abar_s) / (1 - abar_t) if eta > 0 else 0.0
        # Remove all the noise that was guessed, put back what belongs to s: partly the same, partly fresh.
        kept = max(1 - abar_s - variance, 0.0)
        x = math.sqrt(abar_s) * guess.x0 + math.sqrt(kept) * guess.eps
        if eta > 0:
            x = x + math.sqrt(variance) * noise_like(x, generator)
        yield Step(s, x, guess.x0)


@torch.no_grad()
def sample_heun(denoise: Callable, schedule: Schedule, noise: Tensor, times: list[int]) -> Iterator[Step]:
    """Heun's second-order method on the probability-flow ODE: EDM Algorithm 1 (Karras et al. 2022), without churn.

    In the scaled variable x / signal_rate with sigma for time the ODE is just dx/dsigma = eps.
    noise: (batch, ...); times: decreasing, T … 0. Network calls: two a step, one on the last.
    """
    x = noise
    times = check_grid(schedule, times)
    yield Step(times[0], x, None)
    for t, s in zip(times, times[1:]):
        guess = denoise(x, t)
        width = schedule.sigma[s] - schedule.sigma[t]
        scaled = x / schedule.signal_rate[t].to(x)
        slope = guess.eps
        if s > 0:
            # Look one step ahead, and go with the mean of the two slopes. At s = 0 there is no noise left to ask for.
            ahead = schedule.signal_rate[s].to(x) * (scaled + width.to(x) * slope)
            slope = (slope + denoise(ahead, s).eps) / 2
        x = schedule.signal_rate[s].to(x) * (scaled + width.to(x) * slope)
        yield Step(s, x, guess.x0)


@torch.no_grad()
def sample_dpmpp(denoise: Callable, schedule: Schedule, noise: Tensor, times: list[int]) -> Iterator[Step]:
    """DPM-Solver++(2M): Lu et al. 2022, Algorithm 2. Second order from one network call a step.

    It remembers the last guess of x0 and continues its line, in time measured by half the log-SNR.
    noise: (batch, ...); times: decreasing, T … 0; best even in log-SNR (schedule.logsnr_times).
    """
    x, before, width_before = noise, None, None
    # As lists of floats: arithmetic on single numbers is ten times slower in tensors.
    log_snr, signal_rate, noise_rate = (
        table.tolist() for table in (schedule.log_snr, schedule.signal_rate, schedule.noise_rate)
    )
    times = check_grid(schedule, times)
    yield Step(times[0], x, None)
    for t, s in zip(times, times[1:]):
        x0 = denoise(x, t).x0
        width = (log_snr[s] - log_snr[t]) / 2
        straight = x0
        if before is not None and s > 0:
            straight = x0 + width / width_before / 2 * (x0 - before)
        # To s = 0 the width is infinite and the step becomes x = x0.
        x = noise_rate[s] / noise_rate[t] * x - signal_rate[s] * math.expm1(-width) * straight
        before, width_before = x0, width
        yield Step(s, x, x0)


def last(steps: Iterator[Step]) -> Step:
    """Run a sampler to its end; its last step holds the samples, last(steps).x."""
    final = None
    for step in steps:
        final = step
    if final is None:
        raise ValueError("this sampler has already run to its end; call the sampler again for new steps.")
    return final


def trajectory(steps: Iterator[Step]) -> Tensor:
    """Run a sampler to its end and keep every x: (steps + 1, batch, ...), the untouched start first."""
    return torch.stack([step.x for step in steps])


def check_grid(schedule: Schedule, times: list[int]) -> list[int]:
    """times as a list of ints; a clear error unless they fall from at most T to 0."""
    times = [int(t) for t in times]
    falling = all(t > s for t, s in zip(times, times[1:]))
    if len(times) < 2 or not falling or times[-1] != 0 or times[0] > schedule.T:
        raise ValueError(
            f"times must fall strictly, from at most T = {schedule.T} to 0, got {times[:4]} … {times[-1:]};"
            " make them with schedule.even_times(n), karras_times(n) or logsnr_times(n)."
        )
    return times
