"""Stacked digits: a thousand classes out of ten, one digit in each colour channel."""

import torch
from torch import Tensor


def stack_digits(
    images: Tensor, labels: Tensor, count: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """(count, 3, side, side) images of three random digits, one a channel, and their numbers 0..999, (count,).

    images: (N, 1, side, side), labels: (N,) of 0..9. Whoever drops digits is found out here: a share p of the digits
    leaves p³ of the thousand (Metz et al. 2017, section 3.3.1; Lin et al. 2018, PacGAN).
    """
    chosen = torch.randint(len(images), (count, 3), generator=generator)
    hundreds, tens, ones = labels[chosen].unbind(1)
    return images[chosen, 0], 100 * hundreds + 10 * tens + ones
