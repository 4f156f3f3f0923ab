"""What training minimises: the noise-prediction loss of DDPM, its weighted cousins, and the bound they come from."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .denoisers import AnyDenoiser, check_schedule, target_for
from .noising import add_noise, home_of, noise_like, posterior, step_variance
from .predictions import ask, predicts_of
from .schedules import Schedule


def simple_loss(
    model: Callable,
    schedule: Schedule,
    x0: Tensor,
    *,
    label: Tensor | None = None,
    t: int | Tensor | None = None,
    eps: Tensor | None = None,
    predicts: str | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean squared error of the model's guess at a random time: L_simple, DDPM eq. 14 and Algorithm 1.

    model: called as model(xt, t) or, with a label, model(xt, t, label), where t is (batch,) integers; it returns a
    tensor like xt (or has one in .sample). x0: (batch, ...) floats, clean data of about unit size: images in [−1, 1],
    else ValueError. label: what the model takes for one, (batch,) integers for this library's; t: (batch,) integers
    in 1..T, or one for all, drawn evenly if None; eps: noise like x0, drawn if None; predicts: "eps", "x0" or "v",
    None asks the model (predicts_of). Returns a scalar, in float32 at least. Nothing here divides by the number of
    devices or looks at model.training: put the model in train() yourself.
    """
    return weighted_loss(model, schedule, x0, None, label=label, t=t, eps=eps, predicts=predicts, generator=generator)


