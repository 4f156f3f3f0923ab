"""Pictures of our own making for the figures: night pieces for the restorer, a face, a few shapes."""

import torch
from torch import Tensor

from .painting import painting

# Landscapes under the same night sky as the book's own painting (seed 0), which is not among them.
NIGHTS = (11, 14, 23, 27, 30, 34, 35, 37, 42, 47, 48, 49, 57, 60, 65, 69, 74)


def night_pieces(side: int = 64) -> Tensor:
    """The museum of the restorer: (17, 3, side, side) in [-1, 1]. Painting them takes some seconds."""
    return torch.stack([painting(side, seed) for seed in NIGHTS])


def _over(picture: Tensor, inside: Tensor, colour: tuple[float, float, float]) -> Tensor:
    """Lay a colour (RGB in 0..1) where inside is positive; inside is in pixels, so edges are one pixel soft."""
    share = (inside + 0.5).clamp(0, 1)
    return picture + share * (torch.tensor(colour)[:, None, None] - picture)


def _plane(side: int) -> tuple[Tensor, Tensor]:
    """x and y of the pixel centres over the unit square, y downwards."""
    y, x = torch.meshgrid(*[(torch.arange(side) + 0.5) / side] * 2, indexing="ij")
    return x, y


def _oval(x, y, a, b, width, height, side):
    """Pixels from inside an oval's edge (near it), negative outside."""
    away = (((x - a) / width) ** 2 + ((y - b) / height) ** 2).sqrt()
    return (1 - away) * min(width, height) * side


def face(side: int = 96) -> Tensor:
    """A friendly face in flat colours, (3, side, side) in [-1, 1]."""
    x, y = _plane(side)
    picture = torch.tensor([0.93, 0.87, 0.74])[:, None, None] * (1.04 - 0.12 * y)
    shapes = [
        ((0.5, 0.40, 0.345, 0.33), (0.32, 0.18, 0.13)),  # hair
        ((0.5, 1.02, 0.42, 0.24), (0.16, 0.42, 0.50)),  # shoulders
        ((0.5, 0.78, 0.095, 0.14), (0.83, 0.60, 0.46)),  # neck
        ((0.225, 0.50, 0.05, 0.08), (0.86, 0.64, 0.50)),  # ears
        ((0.775, 0.50, 0.05, 0.08), (0.86, 0.64, 0.50)),
        ((0.5, 0.50, 0.275, 0.33), (0.94, 0.74, 0.60)),  # face
        ((0.42, 0.225, 0.25, 0.12), (0.32, 0.18, 0.13)),  # fringe
        ((0.385, 0.47, 0.062, 0.045), (0.99, 0.98, 0.96)),  # eyes
        ((0.615, 0.47, 0.062, 0.045), (0.99, 0.98, 0.96)),
        ((0.392, 0.472, 0.031, 0.036), (0.16, 0.32, 0.46)),
        ((0.608, 0.472, 0.031, 0.036), (0.16, 0.32, 0.46)),
        ((0.30, 0.60, 0.055, 0.042), (0.95, 0.62, 0.53)),  # cheeks
        ((0.70, 0.60, 0.055, 0.042), (0.95, 0.62, 0.53)),
    ]
    for (a, b, width, height), colour in shapes:
        picture = _over(picture, _oval(x, y, a, b, width, height, side), colour)
    for a in (0.385, 0.615):  # brows
        arc = (0.012 - (y - (0.405 + 1.6 * (x - a) ** 2)).abs()) * side
        picture = _over(picture, torch.minimum(arc, (0.075 - (x - a).abs()) * side), (0.28, 0.16, 0.12))
    nose = torch.minimum(_oval(x, y, 0.5, 0.565, 0.035, 0.045, side), (y - 0.575) * side)
    picture = _over(picture, nose, (0.83, 0.58, 0.46))
    smile = torch.minimum(_oval(x, y, 0.5, 0.66, 0.125, 0.09, side), (y - 0.665) * side)
    picture = _over(picture, smile, (0.72, 0.25, 0.27))
    return picture.clamp(0, 1) * 2 - 1


def shapes(side: int = 96) -> Tensor:
    """A disc, a square, a triangle and stripes on a pale ground, (3, side, side) in [-1, 1]."""
    x, y = _plane(side)
    picture = torch.tensor([0.96, 0.95, 0.91])[:, None, None].expand(3, side, side)
    disc = _oval(x, y, 0.29, 0.29, 0.19, 0.19, side)
    square = torch.minimum(0.17 - (x - 0.71).abs(), 0.17 - (y - 0.29).abs()) * side
    triangle = torch.minimum((0.9 - y), (y - 0.55 - 1.75 * (x - 0.29).abs()) / 2) * side
    frame = torch.minimum(0.19 - (x - 0.71).abs(), 0.175 - (y - 0.725).abs()) * side
    for inside, colour in [
        (disc, (0.85, 0.32, 0.26)),
        (square, (0.18, 0.40, 0.58)),
        (triangle, (0.95, 0.72, 0.22)),
        (torch.minimum(frame, ((x * 26).sin()) * side / 26), (0.25, 0.52, 0.45)),
    ]:
        picture = _over(picture, inside, colour)
    return picture.clamp(0, 1) * 2 - 1


def sample_pictures(side: int = 96) -> dict[str, Tensor]:
    """The pictures a reader finds on the shelf: name → (3, side, side) in [-1, 1]."""
    return {"painting": painting(side), "a day": painting(side, 12), "a face": face(side), "shapes": shapes(side)}
