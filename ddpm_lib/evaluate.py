"""How good a shipped model is, measured: python -m ddpm_lib.evaluate digits.

Writes weights/NAME.json: every number with its sample count, beside the same number for real
images (the floor), with the command, the commit, the hardware and the seconds that made it.
Distances are taken in the features of the book's own classifier: they are not Inception-FID
and compare with nobody else's numbers.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from .checkpoints import WEIGHTS, load
from .data import load_digits
from .denoisers import Denoiser, clip
from .guidance import guide
from .losses import loss_by_time
from .metrics import frechet_distance, kernel_distance, precision_recall
from .runtime import provenance
from .samplers import last, sample_ddim, sample_ddpm, sample_dpmpp, sample_heun
from .schedules import Schedule

BATCH = 125


def sample_digits(
    model: nn.Module, schedule: Schedule, labels: Tensor, sampler: Callable, scale: float = 1.0, seed: int = 0
) -> Tensor:
    """(n, 1, 28, 28) digits of the given labels, clipped. sampler: (denoise, noise, generator) → steps."""
    generator = torch.Generator().manual_seed(seed)
    device, digits = next(model.parameters()).device, []
    for y in tqdm(labels.split(BATCH), leave=False, mininterval=5, disable=len(labels) <= BATCH):
        y = y.to(device)
        noise = torch.randn(len(y), 1, 28, 28, generator=generator).to(device)
        denoise = clip(guide(Denoiser(model, schedule, label=y), Denoiser(model, schedule), scale))
        digits.append(last(sampler(denoise, noise, generator)).x.clamp(-1, 1).cpu())
    return torch.cat(digits)


def samplers(schedule: Schedule, calls: int) -> dict[str, Callable]:
    """The samplers that are compared, each on the grid that suits it, at one number of network calls."""
    even, logsnr = schedule.even_times(calls), schedule.logsnr_times(calls)
    # Heun calls the network twice a step but once on the last.
    karras = schedule.karras_times(max(1, (calls + 1) // 2))
    return {
        "DDPM, posterior variance": lambda d, z, g: sample_ddpm(d, schedule, z, "posterior", g, even),
        "DDPM, beta variance": lambda d, z, g: sample_ddpm(d, schedule, z, "beta", g, even),
        "DDIM": lambda d, z, g: sample_ddim(d, schedule, z, even),
        "Heun": lambda d, z, g: sample_heun(d, schedule, z, karras),
        "DPM-Solver++(2M)": lambda d, z, g: sample_dpmpp(d, schedule, z, logsnr),
    }


@torch.no_grad()
def features(judge: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([judge.features(x) for x in images.split(500)])


@torch.no_grad()
def agreement(judge: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images in which the judge sees the label that was asked for."""
    return torch.cat([judge(x).argmax(1) for x in images.split(500)]).eq(labels).double().mean().item()


