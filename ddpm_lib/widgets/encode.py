"""Tensors as text that a page can carry: pictures, points, tables, and small still drawings."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..colours import HUES

PALETTE = {hue: paper for hue, (paper, _) in HUES.items()}  # stills are printed, on paper


def as_picture(x: Tensor, name: str = "picture", most: float = float("inf")) -> Tensor:
    """x as (3, side, side), float32 on the CPU; accepts a batch of one and one grey channel.

    Raises ValueError for another shape, or where |x| > most: it is not scaled to [-1, 1].
    """
    x = torch.as_tensor(x).detach().cpu().float()
    if x.ndim == 4 and len(x) == 1:
        x = x[0]
    if x.ndim != 3 or x.shape[0] not in (1, 3) or x.shape[1] != x.shape[2]:
        raise ValueError(
            f"{name} must be one square picture, (3, side, side) or (1, side, side), got {tuple(x.shape)};"
            " pick one of a batch, or crop it."
        )
    if float(x.abs().max()) > most:
        raise ValueError(
            f"{name} must lie in [-1, 1], got {float(x.min()):.3g}..{float(x.max()):.3g};"
            " bytes become that by x / 127.5 - 1."
        )
    return x.expand(3, -1, -1)


def as_points(x: Tensor, name: str = "points") -> Tensor:
    """x as (n, 2) float32 on the CPU."""
    x = torch.as_tensor(x).detach().cpu().float()
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"{name} must have shape (n, 2), one row for each point, got {tuple(x.shape)}.")
    if not bool(torch.isfinite(x).all()):
        raise ValueError(f"{name} hold values that are not finite: look at the sampler that made them.")
    return x


def _bytes(x: Tensor) -> np.ndarray:
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def _address(image: np.ndarray, kind: str, **options) -> str:
    store = io.BytesIO()
    Image.fromarray(image).save(store, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(store.getvalue()).decode()}"


def picture_address(x: Tensor) -> str:
    """A (3, height, width) picture in [-1, 1] as a data: address; small ones lossless."""
    if x.shape[-1] <= 64:
        return _address(_bytes(x), "png", optimize=True)
    return _address(_bytes(x), "jpeg", quality=90, subsampling=0)


def webp_address(x: Tensor, quality: int) -> str:
    """A (3, height, width) picture in [-1, 1] as a data: address of WebP, lossy: quality 0..100."""
    return _address(_bytes(x), "webp", quality=quality, method=6)


def pitch(side: int) -> int:
    """From one picture of a sheet to the next: whole blocks of 16, so that JPEG never mixes two."""
    return -(-side // 16) * 16


def sheet_address(frames: Sequence[Tensor], columns: int) -> str:
    """Equal pictures, `columns` to a row and `pitch` apart, as the address of one small JPEG."""
    _, height, width = frames[0].shape
    down, across = pitch(height), pitch(width)
    page = torch.zeros(3, -(-len(frames) // columns) * down, columns * across)
    for k, frame in enumerate(frames):
        top, left = k // columns * down, k % columns * across
        # A picture's edge fills the rest of its cell: an edge inside a block would ring.
        cell = F.pad(frame[None], (0, across - width, 0, down - height), mode="replicate")[0]
        page[:, top : top + down, left : left + across] = cell
    return _address(_bytes(page), "jpeg", quality=58, subsampling=2, optimize=True)


def numbers(x: Tensor, dtype: str) -> str:
    """Base64 of x as little-endian numbers, e.g. dtype "<f4"."""
    return base64.b64encode(x.detach().cpu().contiguous().numpy().astype(dtype).tobytes()).decode()


def thin(items: Sequence, most: int) -> list:
    """At most `most` of the items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def dots(x: Tensor, left: float, side: float, reach: float, colour: str) -> str:
    """(n, 2) points as one SVG path of round dots in a square of the given side."""
    place = ((x * torch.tensor([1.0, -1.0]) / reach + 1) * side / 2).tolist()
    path = "".join(f"M{left + a:.0f} {b:.0f}h0" for a, b in place if 0 <= a <= side and 0 <= b <= side)
    style = f'stroke="{colour}" stroke-width="2.5" stroke-linecap="round" fill="none"'
    return f'<path d="{path}" {style}/>'


def line(table: Tensor, left: float, width: float, height: float, colour: str) -> str:
    """A table of numbers in [0, 1] as one SVG curve."""
    picked = thin(table.tolist(), 60)
    path = "L".join(f"{left + width * i / (len(picked) - 1):.1f} {height * (1 - v):.1f}" for i, v in enumerate(picked))
    return f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>'


def drawing(box: str, what: str, inside: str) -> str:
    """An inline SVG with words for those who cannot see it."""
    return f'<svg viewBox="{box}" role="img" aria-label="{what}" font-size="12" fill="currentColor">{inside}</svg>'
