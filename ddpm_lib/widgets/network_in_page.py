"""NetworkInPage: the shipped digits network draws in the reader's browser, and restores what the reader drew."""

import gzip
from functools import cache
from pathlib import Path

import torch
import traitlets

from . import encode
from .figure import Figure

SAMPLERS = ["dpmpp", "ddim", "heun", "ddpm"]
# What the page loads at the press of the button, by the paths of the built site (tools/site.py puts them there).
FILES = {
    "runtime": "_static/network/ort.wasm.bundle.min.js",
    "wasm": "_static/network/ort-wasm-simd-threaded.wasm.gz",
    "weights": "_static/network/digits.onnx.gz",
}
RUNTIME_BYTES = 3_690_000  # of both files of the runtime as they travel; a test weighs them


WEIGHTS = Path(__file__).parent.parent / "weights" / "digits.onnx"


@cache
def weights_bytes() -> int:
    """Bytes of the weights as they travel, packed by gzip."""
    if not WEIGHTS.exists():
        raise FileNotFoundError("ddpm_lib/weights/digits.onnx is missing: python -m ddpm_lib.export digits makes it.")
    return len(gzip.compress(WEIGHTS.read_bytes(), 9, mtime=0))


class NetworkInPage(Figure):
    """The digits network through onnxruntime-web: label, guidance, steps, sampler, seed; a film; a pad to draw on.

    Nothing is loaded before the reader presses the button, which says how much it is. The samplers are samplers.js,
    which is ddpm_lib/samplers.py in the page; x0 is clipped, as by ddpm_lib.clip.

    film: the still and the first thing seen: (rows, columns, 28, 28) in [−1, 1], as examples.guided_film draws it.
    label: 0..9, or None; scale: of the guidance, 0..8; steps: 1..100; sampler: one of SAMPLERS; seed: of the noise.
    caption: what stands under the figure; None for the figure's own words, "" for none.
    """

    modules = ("figure.js", "schedule_math.js", "samplers.js", "network_film.js", "network_pad.js",
               "network_worker.js", "network_in_page.js")  # fmt: skip
    styles = ("figure.css", "network_in_page.css")
    schedule = traitlets.Dict().tag(sync=True, baked=True)
    files = traitlets.Dict(FILES).tag(sync=True, baked=True)
    sizes = traitlets.Dict().tag(sync=True, baked=True)
    first = traitlets.Dict().tag(sync=True, baked=True)

    def __init__(self, film, *, label=3, scale=2.0, steps=20, sampler="dpmpp", seed=0, caption=None):
        if label is not None and label not in range(10):
            raise ValueError(f"label must be a digit 0..9, or None, got {label!r}.")
        if not 0 <= scale <= 8 or not 1 <= steps <= 100:
            raise ValueError(f"scale must lie in 0..8 and steps in 1..100, got {scale} and {steps}.")
        if sampler not in SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r}.")
        film = torch.as_tensor(film).detach().cpu().float()
        if film.ndim != 4 or film.shape[2:] != (28, 28):
            raise ValueError(f"film must have shape (rows, columns, 28, 28), got {tuple(film.shape)}.")
        self._film = film
        super().__init__(
            schedule={"kind": "linear", "T": 1000, "start": 1e-4, "end": 0.02},
            sizes={"weights": round(weights_bytes(), -4), "runtime": RUNTIME_BYTES},
            first={"label": "none" if label is None else str(label), "scale": float(scale), "steps": int(steps),
                   "way": sampler, "seed": int(seed)},
            caption=caption,
        )  # fmt: skip

    def still(self) -> str:
        """The film as one picture, row by row."""
        rows, columns = self._film.shape[:2]
        sheet = torch.full((1, 30 * rows, 30 * columns), 1.0)
        for r in range(rows):
            for c in range(columns):
                sheet[0, 30 * r + 1 : 30 * r + 29, 30 * c + 1 : 30 * c + 29] = -self._film[r, c]  # ink on paper
        width, height = 30 * columns, 30 * rows
        address = encode.picture_address(sheet.expand(3, -1, -1))
        picture = f'<image href="{address}" width="{width}" height="{height}"/>'
        what = "a digit on its way out of noise: above the picture, below what the network expects"
        return encode.drawing(f"0 0 {width} {height}", what, picture)
