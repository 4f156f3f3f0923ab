"""The two networks of a GAN: a generator, noise to image in one call, and the critic that tells images apart.

A variational autoencoder is made of the same two (vae.py): the critic's body encodes, the generator decodes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import GroupNorm


class Generator(nn.Module):
    """Noise to image in one call: (batch, latent) → (batch, channels, side, side) in [−1, 1].

    A dense layer to side / 4, residual blocks there, a doubling, residual blocks again, and squares of 2 × 2 pixels
    that leave as channels: DCGAN (Radford et al. 2016) with what later work put in its weak places. Enlarging repeats
    pixels, as strided transposed convolutions leave a checkerboard (Odena et al. 2016); the norms look at one image at
    a time, as batch norm would tie the samples of a batch to each other. dim: width at half size, doubled below.
    """

    def __init__(self, channels: int = 1, side: int = 28, dim: int = 32, latent: int = 64, blocks: int = 2):
        super().__init__()
        if side % 4:
            raise ValueError(f"side must be a multiple of 4, got {side}.")
        self.config = dict(channels=channels, side=side, dim=dim, latent=latent, blocks=blocks)
        self.latent, self.start = latent, (NARROW, side // 4, side // 4)
        self.dense = nn.Linear(latent, NARROW * (side // 4) ** 2)
        self.first = nn.Conv2d(NARROW, 2 * dim, 3, padding=1)
        self.low = nn.Sequential(*(Residual(2 * dim, 2 * dim) for _ in range(blocks)))
        self.high = nn.Sequential(Residual(2 * dim, dim), *(Residual(dim, dim) for _ in range(blocks - 1)))
        self.norm, self.last = GroupNorm(dim), nn.Conv2d(dim, 4 * channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ValueError(f"this generator takes noise of shape (batch, {self.latent}), got {tuple(z.shape)}.")
        h = self.low(self.first(self.dense(z).unflatten(1, self.start)))
        h = self.high(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return F.pixel_shuffle(self.last(F.leaky_relu(self.norm(h), 0.2)), 2).tanh()


class Critic(nn.Module):
    """Image to numbers: (batch, channels, side, side) → (batch, outputs), a generator walked backwards.

    outputs: 1 for a critic's opinion; 2 · latent for the mean and log-variance of an encoder. norm: critics whose
    gradient is penalized go without (Gulrajani et al. 2017, section 4); encoders do better with.
    """

    def __init__(
        self, channels: int = 1, side: int = 28, dim: int = 32, outputs: int = 1, blocks: int = 2, norm: bool = False
    ):
        super().__init__()
        if side % 4:
            raise ValueError(f"side must be a multiple of 4, got {side}.")
        self.config = dict(channels=channels, side=side, dim=dim, outputs=outputs, blocks=blocks, norm=norm)
        self.shape = (channels, side, side)
        self.first = nn.Conv2d(4 * channels, dim, 3, padding=1)
        self.high = nn.Sequential(*(Residual(dim, dim, norm) for _ in range(blocks)))
        self.low = nn.Sequential(
            Residual(dim, 2 * dim, norm), *(Residual(2 * dim, 2 * dim, norm) for _ in range(blocks - 1))
        )
        self.last = nn.Conv2d(2 * dim, NARROW, 3, padding=1)
        self.dense = nn.Linear(NARROW * (side // 4) ** 2, outputs)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1:] != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"this critic takes images of shape (batch, {wanted}), got {tuple(x.shape)}.")
        h = self.high(self.first(F.pixel_unshuffle(x, 2)))
        h = self.last(F.leaky_relu(self.low(F.avg_pool2d(h, 2)), 0.2))
        return self.dense(F.leaky_relu(h, 0.2).flatten(1))


NARROW = 16  # channels between the dense layer and the feature maps: with all of them it would outweigh the rest


class Residual(nn.Module):
    """Two 3 × 3 convolutions with a skip around them; (batch, ins, h, w) → (batch, outs, h, w)."""

    def __init__(self, ins: int, outs: int, norm: bool = True):
        super().__init__()
        self.norm1, self.norm2 = (GroupNorm(ins), GroupNorm(outs)) if norm else (nn.Identity(), nn.Identity())
        self.conv1, self.conv2 = nn.Conv2d(ins, outs, 3, padding=1), nn.Conv2d(outs, outs, 3, padding=1)
        self.skip = nn.Identity() if ins == outs else nn.Conv2d(ins, outs, 1)
        # The block starts near the identity, so that without a norm the sums do not grow from block to block.
        with torch.no_grad():
            self.conv2.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.leaky_relu(self.norm1(x), 0.2))
        return self.skip(x) + self.conv2(F.leaky_relu(self.norm2(h), 0.2))
