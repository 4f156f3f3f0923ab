"""How much signal and how much noise a sample holds at each time t = 0 … T.

Time 0 is clean data, time T is (almost) pure noise. Every table has T + 1
entries, so the index is the paper's t, and index 0 is the clean data itself.
Tables are float64 on the CPU: in float32 the weight beta_1 / (1 − alpha_bar_1),
which is exactly 1, comes out as 0.99983. Values are cast last, next to the data.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """The noise schedule q(x_t | x_{t−1}) = N(√(1−β_t) x_{t−1}, β_t I), DDPM eq. 2.

    beta: (T + 1,) variances added at each time, copied; beta[0] = 0, all in [0, 1). The last may be 1: then x_T is
    noise alone (zero terminal SNR, Lin et al. 2024), of which only networks that predict v or x0 can make something.
    """

    beta: Tensor
    name: str = "custom"

    def __post_init__(self):
        # A copy: the caller's own numbers may change, and the tables below are computed once.
        beta = torch.as_tensor(self.beta, dtype=torch.float64, device="cpu").detach().clone()
        if beta.ndim != 1 or len(beta) < 2 or beta[0] != 0:
            raise ValueError(
                f"beta must be one row of T + 1 numbers that starts with 0 (clean data), got shape {tuple(beta.shape)}"
                " — put a 0 before your T betas."
            )
        if not bool(((beta >= 0) & (beta <= 1)).all()) or bool((beta[:-1] == 1).any()):
            raise ValueError(
                f"every beta must lie in [0, 1), and only the last may be 1, got values from {beta.min():.4g} to"
                f" {beta.max():.4g}; with small T use a smaller beta_end."
            )
        object.__setattr__(self, "beta", beta)
        if bool((self.alpha_bar[:-1] == 0).any()):
            gone = int((self.alpha_bar == 0).nonzero()[0])
            raise ValueError(
                f"with these betas nothing is left of the data from t = {gone} on (alpha_bar is 0 in float64), long"
                f" before T = {self.T}; use smaller betas or a smaller T."
            )

    def __repr__(self):
        return f"Schedule({self.name}, T={self.T})"

    @cached_property
    def T(self) -> int:
        return len(self.beta) - 1

    @cached_property
    def alpha(self) -> Tensor:
        """(T + 1,) 1 − beta."""
        return 1 - self.beta

    @cached_property
    def alpha_bar(self) -> Tensor:
        """(T + 1,) running product of alpha: the share of variance that is still data. alpha_bar[0] = 1."""
        return self.alpha.cumprod(0)

    @cached_property
    def signal_rate(self) -> Tensor:
        """(T + 1,) √alpha_bar: what the clean data is multiplied by."""
        return self.alpha_bar.sqrt()

    @cached_property
    def noise_rate(self) -> Tensor:
        """(T + 1,) √(1 − alpha_bar): what the noise is multiplied by."""
        return (1 - self.alpha_bar).sqrt()

    @cached_property
    def sigma(self) -> Tensor:
        """(T + 1,) noise_rate / signal_rate: EDM's noise level, from 0 upwards."""
        return self.noise_rate / self.signal_rate

    @cached_property
    def snr(self) -> Tensor:
        """(T + 1,) alpha_bar / (1 − alpha_bar); infinite at t = 0."""
        return self.alpha_bar / (1 - self.alpha_bar)

    @cached_property
    def log_snr(self) -> Tensor:
        """(T + 1,) natural logarithm of snr; infinite at t = 0."""
        return self.snr.log()

    @cached_property
    def ends_in_pure_noise(self) -> bool:
        """Whether alpha_bar is 0 at T (zero terminal SNR)."""
        return bool(self.alpha_bar[-1] == 0)

    def at(self, table: Tensor, t: int | Tensor, like: Tensor) -> Tensor:
        """table[t], shaped to multiply a batch and cast to its dtype and device.

        table: (T + 1,); t: an int or a (batch,) integer tensor in 0..T; like: (batch, ...), floats.
        Returns a scalar tensor for an int, (batch, 1, ..., 1) otherwise.
        """
        if not like.is_floating_point():
            raise TypeError(f"{like.dtype} cannot hold a rate between 0 and 1; for bytes use x.float() / 127.5 − 1.")
        if table.shape != self.beta.shape:
            raise ValueError(f"a table has T + 1 = {self.T + 1} numbers, one per t = 0..T, got {tuple(table.shape)}.")
        values = table[self.check_times(t, like)]
        if values.ndim == 1:
            values = values.reshape(-1, *[1] * (like.ndim - 1))
        return values.to(like.device, like.dtype, non_blocking=True)

    def rates(self, t: int | Tensor, like: Tensor) -> tuple[float, float] | tuple[Tensor, Tensor]:
        """(signal_rate, noise_rate) at t, to multiply a batch: two floats for an int, else as `at` gives them."""
        if type(t) is int and 0 <= t <= self.T:
            return self._rates[t]
        return self.at(self.signal_rate, t, like), self.at(self.noise_rate, t, like)

    @cached_property
    def _rates(self) -> list[tuple[float, float]]:
        return list(zip(self.signal_rate.tolist(), self.noise_rate.tolist()))

    def check_times(self, t: int | Tensor, like: Tensor | None = None) -> Tensor:
        """t as an integer tensor on the CPU; a clear error if it is no time of this schedule."""
        t = torch.as_tensor(t, device="cpu")
        if t.is_floating_point() or t.is_complex() or t.dtype == torch.bool:
            raise TypeError(f"t counts steps, so it must be an integer, got {t.dtype}; use t.long().")
        t = t.long()
        if t.ndim > 1 or (t.ndim == 1 and like is not None and len(t) != len(like)):
            expected = "one number" if like is None else f"one number or {len(like)} of them, one per sample"
            raise ValueError(f"t must be {expected}, got shape {tuple(t.shape)}.")
        if t.numel() and not (0 <= int(t.min()) and int(t.max()) <= self.T):
            raise ValueError(f"t must lie in 0..{self.T} (0 is clean data), got {int(t.min())}..{int(t.max())}.")
        return t

    def even_times(self, num_steps: int) -> list[int]:
        """num_steps + 1 decreasing times, evenly spaced in t: T first, 0 last (diffusers' spacing "trailing")."""
        grid = torch.linspace(self.T, 0, self._check_steps(num_steps) + 1, dtype=torch.float64)
        return grid.round().long().tolist()

    def karras_times(self, num_steps: int, rho: float = 7.0) -> list[int]:
        """num_steps + 1 decreasing times on EDM's grid (Karras et al. 2022, eq. 5): even in sigma^(1/rho)."""
        return self._snap(self.sigma[1:].pow(1 / rho), self._check_steps(num_steps))

    def logsnr_times(self, num_steps: int) -> list[int]:
        """num_steps + 1 decreasing times, evenly spaced in log-SNR down to t = 1, then 0."""
        return self._snap(self.log_snr[1:], self._check_steps(num_steps))

    def _check_steps(self, num_steps: int) -> int:
        if not 1 <= num_steps <= self.T:
            raise ValueError(f"the number of steps must lie in 1..{self.T} (T of this schedule), got {num_steps}.")
        return num_steps

    def _snap(self, level: Tensor, n: int) -> list[int]:
        """The n times whose level (one per t = 1..T, monotone) is nearest to an even grid, then 0.

        Whole times are coarse near t = 0, where two grid points may meet in one time:
        they are pushed apart so that n steps stay n different steps.
        """
        # T is always the first. Where its level is infinite (no signal is left), the even grid begins below it.
        finite = level[level.isfinite()]
        apart = int(len(finite) < len(level))
        times, grid = [self.T], []
        if n > apart:
            wanted = torch.linspace(float(finite[-1]), float(finite[0]), n - apart, dtype=torch.float64)
            grid = ((finite[None, :] - wanted[:, None]).abs().argmin(1) + 1).tolist()
        for t in grid[1 - apart :]:
            times.append(max(min(t, times[-1] - 1), n - len(times)))
        return times + [0]


