"""How well a text-to-image model does what it is told: python -m ddpm_lib.evaluate emoji-diffusion.

Each sample is shown to the judge (word_judge.py), and the real emoji nearest to it in the judge's features says what
it shows. Asked are the pairs of label and vendor that training never saw, and as many training prompts as wanted.
"""

import argparse
import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoints import WEIGHTS, load
from ..data.captions import STYLES, Emoji, pictures_of, prompt, read_emoji
from ..data.kept_out import load_kept_out
from ..guidance import guide
from ..latents import decode, encode, psnr
from ..runtime import device
from ..samplers import last, sample_ddim
from ..stable_diffusion import load_pipeline, prompt_denoiser, schedule_of
from ..word_judge import Gallery
from .record import Record

NAME = "emoji-diffusion"
JUDGE = "emoji-words-classifier"
BATCH = 64
USUAL = {"scale": 4.0, "steps": 20}
# Colours of hearts: what a negative prompt is asked to move away from.
COLOURS = ("red", "yellow", "green", "blue", "purple", "black")


@dataclass(frozen=True, eq=False)
class Bench:
    """What is measured, and with what: pipe and judge, the real emoji, and which of them are asked for."""

    pipe: object
    gallery: Gallery
    images: Tensor  # (N, 3, 64, 64), of gallery.emoji
    asked: dict[str, list[int]]  # set → rows of gallery.emoji
    known: list[int]  # rows that training saw


def evaluate_text_to_image(options: argparse.Namespace, command: str) -> Path:
    """Measure the parts that the options ask for, row by row; returns the file of results."""
    folder = options.weights / NAME
    bench = prepare(folder, options)
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    about = {"emoji": len(bench.images), "labels": len(bench.gallery.labels), "kept_out": len(bench.asked["kept-out"])}
    record = Record(folder / "results.json", unet, command, about, options.again)
    for part in options.parts or TEXT_PARTS:
        TEXT_PARTS[part](bench, options, record)
    return record.path


def prepare(folder: Path, options: argparse.Namespace) -> Bench:
    """Everything in memory: the pipeline, the judge, the real emoji of the groups that the model was trained on."""
    card = load_card(folder)
    emoji = read_emoji(options.data, tuple(card["parts"]))
    kept = {e.pair for e in load_kept_out(folder)[0]}
    if not kept <= {e.pair for e in emoji} or len(emoji) != card["images"] + len(kept):
        raise ValueError("the emoji at hand are not those that the model was trained on: their number differs.")
    images = pictures_of(emoji, options.data)
    judge = load(WEIGHTS / f"{JUDGE}.safetensors")[0].to(device())
    known = [i for i, e in enumerate(emoji) if e.pair not in kept]
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(0)).tolist()
    asked = {
        "kept-out": [i for i, e in enumerate(emoji) if e.pair in kept],
        "training": [known[i] for i in order[: options.prompts]],
    }
    return Bench(load_pipeline(folder), Gallery(judge, emoji, images), images, asked, known)


def load_card(folder: Path) -> dict:
    """What the folder says of its training: training.json."""
    return json.loads((folder / "training.json").read_text(encoding="utf-8"))


@torch.no_grad()
def draw(bench: Bench, prompts: list[str], seed: int, scale: float, steps: int, negative: str = "") -> Tensor:
    """(len(prompts), 3, 64, 64) in [−1, 1]: guided DDIM, a noise of its own for each prompt of a seed."""
    pipe, schedule = bench.pipe, schedule_of(bench.pipe)
    side, channels = pipe.unet.config.sample_size, pipe.unet.config.in_channels
    noise = torch.randn(len(prompts), channels, side, side, generator=torch.Generator().manual_seed(seed))
    found = []
    for first in range(0, len(prompts), BATCH):
        some, start = prompts[first : first + BATCH], noise[first : first + BATCH].to(pipe.device)
        steer = guide(prompt_denoiser(pipe, some), prompt_denoiser(pipe, [negative] * len(some)), scale)
        found.append(decode(pipe.vae, last(sample_ddim(steer, schedule, start, schedule.even_times(steps))).x))
    return torch.cat(found)


