"""A picture in the manner of a painting, made by arithmetic: the one the ink falls on.

A landscape with a sky that turns about its lights, hills, a village and a tree. Every brush
stroke follows the level lines of one function psi(x, y): noise dragged along them becomes
paint (line integral convolution, Cabral & Leedom 1993). Coordinates run over the unit
square, y downwards, so one seed is the same picture at every size.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Scene:
    """What stands where. Lights are rows (x, y, radius, strength); colours are RGB in 0..1."""

    lights: list
    swirls: list  # (x, y, radius, strength): turns in the sky that give no light
    ridges: list  # (height, amplitude, frequency, phase), far to near
    houses: list  # (x, y, size, height of the roof in sizes)
    tree: tuple | None  # (x, height, width)
    sky: np.ndarray  # three colours, zenith to horizon
    glow: np.ndarray
    land: np.ndarray  # two colours, far to near


def _rgb(*codes: str) -> np.ndarray:
    return np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in codes])


# Night, evening, dawn, day, moonlit green: sky (zenith to horizon), glow, land (far to near).
PALETTES = [
    (_rgb("142a5c", "2f66a8", "8fb9d0"), _rgb("f7d774")[0], _rgb("2d5b84", "16343f")),
    (_rgb("4a2f63", "c2586a", "f2a65e"), _rgb("fff0b8")[0], _rgb("7a4a6b", "2f2a44")),
    (_rgb("5b7fb5", "b3b9dd", "f5cdb6"), _rgb("fff6da")[0], _rgb("7d94a8", "3f5c58")),
    (_rgb("3f84c4", "7db7dc", "d5e8e4"), _rgb("fff3b0")[0], _rgb("8aa65f", "4d7a3c")),
    (_rgb("0f3a44", "2d7a78", "a5cfa8"), _rgb("f4efb4")[0], _rgb("285a58", "12302e")),
]

FIRST = Scene(
    lights=[
        (0.80, 0.17, 0.075, 1.0),
        (0.60, 0.09, 0.026, 0.7),
        (0.43, 0.20, 0.022, 0.6),
        (0.34, 0.07, 0.026, 0.7),
        (0.62, 0.36, 0.020, 0.5),
        (0.93, 0.42, 0.024, 0.6),
    ],
    swirls=[(0.47, 0.37, 0.13, 1.0), (0.67, 0.47, 0.075, -0.8)],
    ridges=[(0.63, 0.050, 0.75, 2.5), (0.73, 0.045, 1.1, 0.2), (0.86, 0.035, 0.9, 3.6)],
    houses=[
        (0.50, 0.815, 0.062, 0.6),
        (0.72, 0.80, 0.058, 0.6),
        (0.86, 0.825, 0.050, 0.5),
        (0.61, 0.825, 0.046, 2.6),
        (0.38, 0.85, 0.050, 0.55),
    ],
    tree=(0.17, 0.88, 0.078),
    sky=PALETTES[0][0],
    glow=PALETTES[0][1],
    land=PALETTES[0][2],
)


def _scene(rng: np.random.Generator) -> Scene:
    """A landscape by chance."""
    sky, glow, land = PALETTES[rng.integers(len(PALETTES))]
    draw = rng.uniform
    lights = [(draw(0.2, 0.85), draw(0.1, 0.4), draw(0.055, 0.09), 1.0)]
    for _ in range(rng.integers(0, 6)):
        lights.append((draw(0, 1), draw(0.04, 0.45), draw(0.017, 0.028), 0.6))
    swirls = []
    for _ in range(rng.integers(1, 4)):
        swirls.append((draw(0.1, 0.9), draw(0.2, 0.5), draw(0.07, 0.14), rng.choice([-0.9, 0.9])))
    horizon, village = draw(0.52, 0.68), draw(0.15, 0.85)
    ridges = []
    for below in (0.0, 0.11, 0.23):
        ridges.append((horizon + below, draw(0.02, 0.07), draw(0.5, 1.4), draw(0, 6.3)))
    houses = []
    for _ in range(rng.integers(0, 5)):
        place = village + draw(-0.2, 0.2), horizon + draw(0.14, 0.2)
        houses.append((*place, draw(0.04, 0.06), rng.choice([0.55, 0.6, 0.7, 2.2])))
    tree = (draw(0.08, 0.92), draw(0.35, 0.85), draw(0.05, 0.09)) if rng.random() < 0.7 else None
    return Scene(lights, swirls, ridges, houses, tree, sky, glow, land)


def _sample(field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of a square field at unit coordinates; it repeats beyond its edges."""
    n = len(field)
    x, y = (x * n) % n, (y * n) % n
    i, j = np.floor(y).astype(int), np.floor(x).astype(int)
    a, b = y - i, x - j
    i, j, k, m = i % n, j % n, (i + 1) % n, (j + 1) % n
    upper = (1 - b) * field[i, j] + b * field[i, m]
    lower = (1 - b) * field[k, j] + b * field[k, m]
    return (1 - a) * upper + a * lower


