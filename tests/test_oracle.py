"""The oracle: schedules, single steps and whole chains equal to diffusers' schedulers.

diffusers counts from 0 and computes its tables in float32, so our tables are handed to it in
float64 (`trained_betas` would round them); what is compared is the arithmetic, within 1e-5.
"""

import numpy as np
import pytest
import torch

import ddpm_lib
from ddpm_lib import Denoiser, sample_ddim, sample_ddpm, sample_dpmpp, trajectory

diffusers = pytest.importorskip("diffusers", reason="the oracle needs diffusers: pip install -e '.[book,test]'")

SCHEDULES = {
    "linear": ddpm_lib.linear_schedule(),
    "scaled_linear": ddpm_lib.scaled_linear_schedule(beta_start=0.0001, beta_end=0.02),
    "squaredcos_cap_v2": ddpm_lib.cosine_schedule(),
}
SCHEDULE = SCHEDULES["linear"]
START = torch.randn(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def network(x, t):
    """Any smooth function will do; a network in float64 that depends on the sample and on the time."""
    return torch.tanh(x + t.reshape(-1, 1, 1, 1) / 1000) * 0.9 + 0.1 * x


def oracle(kind, schedule=SCHEDULE, **settings):
    scheduler = kind(num_train_timesteps=schedule.T, beta_schedule="linear", **settings)
    scheduler.betas, scheduler.alphas = schedule.beta[1:], schedule.alpha[1:]
    scheduler.alphas_cumprod = schedule.alpha_bar[1:]
    scheduler.one = torch.tensor(1.0, dtype=torch.float64)
    if hasattr(scheduler, "final_alpha_cumprod"):
        scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    return scheduler


def their_chain(scheduler, times, predicts=network, **step):
    """Frames of diffusers' sampler at our times t, its index t − 1."""
    x, frames = START, [START]
    for t in times[:-1]:
        guess = predicts(x, torch.full((len(x),), t))
        x = scheduler.step(guess, t - 1, x, **step).prev_sample
        frames.append(x)
    return torch.stack(frames)


@pytest.mark.parametrize("name", SCHEDULES)
def test_tables(name):
    theirs = diffusers.DDPMScheduler(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule=name)
    torch.testing.assert_close(SCHEDULES[name].alpha_bar[1:].float(), theirs.alphas_cumprod, rtol=2e-4, atol=1e-7)
    torch.testing.assert_close(SCHEDULES[name].beta[1:].float(), theirs.betas, rtol=1e-5, atol=1e-7)


def test_add_noise():
    eps, t = torch.randn_like(START), torch.tensor([1, 2, 400, 999, 1000])
    theirs = oracle(diffusers.DDPMScheduler).add_noise(START, eps, t - 1)
    torch.testing.assert_close(ddpm_lib.add_noise(SCHEDULE, START, t, eps), theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("variance, theirs", [("posterior", "fixed_small"), ("beta", "fixed_large")])
@pytest.mark.parametrize("clipped", [False, True])
def test_ddpm_whole_chain(variance, theirs, clipped):
    scheduler = oracle(diffusers.DDPMScheduler, variance_type=theirs, clip_sample=clipped)
    chain = their_chain(scheduler, SCHEDULE.even_times(1000), generator=torch.Generator().manual_seed(4))
    denoise = Denoiser(network, SCHEDULE)
    denoise = ddpm_lib.clip(denoise) if clipped else denoise
    generator = torch.Generator().manual_seed(4)
    ours = trajectory(sample_ddpm(denoise, SCHEDULE, START, variance=variance, generator=generator))
    torch.testing.assert_close(ours, chain, rtol=1e-5, atol=1e-5 * float(chain.abs().max()))


@pytest.mark.parametrize("predicts, theirs", [("eps", "epsilon"), ("x0", "sample"), ("v", "v_prediction")])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [10, 50])
def test_ddim_whole_chain(predicts, theirs, eta, steps):
    scheduler = oracle(diffusers.DDIMScheduler, clip_sample=False, prediction_type=theirs)
    scheduler.set_timesteps(steps)
    # diffusers steps by a fixed stride, T / steps; even_times has the same one where it divides T.
    times = SCHEDULE.even_times(steps)
    chain = their_chain(scheduler, times, eta=eta, generator=torch.Generator().manual_seed(2))
    generator = torch.Generator().manual_seed(2)
    denoise = Denoiser(network, SCHEDULE, predicts)
    ours = trajectory(sample_ddim(denoise, SCHEDULE, START, times, eta=eta, generator=generator))
    torch.testing.assert_close(ours, chain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("grid", ["even_times", "logsnr_times", "karras_times"])
@pytest.mark.parametrize("steps", [5, 20])
def test_dpmpp_whole_chain(grid, steps):
    times = getattr(SCHEDULE, grid)(steps)
    scheduler = diffusers.DPMSolverMultistepScheduler(
        num_train_timesteps=1000, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint",
        final_sigmas_type="zero", lower_order_final=True,
    )  # fmt: skip
    scheduler.set_timesteps(timesteps=[t - 1 for t in times[:-1]])
    scheduler.sigmas = torch.cat([SCHEDULE.sigma[times[:-1]], torch.zeros(1, dtype=torch.float64)])
    ours = trajectory(sample_dpmpp(Denoiser(network, SCHEDULE), SCHEDULE, START, times))
    chain = their_chain(scheduler, times)
    assert np.isfinite(chain.numpy()).all()
    torch.testing.assert_close(ours, chain, rtol=1e-5, atol=1e-5)
