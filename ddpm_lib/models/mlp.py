"""Small networks for points: one that guesses the noise in (batch, dim) vectors, and a plain one."""

import torch
from torch import Tensor, nn

from .layers import time_features


class MLP(nn.Module):
    """Three hidden layers, with sines and cosines of the time at the entrance.

    dim: coordinates of a point. width: of the hidden layers. T: largest time, so that times of any
    schedule are spread over the same range of features.
    """

    def __init__(self, dim: int = 2, width: int = 128, T: int = 1000):
        super().__init__()
        self.config = dict(dim=dim, width=width, T=T)
        self.dim, self.T = dim, T
        self.layers = nn.Sequential(
            nn.Linear(dim + 32, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, dim),
        )  # fmt: skip

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        """xt: (batch, dim), t: (batch,) → (batch, dim)."""
        if xt.ndim != 2 or xt.shape[1] != self.dim:
            raise ValueError(f"this network takes points of shape (batch, {self.dim}), got {tuple(xt.shape)}.")
        time = time_features(t * (1000 / self.T), 32, max_period=1000.0)
        return self.layers(torch.cat([xt, time], dim=1))


class PlainMLP(nn.Module):
    """Three hidden layers from vectors to vectors: a generator, a critic, an encoder or a decoder of points.

    (batch, ins) → (batch, outs). latent: the same as ins, which is what a generator's noise is called.
    """

    def __init__(self, ins: int, outs: int, width: int = 96):
        super().__init__()
        self.config, self.latent = dict(ins=ins, outs=outs, width=width), ins
        self.layers = nn.Sequential(
            nn.Linear(ins, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, outs),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
