"""What is measured of a trained rival: how near its samples are, what they leave out, and what they cost."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checkpoints import load_pretrained
from ..denoisers import Denoiser, clip
from ..losses import bits_per_dim
from ..metrics import frechet_distance, kernel_distance, precision_recall, sliced_wasserstein
from ..schedules import linear_schedule
from ..seeding import drawn_from
from .families import draw, generate, noise_for
from .plans import IMAGES, Plan, grid_mixture
from .vae import vae_bits_per_dim

CALLS = (1, 2, 3, 5, 10, 20, 50)  # of the network for one sample of a diffusion model
SHOWN = 20  # the number of calls that stands for diffusion where one number must
SAMPLES = {"grid": 10_000, "digits": 1000, "fashion": 1000, "stacked": 5000}


def measure(plan: Plan, model: nn.Module, root: str | None, seed: int) -> dict:
    """All numbers of one trained model, the sampling network of its family; see the parts below.

    by_calls: a row for each number of network calls, one alone but for diffusion. seed: of the samples.
    """
    test, n = plan.data(root, False), SAMPLES[plan.data_set]
    judge, calls = judge_of(plan, test), CALLS if plan.family == "diffusion" else (1,)
    if plan.data_set == "stacked" and plan.family == "diffusion":
        calls = (10,)  # five thousand images are dear
    rows = []
    for count in calls:
        start = time.process_time()
        samples = draw(model, tuple(test.shape[1:]), n, seed + 1000, count)
        seconds = (time.process_time() - start) / n
        rows.append({"calls": count, "seconds_per_image": seconds, **judge(samples)})
    found = {"samples": n, "by_calls": rows}
    if plan.data_set in IMAGES:
        found["path"] = path(plan, model, tuple(test.shape[1:]), seed)
        if plan.family != "diffusion" or seed == 0:  # all terms of its bound take a quarter of an hour: for one seed
            found |= likelihood(plan, model, test)
    return found


def judge_of(plan: Plan, test: Tensor) -> Callable[[Tensor], dict]:
    """A function from samples to numbers, for the plan's data."""
    if plan.data_set == "grid":
        return lambda samples: on_grid(samples, test)
    network, _ = load_pretrained("fashion-classifier" if plan.data_set == "fashion" else "digits-classifier")
    if plan.data_set == "stacked":
        return lambda samples: on_stacks(samples, network)
    # Half of the test set: the kernel distance compares each with each, and this is done for every row of every run.
    real = features(network, test[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:5000]])
    few = real[: SAMPLES[plan.data_set]]
    shares = classes(network, test).bincount(minlength=10) / len(test)
    edges = sharpness(test)
    return lambda samples: on_images(samples, network, real, few, shares, edges)


def on_images(samples: Tensor, network: nn.Module, real: Tensor, few: Tensor, shares: Tensor, edges: float) -> dict:
    """Distances in the judge's features, coverage, classes and sharpness.

    real: features of test images; few: as many of them as there are samples, for precision and recall; shares: of
    the classes in the test set; edges: its sharpness. classes_found: with at least a fifth of their real share.
    """
    seen = features(network, samples)
    precision, recall = precision_recall(few, seen[: len(few)])
    histogram = classes(network, samples).bincount(minlength=10) / len(samples)
    return {
        "kernel": kernel_distance(real, seen),
        "frechet": frechet_distance(real, seen),
        "precision": precision,
        "recall": recall,
        "histogram": [round(share, 4) for share in histogram.tolist()],
        "histogram_distance": 0.5 * float((histogram - shares).abs().sum()),
        "classes_found": int((histogram >= shares / 5).sum()),
        "sharpness": sharpness(samples) / edges,
    }


def on_grid(samples: Tensor, test: Tensor) -> dict:
    """Of 25 Gaussians: how many were found, and how many samples lie within 3 standard deviations of one.

    A mode counts as found if it holds at least a fifth of its share of the samples.
    """
    mixture = grid_mixture()
    distance, nearest = torch.cdist(samples, mixture.means).min(1)
    close = distance < 3 * float(mixture.std[0])
    counts = nearest[close].bincount(minlength=len(mixture.means))
    return {
        "modes": int((counts >= len(samples) / len(counts) / 5).sum()),
        "close": float(close.float().mean()),
        "sliced_wasserstein": sliced_wasserstein(test, samples, generator=torch.Generator().manual_seed(0)),
    }


