"""The plans: which data, which networks and which budget each of the three families is given.

Nobody is given a straw man: the settings are the best that a search of each family found (tuning.md), and parameters
and floating-point operations are held equal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor, nn

from ..data import load_digits, load_fashion
from ..data.stacked import stack_digits
from ..denoisers import GaussianMixture
from ..models import MLP, UNet
from ..models.gan import Critic, Generator
from ..models.mlp import PlainMLP
from ..models.vae import ImageVAE, PointVAE

FAMILIES = ("gan", "vae", "diffusion")
IMAGES = ("digits", "fashion")  # the sets of grey images


@dataclass(frozen=True)
class Plan:
    """Everything that makes one family's model of one data set, but for the seed.

    data: (root, train) → (N, ...) samples. networks: a new generator and critic, or one network alone. flops: of the
    whole training, from which the number of steps follows. lr falls along a half cosine after `warmup` steps.
    gamma, penalty_every: of a GAN's gradient penalty. beta: of a VAE's divergence.
    """

    data_set: str
    family: str
    data: Callable[[str | None, bool], Tensor]
    networks: Callable[[], tuple[nn.Module, ...]]
    flops: float
    batch_size: int
    lr: float
    warmup: int = 100
    ema_decay: float = 0.995
    gamma: float = 1.0
    penalty_every: int = 4
    beta: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.data_set}-{self.family}"


def grid_mixture() -> GaussianMixture:
    """25 narrow Gaussians on a 5 × 5 grid in [−2, 2]²: spacing 1, standard deviation a tenth of it.

    The test for dropped modes since VEEGAN (Srivastava et al. 2017, section 4.1), where they are a fortieth of their
    spacing wide and the training is many times longer.
    """
    steps = torch.linspace(-2, 2, 5)
    return GaussianMixture(torch.cartesian_prod(steps, steps), std=0.1)


def even_square_close(half: float, n: int = 1_000_000) -> float:
    """The share of points, spread evenly over [−half, half]², within 3 standard deviations of a mode of the grid.

    What a model scores that has learned nothing but where the grid is: 0.28 for half = 2, 0.34 at best, for 2.25.
    """
    points = (2 * torch.rand(n, 2, generator=torch.Generator().manual_seed(0)) - 1) * half
    grid = grid_mixture()
    nearest = torch.cat([torch.cdist(part, grid.means).amin(1) for part in points.split(100_000)])
    return float((nearest < 3 * grid.std[0]).double().mean())


def grid_points(root: str | None, train: bool) -> Tensor:
    return grid_mixture().sample(50_000 if train else 10_000, torch.Generator().manual_seed(int(train)))


@cache
def digits(root: str | None, train: bool) -> Tensor:
    return load_digits("mnist", root, train)[0]


@cache
def fashion(root: str | None, train: bool) -> Tensor:
    return load_fashion(root, train)[0]


@cache
def stacked(root: str | None, train: bool) -> Tensor:
    images, labels = load_digits("mnist", root, train)
    return stack_digits(images, labels, len(images), torch.Generator().manual_seed(int(train)))[0]


def image_gan(channels: int) -> tuple[nn.Module, nn.Module]:
    return Generator(channels, dim=16, latent=64, blocks=2), Critic(channels, dim=16, blocks=2)


def image_vae(channels: int) -> tuple[nn.Module]:
    return (ImageVAE(channels, dim=18, latent=12, blocks=2),)


def image_unet(channels: int, predicts: str = "v") -> tuple[nn.Module]:
    """Patches of 2 × 2 pixels enter as channels, as in the rivals: all three work at 14 × 14 and 7 × 7."""
    return (UNet(channels, dim=16, multipliers=(1, 2), blocks=1, attention_levels=(), patch=2, predicts=predicts),)


# All of them read points and noise in the same fine features.
def point_gan() -> tuple[nn.Module, nn.Module]:
    return PlainMLP(2, 2, 96, fine=True), PlainMLP(2, 1, 96, fine=True)


def point_vae() -> tuple[nn.Module]:
    return (PointVAE(dim=2, latent=2, width=96),)


def point_mlp() -> tuple[nn.Module]:
    return (MLP(dim=2, width=128, fine=True),)


GAN = dict(family="gan", batch_size=32, lr=2e-3, gamma=0.1)
VAE = dict(family="vae", batch_size=32, lr=2e-3, beta=3.0)
DIFFUSION = dict(family="diffusion", batch_size=32, lr=4e-3)


def plans_for(data_set: str, data: Callable, channels: int, flops: float) -> list[Plan]:
    """The three families on one set of images."""
    return [
        Plan(data_set, data=data, networks=partial(image_gan, channels), flops=flops, **GAN),
        Plan(data_set, data=data, networks=partial(image_vae, channels), flops=flops, **VAE),
        Plan(data_set, data=data, networks=partial(image_unet, channels), flops=flops, **DIFFUSION),
    ]


GRID = dict(data_set="grid", data=grid_points, flops=2e11, batch_size=128)
PLANS = [
    Plan(**GRID, family="gan", networks=point_gan, lr=2e-3, gamma=0.05),
    Plan(**GRID, family="vae", networks=point_vae, lr=3e-3),
    Plan(**GRID, family="diffusion", networks=point_mlp, lr=3e-3),
    *plans_for("digits", digits, 1, 4e12),
    *plans_for("fashion", fashion, 1, 4e12),
    *plans_for("stacked", stacked, 3, 2.5e12),
]
PLANS = {plan.name: plan for plan in PLANS}