def weighted_loss(
    model: Callable,
    schedule: Schedule,
    x0: Tensor,
    weight: Tensor | None,
    *,
    label: Tensor | None = None,
    t: int | Tensor | None = None,
    eps: Tensor | None = None,
    predicts: str | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """As simple_loss, each sample multiplied by weight[t]. weight: (T + 1,), or None for 1 everywhere."""
    # One sample tells bytes from [−1, 1]. To look at all, or on a GPU at any, would hold up every step.
    check_data(x0[:1] if x0.device.type == "cpu" else x0[:0])
    if t is None:
        # On the CPU: the tables live there, and one seed then gives the same times on every device.
        t = torch.randint(1, schedule.T + 1, (len(x0),), generator=generator, device=home_of(generator))
    if eps is None:
        eps = noise_like(x0, generator)
    xt = add_noise(schedule, x0, t, eps)
    times = torch.as_tensor(t, device=x0.device).expand(len(x0))
    guess = ask(model, xt, times, label)
    target = target_for(predicts or predicts_of(model), schedule, x0, eps, t)
    wide = torch.promote_types(torch.promote_types(guess.dtype, target.dtype), torch.float32)
    error = (guess.to(wide) - target.to(wide)).square()
    if weight is not None:
        error = error * schedule.at(weight, t, error)
    return error.mean()


def bound_weight(schedule: Schedule) -> Tensor:
    """(T + 1,) weight of ‖ε − ε_θ‖² in the variational bound, σ_t² = β_t: DDPM eq. 12, β_t / (2 α_t (1 − ᾱ_t)).

    Infinite at T if no signal is left there: noise then says nothing of the data.
    """
    weight = torch.zeros_like(schedule.beta)
    weight[1:] = schedule.beta[1:] / (2 * schedule.alpha[1:] * (1 - schedule.alpha_bar[1:]))
    return weight


def min_snr_weight(schedule: Schedule, gamma: float = 5.0) -> Tensor:
    """(T + 1,) min(SNR, γ) / SNR, the min-SNR-γ weight for noise prediction (Hang et al. 2023, eq. 7)."""
    return torch.minimum(torch.ones_like(schedule.snr), gamma / schedule.snr)


def loss_by_time(
    model: Callable,
    schedule: Schedule,
    x0: Tensor,
    times: Sequence[int],
    *,
    label: Tensor | None = None,
    predicts: str | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """simple_loss at each of the given times 1..T, over all of x0 at once, without gradients. Returns (len(times),)."""
    with torch.no_grad():
        losses = [
            simple_loss(
                model, schedule, x0, label=label, t=torch.full((len(x0),), t), predicts=predicts, generator=generator
            )
            for t in times
        ]
    return torch.stack(losses)


@torch.no_grad()
def bits_per_dim(
    denoise: AnyDenoiser,
    schedule: Schedule,
    x0: Tensor,
    *,
    variance: str = "beta",
    bins: int | None = 256,
    num_times: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Upper bound on −log₂ p(x_0) per dimension: L_T + Σ L_{t−1} + L_0, DDPM eq. 5 and 13.

    denoise: of this schedule; x0: (batch, ...), for bins=256 the pixels 2 k/255 − 1; variance: "beta" or
    "posterior", the σ_t² of the reverse steps; bins: grey levels of the last step, None for continuous data (then
    the result is a density's, and may be negative); num_times: terms L_{t−1} drawn at random (an unbiased
    estimate), all T − 1 if None. Returns (batch,) bits. The denoiser is asked in the dtype of x0, the sum is taken
    in float32, or in float64 for such x0.
    """
    check_data(x0)
    check_schedule(denoise, schedule)
    reverse_variance(schedule, 1, variance)
    if bins is not None and bins < 2 or num_times is not None and num_times < 1:
        raise ValueError(f"bins must be 2 or more, num_times 1 or more, or None, got {bins} and {num_times}.")
    narrow, x0 = x0.dtype, x0.to(torch.promote_types(x0.dtype, torch.float32))
    dims = tuple(range(1, x0.ndim))
    nats = normal_kl(schedule.signal_rate[-1] * x0, 1 - schedule.alpha_bar[-1], 0.0, torch.ones(())).sum(dims)
    times = torch.arange(2, schedule.T + 1)
    share = 1.0
    if num_times is not None and num_times < len(times):
        share = len(times) / num_times
        drawn = torch.randperm(len(times), generator=generator, device=home_of(generator))
        times = times[drawn[:num_times].cpu()]
    for t in times.tolist():
        xt = add_noise(schedule, x0, t, noise_like(x0, generator))
        true_mean, true_var = posterior(schedule, x0, xt, t)
        mean, _ = posterior(schedule, denoise(xt.to(narrow), t).x0.to(x0), xt, t)
        var = reverse_variance(schedule, t, variance).to(x0)
        nats += share * normal_kl(true_mean, true_var, mean, var).sum(dims)
    x1 = add_noise(schedule, x0, 1, noise_like(x0, generator))
    nats += pixel_nats(
        x0, denoise(x1.to(narrow), 1).x0.to(x0), reverse_variance(schedule, 1, variance).to(x0), bins
    ).sum(dims)
    return nats / (math.log(2) * x0[0].numel())


def normal_kl(mean1: Tensor | float, var1: Tensor | float, mean2: Tensor | float, var2: Tensor | float) -> Tensor:
    """KL(N(mean1, var1) ‖ N(mean2, var2)) of one-dimensional Gaussians, elementwise, in nats."""
    var1, var2 = torch.as_tensor(var1), torch.as_tensor(var2)
    return 0.5 * ((var1 / var2) - 1 - (var1 / var2).log() + (mean1 - mean2) ** 2 / var2)


def reverse_variance(schedule: Schedule, t: int, variance: str) -> Tensor:
    """() σ_t² of the reverse step from t to t − 1, float64: "beta" is β_t, "posterior" β̃_t (DDPM section 3.2).

    At t = 1 β̃ is 0, no density at all; β̃_2 stands in (improved DDPM, section 3.1), or β_1 where T = 1.
    """
    if variance not in ("beta", "posterior"):
        raise ValueError(f'variance must be "beta" or "posterior", got {variance!r}.')
    if variance == "beta" or schedule.T == 1:
        return step_variance(schedule, t, t - 1)
    t = max(t, 2)
    abar = schedule.alpha_bar
    return schedule.beta[t] * (1 - abar[t - 1]) / (1 - abar[t])


def pixel_nats(x0: Tensor, mean: Tensor, var: Tensor, bins: int | None) -> Tensor:
    """−log p(x_0 | x_1): a Gaussian, over grey levels integrated from edge to edge of each (DDPM eq. 13).

    x0, mean: (batch, ...); var: (); bins: grey levels in [−1, 1], None for a density. Returns nats like x0.
    """
    if bins is None:
        return 0.5 * ((x0 - mean) ** 2 / var + math.log(2 * math.pi) + var.log())
    half, std = 1 / (bins - 1), var.sqrt()
    cdf = torch.special.ndtr
    # The outermost levels reach to infinity, so that the probabilities of all levels sum to 1.
    upper = torch.where(x0 > 1 - half, 1.0, cdf((x0 - mean + half) / std))
    lower = torch.where(x0 < -1 + half, 0.0, cdf((x0 - mean - half) / std))
    return -(upper - lower).clamp(min=1e-12).log()


def check_data(x0: Tensor) -> None:
    """Refuse integer images and images far outside [−1, 1]: the schedule is made for data of about unit size.

    Looks at every number of x0, which on a GPU waits for it: the losses look at one sample, train() at one batch.
    """
    if not x0.is_floating_point():
        raise TypeError(f"x0 must be a float tensor, got {x0.dtype}; for bytes 0..255 use x0.float() / 127.5 − 1.")
    if x0.ndim == 4 and x0.numel() and float(x0.detach().abs().max()) > 10:
        raise ValueError(
            f"images must be scaled to about [−1, 1], got values up to {float(x0.detach().abs().max()):.4g};"
            " for bytes 0..255 use x0 / 127.5 − 1."
        )