def _drag(noise: np.ndarray, x, y, flow, length: float, steps: int = 9) -> np.ndarray:
    """Noise averaged along the flow, length to either side: streaks of unit variance."""
    total, (u, v) = np.zeros_like(x), flow
    for hop in (-length / steps, length / steps):
        px, py = x, y
        for _ in range(steps):
            du, dv = _sample(u, px, py), _sample(v, px, py)
            px, py = (px + hop * du).clip(0, 1 - 1e-6), (py + hop * dv).clip(0, 1 - 1e-6)
            total += _sample(noise, px, py)
    return (total - total.mean()) / total.std()


def _along(psi: np.ndarray) -> np.ndarray:
    """(2, n, n) unit vectors that run along psi's level lines."""
    down, right = np.gradient(psi)
    return np.stack([down, -right]) / (np.hypot(down, right) + 1e-9)


def _mix(a, b, share):
    return a + (b - a) * np.clip(share, 0, 1)[..., None]


def _ramp(colours: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Colour at 0..1 along evenly spaced colours."""
    place = np.clip(place, 0, 1) * (len(colours) - 1)
    return np.stack([np.interp(place, np.arange(len(colours)), c) for c in colours.T], -1)


def _sky_lines(scene: Scene, x, y) -> np.ndarray:
    """psi of the sky: gentle waves that close into rings about every light and every swirl."""
    waves = np.sin(2 * np.pi * (1.1 * x + 0.4 * y)), np.sin(2 * np.pi * (2.7 * x - 1.3 * y) + 1)
    psi = y + 0.035 * waves[0] + 0.012 * waves[1]
    rings = [(a, b, 1.9 * radius, 3.4 * radius) for a, b, radius, _ in scene.lights]
    rings += [(a, b, radius, 2.0 * strength * radius) for a, b, radius, strength in scene.swirls]
    for a, b, reach, rise in rings:
        near = np.exp(-((x - a) ** 2 + (y - b) ** 2) / reach**2)
        psi = (1 - near) * psi + near * (b + rise)
    return psi


def _ridge(shape: tuple, x) -> np.ndarray:
    """The y of a range of hills."""
    height, size, frequency, phase = shape
    wave, ripple = 2 * np.pi * frequency * x + phase, 2 * np.pi * 2.6 * frequency * x
    return height + size * np.sin(wave) + size / 3 * np.sin(ripple)


def _tree(shape: tuple, x, y) -> tuple[np.ndarray, np.ndarray]:
    """Where a flame-like tree stands, and the lines of its leaves."""
    where, height, width = shape
    up = (1.02 - y) / height
    stem = where + 0.016 * np.sin(9 * y) * up
    flames = 1 + 0.13 * np.sin(31 * y + 9 * x) + 0.09 * np.sin(67 * y - 14 * x + 1)
    half = width * np.clip(1 - up, 0, 1) ** 0.8 * flames * np.clip(0.5 + 1.9 * up, 0, 1)
    return (np.abs(x - stem) < half) & (up < 1), x - stem + 0.022 * np.sin(16 * y + 40 * x)


def _paint_light(picture, scene: Scene, light, x, y, fine, broad):
    a, b, radius, strength = light
    r = np.hypot(x - a, y - b) / radius
    strokes = np.clip(0.62 + 0.22 * np.cos(4.2 * r) + 0.16 * broad + 0.12 * fine, 0, 1)
    halo = np.sqrt(strength) * np.exp(-((r / 2.4) ** 1.6)) * strokes
    picture = picture + (1 - picture) * scene.glow * halo[..., None]
    disc = np.clip(scene.glow * 1.04 + 0.03, 0, 1) * (1 + 0.03 * fine[..., None])
    return _mix(picture, disc, (1.12 - r) * 7)


def _paint_hill(picture, scene: Scene, k: int, depth, fine, broad):
    """The k-th range, far to near; depth: how far below its ridge, negative above."""
    colour = _ramp(scene.land, k / 2 + 0.17 * broad + 0.08 * fine + 0.9 * depth)
    colour = _mix(colour, scene.sky[1], 0.34 - 2.2 * depth - 0.13 * k)
    touched = np.clip(broad + 0.5 * fine - 0.5, 0, 1) * (k + 1) / 2
    return np.where((depth > 0)[..., None], _mix(colour, scene.glow, 0.16 * touched), picture)


def _paint_house(picture, scene: Scene, house, x, y, fine):
    a, b, size, rise = house
    across, up, day = np.abs(x - a) / size, (b - y) / size, scene.sky.mean()
    window = (np.abs((x - a) / size - 0.1) < 0.15) & (np.abs(up - 0.28) < 0.17)
    wall = (across < 0.5) & (up > 0) & (up < 0.6)
    roof = (up >= 0.6) & (up < 0.6 + rise) & (across < 0.64 * (1 - (up - 0.6) / rise))
    plaster = _mix(scene.sky[1], scene.glow, 0.25 + 0.1 * fine) * (0.45 + 0.6 * day)
    tiles = np.array([0.74, 0.36, 0.24]) * (0.5 + 0.5 * day)
    for shape, colour in [(wall, plaster), (roof, tiles), (window, np.array([1.0, 0.83, 0.40]))]:
        picture = np.where(shape[..., None], colour, picture)
    return picture


def painting(side: int = 128, seed: int = 0) -> Tensor:
    """One landscape, (3, side, side) float32 in [-1, 1]; a seed is the same picture at every size.

    Seed 0 is the book's own: a village under a turning night sky.
    Raises ValueError if side < 8.
    """
    if side < 8:
        raise ValueError(f"a painting needs at least 8 pixels a side, got side={side}.")
    rng = np.random.default_rng(seed)
    scene = FIRST if seed == 0 else _scene(rng)
    scale = 2 if side >= 48 else -(-96 // side)  # painted larger, then averaged down
    n = side * scale
    y, x = (np.mgrid[:n, :n] + 0.5) / n

    psi = _sky_lines(scene, x, y)
    flow = _along(psi)
    depths = [y - _ridge(shape, x) for shape in scene.ridges]
    for depth, shape in zip(depths, scene.ridges):
        lines = depth - 0.15 * _ridge(shape, x) - 0.01 * np.sin(25 * x + 30 * y)
        flow = np.where(depth > 0, _along(lines), flow)
    if scene.tree:
        leaves, lines = _tree(scene.tree, x, y)
        flow = np.where(leaves, _along(lines), flow)
    fine = _drag(rng.standard_normal((76, 76)), x, y, flow, 0.05)
    broad = _drag(rng.standard_normal((34, 34)), x, y, flow, 0.09)

    bands = 0.10 * np.sin(2 * np.pi * psi / 0.085) + 0.15 * broad + 0.07 * fine
    picture = _ramp(scene.sky, 0.95 * y / scene.ridges[0][0] - 0.12 + bands)
    for light in scene.lights:
        picture = _paint_light(picture, scene, light, x, y, fine, broad)
    for k, depth in enumerate(depths):
        picture = _paint_hill(picture, scene, k, depth, fine, broad)
    for house in scene.houses:
        picture = _paint_house(picture, scene, house, x, y, fine)
    if scene.tree:
        shade = (1 + 0.9 * fine + 0.5 * broad)[..., None]
        bark = scene.land[1] * 0.45 + np.array([0.03, 0.10, 0.05]) * shade
        picture = np.where(leaves[..., None], bark, picture)

    # Impasto: paint stands up, and light comes from the upper left.
    slope = sum(np.gradient(fine + 0.6 * broad)) * n / 256
    picture = picture * (1 + 0.07 * fine[..., None]) + 0.044 * slope[..., None]
    pixels = torch.from_numpy(np.clip(picture, 0, 1)).float().permute(2, 0, 1)
    return F.avg_pool2d(pixels, scale) * 2 - 1


def paintings(n: int, side: int = 32, seed: int = 0) -> Tensor:
    """n different landscapes, (n, 3, side, side); the first of seed 0 is the book's own."""
    return torch.stack([painting(side, seed * 100_003 + k) for k in range(n)])
