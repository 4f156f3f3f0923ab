"""Samplers. Each starts from noise and yields every step it takes.

All are called alike, sampler(denoise, schedule, noise, times, …): arguments are checked at once, and the generator
that comes back calls the network step by step, without gradients. The first yield is the untouched start. `times`
comes from the schedule (even_times, karras_times, logsnr_times): whole numbers that fall from T to 0. Randomness
comes only through `generator`. Clipping and guidance belong to the denoiser, progress bars to the caller.
"""

import functools
import math
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .denoisers import AnyDenoiser, check_schedule
from .noising import noise_like, posterior, step_variance
from .schedules import Schedule


class Step(NamedTuple):
    """Where a sampler is: its time, its sample, and the clean data it expected on the way here (None at the start)."""

    t: int
    x: Tensor
    x0_guess: Tensor | None


def _once_by_place(*names: str) -> Callable:
    """Let a sampler be called as before 0.6, its options by place and in this order; with a DeprecationWarning."""

    def understand(sampler: Callable) -> Callable:
        @functools.wraps(sampler)
        def call(denoise, schedule, noise, *options, **named):
            if len(options) > 1 or (options and isinstance(options[0], str)):
                given = dict(zip(names, options))
                told = ", ".join(f"{name}=…" for name in given if name != "times")
                warnings.warn(f"{sampler.__name__}: give {told} by name.", DeprecationWarning, stacklevel=2)
                if len(options) > len(names) or given.keys() & named:
                    raise TypeError(f"{sampler.__name__} takes {', '.join(names)}, each once and by name.")
                options, named = (), named | given
            return sampler(denoise, schedule, noise, *options, **named)

        return call

    return understand


@_once_by_place("variance", "generator", "times")
def sample_ddpm(
    denoise: AnyDenoiser,
    schedule: Schedule,
    noise: Tensor,
    times: Sequence[int] | None = None,
    *,
    variance: str = "posterior",
    generator: torch.Generator | None = None,
) -> Iterator[Step]:
    """Ancestral sampling: DDPM Algorithm 2, written with x0 (eq. 6–7) instead of eps (eq. 11).

    noise: (batch, ...), a sample of N(0, I). times: all T … 0 if None; with fewer, each step is the posterior of a
    longer jump. variance: "posterior" (β̃_t, exact for a single known x_0) or "beta" (β_t, exact for x_0 ~ N(0, I)),
    DDPM section 3.2. Network calls: one a step.
    """
    if variance not in ("posterior", "beta"):
        raise ValueError(f'variance must be "posterior" or "beta", got {variance!r}.')
    times = check_grid(schedule, range(schedule.T, -1, -1) if times is None else times)
    check_schedule(denoise, schedule)

    @torch.no_grad()
    def steps():
        x = noise
        yield Step(times[0], x, None)
        for t, s in zip(times, times[1:]):
            guess = denoise(x, t)
            x, spread = posterior(schedule, guess.x0, x, t, s)
            if variance == "beta" and s > 0:
                spread = step_variance(schedule, t, s).to(x)
            # At s = 0 the posterior's variance is 0: the last step adds no noise, whatever z is.
            x = x + spread.sqrt() * noise_like(x, generator)
            yield Step(s, x, guess.x0)

    return steps()


@_once_by_place("times", "eta", "generator")
def sample_ddim(
    denoise: AnyDenoiser,
    schedule: Schedule,
    noise: Tensor,
    times: Sequence[int],
    *,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Step]:
    """DDIM: Song, Meng & Ermon 2021, eq. 12 and 16. eta = 0 is deterministic, eta = 1 on all times is DDPM.

    noise: (batch, ...); times: decreasing, T … 0. Network calls: one a step.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in 0..1 (0: no fresh noise, 1: as much as DDPM), got {eta}.")
    times = check_grid(schedule, times)
    check_schedule(denoise, schedule)

    @torch.no_grad()
    def steps():
        x, alpha_bar = noise, schedule.alpha_bar.tolist()
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

    return steps()


def sample_heun(denoise: AnyDenoiser, schedule: Schedule, noise: Tensor, times: Sequence[int]) -> Iterator[Step]:
    """Heun's second-order method on the probability-flow ODE: EDM Algorithm 1 (Karras et al. 2022), without churn.

    In the scaled variable x / signal_rate with sigma for time the ODE is just dx/dsigma = eps.
    noise: (batch, ...); times: decreasing, T … 0. Network calls: two a step, one on the last, and one on the first
    of a schedule that keeps no signal at T, where sigma is infinite. Half precision is added up in float32.
    """
    times = check_grid(schedule, times)
    check_schedule(denoise, schedule)

    @torch.no_grad()
    def steps():
        sigma, signal_rate, noise_rate = _lists(schedule.sigma, schedule.signal_rate, schedule.noise_rate)
        x = noise.to(torch.promote_types(noise.dtype, torch.float32))
        yield Step(times[0], noise, None)
        for t, s in zip(times, times[1:]):
            guess = denoise(x.to(noise.dtype), t)
            # Euler's step along the slope eps. In x / signal_rate it is x + (sigma_s − sigma_t) eps.
            x = signal_rate[s] * guess.x0.to(x.dtype) + noise_rate[s] * guess.eps.to(x.dtype)
            if s > 0 and signal_rate[t] > 0:
                # Look where it leads, and go with the mean of the two slopes. At s = 0 is no noise left to ask for.
                bend = (denoise(x.to(noise.dtype), s).eps.to(x.dtype) - guess.eps.to(x.dtype)) / 2
                x = x + signal_rate[s] * (sigma[s] - sigma[t]) * bend
            yield Step(s, x.to(noise.dtype), guess.x0)

    return steps()


def sample_dpmpp(denoise: AnyDenoiser, schedule: Schedule, noise: Tensor, times: Sequence[int]) -> Iterator[Step]:
    """DPM-Solver++(2M): Lu et al. 2022, Algorithm 2. Second order from one network call a step.

    It remembers the last guess of x0 and continues its line, in time measured by half the log-SNR.
    noise: (batch, ...); times: decreasing, T … 0; best even in log-SNR (schedule.logsnr_times).
    """
    times = check_grid(schedule, times)
    check_schedule(denoise, schedule)

    @torch.no_grad()
    def steps():
        log_snr, signal_rate, noise_rate = _lists(schedule.log_snr, schedule.signal_rate, schedule.noise_rate)
        x, before, width_before = noise, None, None
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

    return steps()


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


def check_grid(schedule: Schedule, times: Sequence[int]) -> list[int]:
    """times as a list of ints; a clear error unless they are whole numbers that fall from at most T to 0."""
    try:
        times = [operator.index(t) for t in times]
    except TypeError as error:
        raise TypeError(f"times must be a row of whole numbers, since they count steps, got {times!r}.") from error
    falling = all(t > s for t, s in zip(times, times[1:]))
    if len(times) < 2 or not falling or times[-1] != 0 or times[0] > schedule.T:
        raise ValueError(
            f"times must fall strictly, from at most T = {schedule.T} to 0, got {times[:4]} … {times[-1:]};"
            " make them with schedule.even_times(n), karras_times(n) or logsnr_times(n)."
        )
    return times


def _lists(*tables: Tensor) -> list[list[float]]:
    """Tables as lists of floats: arithmetic on single numbers is ten times slower in tensors."""
    return [table.tolist() for table in tables]
