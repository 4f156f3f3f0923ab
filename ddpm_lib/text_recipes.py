"""How the book's text-to-image model was trained: autoencoder, then text encoder and denoiser, then one folder.

python -m ddpm_lib.recipes emoji-diffusion-small --data FOLDER does all of it on a CPU; emoji-diffusion, on all
emoji and with wider networks, wants a GPU. A stage that is finished is not done again.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from .checkpoints import load, read_header
from .data.captions import NATURE, SIMPLE, Emoji, captions_of, keep_out, names_of, pictures_of, read_emoji, repeats
from .data.kept_out import fingerprint, write_kept_out
from .data.sheets import GROUPS
from .latents import autoencoder_loss, decode, encode, psnr, settle_scale
from .models.latent import ImageAutoencoder, TextDenoiser
from .run_pictures import draw_decoded, draw_pairs
from .run_state import states
from .runs import run
from .runtime import device
from .schedules import cosine_schedule
from .stable_diffusion import assemble
from .word_judge import run_word_judge
from .words import token_ids, train_tokenizer


@dataclass(frozen=True)
class TextToImage:
    """Everything that makes a latent text-to-image model: which emoji, which networks, how long."""

    name: str
    parts: tuple[str, ...]  # groups or subgroups of emoji
    coder_parts: tuple[str, ...]  # the same, for the autoencoder: at least those of parts
    autoencoder: Callable[[], ImageAutoencoder]
    coder_steps: int
    coder_batch: int
    denoiser: Callable[[], TextDenoiser]
    denoiser_steps: int
    denoiser_batch: int
    coder_lr: float = 2e-3
    denoiser_lr: float = 1e-3
    seed: int = 0


def small_autoencoder() -> ImageAutoencoder:
    """0.7 M parameters: 64 × 64 × 3 to 16 × 16 × 4, twelve times fewer numbers."""
    return ImageAutoencoder(widths=(16, 32, 64))


def small_denoiser() -> TextDenoiser:
    """7.5 M parameters: a text encoder of width 128, a U-Net at 16, 8 and 4 with attention at 8 and 4."""
    return TextDenoiser(widths=(48, 80, 160))


def wide_autoencoder() -> ImageAutoencoder:
    return ImageAutoencoder(widths=(32, 64, 128), blocks=2)


def wide_denoiser() -> TextDenoiser:
    return TextDenoiser(widths=(64, 96, 160), blocks=2, text_layers=4)


SMALL = TextToImage("emoji-diffusion-small", SIMPLE, NATURE, small_autoencoder, 2_200, 16, small_denoiser, 6_800, 32)

# For half an hour of a large GPU: all 8,000 emoji.
FULL = TextToImage("emoji-diffusion", GROUPS, GROUPS, wide_autoencoder, 12_000, 64, wide_denoiser, 30_000, 256,
                   coder_lr=1e-3)  # fmt: skip

JUDGE = "emoji-words-classifier"

TEXT_TO_IMAGE = {plan.name: plan for plan in [SMALL, FULL]}


def run_text_to_image(plan: TextToImage, recipe_class, out: Path, root: str | None = None, *, steps: int | None = None,
                      resume: bool = False, **options) -> Path:  # fmt: skip
    """Train all parts of a plan, and write the folder OUT/emoji-diffusion in diffusers' format; returns it.

    recipe_class: recipes.Recipe. steps: of the denoiser, where fewer (or more) are wanted than the plan's; the
    autoencoder then takes no more either. options: of runs.run. A part that is finished is not trained again; of a
    run that is resumed for more steps, that is so of the autoencoder once the denoiser has begun, since the denoiser
    has learned its latents.
    Raises ValueError, before anything is trained, where that folder is another plan's.
    """
    folder = Path(out) / "emoji-diffusion"
    check_whose(folder, plan.name)
    more = read_emoji(root, plan.coder_parts)
    kept = set(keep_out(more))
    known, unseen = halves(plan, root)
    names = names_of(known + unseen)
    # Before the networks: it takes seconds, and where it cannot be had no hour has been lost.
    tokenizer = train_tokenizer([c for e in known for c in captions_of(e, names)])

    @cache
    def pictures(train: bool) -> Tensor:
        return pictures_of(known if train else unseen, root)

    def emoji_pictures(root: str | None, train: bool) -> tuple[Tensor, None]:
        return pictures_of([e for e in more if (e.pair in kept) != train], root), None

    coder_recipe = recipe_class(
        f"{plan.name}-autoencoder", emoji_pictures, plan.autoencoder, cosine_schedule,
        min(plan.coder_steps, steps or plan.coder_steps), plan.coder_batch, plan.coder_lr, warmup=100,
        seed=plan.seed, loss=autoencoder_loss, draw=draw_pairs,
    )  # fmt: skip
    path = Path(out) / f"{coder_recipe.name}.safetensors"
    begun = resume and states(Path(out) / f"{plan.name}-denoiser.run")
    if not is_finished(path, None if begun else coder_recipe.num_steps):
        run(coder_recipe, out, root, resume=resume, **options)
    coder = load(path)[0].coder.to(device())
    scale = settle_scale(coder, pictures(True))
    network = plan.denoiser().config

    def emoji_latents(root: str | None, train: bool) -> tuple[Tensor, Tensor]:
        shown = known if train else unseen
        captions = [captions_of(e, names) for e in shown]
        tokens = torch.stack([token_ids(tokenizer, c, network["tokens"]) for c in captions])
        rows = repeats(shown) if train else list(range(len(shown)))
        return encode(coder, pictures(train))[rows], tokens[rows]

    def denoiser() -> TextDenoiser:
        return TextDenoiser(**{**network, "vocabulary": len(tokenizer)})

    def draw(folder, step, ema, schedule, x0, label) -> None:
        draw_decoded(folder, step, ema, schedule, x0, label, coder)

    recipe = recipe_class(
        f"{plan.name}-denoiser", emoji_latents, denoiser, cosine_schedule, steps or plan.denoiser_steps,
        plan.denoiser_batch, plan.denoiser_lr, warmup=min(200, (steps or 800) // 4), label_dropout=0.0, seed=plan.seed,
        draw=draw,
    )  # fmt: skip
    path = Path(out) / f"{recipe.name}.safetensors"
    if not is_finished(path, recipe.num_steps):
        run(recipe, out, root, resume=resume, **options)
    if os.environ.get("RANK", "0") != "0":
        return folder  # of several processes the first writes
    trained, schedule = load(path)
    seen = decode(coder, encode(coder, pictures(False)))
    facts = {
        "plan": plan.name,
        "parts": list(plan.parts),
        "images": len(known),
        "kept_out": len(unseen),
        "kept_out_sha256": fingerprint(e.pair for e in unseen),
        "latents": scale,
        "psnr_kept_out": round(psnr(seen, pictures(False)), 2),
        "autoencoder": read_header(Path(out) / f"{coder_recipe.name}.safetensors")["card"],
        "denoiser": read_header(path)["card"],
    }
    assemble(folder, coder, tokenizer, trained.text_encoder, trained.unet, schedule)
    write_kept_out(folder, unseen, pictures(False))
    (folder / "training.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder


def halves(plan: TextToImage, root: str | None = None) -> tuple[list[Emoji], list[Emoji]]:
    """The emoji of a plan that training may see, and those kept out."""
    more = read_emoji(root, plan.coder_parts)
    kept = set(keep_out(more))
    emoji = [e for e in more if e.group in plan.parts or e.subgroup in plan.parts]
    return [e for e in emoji if e.pair not in kept], [e for e in emoji if e.pair in kept]


def run_judge(out: Path, root: str | None = None) -> Path:
    """Train the judge of all plans, on all emoji but what any of them keeps out; returns its file in OUT."""
    kept = {e.pair for plan in TEXT_TO_IMAGE.values() for e in halves(plan, root)[1]}
    emoji = read_emoji(root)
    known, unseen = [e for e in emoji if e.pair not in kept], [e for e in emoji if e.pair in kept]
    return run_word_judge(JUDGE, known, unseen, out, root)


def is_finished(path: Path, steps: int | None) -> bool:
    """Whether these weights are those of a run that went to its end: these steps, or None for those it had planned."""
    if not path.exists():
        return False
    card = read_header(path)["card"]
    return card.get("steps") == (card["recipe"]["num_steps"] if steps is None else steps)


def check_whose(folder: Path, plan: str) -> None:
    """Raises ValueError where the folder holds the model of another plan, which would be overwritten."""
    note = folder / "training.json"
    if note.exists() and (theirs := json.loads(note.read_text(encoding="utf-8")).get("plan")) != plan:
        raise ValueError(f"{folder} holds the model of {theirs}: choose another --out for {plan}.")
