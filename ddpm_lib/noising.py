"""The two Gaussians of DDPM: adding noise, and the step back when x_0 is known."""

import torch
from torch import Tensor

from .schedules import Schedule


def add_noise(schedule: Schedule, x0: Tensor, t: int | Tensor, eps: Tensor) -> Tensor:
    """A sample of q(x_t | x_0), in one jump: DDPM eq. 4.

    x0, eps: (batch, ...) of one shape; t: an int or a (batch,) integer tensor in 0..T.
    Returns x_t with the shape, dtype and device of x0, whatever the dtype of eps.
    """
    if eps.shape != x0.shape:
        raise ValueError(f"eps must have the shape of x0, {tuple(x0.shape)}, got {tuple(eps.shape)}.")
    eps = eps.to(x0.dtype)
    return schedule.at(schedule.signal_rate, t, x0) * x0 + schedule.at(schedule.noise_rate, t, x0) * eps


def posterior(
    schedule: Schedule, x0: Tensor, xt: Tensor, t: int | Tensor, s: int | Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance of q(x_s | x_t, x_0), the step back when x_0 is known: DDPM eq. 6–7.

    x0, xt: (batch, ...); t: int or (batch,) in 1..T; s: an earlier time, by default t − 1.
    Returns (mean, variance): mean like x0, variance a scalar or (batch, 1, ..., 1).
    At s = 0 the variance is 0 by arithmetic: the last step of a sampler adds no noise.
    """
    abar_t, abar_s, beta = _step_back(schedule, t, t - 1 if s is None else s, xt)
    weight_x0 = abar_s**0.5 * beta / (1 - abar_t)
    weight_xt = (1 - beta) ** 0.5 * (1 - abar_s) / (1 - abar_t)
    mean = _beside(weight_x0, x0) * x0 + _beside(weight_xt, xt) * xt
    return mean, _beside(torch.as_tensor(beta * (1 - abar_s) / (1 - abar_t), dtype=torch.float64), xt)


def step_variance(schedule: Schedule, t: int | Tensor, s: int | Tensor) -> Tensor:
    """Variance that the chain adds on its way from s to t: 1 − alpha_bar_t / alpha_bar_s; beta_t if s = t − 1."""
    if type(t) is int and type(s) is int:
        return schedule.beta[t] if s == t - 1 else 1 - schedule.alpha_bar[t] / schedule.alpha_bar[s]
    t, s = torch.as_tensor(t), torch.as_tensor(s)
    # The table's own beta where it has one: the quotient would lose its last digits.
    return torch.where(s == t - 1, schedule.beta[t], 1 - schedule.alpha_bar[t] / schedule.alpha_bar[s])


def noise_like(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise with the shape, dtype and device of x, drawn where the generator lives."""
    return torch.randn(x.shape, generator=generator, device=home_of(generator, x.device), dtype=x.dtype).to(x.device)


def home_of(generator: torch.Generator | None, otherwise: torch.device | str = "cpu") -> torch.device | str:
    """Where to draw: on the generator's own device, which is the only one it can serve."""
    return otherwise if generator is None else generator.device


def _step_back(schedule: Schedule, t: int | Tensor, s: int | Tensor, like: Tensor):
    """alpha_bar_t, alpha_bar_s and the variance between them, checked: floats for two ints, else float64 tensors.

    Floats are the samplers' way: arithmetic on single numbers is ten times slower in tensors.
    """
    if type(t) is int and type(s) is int and 0 <= s < t <= schedule.T:
        return float(schedule.alpha_bar[t]), float(schedule.alpha_bar[s]), float(step_variance(schedule, t, s))
    t = schedule.check_times(t, like)
    if bool((torch.as_tensor(s) < 0).any()) or bool(((s := schedule.check_times(s, like)) >= t).any()):
        raise ValueError("the posterior steps back in time: it needs t in 1..T and an s in 0..t−1.")
    return schedule.alpha_bar[t], schedule.alpha_bar[s], step_variance(schedule, t, s)


def _beside(values: Tensor | float, like: Tensor) -> Tensor | float:
    """float64 coefficients, a float, () or (batch,), shaped and cast to multiply `like`."""
    if not like.is_floating_point():
        raise TypeError(f"the posterior is of floats, got {like.dtype}; for bytes 0..255 use x.float() / 127.5 − 1.")
    if isinstance(values, float):
        return values
    if values.ndim == 1:
        values = values.reshape(-1, *[1] * (like.ndim - 1))
    return values.to(like.device, like.dtype)
