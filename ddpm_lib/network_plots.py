"""A network as a drawing: what each level of a U-Net does, with the shapes that a real call leaves there."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import FancyBboxPatch
from torch import Tensor, nn

from .models.layers import Attention, Downsample, ResBlock, Upsample
from .models.unet import UNet
from .plots import ACCENT, INK, MUTED, PAPER, SECOND


class Level(NamedTuple):
    """One level of a U-Net on its way down or up, or its middle.

    blocks: how many ResBlocks; attends: whether attention follows them; shape: (channels, height, width) of what
    leaves the last of them; skips: channels of the skips that are born here (down) or used here (up), in their order.
    """

    blocks: int
    attends: bool
    shape: tuple[int, int, int]
    skips: tuple[int, ...] = ()


class Outline(NamedTuple):
    """The levels of a U-Net from the largest picture down; up[i] stands across from down[i]."""

    picture: tuple[int, int, int]
    down: list[Level]
    middle: Level
    up: list[Level]


@torch.no_grad()
def outline(model: UNet, side: int) -> Outline:
    """Call the network once on a picture of that side and note what leaves each layer."""
    shapes = {}

    def note(module: nn.Module, _, out: Tensor) -> None:
        shapes[module] = tuple(out.shape[1:])

    layers = [m for m in model.modules() if isinstance(m, (ResBlock, Attention, Downsample, Upsample))]
    hooks = [layer.register_forward_hook(note) for layer in [model.first, *layers]]
    training = model.training
    try:
        like = next(model.parameters())
        picture = torch.zeros(1, model.channels, side, side, device=like.device, dtype=like.dtype)
        model.eval()(picture, torch.ones(1, dtype=torch.long, device=like.device))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()

    down, born = [], (shapes[model.first][0],)
    for level in _levels(model.down, Downsample):
        born += tuple(shapes[res][0] for res, _ in level.blocks)
        down.append(_level(level.blocks, shapes, born))
        born = (shapes[level.end][0],) if level.end is not None else ()
    up = [_level(level.blocks, shapes, ()) for level in _levels(model.up, Upsample)][::-1]
    up = [level._replace(skips=across.skips[::-1]) for level, across in zip(up, down, strict=True)]
    first, attention, second = model.middle
    middle = Level(2, isinstance(attention, Attention), shapes[second])
    return Outline((model.channels, side, side), down, middle, up)


class _Blocks(NamedTuple):
    blocks: list
    end: nn.Module | None


def _levels(layers: nn.ModuleList, border: type) -> list[_Blocks]:
    """The blocks of each level, and the layer that leads to the next one."""
    levels, blocks = [], []
    for layer in layers:
        if isinstance(layer, border):
            levels.append(_Blocks(blocks, layer))
            blocks = []
        else:
            blocks.append(layer)
    return [*levels, _Blocks(blocks, None)]


def _level(blocks: list, shapes: dict, skips: tuple[int, ...]) -> Level:
    return Level(len(blocks), isinstance(blocks[-1][1], Attention), shapes[blocks[-1][0]], skips)


def show_unet(model: UNet, side: int):
    """Draw a U-Net: down on the left, up on the right, each level with the shape of its features.

    model: the network; side: of its pictures in pixels. Shapes are channels × height × width, noted in a real call.
    """
    plan = outline(model, side)
    rows = len(plan.down)
    figure, axis = plt.subplots(figsize=(7.2, 1.15 * rows + 2.3), layout="constrained")
    axis.axis("off")
    axis.set(xlim=(0, 10), ylim=(-rows - 0.72, 1.25))
    left, right, middle, width = 1.95, 8.05, 5.0, 3.5

    def arrow(start, end, colour=INK, style="-|>", line="-"):
        look = dict(arrowstyle=style, color=colour, linestyle=line, linewidth=1.4, shrinkA=0, shrinkB=0)
        axis.annotate("", xy=end, xytext=start, arrowprops=look)

    def box(x, y, title, shape, colour):
        outside = FancyBboxPatch((x - width / 2, y - 0.29), width, 0.58, boxstyle="round,pad=0,rounding_size=0.1",
                                 facecolor=PAPER, edgecolor=colour, linewidth=1.6)  # fmt: skip
        axis.add_patch(outside)
        axis.text(x, y + 0.13, title, ha="center", va="center", fontsize=11)
        axis.text(x, y - 0.14, _times(shape), ha="center", va="center", fontsize=11.5, color=colour, weight="bold")

    def note(x, y, text, **where):
        axis.text(x, y, text, fontsize=10.5, **{"ha": "center", "va": "center", **where})

    note(left, 0.88, f"noisy $x_t$   {_times(plan.picture)}")
    note(right, 0.88, f"guess   {_times(plan.picture)}")
    arrow((left, 0.7), (left, 0.31))
    arrow((right, 0.31), (right, 0.7))
    for x in (left, right):
        note(x + 0.12, 0.5, "convolution", ha="left")
    for i, (down, up) in enumerate(zip(plan.down, plan.up)):
        box(left, -i, _title(down), down.shape, SECOND)
        box(right, -i, _title(up), up.shape, ACCENT)
        arrow((left + width / 2, -i), (right - width / 2, -i), MUTED, line="--")
        note(middle, -i + 0.17, f"{len(down.skips)} skips")
        note(middle, -i - 0.17, _channels(down.skips))
        if i + 1 < rows:
            arrow((left, -i - 0.31), (left, -i - 0.69))
            arrow((right, -i - 0.69), (right, -i - 0.31))
            note(left + 0.12, -i - 0.5, "half the side", ha="left")
            note(right + 0.12, -i - 0.5, "twice the side", ha="left")
    bottom = -rows - 0.25
    box(middle, bottom, _title(plan.middle), plan.middle.shape, INK)
    lowest, edge = -rows + 0.69, width / 2
    axis.plot([left, left], [lowest, bottom], color=INK, linewidth=1.4)
    arrow((left, bottom), (middle - edge, bottom))
    axis.plot([middle + edge, right], [bottom, bottom], color=INK, linewidth=1.4)
    arrow((right, bottom), (right, lowest))
    note(middle, 0.88, f"time $t$: {model.time[-1].out_features} numbers")
    note(middle, 0.6, "into every ResBlock")
    if model.patch > 1:
        note(middle, 0.42, f"{model.patch} × {model.patch} pixels are one place")
    return figure


def _title(level: Level) -> str:
    blocks = "ResBlock" if level.blocks == 1 else f"{level.blocks} ResBlocks"
    return blocks + (" with attention" if level.attends else "")


def _channels(skips: tuple[int, ...]) -> str:
    """One by one where there is room for it, in all where not."""
    return (" + ".join(map(str, skips)) if len(skips) < 4 else str(sum(skips))) + " channels"


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
