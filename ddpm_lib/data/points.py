"""Points in the plane: each (n, 2), about unit size, drawn where the generator lives, or on the CPU."""

import math

import torch
from torch import Tensor


def spiral(n: int, noise: float = 0.02, generator: torch.Generator | None = None) -> Tensor:
    """(n, 2) points on a spiral of one and a half turns."""
    u = torch.rand(n, **_with(generator)).sqrt()
    angle = 3 * math.pi * u
    points = torch.stack([u * angle.cos(), u * angle.sin()], 1)
    return points + noise * torch.randn(n, 2, **_with(generator))


def moons(n: int, noise: float = 0.05, generator: torch.Generator | None = None) -> Tensor:
    """(n, 2) points on two half circles, one hooked into the other."""
    angle = math.pi * torch.rand(n, **_with(generator))
    upper = torch.rand(n, **_with(generator)) < 0.5
    x = torch.where(upper, angle.cos() - 0.5, 0.5 - angle.cos())
    y = torch.where(upper, angle.sin() - 0.25, 0.25 - angle.sin())
    return torch.stack([x, y], 1) * 0.65 + noise * torch.randn(n, 2, **_with(generator))


def ring(n: int, radius: float = 0.8, noise: float = 0.03, generator: torch.Generator | None = None) -> Tensor:
    """(n, 2) points on a circle."""
    angle = 2 * math.pi * torch.rand(n, **_with(generator))
    return radius * torch.stack([angle.cos(), angle.sin()], 1) + noise * torch.randn(n, 2, **_with(generator))


def checkerboard(n: int, generator: torch.Generator | None = None) -> Tensor:
    """(n, 2) points spread evenly over the dark squares of a 4 × 4 board on [−1, 1]²."""
    column = torch.randint(4, (n,), **_with(generator))
    row = 2 * torch.randint(2, (n,), **_with(generator)) + column % 2
    corner = torch.stack([column, row], 1).float()
    return (corner + torch.rand(n, 2, **_with(generator))) / 2 - 1


def _with(generator: torch.Generator | None) -> dict:
    """A generator serves its own device alone."""
    return {"generator": generator, "device": "cpu" if generator is None else generator.device}
