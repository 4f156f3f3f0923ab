"""InkAndRestorer: the finger splashes ink over a painting, and a restorer takes it away."""

import torch
import torch.nn.functional as F
import traitlets

from . import encode
from .figure import Figure

COLUMNS = 6
MOST_WORKS, MOST_SIDE = 23, 96


class InkAndRestorer(Figure):
    """A painting with a noise level of its own at every place, and an exact denoiser that cleans it.

    The time t is a map, one number for each place: where the finger has been it rises. What is seen is
    x = signal_rate[t] x_0 + noise_rate[t] eps, place by place, with an eps that does not change.

    The restorer is the exact posterior mean of a small museum, *piece by piece*: each place is judged by a
    window about it, and a work k has there the log-weight -Σ (x - s x_k)² / (2 (s² d² + n²)), summed over the
    window with each place's own signal rate s and noise rate n. d = 0.08: a work stands for all pictures about
    that far from it, else a single brush stroke that is in no work would rule out everything. The window reaches
    1 + 20 t/T pixels, the picture at large t and single strokes at small t, as the receptive field of trained
    denoisers has been found to narrow (Kamb & Ganguli 2024; Niedoba et al. 2024). Judged by pieces, works mix
    into pictures that are in no museum; judged as wholes (a switch), he can only hand back a work of his.
    Restoring is DDIM (Song, Meng & Ermon 2021): the deepest places go down together, 20 steps of time a look.

    schedule: a Schedule; its betas are baked in.
    picture: (3 or 1, side, side) in [-1, 1], the painting on the easel; side <= 96.
    works: (n, 3, side, side), what he has seen: 2 to 23 works, the painting on the easel not among them (the
        reader can add it: "he has seen this one too"); `ddpm_lib.pictures.night_pieces` suit the book's own.
    caption: what stands under the figure; None for the figure's own words, "" for none.
    seen, whole: how the two switches stand at first. seed: of the ink.
    """

    modules = ("figure.js", "schedule_math.js", "ink_math.js", "ink.js")
    styles = ("figure.css", "ink.css")
    betas = traitlets.Unicode().tag(sync=True, baked=True)
    pictures = traitlets.Dict().tag(sync=True, baked=True)
    seen = traitlets.Bool(False).tag(sync=True, baked=True)
    whole = traitlets.Bool(False).tag(sync=True, baked=True)

    def __init__(self, schedule, picture, works, *, caption=None, seen=False, whole=False, seed=0):
        clean = encode.as_picture(picture, most=1.5)
        side = clean.shape[-1]
        if side > MOST_SIDE:
            raise ValueError(f"picture may have at most {MOST_SIDE} pixels a side, got {side}: average it down.")
        works = torch.as_tensor(works).detach().cpu().float()
        if works.ndim != 4 or works.shape[1:] != clean.shape or not 2 <= len(works) <= MOST_WORKS:
            raise ValueError(
                f"works must be 2 to {MOST_WORKS} pictures like the one on the easel, (n, 3, {side}, {side}),"
                f" got {tuple(works.shape)}."
            )
        if float((works - clean).square().mean((1, 2, 3)).min()) < 1e-4:
            raise ValueError("works must not contain the painting on the easel: the reader adds it with a switch.")
        works = [encode.as_picture(work, "works", most=1.5) for work in works]
        self._schedule, self._clean, self._works = schedule, clean, works
        super().__init__(
            betas=encode.numbers(schedule.beta, "<f4"),
            pictures={
                "side": side,
                "columns": COLUMNS,
                "pitch": encode.pitch(side),
                "count": len(works),
                "clean": encode.picture_address(clean),
                "works": encode.sheet_address(works, COLUMNS),
                "seed": seed + 3,
            },
            caption=caption,
            seen=seen,
            whole=whole,
        )

    def still(self) -> str:
        """The painting clean, splashed and drowned; below it what the restorer has seen."""
        schedule, clean, side = self._schedule, self._clean, self._clean.shape[-1]
        eps = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        row, column = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
        blot = (1.6 * torch.exp(-(row**2 + column**2) / 0.3)).clamp(0, 1)
        shown = []
        for depth in (0 * blot, blot, torch.ones_like(blot)):
            t = (schedule.T * depth).long()
            shown.append(schedule.signal_rate[t].float() * clean + schedule.noise_rate[t].float() * eps)
        small = [F.interpolate(work[None], size=(32, 32), mode="area")[0] for work in self._works[:18]]
        inside = f'<image href="{encode.sheet_address(shown, 3)}" width="480" height="160"/>'
        for k, word in enumerate(("the painting", "a splash of ink", "drowned")):
            inside += f'<text x="{160 * k + 76}" y="174" text-anchor="middle">{word}</text>'
        inside += '<text x="0" y="200">what the restorer has seen</text>'
        height = 480 / 9 * -(-len(small) // 9)
        inside += f'<image href="{encode.sheet_address(small, 9)}" y="206" width="480" height="{height:.0f}"/>'
        what = "a painting clean, splashed with ink and drowned, and the works that the restorer has seen"
        return encode.drawing(f"0 0 480 {210 + height:.0f}", what, inside)
