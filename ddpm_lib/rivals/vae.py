"""How a VAE is trained, in the very loop of the diffusion model with another loss, and how its bits are counted."""

import math

import torch
from torch import Tensor, nn

from ..losses import pixel_nats
from ..models.vae import VAE, vae_nats


def vae_loss(model: nn.Module, schedule, x0: Tensor, *, label: Tensor | None = None, beta: float = 1.0) -> Tensor:
    """−ELBO per dimension in nats, to hand to train(..., loss=vae_loss); a VAE has no times, so schedule is None.

    label must be None: the model is without labels. beta: weight of the divergence (Higgins et al. 2017, β-VAE). Above
    1 it is no bound any more, but the codes lie nearer to the noise that samples are made from.
    """
    if label is not None:
        raise ValueError("this VAE is without labels: give the loader images alone.")
    open_, divergence = vae_nats(model(x0), x0, getattr(model, "module", model).log_var)
    return (open_ + beta * divergence).mean() / x0[0].numel()


@torch.no_grad()
def vae_bits_per_dim(model: VAE, x0: Tensor, bins: int | None = 256) -> Tensor:
    """Upper bound on −log₂ p(x_0) per dimension, (batch,), one code drawn for each x_0.

    bins: grey levels, each integrated from edge to edge as in bits_per_dim; None for a density of continuous data.
    """
    coded = model(x0)
    _, divergence = vae_nats(coded, x0, model.log_var)
    open_ = pixel_nats(x0, coded.decoded, model.log_var.exp(), bins).flatten(1).sum(1)
    return (open_ + divergence) / (math.log(2) * x0[0].numel())
