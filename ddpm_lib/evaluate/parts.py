"""What is measured: each part of the results, as a function of a Bench to plain numbers."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..denoisers import Denoiser, clip
from ..judges import Judge
from ..losses import bits_per_dim, loss_by_time
from ..metrics import frechet_distance, kernel_distance, precision_recall
from ..schedules import Schedule
from .sampling import Setting, draw, sample_images
from .views import agreements, features


@dataclass(frozen=True)
class Bench:
    """What every part needs: a model to measure, real images, a judge, and the features that distances are taken in.

    test, train: images and labels, both in random order; real: (m, d) features of all of test; see: what made them.
    labelled: whether the model takes labels.
    """

    model: nn.Module
    schedule: Schedule
    labelled: bool
    kind: Judge
    judge: nn.Module
    see: nn.Module | Callable
    test: tuple[Tensor, Tensor]
    train: tuple[Tensor, Tensor]
    real: Tensor

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device


def shuffled(images: Tensor, labels: Tensor, seed: int = 1) -> tuple[Tensor, Tensor]:
    """In random order: MNIST, for one, is not shuffled, and its first thousand are not like the others."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images[order], labels[order]


def asked_labels(bench: Bench, samples: int, seed: int) -> Tensor:
    """(samples,) or (samples, attributes) labels as the test set has them: without repeats as long as it lasts."""
    answers, generator = bench.test[1], torch.Generator().manual_seed(seed)
    orders = [torch.randperm(len(answers), generator=generator) for _ in range(-(-samples // len(answers)))]
    return answers[torch.cat(orders)[:samples]]


def distances(bench: Bench, images: Tensor) -> dict[str, float]:
    """Fréchet and kernel distance to the whole test set; precision and recall against as many test images."""
    found = features(bench.see, images)
    n = min(len(found), len(bench.real))
    precision, recall = precision_recall(bench.real[:n], found[:n])
    return {
        "frechet": frechet_distance(bench.real, found),
        "kernel": kernel_distance(bench.real, found),
        "precision": precision,
        "recall": recall,
    }


def mean_and_std(runs: list[dict[str, float]]) -> dict[str, float]:
    """{name: mean, name_std: standard deviation} over runs with the same names; one run has no deviation, None."""
    found = {}
    for name in runs[0]:
        values = torch.tensor([run[name] for run in runs], dtype=torch.float64)
        found[name] = round(values.mean().item(), 5)
        found[f"{name}_std"] = round(values.std().item(), 5) if len(runs) > 1 else None
    return found


def quality(bench: Bench, setting: Setting, samples: int, seeds: list[int]) -> dict:
    """Distances of samples to real images and, of a model with labels, agreement and spread; over the seeds."""
    runs = []
    for seed in seeds:
        labels = asked_labels(bench, samples, seed)
        shape, asked = (samples, *bench.test[0].shape[1:]), labels if bench.labelled else None
        images = sample_images(bench.model, bench.schedule, asked, shape, setting, seed)
        run = distances(bench, images)
        if bench.labelled:
            classes = bench.kind.join(labels)
            # 1 is as varied as the data: mean distance of two samples of one label, over that of real images.
            run |= agreements(bench.kind, bench.judge, images, labels)
            run["spread"] = spread(images.cpu(), classes) / spread(bench.test[0], bench.kind.join(bench.test[1]))
        runs.append(run)
    return mean_and_std(runs)


def floor(bench: Bench, samples: int, draws: int = 10) -> dict:
    """What real training images score against the test set: mean and deviation over random draws of as many."""
    images, labels = bench.train
    generator, runs = torch.Generator().manual_seed(3), []
    for _ in range(draws):
        drawn = torch.randperm(len(images), generator=generator)[:samples]
        runs.append(distances(bench, images[drawn].to(bench.device)))
    test_images, test_labels = bench.test
    seen = agreements(bench.kind, bench.judge, test_images.to(bench.device), test_labels)
    # What the judge makes of real test images: nobody's samples can be asked to agree more.
    return {"draws": draws, **mean_and_std(runs), **{name: round(share, 5) for name, share in seen.items()}}


def ode_errors(bench: Bench, setting: Setting, samples: int, reference: Tensor) -> dict:
    """Distance of a deterministic sampler's images to `reference`, the converged solution from the same noise.

    Root mean square over pixels in [−1, 1], of each image by itself: mean and deviation over the images.
    """
    gap = ode_images(bench, setting, samples) - reference
    rms = gap.flatten(1).square().mean(1).sqrt()
    return {"rms": round(rms.mean().item(), 6), "rms_std": round(rms.std().item(), 6)}


def ode_images(bench: Bench, setting: Setting, samples: int, seed: int = 0) -> Tensor:
    """(samples, ...) images from noise that is the same for every sampler and number of calls."""
    labels = asked_labels(bench, samples, seed).to(bench.device) if bench.labelled else None
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(samples, *bench.test[0].shape[1:], generator=generator).to(bench.device)
    return draw(bench.model, bench.schedule, labels, noise, setting)


def bits(bench: Bench, samples: int, num_times: int, seeds: list[int], batch: int = 25) -> dict:
    """Bits per dimension of test images given their labels, σ² = β; each batch of images draws times of its own."""
    runs, images, labels = [], *bench.test
    for seed in seeds:
        generator, order = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
        found = []
        for chosen in torch.randperm(len(images), generator=order)[:samples].split(batch):
            asked = labels[chosen].to(bench.device) if bench.labelled else None
            denoise = clip(Denoiser(bench.model, bench.schedule, label=asked))
            x0 = images[chosen].to(bench.device)
            found.append(bits_per_dim(denoise, bench.schedule, x0, num_times=num_times, generator=generator).cpu())
        runs.append({"bits_per_dim": torch.cat(found).mean().item()})
    return mean_and_std(runs)


def losses(bench: Bench, samples: int = 500) -> dict:
    """The loss on test images at times from 1 to T."""
    T = bench.schedule.T
    times = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000) if t <= T]
    images, labels = (tensor[:samples].to(bench.device) for tensor in bench.test)
    generator, asked = torch.Generator().manual_seed(2), labels if bench.labelled else None
    found = loss_by_time(bench.model, bench.schedule, images, times, label=asked, generator=generator)
    return {"samples": len(images), "t": times, "loss": [round(x, 5) for x in found.tolist()]}


def spread(images: Tensor, labels: Tensor) -> float:
    """Mean distance between two images of the same label, over at most 100 of each label that has two."""
    groups = [images[labels == k][:100].flatten(1) for k in labels.unique()]
    return torch.stack([torch.pdist(group).mean() for group in groups if len(group) > 1]).mean().item()


def seconds_per_image(model: nn.Module, schedule: Schedule, label: Tensor | None, shape: tuple[int, ...]) -> float:
    """Seconds for one image alone in 20 DPM-Solver++ steps, guided if it has a label, on one thread; median of five."""
    threads, durations = torch.get_num_threads(), []
    setting = Setting("DPM-Solver++(2M)", 20, scale=1.0 if label is None else 2.0)
    torch.set_num_threads(1)
    try:
        for seed in range(6):
            begin = time.perf_counter()
            sample_images(model, schedule, label, shape, setting, seed).cpu()
            durations.append(time.perf_counter() - begin)
    finally:
        torch.set_num_threads(threads)
    return sorted(durations[1:])[2]  # the first one warms up