def on_stacks(samples: Tensor, network: nn.Module) -> dict:
    """Of the thousand triples of digits: how many occur, and KL(samples ‖ uniform) in nats (Metz et al. 2017)."""
    channels = classes(network, samples.clamp(-1, 1).flatten(0, 1)[:, None]).view(-1, 3)
    counts = (channels * torch.tensor([100, 10, 1])).sum(1).bincount(minlength=1000)
    shares = counts[counts > 0] / len(samples)
    return {"modes": int((counts > 0).sum()), "kl": float((shares * (shares * 1000).log()).sum())}


def failed(plan: Plan, row: dict) -> bool:
    """Whether a run has failed, by a rule that was fixed beforehand: a tenth of quality or coverage, or modes missing.

    row: of by_calls.
    """
    if plan.data_set == "grid":
        return row["modes"] < 20 or row["close"] < 0.1
    if plan.data_set == "stacked":
        return row["modes"] < 800
    return row["precision"] < 0.1 or row["recall"] < 0.1 or row["classes_found"] < 10


def path(plan: Plan, model: nn.Module, shape: tuple[int, ...], seed: int, pairs: int = 50, steps: int = 16) -> dict:
    """What the samples do on the way from one noise to another, along a great circle, in the judge's features.

    detour: length of the way over the straight distance of its ends; jump: largest step over the mean one.
    """
    network, _ = load_pretrained("fashion-classifier" if plan.data_set == "fashion" else "digits-classifier")
    a, b = noise_for(model, shape, 2 * pairs, torch.Generator().manual_seed(seed + 2000)).chunk(2)
    angles = torch.linspace(0, torch.pi / 2, steps + 1)
    # Two independent draws are nearly at right angles and of one length, so that this is their great circle.
    way = torch.stack([angle.cos() * a + angle.sin() * b for angle in angles], 1).flatten(0, 1)
    calls = 10 if plan.family == "diffusion" else 1
    seen = torch.cat([features(network, generate(model, z, calls).clamp(-1, 1)) for z in way.split(250)])
    seen = seen.view(pairs, steps + 1, -1)
    lengths = (seen[:, 1:] - seen[:, :-1]).norm(dim=2)
    ends = (seen[:, -1] - seen[:, 0]).norm(dim=1)
    return {
        "detour": float((lengths.sum(1) / ends).median()),
        "jump": float((lengths.amax(1) / lengths.mean(1)).mean()),
    }


def likelihood(
    plan: Plan, model: nn.Module, test: Tensor, images: int = 100, terms: int | None = None, codes: int = 10
) -> dict:
    """A bound on the bits per dimension where there is one, and how well a VAE gives back what it has encoded.

    images: of the test set, the same for every family and seed; the bound's ± is its standard error over them.
    terms: of the sum over time that are drawn at random, None for all T − 1. A few are cheap and mislead: a handful
    of times near t = 1 hold much of the sum, and which of them are drawn decides the result.
    codes: drawn for each image of a VAE. Its bound holds for the model as it is, though with beta > 1 training has
    not looked for the lowest. Everything drawn is drawn from seed 0.
    """
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    x = test[order[:images]]
    if plan.family == "vae":
        many = test[order[:1000]]
        with torch.no_grad(), drawn_from(0):
            rms = (model.decoder(model.encoder(many).chunk(2, 1)[0]) - many).square().mean().sqrt()
            bits = torch.stack([vae_bits_per_dim(model, x) for _ in range(codes)]).mean(0)
        return {**bound(bits), "bits_codes": codes, "reconstruction_rms": float(rms)}
    if plan.family == "diffusion":
        schedule, random = linear_schedule(), torch.Generator().manual_seed(0)
        denoise = clip(Denoiser(model, schedule))
        parts = [bits_per_dim(denoise, schedule, part, num_times=terms, generator=random) for part in x.split(20)]
        return {**bound(torch.cat(parts)), "bits_terms": terms or schedule.T - 1}
    return {}


def bound(bits: Tensor) -> dict:
    """Mean over the images, its standard error, and how many they are. bits: (images,) per dimension."""
    error = bits.double().std() / len(bits) ** 0.5
    return {"bits_per_dim": float(bits.double().mean()), "bits_error": float(error), "bits_images": len(bits)}


@torch.no_grad()
def features(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network.features(x) for x in images.clamp(-1, 1).split(500)])


@torch.no_grad()
def classes(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network(x).argmax(1) for x in images.clamp(-1, 1).split(500)])


def sharpness(images: Tensor) -> float:
    """Mean magnitude of the Laplacian: what is left when each pixel's neighbours are taken from it."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return float(F.conv2d(images.clamp(-1, 1), kernel).abs().mean())
