"""Still pictures (matplotlib). They take tensors, draw, and return the figure; the caller says plt.show()."""

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from .colours import COLOURS, HUES, INK, colours_for

__all__ = ["ACCENT", "COLOURS", "INK", "MUTED", "PAPER", "SECOND", "show_curves", "show_images", "show_paths",
           "show_points", "show_records", "show_steps", "style"]  # fmt: skip

PAPER, MUTED = "#ffffff", "#8a8f9c"
ACCENT, SECOND = HUES["noise"][0], HUES["signal"][0]


def style() -> None:
    """The book's look for matplotlib: quiet axes, its own colours, a white ground that also stands on a dark page.

    A picture 7.2 inches wide (792 pixels) is shown 704 pixels wide on a desk and 358 on a phone: words of 12 points
    are then 16 and 8 pixels tall.
    """
    plt.rcParams.update({
        "figure.figsize": (7.2, 3.1), "figure.dpi": 110, "savefig.dpi": 110, "figure.facecolor": PAPER,
        "figure.constrained_layout.use": True,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": MUTED, "axes.labelcolor": INK,
        "axes.prop_cycle": plt.cycler(color=[paper for paper, _ in HUES.values()]),
        "axes.titlesize": 12.5, "axes.titlecolor": INK, "axes.labelsize": 12.5, "text.color": INK, "font.size": 12,
        "xtick.color": INK, "ytick.color": INK, "xtick.labelsize": 12, "ytick.labelsize": 12,
        "lines.linewidth": 2, "legend.frameon": False, "legend.fontsize": 12, "legend.labelspacing": 0.3,
        "image.cmap": "gray",
    })  # fmt: skip


