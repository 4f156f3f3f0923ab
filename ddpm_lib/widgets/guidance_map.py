"""GuidanceMap: samples over guidance scale and seed, one label at a time, with what a judge sees in each."""

import torch
import traitlets

from . import encode
from .figure import Figure
from .grey_sheets import grey_pictures, grey_sheet

LEVELS = 10  # grey levels on either side of the middle grey: a digit is mostly paper and ink
MOST = 400  # pictures in the page


class GuidanceMap(Figure):
    """A grid of guided samples: a row for each guidance scale, a column for each seed, a choice of labels.

    grid: a GuidedGrid of ddpm_lib.examples.guided_grid: labels, scales, seeds, grey images, and where a judge looked
        on, what it saw and how far apart the samples of a row are. At most 400 pictures.
    label: the one shown first, the first of the grid if not given.
    caption: what stands under the figure; None for the figure's own words, "" for none.

    Live, `label`, `row` and `column` (the chosen cell) can be read, set and observed.
    """

    modules = ("figure.js", "map_parts.js", "guidance_map.js")
    styles = ("figure.css", "maps.css", "guidance_map.css")
    grid = traitlets.Dict().tag(sync=True, baked=True)
    label = traitlets.Int(0).tag(sync=True, baked=True)
    row = traitlets.Int(0).tag(sync=True, baked=True)
    column = traitlets.Int(0).tag(sync=True, baked=True)

    def __init__(self, grid, *, label=None, caption=None):
        images = torch.as_tensor(grid.images)
        lead = (len(grid.labels), len(grid.scales), len(grid.seeds))
        if images.ndim != 6 or images.shape[:3] != lead or 0 in lead:
            raise ValueError(
                f"images must be (labels, scales, seeds, 1, side, side) with {lead} first, got {tuple(images.shape)};"
                " make the grid with guided_grid."
            )
        if list(grid.scales) != sorted(set(grid.scales)):
            raise ValueError(f"the scales must rise from row to row, got {list(grid.scales)}.")
        if images[:, :, :, 0, 0, 0].numel() > MOST:
            raise ValueError(
                f"{lead[0]} labels × {lead[1]} scales × {lead[2]} seeds are over {MOST} pictures: take fewer seeds."
            )
        label = grid.labels[0] if label is None else label
        if label not in grid.labels:
            raise ValueError(f"the grid holds no label {label}; it has {', '.join(map(str, grid.labels))}.")
        self._images, rows = images, [float(scale) for scale in grid.scales]
        # At scale 0 no label is heard and the labels share one row of pictures: it is stored once.
        shared = rows[0] == 0 and bool((images[:, 0] == images[:1, 0]).all())
        pictures = [images[:1, 0], images[:, 1:]] if shared else [images]
        flat = grey_pictures(torch.cat([part.reshape(-1, *images.shape[3:]) for part in pictures]), "images")
        baked = {
            "labels": [int(one) for one in grid.labels],
            "scales": rows,
            "seeds": [int(seed) for seed in grid.seeds],
            "side": images.shape[-1],
            "shared": shared,
            "sheet": grey_sheet(flat, LEVELS),
            "spread": [[float(f"{x:.4g}") for x in line] for line in grid.spread.tolist()],
        }
        if grid.judged is not None:
            baked["classes"] = grid.judged.shape[-1]
            # Bytes would round 0.999 up to 1 or down to 0.996: a judge's doubt is in the third digit.
            baked["judged"] = encode.numbers((grid.judged.float() * 32767).round(), "<i2")
        middle = rows.index(1.0) if 1.0 in rows else len(rows) // 2
        super().__init__(grid=baked, label=label, row=middle, column=0, caption=caption)

    def still(self) -> str:
        """The first label's grid: scales from top to bottom, a column for each seed."""
        rows, columns, side = len(self.grid["scales"]), len(self.grid["seeds"]), self.grid["side"]
        k = self.grid["labels"].index(self.label)
        ink = -self._images[k, :, :, 0].float()  # ink is dark on paper
        page = ink.permute(0, 2, 1, 3).reshape(rows * side, columns * side)
        wide = 56 * columns
        inside = f'<image x="60" width="{wide}" height="{56 * rows}" href="{grey_sheet(page[None], LEVELS)}"/>'
        for i, scale in enumerate(self.grid["scales"]):
            inside += f'<text x="52" y="{56 * i + 32}" text-anchor="end">γ = {scale:g}</text>'
        what = f"samples of the label {self.label} at guidance scales {self.grid['scales'][0]:g} and up"
        return encode.drawing(f"0 0 {60 + wide} {56 * rows}", what, inside)
