"""Any folder of pictures."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from .batches import to_floats
from .found import find_pictures, printable, readable_endings, say
from .room import check_room

USUAL = (".jpg", ".png", ".webp", ".gif", ".bmp", ".tif")


def load_images(folder: str | Path, side: int = 64, channels: int = 3, at_least: int = 1) -> Tensor:
    """Every picture below a folder, its middle square scaled to side × side: (N, channels, side, side) in [−1, 1].

    channels: 3, or 1 for grey. Sizes and modes may be mixed; of a film the first frame is taken, and what is
    transparent lies on white. A printed line says how many there are, and others what was skipped and why: endings
    that Pillow does not read (of HEIC it does with the package pillow-heif), files that cannot be read, hidden ones,
    and what a training run of ours wrote. Links to folders are followed, and no folder is read twice.
    Raises FileNotFoundError without a folder, ValueError for fewer than `at_least` readable pictures, and
    MemoryError, before anything is read, where they would not fit.
    """
    return to_floats(load_image_bytes(folder, side, channels, at_least, held_as=5))


def load_image_bytes(
    folder: str | Path,
    side: int = 64,
    channels: int = 3,
    at_least: int = 1,
    *,
    without: Iterable[str | Path] = (),
    held_as: float = 1,
) -> Tensor:
    """As load_images, but as bytes 0..255, a quarter of the memory: (N, channels, side, side), uint8.

    without: folders to pass over. held_as: bytes of memory that each number will take, for the check beforehand.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 3, or 1 for grey, got {channels}.")
    if side < 1:
        raise ValueError(f"side must be 1 or more, got {side}.")
    where = Path(folder)
    if where.is_file():
        raise FileNotFoundError(f"{printable(where)} is a file; give the folder with the pictures (unpacked).")
    if not where.is_dir():
        raise FileNotFoundError(f"there is no folder {printable(where)}; give one with pictures.")
    files, left_out = find_pictures(where, without)
    for line in left_out:
        say(line)
    size = channels * side * side
    check_room(
        int(len(files) * size * held_as), f"{len(files):,} pictures at {side} × {side}",
        "choose a smaller side (half of it needs a quarter), or fewer pictures",
    )  # fmt: skip
    images = torch.empty((len(files), channels, side, side), dtype=torch.uint8)
    read, broken = [], {}
    for file in files:
        try:
            images[len(read)] = _read(file, side, channels)
        except Exception as error:  # each format's reader has errors of its own for a broken file
            broken[file] = _reason(error)
        else:
            read.append(file)
    if broken:
        named = [f"{printable(file.relative_to(where))} ({why})" for file, why in list(broken.items())[:5]]
        say(f"skipped {len(broken):,} unreadable: {', '.join(named)}{', …' if len(broken) > 5 else ''}.")
    skipped = " What was skipped is told above." if broken or left_out else ""
    if not read:
        others = len(readable_endings()) - len(USUAL)
        raise ValueError(
            f"no readable picture below {printable(where)} (looked for {', '.join(USUAL)} and {others} endings more)."
            f"{skipped}"
        )
    if len(read) < at_least:
        raise ValueError(
            f"{len(read)} readable pictures below {printable(where)} are too few: at least {at_least} needed.{skipped}"
        )
    kinds = Counter(file.suffix.lower() for file in read).most_common()
    told = ", ".join(f"{count:,} {ending}" for ending, count in kinds)
    say(f"pictures: {len(read):,} at {side} × {side}, from {printable(where)} ({told})")
    return images[: len(read)]


def set_aside(images: Tensor, one_in: int = 20) -> tuple[Tensor, Tensor]:
    """All images but every twentieth, moved together in the memory that they have, and those set aside, as a copy."""
    rows = torch.arange(len(images))
    aside = rows % one_in == one_in - 1
    held, rows = images[aside], rows[~aside]
    for first in range(0, len(rows), 1000):
        some = rows[first : first + 1000]
        images[first : first + len(some)] = images[some]  # each comes from its own place or a later one
    return images[: len(rows)], held


def _read(file: Path, side: int, channels: int) -> Tensor:
    """One picture as bytes, (channels, side, side)."""
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode == "F":
            raise ValueError("its pixels are fractions, of no known range: save it with 8 bits")
        if image.mode.startswith("I"):  # 16 bits a pixel: Pillow would cut at 255 instead of scaling
            image = image.point(lambda value: value / 256).convert("L")
        image = image.convert("RGBA")
        # On white: what is transparent has no colour of its own.
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = ImageOps.fit(image.convert("RGB" if channels == 3 else "L"), (side, side), Image.Resampling.LANCZOS)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        return pixels.reshape(side, side, channels).permute(2, 0, 1)


def _reason(error: Exception) -> str:
    """Why a picture could not be read, in a few words."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no picture inside"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels, which Pillow refuses: scale it down"
    if isinstance(error, MemoryError):
        return "not enough memory for it"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return printable(said.splitlines()[0][:80])
