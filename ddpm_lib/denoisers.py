"""One view of every model: given x_t and t, guess the clean data and the noise.

Whatever a network was trained to predict (the noise, the data or v), the samplers
see only a denoiser: a callable with a `schedule`, denoise(xt, t) -> Guess(x0, eps).
Clipping and guidance (guidance.py) wrap one denoiser into another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .schedules import Schedule


class Guess(NamedTuple):
    """What a denoiser says of x_t: two views of one guess, x_t = signal_rate · x0 + noise_rate · eps."""

    x0: Tensor
    eps: Tensor


def guess_from(predicts: str, output: Tensor, schedule: Schedule, xt: Tensor, t: int | Tensor) -> Guess:
    """Both views from the one that a network gave. predicts: "eps", "x0" or "v"; output, xt: (batch, ...).

    v = signal_rate · eps − noise_rate · x0 (Salimans & Ho 2022, appendix D), so that
    x0 = signal_rate · x_t − noise_rate · v and eps = noise_rate · x_t + signal_rate · v.
    """
    signal, noise = schedule.rates(t, xt)
    if predicts == "eps":
        return Guess(x0=(xt - noise * output) / signal, eps=output)
    if predicts == "x0":
        return Guess(x0=output, eps=(xt - signal * output) / noise)
    if predicts == "v":
        return Guess(x0=signal * xt - noise * output, eps=noise * xt + signal * output)
    raise ValueError(_unknown(predicts))


def target_for(predicts: str, schedule: Schedule, x0: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
    """What a network that predicts "eps", "x0" or "v" should say; the inverse of guess_from."""
    if predicts == "eps":
        return eps
    if predicts == "x0":
        return x0
    if predicts == "v":
        return schedule.at(schedule.signal_rate, t, x0) * eps - schedule.at(schedule.noise_rate, t, x0) * x0
    raise ValueError(_unknown(predicts))


def predicts_of(model: Callable) -> str:
    """What a network says of itself, model.predicts, through what it may be wrapped in; "eps" if it says nothing."""
    return getattr(getattr(model, "module", model), "predicts", "eps")


def _unknown(predicts) -> str:
    return f'predicts must be "eps" (the noise), "x0" (the clean data) or "v", got {predicts!r}.'


class Denoiser:
    """A network seen as a denoiser.

    model: a network, model(xt, t) with t a (batch,) tensor, or model(xt, t, label) if a label is given;
    predicts: what it was trained to say, "eps", "x0" or "v"; None asks the model itself (predicts_of);
    label: (batch,) or (batch, attributes) integers for a conditional network.
    """

    def __init__(self, model: Callable, schedule: Schedule, predicts: str | None = None, label: Tensor | None = None):
        predicts = predicts or predicts_of(model)
        if predicts not in ("eps", "x0", "v"):
            raise ValueError(_unknown(predicts))
        self.model, self.schedule, self.predicts, self.label = model, schedule, predicts, label

    def __call__(self, xt: Tensor, t: int | Tensor) -> Guess:
        """xt: (batch, ...), t: an int or (batch,) in 1..T. At t = 0 there is nothing left to guess."""
        if type(t) is int and 1 <= t <= self.schedule.T:
            times = torch.full((len(xt),), t, device=xt.device)
        else:
            times = check_noisy(self.schedule, t, xt).to(xt.device).expand(len(xt))
        output = self.model(xt, times) if self.label is None else self.model(xt, times, self.label)
        return guess_from(self.predicts, output, self.schedule, xt, t)


class GaussianMixture:
    """A known data distribution: Σ_k weight_k N(mean_k, std_k² I), with everything about it in closed form.

    means: (K, ...); std: a number or (K,); weights: (K,) or None for even ones.
    """

    def __init__(self, means: Tensor, std: float | Tensor = 0.0, weights: Tensor | None = None):
        self.means = torch.as_tensor(means)
        K = len(self.means)
        self.std = torch.as_tensor(std, dtype=torch.float64).expand(K)
        weights = torch.ones(K) if weights is None else torch.as_tensor(weights)
        if weights.shape != (K,) or bool((weights < 0).any()) or float(weights.sum()) <= 0:
            raise ValueError(f"weights must be {K} numbers ≥ 0, one per component, got shape {tuple(weights.shape)}.")
        self.weights = weights.double() / weights.sum()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(n, ...) independent samples."""
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn((n, *self.means.shape[1:]), generator=generator, dtype=self.means.dtype)
        return self.means[k] + self.std[k].to(noise).reshape(n, *[1] * (noise.ndim - 1)) * noise

    def at(self, schedule: Schedule, t: int) -> "GaussianMixture":
        """The marginal q(x_t): again a mixture, its means shrunk and its variances grown."""
        signal, noise = schedule.signal_rate[t], schedule.noise_rate[t]
        std = (signal**2 * self.std**2 + noise**2).sqrt()
        return GaussianMixture(self.means * signal.to(self.means), std, self.weights)

    def log_density(self, x: Tensor) -> Tensor:
        """(batch,) log p(x) in nats, for components of positive std."""
        log_joint, dims = self._log_joint(x), self.means[0].numel()
        return torch.logsumexp(log_joint, 1) - 0.5 * dims * torch.log(torch.tensor(2 * torch.pi, dtype=torch.float64))

    def _log_joint(self, x: Tensor) -> Tensor:
        """(batch, K) log of weight_k N(x; mean_k, std_k²), without the factor of 2π; float64."""
        x, means = x.double().flatten(1), self.means.to(x.device).double().flatten(1)
        std, weights = self.std.to(x.device), self.weights.to(x.device)
        # cdist by differences: the matrix-product short cut loses what a tiny std needs.
        distance = torch.cdist(x, means, compute_mode="donot_use_mm_for_euclid_dist")
        return weights.log() - x.shape[1] * std.log() - 0.5 * (distance / std) ** 2


