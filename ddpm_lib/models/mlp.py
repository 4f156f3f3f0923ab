"""Small networks for points: one that guesses the noise in (batch, dim) vectors, and a plain one."""

import torch
from torch import Tensor, nn

from .layers import time_features


class MLP(nn.Module):
    """Three hidden layers, with sines and cosines of the time at the entrance.

    dim: coordinates of a point. width: of the hidden layers. T: largest time, so that times of any
    schedule are spread over the same range of features. fine: see fine_features.
    """

    def __init__(self, dim: int = 2, width: int = 128, T: int = 1000, fine: bool = False):
        super().__init__()
        self.config = dict(dim=dim, width=width, T=T, fine=fine)
        self.dim, self.T, self.see = dim, T, fine_features if fine else nn.Identity()
        self.layers = nn.Sequential(
            nn.Linear((7 if fine else 1) * dim + 32, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, dim),
        )  # fmt: skip

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        """xt: (batch, dim), t: (batch,) → (batch, dim)."""
        if xt.ndim != 2 or xt.shape[1] != self.dim:
            raise ValueError(f"this network takes points of shape (batch, {self.dim}), got {tuple(xt.shape)}.")
        time = time_features(t * (1000 / self.T), 32, max_period=1000.0)
        return self.layers(torch.cat([self.see(xt), time.to(xt.dtype)], dim=1))


class PlainMLP(nn.Module):
    """Three hidden layers from vectors to vectors: a generator, a critic, an encoder or a decoder of points.

    (batch, ins) → (batch, outs). latent: the same as ins, which is what a generator's noise is called. fine: see
    fine_features.
    """

    def __init__(self, ins: int, outs: int, width: int = 96, fine: bool = False):
        super().__init__()
        self.config, self.latent = dict(ins=ins, outs=outs, width=width, fine=fine), ins
        self.see = fine_features if fine else nn.Identity()
        self.layers = nn.Sequential(
            nn.Linear((7 if fine else 1) * ins, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, outs),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(self.see(x))


def fine_features(x: Tensor) -> Tensor:
    """(batch, d) coordinates of about unit size → (batch, 7 d): themselves, and their sines and cosines at 3 scales.

    A network on bare coordinates learns what changes slowly first, and fine structure very late (Tancik et al. 2020).
    """
    angles = (torch.pi / 2) * x[:, :, None] * torch.tensor([1.0, 2.0, 4.0], device=x.device, dtype=x.dtype)
    return torch.cat([x, angles.sin().flatten(1), angles.cos().flatten(1)], dim=1)
