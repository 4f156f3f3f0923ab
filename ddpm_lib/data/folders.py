"""Any folder of pictures."""

from pathlib import Path

import torch
from torch import Tensor

IMAGE_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"}


def load_images(folder: str | Path, side: int = 64, channels: int = 3, at_least: int = 1) -> Tensor:
    """Every picture below a folder, its middle square scaled to side × side: (N, channels, side, side) in [−1, 1].

    Sizes and modes may be mixed. Files that cannot be read are named in a printed line and skipped; fewer than
    `at_least` readable ones are refused. Of a film the first frame is taken.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; give one with pictures.")
    files = sorted(f for f in Path(folder).rglob("*") if f.suffix.lower() in IMAGE_ENDINGS)
    pictures, unreadable = [], []
    for file in files:
        try:
            pictures.append(_read(file, side, channels))
        except Exception:  # each format's reader has errors of its own for a broken file
            unreadable.append(str(file.relative_to(folder)))
    if unreadable:
        print(f"skipped {len(unreadable)} unreadable: {', '.join(unreadable[:5])}{' …' if len(unreadable) > 5 else ''}")
    if not pictures:
        raise ValueError(f"no readable picture below {folder} (looked for {', '.join(sorted(IMAGE_ENDINGS))}).")
    if len(pictures) < at_least:
        raise ValueError(f"{len(pictures)} readable pictures below {folder} are too few: at least {at_least} needed.")
    return torch.stack(pictures).float() / 127.5 - 1


def _read(file: Path, side: int, channels: int) -> Tensor:
    """One picture as bytes, (channels, side, side)."""
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits a pixel: Pillow would cut at 255 instead of scaling
            image = image.point(lambda value: value / 256).convert("L")
        image = image.convert("RGBA")
        # On white: what is transparent has no colour of its own.
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = ImageOps.fit(image.convert("RGB" if channels == 3 else "L"), (side, side), Image.Resampling.LANCZOS)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        return pixels.reshape(side, side, channels).permute(2, 0, 1)