@cache
def samples(bench: Bench, prompts: tuple[str, ...], seed: int, scale: float, steps: int) -> Tensor:
    """As draw, kept: the samples that are counted are also those whose distance to the training set is taken."""
    return draw(bench, list(prompts), seed, scale, steps)


def rates(bench: Bench, rows: list[int], seeds: list[int], language: str, scale: float, steps: int) -> dict:
    """Shares of samples whose nearest real emoji has the asked label and vendor: mean and deviation over seeds."""
    emoji = [bench.gallery.emoji[i] for i in rows]
    prompts, found = [prompt(e, language) for e in emoji], []
    for seed in seeds:
        hits = bench.gallery.hits(samples(bench, tuple(prompts), seed, scale=scale, steps=steps), emoji)
        found.append({name: value.double().mean().item() for name, value in hits.items()})
    return over_seeds(found)


def over_seeds(found: list[dict]) -> dict:
    """{name: mean, name_std: deviation} of dicts of numbers."""
    table = {name: torch.tensor([row[name] for row in found], dtype=torch.float64) for name in found[0]}
    deviation = {f"{name}_std": round(v.std().item(), 4) if len(v) > 1 else 0.0 for name, v in table.items()}
    return {**{name: round(v.mean().item(), 4) for name, v in table.items()}, **deviation}