class ExactDenoiser:
    """The best possible denoiser, E[x_0 | x_t], for data that is known: no network, no training.

    data: a GaussianMixture, or (N, ...) points each as likely as the other (a mixture of N spikes).
    """

    def __init__(self, data: GaussianMixture | Tensor, schedule: Schedule):
        self.data = data if isinstance(data, GaussianMixture) else GaussianMixture(data)
        self.schedule = schedule

    def responsibilities(self, xt: Tensor, t: int) -> Tensor:
        """(batch, K) how likely each component is to have given x_t; rows sum to 1."""
        return torch.softmax(self.data.at(self.schedule, t)._log_joint(xt), 1)

    def __call__(self, xt: Tensor, t: int | Tensor) -> Guess:
        """xt: (batch, ...), t: an int or (batch,) in 1..T."""
        t = check_noisy(self.schedule, t, xt)
        if t.ndim == 1 and t.unique().numel() > 1:
            parts = [self(x[None], time) for x, time in zip(xt, t)]
            return Guess(*(torch.cat(views) for views in zip(*parts)))
        time = int(t.reshape(-1)[0])
        a, sigma2 = self.schedule.signal_rate[time], self.schedule.noise_rate[time] ** 2
        share = self.responsibilities(xt, time)
        # E[x_0 | x_t, k] = mean_k + gain_k (x_t − a mean_k): the Gaussian's posterior mean.
        gain = (a * self.data.std**2 / (a**2 * self.data.std**2 + sigma2)).to(xt.device)
        means = self.data.means.to(xt.device).double().flatten(1)
        x0 = (share * (1 - a * gain)) @ means + (share @ gain)[:, None] * xt.double().flatten(1)
        return guess_from("x0", x0.reshape(xt.shape).to(xt.dtype), self.schedule, xt, time)


@dataclass(frozen=True)
class _Clipped:
    denoise: Callable
    low: float
    high: float

    @property
    def schedule(self) -> Schedule:
        return self.denoise.schedule

    def __call__(self, xt: Tensor, t: int | Tensor) -> Guess:
        x0 = self.denoise(xt, t).x0.clamp(self.low, self.high)
        # The noise is told again from the clipped data: the two views must stay one guess.
        return guess_from("x0", x0, self.schedule, xt, t)


def clip(denoise: Callable, low: float = -1.0, high: float = 1.0) -> Callable:
    """A denoiser whose x0 stays within [low, high]: in DDPM's code, not in its paper. Not for latents."""
    return _Clipped(denoise, low, high)


def score(denoise: Callable, xt: Tensor, t: int | Tensor) -> Tensor:
    """∇ log q(x_t) = −eps / noise_rate, the direction of rising density (Song et al. 2021, section 3)."""
    return -denoise(xt, t).eps / denoise.schedule.at(denoise.schedule.noise_rate, t, xt)


def check_noisy(schedule: Schedule, t: int | Tensor, xt: Tensor) -> Tensor:
    """t as checked times in 1..T."""
    t = schedule.check_times(t, xt)
    if t.numel() and int(t.min()) < 1:
        raise ValueError(f"a denoiser needs noise to remove: t must lie in 1..{schedule.T}, got 0 (clean data).")
    return t
