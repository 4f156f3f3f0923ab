"""Examples for the figures: what a network saw and said, and digits under guidance."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .denoisers import Denoiser, as_denoiser, clip
from .guidance import guide
from .noising import add_noise, noise_like
from .samplers import last, sample_ddim, sample_dpmpp
from .schedules import Schedule


class LossExamples(NamedTuple):
    """What a model saw of a few samples and said of them, at several times.

    times: K times; rates: (K, 2) signal and noise rate at each; x0, eps: (n, ...), the same at every time;
    eps_guess: (K, n, ...); loss: (K, n) mean squared error of the noise of each sample. What was seen is
    signal · x0 + noise · eps, and the data that a guess implies is (seen − noise · eps_guess) / signal.
    """

    times: list[int]
    rates: Tensor
    x0: Tensor
    eps: Tensor
    eps_guess: Tensor
    loss: Tensor


@torch.no_grad()
def loss_examples(
    model: Callable,
    schedule: Schedule,
    x0: Tensor,
    times: Sequence[int],
    *,
    label: Tensor | None = None,
    predicts: str | None = None,
    generator: torch.Generator | None = None,
) -> LossExamples:
    """The terms of L_simple (DDPM eq. 14) one by one: samples x0, (n, ...), at each of the times 1..T.

    model: a network, as for simple_loss, or a denoiser; label: (n,) integers or None. Every sample keeps one
    noise for all times, so that what changes from time to time is the time alone.
    """
    denoise = as_denoiser(model, schedule, predicts, label)
    times, eps = [int(t) for t in times], noise_like(x0, generator)
    guesses = torch.stack([denoise(add_noise(schedule, x0, t, eps), t).eps for t in times])
    loss = (guesses - eps).square().flatten(2).mean(2)
    rates = torch.stack([schedule.signal_rate[times], schedule.noise_rate[times]], 1)
    return LossExamples(times, rates, x0, eps, guesses, loss)


def examples_of(
    models: dict[str, Callable], schedule: Schedule, x0: Tensor, times: Sequence[int], seed: int = 0
) -> dict:
    """{name: LossExamples} of several networks or denoisers, all of the same samples under the same noise."""
    return {
        name: loss_examples(model, schedule, x0, times, generator=torch.Generator().manual_seed(seed))
        for name, model in models.items()
    }


class GuidedGrid(NamedTuple):
    """Samples for every label, scale and seed: images (labels, scales, seeds, channels, side, side) in [−1, 1].

    judged: (labels, scales, seeds, classes) probabilities of a judge, or None; spread: (labels, scales) mean
    distance between two samples of one label and scale, in the judge's features, or in pixels where it has none.
    """

    labels: list[int]
    scales: list[float]
    seeds: list[int]
    images: Tensor
    judged: Tensor | None
    spread: Tensor


@torch.no_grad()
def guided_grid(
    model: nn.Module,
    schedule: Schedule,
    labels: Sequence[int],
    scales: Sequence[float],
    seeds: Sequence[int],
    *,
    judge: Callable[[Tensor], Tensor] | None = None,
    num_steps: int = 7,
    shape: tuple[int, ...] = (1, 28, 28),
) -> GuidedGrid:
    """Guided samples of a conditional network (Ho & Salimans 2022), by DPM-Solver++ in num_steps steps.

    model: model(xt, t, label), label −1 or None for none; labels, scales, seeds: one or more of each.
    judge: a classifier, (batch, ...) → (batch, classes) logits, perhaps with .features. A seed is one starting
    noise, the same for every label and scale; it is drawn on the CPU. Network calls for an image: num_steps at
    the scales 0 and 1, twice as many at the others.
    """
    where = next((w.device for w in getattr(model, "parameters", lambda: iter(()))()), torch.device("cpu"))
    noise = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
    asked = torch.tensor(list(labels)).repeat_interleave(len(seeds)).to(where)
    # Three steps more, even in log-SNR, the last four taken as one: near the end little happens that an eye can see,
    # and the steps are better spent above. In seven, twice as near to twenty steps as eight plain ones are.
    times, images = [*schedule.logsnr_times(num_steps + 3)[:num_steps], 0], []
    without = Denoiser(model, schedule)
    for scale in scales:
        # At scale 0 no label is heard: the labels share their samples.
        copies = 1 if scale == 0 else len(labels)
        guided = without if scale == 0 else guide(Denoiser(model, schedule, label=asked), without, scale)
        start = noise.repeat(copies, *[1] * len(shape)).to(where)
        x = last(sample_dpmpp(clip(guided), schedule, start, times)).x.clamp(-1, 1)
        images.append(x.reshape(copies, len(seeds), *shape).expand(len(labels), -1, *shape))
    grid = torch.stack(images, 1)
    flat, lead = grid.flatten(0, 2), grid.shape[:3]
    judged = None if judge is None else judge(flat).softmax(1).reshape(*lead, -1).cpu()
    described = getattr(judge, "features", lambda x: x)(flat).reshape(lead[0] * lead[1], lead[2], -1)
    spread = torch.stack([_mean_distance(group) for group in described]).reshape(lead[:2]).cpu()
    return GuidedGrid(list(labels), [float(s) for s in scales], list(seeds), grid.cpu(), judged, spread)


def guided_film(
    model: nn.Module,
    schedule: Schedule,
    label: int | Sequence[int],
    scale: float = 2.0,
    columns: int = 9,
    seed: int = 0,
    shape: tuple[int, int, int] = (1, 28, 28),
) -> Tensor:
    """One sample of a conditional network on its way: x_t above, the guess of x_0 below.

    shape: (channels, height, width) of the pictures. Returns (2, columns, height, width) for one channel, (2, columns,
    channels, height, width) for more. The way is DDIM in columns − 1 steps, even in t, clipped and guided (Ho &
    Salimans 2022). label: a number, or one for each attribute.
    """
    if columns < 2:
        raise ValueError(f"a film has 2 columns or more, start and end, got {columns}.")
    asked = guide(Denoiser(model, schedule, label=torch.tensor([label])), Denoiser(model, schedule), scale)
    noise = torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))
    noise = noise.to(next(model.parameters()).device)
    steps = list(sample_ddim(clip(asked), schedule, noise, schedule.even_times(columns - 1)))
    guesses = [steps[1].x0_guess, *(step.x0_guess for step in steps[1:])]
    film = torch.stack([torch.cat([step.x for step in steps]), torch.cat(guesses)]).clamp(-1, 1).cpu()
    return film.squeeze(2) if shape[0] == 1 else film


def _mean_distance(rows: Tensor) -> Tensor:
    """Mean Euclidean distance between two of the rows; 0 for one row alone."""
    return torch.pdist(rows).mean() if len(rows) > 1 else rows.new_zeros(())