def linear_schedule(T: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> Schedule:
    """DDPM's schedule (Ho et al. 2020, section 4): beta rises linearly.

    These betas belong to T = 1000. With a smaller T signal is left at the end
    (36 % of the amplitude at T = 200); multiply both betas by 1000 / T.
    """
    beta = torch.linspace(beta_start, beta_end, _check_T(T), dtype=torch.float64)
    return Schedule(_with_clean_start(beta), "linear")


def scaled_linear_schedule(T: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012) -> Schedule:
    """Stable Diffusion's schedule (Rombach et al. 2022): √beta rises linearly; 7 % of the amplitude is left at T."""
    root = torch.linspace(math.sqrt(beta_start), math.sqrt(beta_end), _check_T(T), dtype=torch.float64)
    return Schedule(_with_clean_start(root**2), "scaled-linear")


def cosine_schedule(T: int = 1000, offset: float = 0.008, max_beta: float = 0.999) -> Schedule:
    """Improved DDPM's schedule (Nichol & Dhariwal 2021, eq. 17): alpha_bar follows a squared cosine.

    max_beta caps the last steps, where the ratio of two tiny numbers would reach 1.
    """
    t = torch.arange(_check_T(T) + 1, dtype=torch.float64) / T
    alpha_bar = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    beta = (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta)
    return Schedule(_with_clean_start(beta), "cosine")


def _check_T(T: int) -> int:
    if T < 1:
        raise ValueError(f"T, the number of noising steps, must be at least 1, got {T}.")
    return T


def _with_clean_start(beta: Tensor) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.float64), beta])