def evaluate_digits(folder: Path, root: str | None, samples: int, calls: list[int], scales: list[float]) -> dict:
    """All numbers of the digits model, as a plain dict."""
    started = time.time()
    model, schedule = load(folder / "digits.safetensors")
    judge, _ = load(WEIGHTS / "digits-classifier.safetensors")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    test, answers = load_digits("mnist", root=root, train=False)
    train, _ = load_digits("mnist", root=root)
    real = features(judge, test[:samples])
    labels = torch.arange(10).repeat_interleave(samples // 10)[
        torch.randperm(samples, generator=torch.Generator().manual_seed(1))
    ]

    def compare(images: Tensor) -> dict:
        found = features(judge, images)
        return {"frechet": round(frechet_distance(real, found), 4), "kernel": round(kernel_distance(real, found), 5)}

    result = {
        "samples": samples,
        "floor": floor(judge, real, train),
        "by_calls": [],
        "by_scale": [],
    }
    quick = samplers(schedule, 20)["DPM-Solver++(2M)"]
    for scale in scales:
        digits = sample_digits(model, schedule, labels, quick, scale)
        precision, recall = precision_recall(real, features(judge, digits))
        row = {"scale": scale, "agreement": agreement(judge, digits, labels), **compare(digits)}
        # Mean distance between two samples of one label, over the same for real digits: 1 is as varied as the data.
        row |= {
            "precision": round(precision, 4),
            "recall": round(recall, 4),
            "spread": round(spread(digits, labels) / spread(test, answers), 4),
        }
        result["by_scale"].append(row)
        print(row, flush=True)
    best = max(result["by_scale"], key=lambda row: row["agreement"] if row["scale"] > 1 else 0)
    result["classifier_agreement"] = {"scale": best["scale"], "samples": samples, "agreement": best["agreement"]}
    for n in calls:
        for name, sampler in samplers(schedule, n).items():
            row = {"sampler": name, "calls": n, **compare(sample_digits(model, schedule, labels, sampler))}
            result["by_calls"].append(row)
            print(row, flush=True)
    times = [1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]
    losses = loss_by_time(
        model,
        schedule,
        test[:500].to(device),
        times,
        label=answers[:500].to(device),
        generator=torch.Generator().manual_seed(2),
    )
    result["loss_by_time"] = {"t": times, "loss": [round(x, 5) for x in losses.tolist()]}
    result["seconds_per_image_20_steps"] = round(seconds_per_image(model, schedule, quick), 3)
    result["seconds"] = round(time.time() - started)
    return result


def floor(judge: nn.Module, real: Tensor, train: Tensor, draws: int = 10) -> dict:
    """The distances of real training images to `real`: mean and standard deviation over random draws of as many.

    Random draws, because MNIST is not shuffled: its first thousand images are not like the others.
    """
    generator, found = torch.Generator().manual_seed(3), {"frechet": [], "kernel": []}
    for _ in range(draws):
        sample = features(judge, train[torch.randperm(len(train), generator=generator)[: len(real)]])
        found["frechet"].append(frechet_distance(real, sample))
        found["kernel"].append(kernel_distance(real, sample))
    means = {name: round(torch.tensor(values).mean().item(), 5) for name, values in found.items()}
    stds = {f"{name}_std": round(torch.tensor(values).std().item(), 5) for name, values in found.items()}
    return {**means, **stds, "draws": draws}


def spread(images: Tensor, labels: Tensor) -> float:
    """Mean distance between two images of the same label, over at most 100 of each."""
    groups = [images[labels == k][:100].flatten(1) for k in labels.unique()]
    return torch.stack([torch.pdist(group).mean() for group in groups]).mean().item()


def seconds_per_image(model: nn.Module, schedule: Schedule, sampler: Callable) -> float:
    """Seconds for one guided image alone, on one thread; the median of five."""
    threads, durations = torch.get_num_threads(), []
    torch.set_num_threads(1)
    for seed in range(6):
        begin = time.perf_counter()
        sample_digits(model, schedule, torch.tensor([3]), sampler, scale=2.0, seed=seed)
        durations.append(time.perf_counter() - begin)
    torch.set_num_threads(threads)
    return sorted(durations[1:])[2]  # the first one warms up


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m ddpm_lib.evaluate", description="Measure a model that ships with the book."
    )
    parser.add_argument("name", choices=["digits"])
    parser.add_argument("--data", default=os.environ.get("DDPM_DATA"), help="folder with MNIST/raw/*.gz")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="folder with NAME.safetensors; NAME.json is written there"
    )
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--calls", type=int, nargs="+", default=[5, 10, 20, 50])
    parser.add_argument("--scales", type=float, nargs="+", default=[0, 1, 2, 3, 5, 8])
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    result = evaluate_digits(options.weights, options.data, options.samples, options.calls, options.scales)
    command = (
        f"python -m ddpm_lib.evaluate digits --samples {options.samples} --calls {' '.join(map(str, options.calls))}"
        f" --scales {' '.join(f'{scale:g}' for scale in options.scales)}"
    )
    path = options.weights / f"{options.name}.json"
    path.write_text(json.dumps({"command": command, **provenance(), **result}, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
