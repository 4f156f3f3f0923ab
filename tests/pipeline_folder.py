"""Tiny text-to-image pipelines with random weights, in diffusers' format, and texts to try a tokenizer on."""

import random

import torch

from ddpm_lib.models.latent import ImageAutoencoder, TextDenoiser
from ddpm_lib.schedules import cosine_schedule
from ddpm_lib.stable_diffusion import assemble
from ddpm_lib.words import train_tokenizer

THINGS = ["red apple", "panda", "cherry blossom", "blue heart", "hot beverage", "banana", "tropical fish", "snail"]
NAMES_ZH = ["红苹果", "熊猫", "樱花", "蓝色的心", "热饮", "香蕉", "热带鱼", "蜗牛"]
STYLES = ["noto", "twemoji", "3d", "flat", "blob"]
CAPTIONS = [f"{thing}, {style} style" for thing in THINGS for style in STYLES]
CAPTIONS += [f"{thing}，{style} 风格" for thing in NAMES_ZH for style in STYLES]
ODD = [
    "", " ", "\n\t  \n", "a", "I'm sure it's the dog's: we'll see, they've won", "It's 42 °C!  RED\u00a0Apple",
    "'''s''t", "🍎", "🍎🍏 a 🍎apple", "👩‍🚀 astronaut", "🇨🇳🇩🇪", "❤️‍🔥 heart", "红苹果🍎，noto 风格",
    "ＦＵＬＬ ｗｉｄｔｈ １２", "…—“”‘’«»", "123 4567 8,9", "½ ² Ⅷ ٣", "e\u0301clair E\u0301", "ÀÉÎÕÜ ß ẞ ſ",
    "İstanbul ısı", "ΟΔΟΣ ΣΑΣ Σ", "Привет, МИР", "日本語のテキスト", "한국어", "हिन्दी में", "العربية",
    "a\u200bb\ufeffc", "\u0085next\u2028line\u3000wide", "tab\tnew\nline\r\nend", "x" * 200,
    "a red apple " * 30, "熊猫" * 40, "<|endoftext|>", "a <|startoftext|>red<|endoftext|> apple",
    "<|ENDOFTEXT|>!!", "!!<|endoftext|>!!", "<| endoftext |>", "don't DON'T don’t", "\\n \\ / | ~ ` ^",
    "a_b-c.d@e#f", "𓀀𓀁", "\u0301", "\x00\x01", "noto-style", "3D", "3d style", "C++ & C#", "100%", "$5.00",
    "1st 2nd", "ﬁ ﬂ", "¿Qué? ¡Sí!", "…", "a…b", "—", "'", "''", "'s",
]  # fmt: skip


def texts(count: int = 120) -> list[str]:
    """Captions, odd texts, and `count` texts thrown together from pieces of both: about 250, the same each time."""
    dice = random.Random(0)
    pieces = [*CAPTIONS, *ODD, "\u00a0", ",", "，", "🐼", "'re", "0", "é", "ﷺ", "\U0001f9ff"]
    mixed = [dice.choice(["", " "]).join(dice.choices(pieces, k=dice.randint(2, 4))) for _ in range(count)]
    return [*CAPTIONS, *ODD, *mixed]


def write_pipeline(folder, seed: int = 0) -> None:
    """A small pipeline of the book's kind: 32 × 32 pictures, (4, 16, 16) latents, 24 tokens, words of width 32."""
    tokenizer = train_tokenizer(CAPTIONS, vocabulary=900)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        coder = ImageAutoencoder(widths=(8, 16), side=32).coder
        denoiser = TextDenoiser(len(tokenizer), text_width=32, text_layers=1, widths=(16, 32), groups=8, heads=2)
    coder.register_to_config(scaling_factor=3.0)
    assemble(folder, coder, tokenizer, denoiser.text_encoder, denoiser.unet, cosine_schedule())