def show_images(images: Tensor, titles: list[str] | None = None, columns: int | None = None, width: float = 7.2):
    """A grid of images, (n, 1 or 3, h, w) in [−1, 1]; titles: one each, or one a column for the first row.

    Digits are drawn as ink on paper. Values outside [−1, 1] are shown at the nearest end.
    """
    images = images.detach().float().cpu()
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"show_images takes (n, 1 or 3, height, width), got {tuple(images.shape)}; add a batch with x[None]."
        )
    columns = columns or min(len(images), 10)
    rows = -(-len(images) // columns)
    cell = width / columns
    # Names as large as their column allows, and no larger than other words.
    size = min([12.0, *(0.94 * cell * 72 / (0.56 * max(len(title), 1)) for title in titles or [])])
    title_room = 0.12 + size / 72 if titles else 0.0
    titled = min(rows, -(-len(titles or []) // columns))  # rows that have names
    figure, axes = plt.subplots(rows, columns, figsize=(width, rows * cell + titled * title_room), squeeze=False)
    # Enlarged smoothly, noise would look weaker than it is, and its PNG be three times as large.
    enlarged = images.shape[-1] <= cell * plt.rcParams["figure.dpi"]
    drawn = {"interpolation": "nearest" if enlarged else "antialiased"}
    for i, axis in enumerate(axes.flat):
        axis.axis("off")
        if i < len(images):
            pixels = (images[i].clamp(-1, 1) + 1) / 2
            if pixels.shape[0] == 1:
                axis.imshow(1 - pixels[0], cmap="gray", vmin=0, vmax=1, **drawn)
            else:
                axis.imshow(pixels.permute(1, 2, 0), **drawn)
            if titles and i < len(titles):
                axis.set_title(titles[i], fontsize=size)
    return figure


def show_points(*clouds: Tensor, titles: list[str] | None = None, limit: float = 2.5, size: float = 3.0):
    """Clouds of points in the plane, each (n, 2), side by side on the same axes from −limit to limit."""
    figure, axes = plt.subplots(
        1, len(clouds), figsize=(min(7.2, 2.6 * len(clouds)), 7.2 / max(len(clouds), 3)), squeeze=False
    )
    for i, (axis, cloud) in enumerate(zip(axes[0], clouds)):
        cloud = torch.as_tensor(cloud).detach().float().cpu()
        axis.scatter(cloud[:, 0], cloud[:, 1], s=size, color=SECOND, linewidths=0, alpha=0.6)
        axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
        for side in axis.spines.values():
            side.set_visible(False)
        if titles:
            axis.set_title(titles[i])
    return figure


def show_paths(*trajectories: Tensor, titles: list[str] | None = None, limit: float = 2.5):
    """Ways through the plane, a frame for each trajectory (steps + 1, n, 2): n lines, from a ring to a dot."""
    figure, axes = plt.subplots(1, len(trajectories), figsize=(min(7.2, 3.6 * len(trajectories)), 3.4), squeeze=False)
    for i, (axis, path) in enumerate(zip(axes[0], trajectories)):
        x, y = path.detach().float().cpu().unbind(-1)
        axis.plot(x, y, linewidth=1)
        axis.plot(x[0], y[0], "o", color=INK, markerfacecolor=PAPER, markersize=5)
        axis.plot(x[-1], y[-1], "o", color=INK, markersize=5)
        axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
        for side in axis.spines.values():
            side.set(visible=True, color=MUTED)
        if titles:
            axis.set_title(titles[i])
    return figure


def show_steps(frames: Tensor, times: list[int], count: int = 8, limit: float = 2.5):
    """A film as a strip: `count` frames of a trajectory (steps + 1, batch, ...), each with its time.

    Points (steps + 1, n, 2) are drawn as clouds; of images (steps + 1, n, c, h, w) the first four samples, one a row.
    """
    if len(frames) != len(times):
        raise ValueError(f"every frame needs its time: {len(frames)} frames, {len(times)} times.")
    picked = torch.linspace(0, len(frames) - 1, min(count, len(frames))).round().long().tolist()
    titles = [f"t = {times[i]}" for i in picked]
    if frames.ndim == 3:
        return show_points(*(frames[i] for i in picked), titles=titles, limit=limit)
    strip = frames[picked][:, :4].transpose(0, 1).flatten(0, 1)
    return show_images(strip, titles=titles, columns=len(picked))


def looks_of(names) -> list[dict]:
    """Colour and line of each name: two of one colour (a sampler in two variants) differ by their dashes."""
    colours = colours_for(list(names))
    dashes = ("-", "--", ":", "-.")
    return [{"color": c, "linestyle": dashes[colours[:i].count(c) % 4]} for i, c in enumerate(colours)]


def show_curves(x, curves: dict[str, Tensor], xlabel: str = "t", ylabel: str = "", title: str = "", log: bool = False):
    """Named curves over one axis: x (n,), each curve (n,). What has a colour of its own (COLOURS) is drawn in it."""
    figure, axis = plt.subplots()
    for (name, y), look in zip(curves.items(), looks_of(curves)):
        axis.plot(torch.as_tensor(x), torch.as_tensor(y).detach().cpu(), label=name, **look)
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if log:
        axis.set_yscale("log")
    if len(curves) > 1:
        axis.legend()
    return figure


def show_records(rows: list[dict], x: str, y: str, by: str, floor: float | None = None, floor_name: str = "real data"):
    """Measurements as lines on logarithmic axes: row[y] over row[x], a line for each value of row[by].

    A row's y + "_std", where there is one, becomes an error bar. floor: what a perfect answer would score, drawn as
    a dotted line. What has a colour of its own (COLOURS: samplers, targets) is drawn in it.
    """
    figure, axis = plt.subplots()
    axis.set(xscale="log", yscale="log")
    names = list(dict.fromkeys(row[by] for row in rows))
    for name, look in zip(names, looks_of(names)):
        mine = sorted((row for row in rows if row[by] == name), key=lambda row: row[x])
        bars = [row.get(f"{y}_std") or 0 for row in mine]
        dots = {"marker": "o", "markersize": 4, "label": name}
        axis.errorbar([row[x] for row in mine], [row[y] for row in mine], bars, **dots, **look)
    if floor is not None:
        axis.axhline(floor, color=INK, linestyle=":", label=floor_name)
    ticks = sorted({row[x] for row in rows})
    axis.set(xlabel=x, ylabel=y)
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    columns = 2 if max(map(len, names)) > 14 else 3
    if len(names) > 1 or floor is not None:  # above, in rows: beside the axes it would take a third of their width
        figure.legend(*axis.get_legend_handles_labels(), loc="outside upper left", ncols=columns, columnspacing=1.2)
        figure.set_figheight(figure.get_figheight() + 0.24 * -(-(len(names) + (floor is not None)) // columns))
    return figure
