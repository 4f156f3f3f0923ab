"""Many small grey pictures as one PNG, one below the other: lossless up to the number of its grey levels."""

import numpy as np
import torch
from torch import Tensor

from . import encode


def grey_pictures(x: Tensor, name: str) -> Tensor:
    """x, (n, 1, side, side), as (n, side, side) float32 on the CPU; ValueError for another shape."""
    x = torch.as_tensor(x).detach().cpu().float()
    if x.ndim != 4 or x.shape[1] != 1 or x.shape[2] != x.shape[3]:
        raise ValueError(f"{name} must be grey square pictures, (n, 1, side, side), got {tuple(x.shape)}.")
    if not bool(torch.isfinite(x).all()):
        raise ValueError(f"{name} hold values that are not finite: look at the model that made them.")
    return x[:, 0]


def grey_sheet(x: Tensor, levels: int = 127) -> str:
    """Pictures (n, side, side) in [−1, 1] as the data: address of one PNG of n · side rows.

    levels: grey levels on either side of 0, which is kept exactly: byte 128 is 0, a level is a whole share of 127.
    """
    steps = (x.clamp(-1, 1) * levels).round()
    page = (128 + (steps * 127 / levels).round()).byte().reshape(-1, x.shape[-1])
    return encode._address(np.asarray(page), "png", optimize=True)
