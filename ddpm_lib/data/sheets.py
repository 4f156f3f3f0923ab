"""Colour pictures kept as sheets, many small pictures to one lossless file: CIFAR-10 and emoji."""

import csv
import hashlib
import os
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

VENDORS = ("noto", "twemoji", "fluent-3d", "fluent-flat", "noto-blob")
GROUPS = ("smileys-emotion", "people-body", "animals-nature", "food-drink", "travel-places", "activities", "objects",
          "symbols", "flags")  # fmt: skip
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load_cifar10(root: str | Path | None = None, train: bool = True) -> tuple[Tensor, Tensor]:
    """CIFAR-10 (Krizhevsky 2009): photographs, (50,000 or 10,000, 3, 32, 32) in [−1, 1], and labels of 0..9.

    `root` (or $DDPM_DATA, or ~/.cache/ddpm_lib) holds cifar10/ with sheets train_00.webp … of 5,000 pictures, 50 in a
    row, and train_labels.npy, test_labels.npy; else torchvision looks for its own files there, and downloads them.
    """
    root, split = _root(root), "train" if train else "test"
    sheets = sorted((root / "cifar10").glob(f"{split}_*.webp"))
    if sheets:
        import numpy as np

        pixels = torch.cat([cut(open_picture(sheet), 32) for sheet in sheets])
        labels = torch.from_numpy(np.load(root / "cifar10" / f"{split}_labels.npy", allow_pickle=False)).long()
    else:
        pixels, labels = _torchvision_cifar10(root, train)
    print(f"cifar10: {len(pixels):,} images of the {'training' if train else 'test'} set, from {root}")
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1, labels


def load_emoji(
    root: str | Path | None = None, train: bool = True, side: int = 32, vendors: tuple[str, ...] = VENDORS
) -> tuple[Tensor, Tensor]:
    """Emoji on white: (N, 3, side, side) in [−1, 1], and (N, 2) labels: index in `vendors`, index in GROUPS.

    `root` (or $DDPM_DATA) holds emoji/ with captions.csv and, for each vendor, VENDOR.webp, pictures of 64 × 64, 25
    in a row. Pixel-equal repeats are left out. Every twentieth caption (by a hash of its English label, so the same
    for all vendors) belongs to the test set, train=False. side: a divisor of 64.
    """
    folder = emoji_folder(root)
    with open(folder / "captions.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["dup_of"] and is_test(row["label_en"]) != train]
    images, labels = [], []
    for number, vendor in enumerate(vendors):
        mine = [row for row in rows if row["vendor"] == vendor]
        images.append(emoji_pixels(folder, vendor, [int(row["index"]) for row in mine], side))
        labels.append(torch.tensor([[number, GROUPS.index(row["group"])] for row in mine]))
    x = torch.cat(images)
    print(f"emoji: {len(x):,} images of the {'training' if train else 'test'} set, from {folder}")
    return x, torch.cat(labels)


def emoji_folder(root: str | Path | None = None) -> Path:
    """Where the emoji lie. Raises FileNotFoundError, with what must be there, if they do not."""
    folder = _root(root) / "emoji"
    if not (folder / "captions.csv").exists():
        raise FileNotFoundError(
            f"no emoji in {folder}: it must hold captions.csv and {', '.join(f'{v}.webp' for v in VENDORS)}."
        )
    return folder


def emoji_pixels(folder: Path, vendor: str, rows: list[int], side: int) -> Tensor:
    """(len(rows), 3, side, side) in [−1, 1]: pictures of one vendor's sheet on white. side: a divisor of 64."""
    if side < 1 or 64 % side:
        raise ValueError(f"side must divide 64, got {side}.")
    pixels = cut(open_picture(folder / f"{vendor}.webp"), 64)[rows].float()
    # On white: what is transparent has no colour of its own. Averaged only then, or edges would turn dark.
    alpha = pixels[..., 3:] / 255
    colour = (pixels[..., :3] * alpha + 255 * (1 - alpha)).permute(0, 3, 1, 2)
    return F.avg_pool2d(colour, 64 // side) / 127.5 - 1


def faces_and_flags(root: str | Path | None = None, train: bool = True) -> tuple[Tensor, Tensor]:
    """The emoji of two groups, smileys-emotion and flags, 1,300 of the 8,000: what an hour of a CPU can learn."""
    images, labels = load_emoji(root, train)
    few = (labels[:, 1] == GROUPS.index("smileys-emotion")) | (labels[:, 1] == GROUPS.index("flags"))
    return images[few], labels[few]


def is_test(caption: str, share: int = 20) -> bool:
    """Whether a caption is kept out of training: one in `share`, for ever the same ones."""
    return int(hashlib.sha256(caption.encode()).hexdigest(), 16) % share == 0


def _root(root: str | Path | None) -> Path:
    return Path(root or os.environ.get("DDPM_DATA") or Path.home() / ".cache" / "ddpm_lib")


def open_picture(sheet: Path) -> Tensor:
    """The (height, width, channels) bytes of a picture."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(sheet) as image:
            return torch.from_numpy(np.array(image))
    except OSError as error:
        raise ValueError(f"{sheet} cannot be read as a picture ({error}); fetch it again.") from error


def cut(sheet: Tensor, side: int) -> Tensor:
    """(rows · side, columns · side, channels) → (rows · columns, side, side, channels), in reading order."""
    height, width, channels = sheet.shape
    tiles = sheet.reshape(height // side, side, width // side, side, channels).transpose(1, 2)
    return tiles.reshape(-1, side, side, channels)


def _torchvision_cifar10(root: Path, train: bool) -> tuple[Tensor, Tensor]:
    try:
        from torchvision.datasets import CIFAR10

        data = CIFAR10(root, train=train, download=True)
    except Exception as error:  # torchvision raises several kinds, by mirror and by platform
        raise RuntimeError(
            f"CIFAR-10 is not in {root} and could not be downloaded ({type(error).__name__}: {error})."
            f" Put cifar-10-python.tar.gz there, or sheets in {root / 'cifar10'}."
        ) from error
    return torch.from_numpy(data.data), torch.tensor(data.targets)
