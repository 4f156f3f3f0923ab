"""The three families behind one face: train, sample, and what a step costs."""

import copy
from collections.abc import Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from ..data import loader
from ..denoisers import Denoiser, clip
from ..samplers import last, sample_dpmpp
from ..schedules import linear_schedule
from ..seeding import drawn_from
from ..training import train, warmup_cosine
from .budget import count_flops
from .gan import train_gan
from .plans import Plan
from .vae import vae_loss


def training(plan: Plan, networks: tuple[nn.Module, ...], batches: Iterable, num_steps: int, seed: int) -> Iterator:
    """Steps of the family's own training, each with .step, .loss and .ema, the averaged network to sample from."""
    how = dict(lr=plan.lr, lr_scale=warmup_cosine(num_steps, plan.warmup), ema_decay=plan.ema_decay, seed=seed)
    if plan.family == "gan":
        return train_gan(*networks, batches, num_steps, gamma=plan.gamma, penalty_every=plan.penalty_every, **how)
    if plan.family == "vae":
        return train(*networks, batches, None, num_steps, loss=partial(vae_loss, beta=plan.beta), **how)
    if plan.family == "diffusion":
        return train(*networks, batches, linear_schedule(), num_steps, **how)
    raise ValueError(f'a plan\'s family must be "gan", "vae" or "diffusion", got {plan.family!r}.')


def flops_a_step(plan: Plan, networks: tuple[nn.Module, ...], x: Tensor) -> float:
    """Floating-point operations of one training step, counted on copies: over a whole cycle of a GAN's penalty.

    x: (plan.batch_size, ...) samples.
    """
    steps = plan.penalty_every if plan.family == "gan" else 1
    nets = copy.deepcopy(networks)
    return count_flops(lambda: list(training(plan, nets, [(x,)], steps, seed=0))) / steps


def begin(plan: Plan, root: str | None, seed: int) -> tuple[tuple[nn.Module, ...], Iterator, int, float]:
    """The networks, the training that waits to be run, its number of steps, and the operations of each.

    root: where the data lie.
    """
    with drawn_from(seed):  # the weights at the start
        networks = plan.networks()
    x = plan.data(root, True)
    if x.ndim == 4:
        networks = tuple(net.to(memory_format=torch.channels_last) for net in networks)
    cost = flops_a_step(plan, networks, x[: plan.batch_size])
    num_steps = max(1, round(plan.flops / cost))
    batches = loader(x, batch_size=plan.batch_size, seed=seed)
    return networks, training(plan, networks, batches, num_steps, seed), num_steps, cost


@torch.no_grad()
def generate(model: nn.Module, z: Tensor, calls: int = 1) -> Tensor:
    """Samples from noise z: (n, latent) for a GAN's generator and for a VAE, like the data for a diffusion model.

    calls: of the network for each sample, which only a diffusion model can use: DPM-Solver++(2M), clipped for images.
    A VAE shows the mean of its decoder's Gaussian, as everybody does; with the noise, its images would be grainy.
    """
    if hasattr(model, "decoder"):
        return model.decoder(z)
    if hasattr(model, "latent"):
        return model(z)
    schedule = linear_schedule()
    denoise = Denoiser(model, schedule)
    denoise = clip(denoise) if z.ndim == 4 else denoise
    return last(sample_dpmpp(denoise, schedule, z, schedule.logsnr_times(calls))).x


def noise_for(model: nn.Module, shape: tuple[int, ...], n: int, generator: torch.Generator) -> Tensor:
    """n draws of what `generate` starts from. shape: of one sample of the data."""
    size = (model.latent,) if hasattr(model, "latent") else shape
    return torch.randn(n, *size, generator=generator)


def draw(model: nn.Module, shape: tuple[int, ...], n: int, seed: int, calls: int = 1, batch: int = 250) -> Tensor:
    """(n, *shape) samples, in batches."""
    z = noise_for(model, shape, n, torch.Generator().manual_seed(seed))
    if z.ndim == 4:
        z = z.contiguous(memory_format=torch.channels_last)
    return torch.cat([generate(model, part, calls) for part in z.split(batch)])
