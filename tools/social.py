"""Make the card that a link to the book shows where it is shared: the painting, with noise across it."""

import io

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from ddpm_lib.painting import painting
from ddpm_lib.schedules import linear_schedule
from tools.steps import ROOT, step

TARGET = ROOT / "book" / "_static" / "card.jpg"
WIDTH, HEIGHT, BLOCK = 1200, 630, 5  # pixels; a block is one pixel of the noisy picture
TITLE = "Diffusion models,\nstep by step"
PAPER, INK, MUTED, SIGNAL, NOISE = "#fdfcfa", "#262a30", "#5a5f66", "#2f6690", "#a9581b"
FONT = ROOT / "book" / "_static" / "fonts" / "source-serif-4-latin-wght-normal.woff2"


def card(seed: int = 0) -> Image.Image:
    """The picture: above, from noise at the left edge to the clean painting at the right; below, the title."""
    schedule, band = linear_schedule(), 420
    columns, rows = WIDTH // BLOCK, band // BLOCK
    clean = painting(columns)[:, 10 : 10 + rows]  # the sky with its moon
    eps = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    t = torch.linspace(1, 0, columns).pow(1.7).mul(schedule.T * 0.8).round().long()
    noisy = schedule.signal_rate[t].float() * clean + schedule.noise_rate[t].float() * eps
    pixels = ((noisy.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    picture.paste(Image.fromarray(pixels).resize((WIDTH, band), Image.Resampling.NEAREST), (0, 0))
    picture.paste(_rule(WIDTH, 6), (0, band))
    pen = ImageDraw.Draw(picture)
    pen.text((60, band + 34), TITLE, fill=INK, font=_font(58, 650), spacing=6)
    pen.text((WIDTH - 60, HEIGHT - 44), "a textbook you can run", fill=MUTED, font=_font(34, 400), anchor="rs")
    return picture


def _rule(width, height):
    """A line from noise to signal."""
    ends = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (NOISE, SIGNAL)])
    share = np.linspace(0, 1, width)[:, None]
    line = (1 - share) * ends[0] + share * ends[1]
    return Image.fromarray(np.tile(line.round().astype(np.uint8), (height, 1, 1)))


def _font(size, weight):
    """The font of the pages; matplotlib's serif where Pillow cannot read it."""
    try:
        font = ImageFont.truetype(str(FONT), size)
        font.set_variation_by_axes([weight])
        return font
    except OSError:
        from matplotlib import font_manager

        return ImageFont.truetype(font_manager.findfont("DejaVu Serif"), round(size * 0.85))


def write():
    """Write the card that the head of every page names (book/_theme/layout.html)."""
    with step("the card for links"):
        buffer = io.BytesIO()
        card().save(buffer, "JPEG", quality=80, optimize=True)
        TARGET.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    write()
