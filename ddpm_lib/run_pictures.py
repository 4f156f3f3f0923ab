"""How a run is doing, as pictures: a sheet of samples, and the loss at each time."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from .checkpoints import write_atomically
from .denoisers import Denoiser, clip
from .latents import decode
from .losses import loss_by_time
from .plots import show_curves, show_images, show_points
from .samplers import last, sample_dpmpp
from .schedules import Schedule


def draw(folder: Path, step: int, ema: nn.Module, schedule: Schedule, x0: Tensor, label: Tensor | None) -> None:
    """Write folder/STEP-samples.png and folder/STEP-losses.png.

    x0: held-out data (n, ...), label: (n, ...) or None. The samples have the labels of x0, and both pictures use
    the same noise at every step of a run, so that one may leaf through them.
    """
    device = next(ema.parameters()).device
    x0, label = x0.to(device), None if label is None else label.to(device)
    samples = sample(ema, schedule, x0[::2], None if label is None else label[::2])
    if samples.ndim == 4:
        _write(folder / f"{step:08d}-samples.png", show_images(samples, columns=8))
    else:
        _write(folder / f"{step:08d}-samples.png", show_points(samples))
    times = sorted(set(schedule.even_times(10)) - {0} | {1})
    losses = loss_by_time(ema, schedule, x0, times, label=label, generator=torch.Generator().manual_seed(0))
    title = f"step {step:,}, mean {losses.mean():.4f}"
    _write(
        folder / f"{step:08d}-losses.png", show_curves(times, {"loss": losses}, ylabel="loss", title=title, log=True)
    )


def draw_pairs(folder: Path, step: int, ema: nn.Module, schedule: Schedule, x0: Tensor, label: None) -> None:
    """Write folder/STEP-pairs.png: held-out pictures (n, 3, side, side), each above what an autoencoder returns."""
    rows = x0[:24].to(next(ema.parameters()).device)
    with torch.no_grad():
        back = ema(rows)[0].clamp(-1, 1)
    both = torch.cat([torch.cat(pair) for pair in zip(rows.split(8), back.split(8), strict=True)])
    _write(folder / f"{step:08d}-pairs.png", show_images(both.cpu(), columns=8))


def draw_decoded(
    folder: Path, step: int, ema: nn.Module, schedule: Schedule, x0: Tensor, label: Tensor, coder: nn.Module
) -> None:
    """Write folder/STEP-samples.png: unguided samples for 24 of the captions (n, captions, tokens) of latents x0."""
    few, device = torch.linspace(0, len(x0) - 1, min(24, len(x0))).long(), next(ema.parameters()).device
    noise = torch.randn(x0[few].shape, generator=torch.Generator().manual_seed(0)).to(device)
    denoise = Denoiser(ema, schedule, label=label[few].to(device))
    latents = last(sample_dpmpp(denoise, schedule, noise, schedule.logsnr_times(12))).x
    _write(folder / f"{step:08d}-samples.png", show_images(decode(coder, latents), columns=8))


def sample(ema: nn.Module, schedule: Schedule, like: Tensor, label: Tensor | None, steps: int = 10) -> Tensor:
    """Samples shaped like `like`, with these labels, in a few DPM-Solver++ steps from one fixed noise."""
    noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(0)).to(like.device)
    denoise = Denoiser(ema, schedule, label=label)
    if like.ndim == 4:
        denoise = clip(denoise)  # pixels end at ±1, points do not
    return last(sample_dpmpp(denoise, schedule, noise, schedule.logsnr_times(steps))).x


def pick(x0: Tensor, label: Tensor | None, count: int) -> tuple[Tensor, Tensor | None]:
    """`count` samples spread evenly over the data, in the order of their (first) labels."""
    rows = torch.linspace(0, len(x0) - 1, min(count, len(x0))).long()
    if label is None:
        return x0[rows], None
    rows = rows[label[rows].reshape(len(rows), -1)[:, 0].argsort(stable=True)]
    return x0[rows], label[rows]


def _write(path: Path, figure: plt.Figure) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    plt.close(figure)
    write_atomically(path, picture.getvalue())
