"""How each shipped model was trained: accelerate launch -m ddpm_lib.recipes NAME.

A recipe is a frozen record of everything that made the weights; a quick run is
dataclasses.replace(recipe, num_steps=300). This file knows all others; no other knows it.
"""

import argparse
import dataclasses
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from .data import faces_and_flags, load_cifar10, load_digits, load_emoji, load_fashion
from .data.folders import load_image_bytes, set_aside
from .exact import six_blots
from .judges import JUDGES, run_classifier
from .losses import simple_loss
from .models import MLP, UNet
from .run_ends import exit_code
from .run_pictures import draw
from .runs import run
from .schedules import Schedule, linear_schedule
from .text_recipes import JUDGE, TEXT_TO_IMAGE, run_judge, run_text_to_image


@dataclass(frozen=True)
class Recipe:
    """Everything that makes a diffusion model: data, network, schedule, and how long to train."""

    name: str
    data: Callable[[str | None, bool], tuple[Tensor, Tensor | None]]  # (root, train) → images (floats or bytes), labels
    model: Callable[[], nn.Module]
    schedule: Callable[[], Schedule]
    num_steps: int
    batch_size: int
    lr: float
    warmup: int = 500
    decay: str = "cosine"  # of the learning rate after the warm-up: "cosine" to 0, or "none"
    ema_decay: float = 0.999
    label_dropout: float = 0.1  # of each attribute by itself
    flip: bool = False  # show half of the images mirrored
    seed: int = 0
    loss: Callable = simple_loss
    draw: Callable = draw  # how it is doing, as pictures: see run_pictures


def mnist_digits(root: str | None, train: bool) -> tuple[Tensor, Tensor]:
    return load_digits("mnist", root, train)


def unlabelled_cifar10(root: str | None, train: bool) -> tuple[Tensor, None]:
    return load_cifar10(root, train)[0], None


def points_of_blots(root: str | None, train: bool) -> tuple[Tensor, None]:
    """200,000 points of the six blots, and 10,000 more that are kept out; nothing is read from a folder."""
    return six_blots().sample(200_000 if train else 10_000, torch.Generator().manual_seed(int(train))), None


def digits_unet() -> UNet:
    """1.5 M parameters: one block a level at 28, 14 and 7; attention at 7 × 7 alone, where it costs little."""
    return UNet(channels=1, dim=24, multipliers=(1, 2, 4), blocks=1, attention_levels=(2,), heads=2, num_classes=10)


def emoji_unet() -> UNet:
    """6.8 M parameters at 32, 16 and 8, for a GPU: labels are the vendor and the group."""
    return UNet(dim=64, multipliers=(1, 2, 2), blocks=2, attention_levels=(1, 2), heads=4, num_classes=(5, 9))


def small_emoji_unet() -> UNet:
    """2.7 M parameters for a CPU: narrow where the picture is large, wide at 4 × 4 where width costs little.

    It predicts v: near t = T, where the colour of the whole picture is settled, a small error of a predicted noise is
    a large one of x0, and after an hour of training the grounds were still tinted.
    """
    return UNet(dim=16, multipliers=(1, 2, 4, 8), blocks=1, attention_levels=(2, 3), heads=2, num_classes=(5, 9),
                predicts="v")  # fmt: skip


def ddpm_unet() -> UNet:
    """DDPM's network for CIFAR-10, 35.7 M parameters: Ho et al. 2020, appendix B."""
    return UNet(dropout=0.1)


DIGITS = Recipe("digits", mnist_digits, digits_unet, linear_schedule, num_steps=12_000, batch_size=64, lr=1.5e-3)

# Points in the plane, whose exact density is known: two minutes on one CPU core.
BLOTS = Recipe("blots", points_of_blots, MLP, linear_schedule, num_steps=40_000, batch_size=512, lr=4e-3)

FASHION = Recipe("fashion", load_fashion, digits_unet, linear_schedule, num_steps=30_000, batch_size=128, lr=1.5e-3)

EMOJI = Recipe("emoji", load_emoji, emoji_unet, linear_schedule, num_steps=20_000, batch_size=256, lr=6e-4,
               ema_decay=0.9995, label_dropout=0.3)  # fmt: skip

SMALL_EMOJI = Recipe("emoji-small", faces_and_flags, small_emoji_unet, linear_schedule, num_steps=13_000, batch_size=32,
                     lr=1.5e-3, warmup=200, label_dropout=0.3)  # fmt: skip

# Every number of Ho et al. 2020, appendix B: Adam 2e-4 after a warm-up, batch 128, EMA 0.9999, flips, 800,000 steps.
CIFAR10 = Recipe("cifar10", unlabelled_cifar10, ddpm_unet, linear_schedule, num_steps=800_000, batch_size=128, lr=2e-4,
                 warmup=5_000, decay="none", ema_decay=0.9999, flip=True)  # fmt: skip


