"""What a sampler costs beside its network: python -m benchmarks.overhead --out FILE.json.

The network is one that returns a constant. Each of our samplers is timed, step by step, against the bare tensor
arithmetic of the same steps, written out with its coefficients as precomputed floats, and against diffusers'
scheduler; in turn within each round. Both of the others give our samples, which the test checks.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ddpm_lib import Denoiser, last, linear_schedule, posterior, sample_ddim, sample_ddpm, sample_dpmpp
from ddpm_lib.runtime import provenance
from ddpm_lib.schedules import Schedule

from .measure import seconds, spread, surroundings

SHAPE = (16, 1, 28, 28)
BETAS = (1e-4, 0.02)
SCHEDULE = linear_schedule(1000, *BETAS)


def grid(sampler: str, steps: int) -> list[int]:
    return SCHEDULE.logsnr_times(steps) if sampler == "dpmpp" else SCHEDULE.even_times(steps)


def ours(sampler: str, times: list[int], noise: Tensor, eps: Tensor) -> Callable[[], Tensor]:
    denoise, generator = Denoiser(lambda xt, t: eps, SCHEDULE), torch.Generator()
    if sampler == "ddpm":
        return lambda: last(sample_ddpm(denoise, SCHEDULE, noise, generator=generator.manual_seed(0), times=times)).x
    if sampler == "ddim":
        return lambda: last(sample_ddim(denoise, SCHEDULE, noise, times)).x
    return lambda: last(sample_dpmpp(denoise, SCHEDULE, noise, times)).x


def bare(sampler: str, times: list[int], noise: Tensor, eps: Tensor) -> Callable[[], Tensor]:
    """The arithmetic of the steps and nothing else: no check, no table, no record."""
    coefficients, generator = COEFFICIENTS[sampler](SCHEDULE, times), torch.Generator()
    return lambda: STEPS[sampler](coefficients, noise, eps, generator.manual_seed(0))


def _ddpm_coefficients(schedule: Schedule, times: list[int]) -> list[tuple[float, ...]]:
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    found = []
    for t, s in zip(times, times[1:]):
        from_x0, variance = posterior(schedule, one, zero, t, s)
        from_xt, _ = posterior(schedule, zero, one, t, s)
        signal, noise = schedule.signal_rate[t], schedule.noise_rate[t]
        found.append(tuple(map(float, (signal, noise, from_x0, from_xt, variance.sqrt()))))
    return found


def _ddpm_steps(coefficients, x, eps, generator):
    for signal, noise, from_x0, from_xt, std in coefficients:
        x0 = (x - noise * eps) / signal
        x = from_x0 * x0 + from_xt * x + std * torch.randn(x.shape, generator=generator)
    return x


def _ddim_coefficients(schedule: Schedule, times: list[int]) -> list[tuple[float, ...]]:
    signal, noise = schedule.signal_rate.tolist(), schedule.noise_rate.tolist()
    return [(signal[t], noise[t], signal[s], noise[s]) for t, s in zip(times, times[1:])]


def _ddim_steps(coefficients, x, eps, generator):
    for signal_t, noise_t, signal_s, noise_s in coefficients:
        x = signal_s * ((x - noise_t * eps) / signal_t) + noise_s * eps
    return x


def _dpmpp_coefficients(schedule: Schedule, times: list[int]) -> list[tuple[float, ...]]:
    signal, noise, before, found = schedule.signal_rate, schedule.noise_rate, None, []
    for t, s in zip(times, times[1:]):
        width = (schedule.log_snr[s] - schedule.log_snr[t]) / 2
        bend = width / before / 2 if before is not None and s > 0 else 0.0
        move = -signal[s] * torch.expm1(-width)
        found.append(tuple(map(float, (signal[t], noise[t], bend, noise[s] / noise[t], move))))
        before = width
    return found


def _dpmpp_steps(coefficients, x, eps, generator):
    before = None
    for signal, noise, bend, shrink, move in coefficients:
        x0 = (x - noise * eps) / signal
        x = shrink * x + move * (x0 + bend * (x0 - before) if bend else x0)
        before = x0
    return x


COEFFICIENTS = {"ddpm": _ddpm_coefficients, "ddim": _ddim_coefficients, "dpmpp": _dpmpp_coefficients}
STEPS = {"ddpm": _ddpm_steps, "ddim": _ddim_steps, "dpmpp": _dpmpp_steps}


def diffusers(sampler: str, times: list[int], noise: Tensor, eps: Tensor) -> Callable[[], Tensor]:
    """diffusers' scheduler on our times; its index is t − 1."""
    from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

    indices, generator = [t - 1 for t in times[:-1]], torch.Generator()
    if sampler == "ddim":  # steps by a fixed stride, which even_times has where the steps divide T
        scheduler = DDIMScheduler(SCHEDULE.T, BETAS[0], BETAS[1], clip_sample=False)
        scheduler.set_timesteps(len(indices))
    elif sampler == "ddpm":
        scheduler = DDPMScheduler(SCHEDULE.T, BETAS[0], BETAS[1], clip_sample=False)
        scheduler.set_timesteps(timesteps=indices)
    else:
        scheduler = DPMSolverMultistepScheduler(SCHEDULE.T, BETAS[0], BETAS[1], final_sigmas_type="zero")

    def chain() -> Tensor:
        if sampler == "dpmpp":  # it counts its own steps and has to be wound up again
            scheduler.set_timesteps(timesteps=indices)
        x, draws = noise, {"generator": generator.manual_seed(0)} if sampler == "ddpm" else {}
        for index in indices:
            x = scheduler.step(eps, index, x, **draws).prev_sample
        return x

    return chain


SIDES = {"ours": ours, "bare": bare, "diffusers": diffusers}


def main(arguments: list[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--steps", type=int, default=50, help="steps of a chain")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="file for the results, JSON")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    noise, eps = (torch.randn(SHAPE, generator=generator) for _ in range(2))
    rows = []
    for sampler in STEPS:
        times = grid(sampler, options.steps)
        chains = {side: SIDES[side](sampler, times, noise, eps) for side in options.sides}
        readings = {side: [] for side in chains}
        for i in range(options.rounds + 1):
            for side, chain in chains.items():
                once = seconds(chain, "cpu") / options.steps
                if i > 0:  # the first round warms up
                    readings[side].append(1e6 * once)
        found = {side: spread(values) for side, values in readings.items()}
        ratio = found["ours"]["median"] / found["bare"]["median"]
        rows.append({"sampler": sampler, "microseconds_per_step": found, "ours_over_bare": ratio})
        print(f"{sampler:6}", *(f"{side} {value['median']:.0f} µs" for side, value in found.items()), f"{ratio:.2f} ×")
    result = {"shape": SHAPE, "steps": options.steps, "rows": rows, **surroundings("cpu"), **provenance()}
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return result


if __name__ == "__main__":
    main()
