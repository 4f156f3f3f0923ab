"""Many samples of a model: in batches, with labels, by any sampler at a given number of network calls."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..denoisers import Denoiser, clip
from ..guidance import guide
from ..samplers import last, sample_ddim, sample_ddpm, sample_dpmpp, sample_heun
from ..schedules import Schedule


@dataclass(frozen=True)
class Setting:
    """How samples are drawn: by which sampler, in how many network calls, and with what switched on."""

    sampler: str
    calls: int
    scale: float = 1.0
    clip: bool = True


def samplers(schedule: Schedule, calls: int) -> dict[str, Callable]:
    """The samplers that are compared, each on the grid that suits it, at one number of network calls.

    Each is a function (denoise, noise, generator) → steps.
    """
    even, logsnr = schedule.even_times(calls), schedule.logsnr_times(calls)
    # Heun calls the network twice a step but once on the last.
    karras = schedule.karras_times(max(1, (calls + 1) // 2))
    return {
        "DDPM, posterior variance": lambda d, z, g: sample_ddpm(d, schedule, z, even, generator=g),
        "DDPM, beta variance": lambda d, z, g: sample_ddpm(d, schedule, z, even, variance="beta", generator=g),
        "DDIM": lambda d, z, g: sample_ddim(d, schedule, z, even),
        "Heun": lambda d, z, g: sample_heun(d, schedule, z, karras),
        "DPM-Solver++(2M)": lambda d, z, g: sample_dpmpp(d, schedule, z, logsnr),
    }


NAMES = ("DDPM, posterior variance", "DDPM, beta variance", "DDIM", "Heun", "DPM-Solver++(2M)")
DETERMINISTIC = NAMES[2:]


def draw(
    model: nn.Module, schedule: Schedule, labels: Tensor | None, noise: Tensor, setting: Setting,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """Samples like noise, within [−1, 1], from this very noise and in one batch. labels: (n,), (n, attributes) or None.

    A scale other than 1 needs a model with labels, and two network calls where there was one.
    """
    denoise = Denoiser(model, schedule, label=labels)
    if setting.scale != 1:
        denoise = guide(denoise, Denoiser(model, schedule), setting.scale)
    if setting.clip:
        denoise = clip(denoise)
    sampler = samplers(schedule, setting.calls)[setting.sampler]
    return last(sampler(denoise, noise, generator)).x.clamp(-1, 1)


def sample_images(
    model: nn.Module, schedule: Schedule, labels: Tensor | None, shape: tuple[int, ...], setting: Setting, seed: int
) -> Tensor:
    """(n, channels, side, side) samples in [−1, 1], on the model's device. shape: (n, channels, side, side).

    labels: one for each image, or None for a model without. The noise is drawn where the model is, so the same seed
    gives other images on another kind of device.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    images, size = [], batch_size(device)
    for start in tqdm(range(0, shape[0], size), leave=False, mininterval=5, disable=shape[0] <= size):
        count = min(size, shape[0] - start)
        asked = None if labels is None else labels[start : start + count].to(device)
        noise = torch.randn(count, *shape[1:], generator=generator, device=device)
        images.append(draw(model, schedule, asked, noise, setting, generator))
    return torch.cat(images)


def batch_size(device: torch.device) -> int:
    """How many images are drawn at once: as many as keep the device busy."""
    return 125 if device.type == "cpu" else 1000