def folder_recipe(side: int, name: str = "folder", without: tuple[Path, ...] = ()) -> Recipe:
    """For a folder of your own pictures, 64 at the least: the network of EMOJI without labels, at side 32 inside.

    name: of the run and its weights. without: folders below it whose pictures are no data.
    """
    if side < 32 or side % 32:
        raise ValueError(f"side must be a multiple of 32, got {side}.")
    if name in TAKEN or not re.fullmatch(r"[\w-][\w.-]*", name):
        raise ValueError(f"the name of a run is made of letters, digits, - and _, and is no recipe's; got {name!r}.")

    @cache  # the training and the held-out pictures come from one reading; bytes, a quarter of what floats take
    def halves(root: str) -> tuple[Tensor, Tensor]:
        return set_aside(load_image_bytes(root, side, at_least=64, without=without))

    def own_images(root: str | None, train: bool) -> tuple[Tensor, None]:
        if root is None:
            raise ValueError("your own pictures need --data FOLDER.")
        return halves(root)[0 if train else 1], None

    def own_unet() -> UNet:
        return UNet(dim=64, multipliers=(1, 2, 2), blocks=2, attention_levels=(1, 2), heads=4, patch=side // 32)

    return Recipe(name, own_images, own_unet, linear_schedule, num_steps=20_000, batch_size=32, lr=6e-4,
                  ema_decay=0.9995)  # fmt: skip


RECIPES = {recipe.name: recipe for recipe in [DIGITS, BLOTS, FASHION, EMOJI, SMALL_EMOJI, CIFAR10]}


JUDGE_NAMES = [*(f"{name}-classifier" for name in JUDGES), JUDGE]
TAKEN = {*RECIPES, *TEXT_TO_IMAGE, *JUDGE_NAMES}


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0, 1 after a refusal or trouble, 130 or 143 after a signal."""
    parser = argparse.ArgumentParser(
        prog="python -m ddpm_lib.recipes",
        description="Train a model from its recipe. On several GPUs: accelerate launch -m ddpm_lib.recipes NAME …",
    )
    names = [*RECIPES, *TEXT_TO_IMAGE, "folder", *JUDGE_NAMES]
    parser.add_argument("recipe", metavar="NAME", nargs="?", choices=names,
                        help=f"one of {', '.join([*RECIPES, *TEXT_TO_IMAGE])}; folder, for your own pictures; or a"
                        f" judge that measures need: {', '.join(JUDGE_NAMES)}")  # fmt: skip
    parser.add_argument("--steps", type=_at_least_one, help="fewer (or more) optimiser steps than the recipe's")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder for NAME.safetensors and NAME.run/")
    parser.add_argument("--data", default=os.environ.get("DDPM_DATA"), help="folder of the data (or $DDPM_DATA)")
    parser.add_argument("--side", type=int, default=64, help="of folder: side of the pictures, a multiple of 32")
    parser.add_argument("--name", default="folder", help="of folder: what this run and its weights are called")
    parser.add_argument("--resume", action="store_true", help="go on where the run in --out was stopped")
    parser.add_argument("--every", type=_at_least_one, default=500, help="steps between two saves with pictures (500)")
    parser.add_argument("--accumulate", type=_at_least_one, default=1, help="parts of each batch, for less memory")
    parser.add_argument("--precision", choices=["bf16", "no"], help="left out: bf16 where the hardware has it")
    parser.add_argument("--compile", action="store_true", help="the network, by torch.compile")
    parser.add_argument("--no-pictures", action="store_true", help="no sheet of samples, no loss at each time")
    parser.add_argument("--tracker", choices=["tensorboard"], help="log loss and speed there as well")
    options = parser.parse_args(arguments)
    if options.recipe is None:
        parser.error(f"which recipe? folder, for your own pictures, or one of {', '.join(names)}.")
    if told := _meaningless(options, parser):
        parser.error(told)
    if options.recipe == JUDGE:
        return exit_code(partial(run_judge, options.out, options.data))
    if options.recipe in JUDGE_NAMES:
        return exit_code(partial(run_classifier, options.recipe, options.out, options.data))
    return exit_code(partial(_run_as_asked, options))


def _meaningless(options: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """What was asked for that this recipe does not have, as one sentence; "" where all is well."""
    asked = {key for key, value in vars(options).items() if value != parser.get_default(key)} - {"recipe"}
    if options.recipe in JUDGE_NAMES:
        allowed = {"data", "out"}
    else:
        allowed = asked if options.recipe == "folder" else asked - {"side", "name"}
    if not asked - allowed:
        return ""
    told = ", ".join(sorted(f"--{key.replace('_', '-')}" for key in asked - allowed))
    return f"{options.recipe} has no {told}" + ("; it takes --data and --out." if "data" in allowed else ".")


def _run_as_asked(options: argparse.Namespace) -> Path:
    how = dict(
        resume=options.resume,
        every=options.every,
        pictures=not options.no_pictures,
        accumulate=options.accumulate,
        precision=options.precision,
        compile=options.compile,
        tracker=options.tracker,
    )
    if options.recipe in TEXT_TO_IMAGE:
        plan = TEXT_TO_IMAGE[options.recipe]
        return run_text_to_image(plan, Recipe, options.out, options.data, steps=options.steps, **how)
    if options.recipe == "folder":
        recipe = folder_recipe(options.side, options.name, without=(options.out,))
    else:
        recipe = RECIPES[options.recipe]
    if options.steps:
        recipe = dataclasses.replace(recipe, num_steps=options.steps, warmup=min(recipe.warmup, options.steps // 4))
    return run(recipe, options.out, options.data, **how)


def _at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, got {text}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
