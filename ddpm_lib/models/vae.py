"""A variational autoencoder: an encoder that gives a cloud of codes for each sample, and a decoder back.

Its two networks are a GAN's two (gan.py), taught in another way.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .gan import Critic, Generator
from .mlp import PlainMLP


class Coded(NamedTuple):
    """What a VAE makes of x: the Gaussian of its codes, and the decoder's mean for one code drawn from it."""

    mean: Tensor
    log_var: Tensor
    decoded: Tensor


class VAE(nn.Module):
    """Encoder and decoder, and one learned variance of what the decoder leaves open: Kingma & Welling 2014.

    encoder: x → (batch, 2 · latent); decoder: (batch, latent) → like x. The codes' prior is N(0, I). The decoder's
    Gaussian has one learned variance for all numbers, `log_var`: with a fixed one of 1 the divergence outweighs the
    reconstruction, and every picture comes out alike (Rybkin et al. 2021, σ-VAE).
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latent: int):
        super().__init__()
        self.encoder, self.decoder, self.latent = encoder, decoder, latent
        self.log_var = nn.Parameter(
            torch.tensor(-2.0)
        )  # narrow at first: a vague decoder needs no codes, and gets none

    def forward(self, x: Tensor) -> Coded:
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        log_var = log_var.clamp(-10, 10)  # e^10 is no code any more; a first wild step must not overflow
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)  # the reparameterization trick
        return Coded(mean, log_var, self.decoder(z))


class ImageVAE(VAE):
    """A VAE for images, (batch, channels, side, side) in [−1, 1]. dim, blocks: see Generator; latent: of the code."""

    def __init__(self, channels: int = 1, side: int = 28, dim: int = 32, latent: int = 32, blocks: int = 2):
        encoder = Critic(channels, side, dim, 2 * latent, blocks, norm=True)
        super().__init__(encoder, Generator(channels, side, dim, latent, blocks), latent)
        self.config = dict(channels=channels, side=side, dim=dim, latent=latent, blocks=blocks)


class PointVAE(VAE):
    """A VAE for points, (batch, dim)."""

    def __init__(self, dim: int = 2, latent: int = 2, width: int = 96):
        super().__init__(PlainMLP(dim, 2 * latent, width, fine=True), PlainMLP(latent, dim, width, fine=True), latent)
        self.config = dict(dim=dim, latent=latent, width=width)


def vae_nats(coded: Coded, x: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor]:
    """The two parts of −ELBO, (batch,) each, in nats: reconstruction and KL(q(z | x) ‖ N(0, I)).

    Kingma & Welling 2014, eq. 10 and appendix B. log_var: of the decoder's Gaussian. Their sum bounds −log p(x).
    """
    # Sums over all numbers of a picture: float32 at least.
    wide = torch.promote_types(x.dtype, torch.float32)
    (mean, spread, decoded), log_var = (part.to(wide) for part in coded), log_var.to(wide)
    error = (decoded - x.to(wide)).square().flatten(1)
    open_ = 0.5 * (error / log_var.exp() + log_var + math.log(2 * math.pi)).sum(1)
    divergence = 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1)
    return open_, divergence