def measure_bounds(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    """Chance, the autoencoder's ceiling, and how well the autoencoder returns what it never saw."""
    gallery = bench.gallery
    for name, rows in bench.asked.items():
        emoji, real = [gallery.emoji[i] for i in rows], bench.images[rows]

        def chance(emoji: list[Emoji] = emoji) -> dict:
            generator, found = torch.Generator().manual_seed(0), []
            for _ in range(10):
                others = torch.randperm(len(gallery.emoji), generator=generator)[: len(emoji)]
                hits = gallery.hits(bench.images[others], emoji)
                found.append({key: value.double().mean().item() for key, value in hits.items()})
            return over_seeds(found)

        def ceiling(emoji: list[Emoji] = emoji, real: Tensor = real) -> dict:
            back = decode(bench.pipe.vae, encode(bench.pipe.vae, real))
            shares = {key: round(v.double().mean().item(), 4) for key, v in gallery.hits(back, emoji).items()}
            return {**shares, "psnr": round(psnr(back, real), 2)}

        record.row("bounds", {"set": name, "kind": "chance", "images": len(rows)}, chance)
        record.row("bounds", {"set": name, "kind": "autoencoder", "images": len(rows)}, ceiling)


def measure_prompts(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    """Both sets in both languages; of the training prompts in Chinese a fifth, which is enough to compare."""
    for name in bench.asked:
        for language in ("en", "zh"):
            few = len(bench.asked[name]) // 5 if (name, language) == ("training", "zh") else None
            measure(bench, options, record, "by_language", name, few, language=language, **USUAL)


def measure_by_scale(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    for scale in options.scales:
        measure(bench, options, record, "by_scale", "kept-out", language="en", scale=scale, steps=USUAL["steps"])


def measure_by_steps(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    for steps in options.calls:
        measure(bench, options, record, "by_steps", "kept-out", language="en", scale=USUAL["scale"], steps=steps)


def measure(bench: Bench, options, record: Record, part: str, name: str, few: int | None = None, **setting) -> None:
    """One row: a set of prompts, or the first `few` of it, in one setting, over the seeds."""
    rows, seeds = bench.asked[name][:few], options.seeds
    same = {"set": name, **setting, "samples": len(rows), "seeds": seeds}
    record.row(part, same, lambda: rates(bench, rows, seeds, **setting))


def measure_negative(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    """Hearts of a colour, with that colour as the negative prompt: how far the ink moves from it.

    Unit of the shift: the distance from the mean colour of real hearts of this colour to that of all real hearts.
    """
    colours = [c for c in COLOURS if f"{c} heart" in bench.gallery.labels]
    hearts = [e for e in bench.gallery.emoji if e.label_en in [f"{colour} heart" for colour in colours]]
    where = {e.pair: i for i, e in enumerate(bench.gallery.emoji)}

    def mean_colour(rows: list[Emoji]) -> Tensor:
        return ink_colour(bench.images[[where[e.pair] for e in rows]]).mean(0)

    everywhere = mean_colour(hearts)
    for colour in colours:

        def shift(colour: str = colour) -> dict:
            here = mean_colour([e for e in hearts if e.label_en == f"{colour} heart"])
            away = everywhere - here
            prompts = [f"{colour} heart, {style} style" for style in STYLES.values()]
            found = []
            for seed in options.seeds:
                plain = ink_colour(draw(bench, prompts, seed, **USUAL)).mean(0)
                moved = ink_colour(draw(bench, prompts, seed, **USUAL, negative=colour)).mean(0)
                found.append({"shift": float((moved - plain) @ away / away.square().sum()),
                              "off_colour": float((plain - here).norm() / away.norm())})  # fmt: skip
            return over_seeds(found)

        record.row("negative", {"colour": colour, **USUAL, "samples": len(STYLES), "seeds": options.seeds}, shift)


def ink_colour(images: Tensor) -> Tensor:
    """(N, 3): the mean colour of each picture where it is not white ground (some channel below 0.8 of −1..1)."""
    ink = (images.amin(1, keepdim=True) < 0.8).float()
    return (images * ink).sum((2, 3)) / ink.sum((2, 3)).clamp(min=1)


def measure_memory(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    """Pixel distance (root mean square) to the nearest training picture: of samples, and of real ones kept out."""
    known = bench.images[bench.known].flatten(1)

    def distance(images: Tensor) -> Tensor:
        return torch.cdist(images.flatten(1), known).amin(1) / known.shape[1] ** 0.5

    real = distance(bench.images[bench.asked["kept-out"]])
    close = float(real.quantile(0.05))
    unseen, seen = bench.images[bench.asked["kept-out"]], bench.images[bench.asked["training"]]
    own = decode(bench.pipe.vae, encode(bench.pipe.vae, seen))

    def of(images: Tensor) -> dict:
        found = distance(images)
        share = (found < close).double().mean().item()
        return {"median": round(found.median().item(), 4), "closer_than_5pct_of_real": round(share, 4)}

    record.row("memory", {"what": "real, kept out", "samples": len(real)}, lambda: of(unseen))
    record.row("memory", {"what": "training pictures through the autoencoder", "samples": len(own)}, lambda: of(own))
    for name, rows in bench.asked.items():
        prompts = [prompt(bench.gallery.emoji[i]) for i in rows]
        same = {"what": f"samples, {name} prompts", "samples": len(prompts), **USUAL}
        record.row("memory", same, lambda asked=tuple(prompts): of(samples(bench, asked, options.seeds[0], **USUAL)))


def measure_speed(bench: Bench, options: argparse.Namespace, record: Record) -> None:
    draw(bench, ["red apple"], 0, **USUAL)
    started = time.perf_counter()
    for seed in range(3):
        draw(bench, ["red apple"], seed, **USUAL)
    record.set({"seconds_per_image": round((time.perf_counter() - started) / 3, 3), "seconds_with": USUAL})


TEXT_PARTS = {
    "bounds": measure_bounds,
    "prompts": measure_prompts,
    "scales": measure_by_scale,
    "steps": measure_by_steps,
    "negative": measure_negative,
    "memory": measure_memory,
    "speed": measure_speed,
}
