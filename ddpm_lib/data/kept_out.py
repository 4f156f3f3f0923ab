"""The emoji that the book's text-to-image model never saw: the only real ones that this package carries."""

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from .captions import Emoji
from .sheets import cut, open_picture

HERE = Path(__file__).parent.parent / "weights" / "emoji-diffusion"
COLUMNS = 7


def write_kept_out(folder: str | Path, emoji: list[Emoji], images: Tensor) -> None:
    """Write folder/kept_out.csv and folder/kept_out.webp, without loss, seven in a row. images: (N, 3, 64, 64)."""
    from PIL import Image

    rows = -(-len(emoji) // COLUMNS)
    sheet = torch.full((rows * COLUMNS, 3, 64, 64), 1.0)
    sheet[: len(emoji)] = images
    pixels = ((sheet + 1) * 127.5).round().to(torch.uint8)
    pixels = pixels.reshape(rows, COLUMNS, 3, 64, 64).permute(0, 3, 1, 4, 2).reshape(rows * 64, COLUMNS * 64, 3)
    Image.fromarray(pixels.numpy()).save(Path(folder) / "kept_out.webp", lossless=True, quality=100, method=6)
    with open(Path(folder) / "kept_out.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow("index" if field == "place" else field for field in Emoji._fields)  # as in captions.csv
        table.writerows([["|".join(v) if isinstance(v, tuple) else v for v in e] for e in emoji])


def load_kept_out(folder: str | Path | None = None) -> tuple[list[Emoji], Tensor]:
    """The kept-out emoji, and their pictures (N, 3, 64, 64) in [−1, 1], on white: half a hundred of five vendors.

    folder: of a trained model; None is the one that ships, whose README.md says whose drawings they are.
    """
    folder = Path(folder or HERE)
    with open(folder / "kept_out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    emoji = [
        Emoji(**{"place": int(row.pop("index")), **row, "tags_en": tuple(row["tags_en"].split("|")),
                 "tags_zh": tuple(row["tags_zh"].split("|"))})
        for row in rows
    ]  # fmt: skip
    tiles = cut(open_picture(folder / "kept_out.webp"), 64)[: len(emoji)]
    return emoji, tiles.permute(0, 3, 1, 2).float() / 127.5 - 1


def fingerprint(pairs: Iterable[str]) -> str:
    """sha256 of Emoji.pair of all, sorted, one a line: by it anyone can tell whether two lists are the same."""
    return hashlib.sha256("".join(f"{pair}\n" for pair in sorted(pairs)).encode()).hexdigest()
