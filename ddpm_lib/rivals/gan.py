"""How a GAN is trained: a generator and a critic, each against the other.

The loss is that of R3GAN (Huang et al. 2024): a relativistic critic, which judges real and generated samples in pairs,
with its gradient penalized on both. It needs none of the older tricks and is known to converge locally.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..training import update_ema
from ..training_checks import forever


class GanStep(NamedTuple):
    """One finished step of both players: its number from 1, their losses, and the averaged generator to sample from.

    penalty: E ‖∇ critic‖² of real and generated samples together, before its factor; None on steps without it.
    """

    step: int
    loss: float
    critic_loss: float
    penalty: float | None
    ema: nn.Module


def train_gan(
    generator: nn.Module,
    critic: nn.Module,
    loader: Iterable,
    num_steps: int,
    *,
    lr: float = 5e-4,
    lr_scale: Callable[[int], float] | None = None,
    gamma: float = 1.0,
    penalty_every: int = 4,
    ema_decay: float = 0.995,
    seed: int = 0,
) -> Iterator[GanStep]:
    """Train both networks in place, one GanStep at a time: a step of the critic, then one of the generator.

    loader: yields batches of x, alone or first in a tuple; it is started again when it ends. gamma: factor of the
    gradient penalty. penalty_every: it is taken on every k-th step, k times as strong, which costs less and does the
    same (Karras et al. 2020, lazy regularization). seed: of all noise. Adam without momentum (β₁ = 0), as the
    opponent moves on at every step. Raises FloatingPointError as soon as a loss is not finite, and ValueError where the
    loader gives nothing. A generator: it trains as far as it is asked to, for step in train_gan(...).
    """
    generator.train(), critic.train()
    ema = copy.deepcopy(generator).eval().requires_grad_(False)
    device = next(generator.parameters()).device
    adams = [torch.optim.Adam(net.parameters(), lr=lr, betas=(0.0, 0.99)) for net in (generator, critic)]
    random = torch.Generator().manual_seed(seed)
    for step, batch in zip(range(num_steps), forever(loader)):
        real = (batch[0] if isinstance(batch, (tuple, list)) else batch).to(device)
        for adam in adams:
            adam.param_groups[0]["lr"] = lr * (lr_scale(step) if lr_scale else 1.0)
        noise = torch.randn(2, len(real), generator.latent, generator=random).to(device)
        factor = penalty_every if step % penalty_every == 0 else 0
        critic_loss, penalty = critic_step(generator, critic, adams[1], real, noise[0], 0.5 * gamma * factor)
        loss = generator_step(generator, critic, adams[0], real, noise[1])
        if not (torch.isfinite(loss) and torch.isfinite(critic_loss)):
            raise FloatingPointError(f"the GAN's losses became {loss:.4g} and {critic_loss:.4g} at step {step + 1}.")
        update_ema(ema, generator, min(ema_decay, (step + 1) / (step + 11)))
        yield GanStep(step + 1, loss.item(), critic_loss.item(), penalty and penalty.item(), ema)


def critic_step(
    generator: nn.Module, critic: nn.Module, adam: torch.optim.Optimizer, real: Tensor, noise: Tensor, factor: float
) -> tuple[Tensor, Tensor | None]:
    """The critic learns to rate each real sample above a generated one; returns its loss and the bare penalty."""
    with torch.no_grad():
        fake = generator(noise)
    if not factor:
        loss, penalty = F.softplus(critic(fake) - critic(real)).mean(), None
        descend(adam, loss)
        return loss.detach(), None
    real, fake = real.detach().requires_grad_(), fake.requires_grad_()
    of_real, of_fake = critic(real), critic(fake)
    slopes = torch.autograd.grad(of_real.sum() + of_fake.sum(), [real, fake], create_graph=True)
    penalty = sum(slope.square().flatten(1).sum(1).mean() for slope in slopes)  # R1 and R2: Mescheder et al. 2018
    loss = F.softplus(of_fake - of_real).mean()
    descend(adam, loss + factor * penalty)
    return loss.detach(), penalty.detach()


def generator_step(
    generator: nn.Module, critic: nn.Module, adam: torch.optim.Optimizer, real: Tensor, noise: Tensor
) -> Tensor:
    """The generator learns to have its samples rated above real ones; returns its loss."""
    critic.requires_grad_(False)  # its gradients are not wanted here, and would cost a third more
    with torch.no_grad():
        of_real = critic(real)
    loss = F.softplus(of_real - critic(generator(noise))).mean()
    descend(adam, loss)
    critic.requires_grad_(True)
    return loss.detach()


def descend(adam: torch.optim.Optimizer, loss: Tensor) -> None:
    adam.zero_grad()
    loss.backward()
    adam.step()
