"""One view of every model: given x_t and t, guess the clean data and the noise.

Whatever a network was trained to predict (the noise, the data or v), the samplers
see only a denoiser: a callable with a `schedule`, denoise(xt, t) -> Guess(x0, eps).
Clipping and guidance (guidance.py) wrap one denoiser into another.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from .predictions import ask, named, predicts_of
from .schedules import Schedule


class Guess(NamedTuple):
    """What a denoiser says of x_t: two views of one guess, x_t = signal_rate · x0 + noise_rate · eps."""

    x0: Tensor
    eps: Tensor


class AnyDenoiser(Protocol):
    """Whatever guesses: Denoiser, ExactDenoiser, clip(…), guide(…), or a function of yours with a `schedule` on it."""

    @property
    def schedule(self) -> Schedule: ...

    def __call__(self, xt: Tensor, t: int | Tensor) -> Guess: ...


def guess_from(predicts: str, output: Tensor, schedule: Schedule, xt: Tensor, t: int | Tensor) -> Guess:
    """Both views from the one that a network gave. predicts: "eps", "x0" or "v"; output, xt: (batch, ...).

    v = signal_rate · eps − noise_rate · x0 (Salimans & Ho 2022, appendix D), so that
    x0 = signal_rate · x_t − noise_rate · v and eps = noise_rate · x_t + signal_rate · v.
    At a time without any signal (beta = 1 at T) eps says nothing of the data: ValueError.
    """
    signal, noise = schedule.rates(t, xt)
    predicts = named(predicts)
    if predicts == "eps":
        if schedule.ends_in_pure_noise and bool((schedule.check_times(t) == schedule.T).any()):
            raise ValueError(
                f"at t = {schedule.T} this schedule leaves no signal, so a noise predictor says nothing of the data"
                f' there: sample with a network that predicts "v" or "x0", or from t = {schedule.T - 1} downwards.'
            )
        return Guess(x0=(xt - noise * output) / signal, eps=output)
    if predicts == "x0":
        return Guess(x0=output, eps=(xt - signal * output) / noise)
    return Guess(x0=signal * xt - noise * output, eps=noise * xt + signal * output)


def target_for(predicts: str, schedule: Schedule, x0: Tensor, eps: Tensor, t: int | Tensor) -> Tensor:
    """What a network that predicts "eps", "x0" or "v" should say; the inverse of guess_from."""
    predicts = named(predicts)
    if predicts == "eps":
        return eps
    if predicts == "x0":
        return x0
    return schedule.at(schedule.signal_rate, t, x0) * eps - schedule.at(schedule.noise_rate, t, x0) * x0


class Denoiser:
    """A network seen as a denoiser.

    model: a network, model(xt, t) with t a (batch,) tensor of times 1..T, or model(xt, t, label) if a label is given.
    It returns a tensor like xt, or an object with such a tensor as `.sample`, as diffusers' networks do; those count
    times from 0, so that one trained there is lambda xt, t: unet(xt, t − 1).
    predicts: what it was trained to say, "eps", "x0" or "v" (or diffusers' "epsilon", "sample", "v_prediction");
    None asks the model itself (predicts_of). label: (batch,) or (batch, attributes) integers for a conditional
    network, checked here, once, if the network has `check_label`.
    """

    def __init__(self, model: Callable, schedule: Schedule, predicts: str | None = None, label: Tensor | None = None):
        self.predicts = predicts_of(model) if predicts is None else named(predicts)
        self.model, self.schedule, self.label = model, schedule, label
        if label is not None and (check := getattr(getattr(model, "module", model), "check_label", None)):
            check(label)

    def __call__(self, xt: Tensor, t: int | Tensor) -> Guess:
        """xt: (batch, ...), t: an int or (batch,) in 1..T. At t = 0 there is nothing left to guess."""
        if type(t) is int and 1 <= t <= self.schedule.T:
            times = torch.full((len(xt),), t, device=xt.device)
        else:
            times = check_noisy(self.schedule, t, xt).to(xt.device).expand(len(xt))
        return guess_from(self.predicts, ask(self.model, xt, times, self.label), self.schedule, xt, t)


def as_denoiser(
    model: Callable, schedule: Schedule, predicts: str | None = None, label: Tensor | None = None
) -> AnyDenoiser:
    """A denoiser of this schedule as it is; a network as Denoiser(model, schedule, predicts, label).

    Every nn.Module counts as a network, also one that keeps a `schedule` of its own.
    """
    if isinstance(model, nn.Module) or not isinstance(getattr(model, "schedule", None), Schedule):
        return Denoiser(model, schedule, predicts, label)
    check_schedule(model, schedule)
    return model


def check_schedule(denoise: AnyDenoiser, schedule: Schedule) -> None:
    """ValueError if a denoiser is made for another schedule; a plain function without one is taken at its word."""
    own = getattr(denoise, "schedule", None)
    if not isinstance(own, Schedule):
        if isinstance(denoise, nn.Module):
            raise TypeError("this is a network, not yet a denoiser: give Denoiser(model, schedule).")
    elif own is not schedule and not own.beta.equal(schedule.beta):
        raise ValueError(
            f"denoisers and samplers must share one schedule, got a denoiser of {own} beside {schedule};"
            " give both the same: sample_ddim(denoise, denoise.schedule, …)."
        )


class GaussianMixture:
    """A known data distribution: Σ_k weight_k N(mean_k, std_k² I), with everything about it in closed form.

    means: (K, ...), whole numbers become floats; std: a number or (K,), 0 or more; weights: (K,) or None for even ones.
    """

    def __init__(self, means: Tensor, std: float | Tensor = 0.0, weights: Tensor | None = None):
        means = torch.as_tensor(means)
        self.means = means if means.is_floating_point() else means.to(torch.get_default_dtype())
        K = len(self.means)
        std = torch.as_tensor(std, dtype=torch.float64, device="cpu")
        if std.shape not in ((), (1,), (K,)) or not bool((std >= 0).all()):
            raise ValueError(f"std must be one number ≥ 0, or {K} of them, one per component, got {std.tolist()}.")
        self.std = std.expand(K)
        weights = torch.ones(K) if weights is None else torch.as_tensor(weights, device="cpu")
        if weights.shape != (K,) or bool((weights < 0).any()) or float(weights.sum()) <= 0:
            raise ValueError(f"weights must be {K} numbers ≥ 0, one per component, got shape {tuple(weights.shape)}.")
        self.weights = weights.double() / weights.sum()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(n, ...) independent samples, where the means are; drawn where the generator lives."""
        means, where = self.means, torch.device("cpu") if generator is None else generator.device
        # In float32 on a GPU: Apple's has no float64.
        weights = self.weights if where.type == "cpu" else self.weights.float().to(where)
        k = torch.multinomial(weights, n, replacement=True, generator=generator).cpu()
        noise = torch.randn((n, *means.shape[1:]), generator=generator, device=where, dtype=means.dtype)
        std = self.std[k].to(means.dtype).to(means.device)
        return means[k.to(means.device)] + std.reshape(n, *[1] * (noise.ndim - 1)) * noise.to(means.device)

    def at(self, schedule: Schedule, t: int) -> "GaussianMixture":
        """The marginal q(x_t), t an int in 0..T: again a mixture, its means shrunk and its variances grown."""
        if (t := schedule.check_times(t)).ndim:
            raise ValueError(f"a marginal is of one time, got t of shape {tuple(t.shape)}.")
        signal, noise = schedule.signal_rate[t], schedule.noise_rate[t]
        std = (signal**2 * self.std**2 + noise**2).sqrt()
        return GaussianMixture(self.means * float(signal), std, self.weights)

    def log_density(self, x: Tensor) -> Tensor:
        """(batch,) log p(x) in nats, float64. Spikes, of std 0, have no density: ValueError."""
        if bool((self.std == 0).any()):
            raise ValueError("components of std 0 have no density; give them a std, or ask at a time t ≥ 1.")
        log_joint, dims = self._log_joint(x), self.means[0].numel()
        return torch.logsumexp(log_joint, 1) - 0.5 * dims * math.log(2 * math.pi)

    def _log_joint(self, x: Tensor) -> Tensor:
        """(batch, K) log of weight_k N(x; mean_k, std_k²), without the factor of 2π; float64."""
        x = in_float64(x).flatten(1)
        means, std, weights = in_float64(self.means).to(x.device).flatten(1), self.std.to(x.device), self.weights
        # cdist by differences: the matrix-product short cut loses what a tiny std needs.
        distance = torch.cdist(x, means, compute_mode="donot_use_mm_for_euclid_dist")
        return weights.to(x.device).log() - x.shape[1] * std.log() - 0.5 * (distance / std) ** 2


class ExactDenoiser:
    """The best possible denoiser, E[x_0 | x_t], for data that is known: no network, no training.

    data: a GaussianMixture, or (N, ...) points each as likely as the other (a mixture of N spikes). Its sums are
    float64; where the device has none (Apple's MPS) they are taken on the CPU.
    """

    def __init__(self, data: GaussianMixture | Tensor, schedule: Schedule):
        self.data = data if isinstance(data, GaussianMixture) else GaussianMixture(data)
        self.schedule = schedule

    def responsibilities(self, xt: Tensor, t: int) -> Tensor:
        """(batch, K) how likely each component is to have given x_t, float64; rows sum to 1."""
        return torch.softmax(self.data.at(self.schedule, t)._log_joint(xt), 1)

    def __call__(self, xt: Tensor, t: int | Tensor) -> Guess:
        """xt: (batch, ...), t: an int or (batch,) in 1..T."""
        t = check_noisy(self.schedule, t, xt)
        if len(xt) == 0:
            return Guess(xt.clone(), xt.clone())
        if t.ndim == 1 and t.unique().numel() > 1:
            parts = [self(x[None], time) for x, time in zip(xt, t)]
            return Guess(*(torch.cat(views) for views in zip(*parts)))
        time = int(t.reshape(-1)[0])
        a, sigma2 = self.schedule.signal_rate[time], self.schedule.noise_rate[time] ** 2
        share, wide = self.responsibilities(xt, time), in_float64(xt)
        # E[x_0 | x_t, k] = mean_k + gain_k (x_t − a mean_k): the Gaussian's posterior mean.
        gain = (a * self.data.std**2 / (a**2 * self.data.std**2 + sigma2)).to(wide.device)
        means = in_float64(self.data.means).to(wide.device).flatten(1)
        x0 = (share * (1 - float(a) * gain)) @ means + (share @ gain)[:, None] * wide.flatten(1)
        # Both views in float64, rounded last: near t = 0 a rounded x0 would leave little of eps.
        return Guess(*(view.to(xt) for view in guess_from("x0", x0.reshape(xt.shape), self.schedule, wide, time)))


@dataclass(frozen=True)
class _Clipped:
    denoise: AnyDenoiser
    low: float
    high: float

    @property
    def schedule(self) -> Schedule:
        return self.denoise.schedule

    def __call__(self, xt: Tensor, t: int | Tensor) -> Guess:
        x0 = self.denoise(xt, t).x0.clamp(self.low, self.high)
        # The noise is told again from the clipped data: the two views must stay one guess.
        return guess_from("x0", x0, self.schedule, xt, t)


def clip(denoise: AnyDenoiser, low: float = -1.0, high: float = 1.0) -> AnyDenoiser:
    """A denoiser whose x0 stays within [low, high]: in DDPM's code, not in its paper. Not for latents."""
    return _Clipped(denoise, low, high)


def score(denoise: AnyDenoiser, xt: Tensor, t: int | Tensor) -> Tensor:
    """∇ log q(x_t) = −eps / noise_rate, the direction of rising density (Song et al. 2021, section 3)."""
    return -denoise(xt, t).eps / denoise.schedule.at(denoise.schedule.noise_rate, t, xt)


def check_noisy(schedule: Schedule, t: int | Tensor, xt: Tensor) -> Tensor:
    """t as checked times in 1..T."""
    t = schedule.check_times(t, xt)
    if t.numel() and int(t.min()) < 1:
        raise ValueError(f"a denoiser needs noise to remove: t must lie in 1..{schedule.T}, got 0 (clean data).")
    return t


def in_float64(x: Tensor) -> Tensor:
    """x in float64, where it is; on the CPU if its device has no float64, as Apple's MPS."""
    return x.double() if x.device.type != "mps" else x.cpu().double()
