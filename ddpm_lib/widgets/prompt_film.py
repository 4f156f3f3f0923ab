"""PromptFilm: what prompts become on their way out of noise, over guidance scales and seeds, kept in the page."""

from html import escape

import torch
import torch.nn.functional as F
import traitlets
from torch import Tensor

from . import encode
from .figure import Figure

ROOM, FOR_ENDS = 96_000, 68_000  # characters of the page: for all pictures, and of these at most for the ends
ENDS = range(92, 38, -3)  # qualities
# Of the moments before: what they may lose by shrinking (RMS, of values in [0, 1]), and their quality.
BEFORE = [(0.01, 75), (0.015, 65), (0.02, 58), (0.025, 52), (0.03, 46), (0.035, 40), (0.04, 34), (0.05, 30), (0.06, 26),
          (0.07, 22), (0.08, 18), (0.1, 14), (0.14, 8)]  # fmt: skip
SHARES = [1 / 4, 3 / 8, 1 / 2, 3 / 4, 1]  # sides that a moment may be kept at
MOST = {"prompts": 12, "scales": 8, "seeds": 6, "times": 16}


class PromptFilm(Figure):
    """Prompts × guidance scales × seeds: a film of each, and all of a prompt side by side, without a kernel.

    The ends of the films matter most, and are what one compares: they keep their size, in the best WebP that fits
    into 68 kB of the page. The moments before are kept smaller and coarser. An early one is blurred anyway; a late one
    is nearly the end, and is kept as its difference from it. Whichever of the two loses less, the smallest side
    that loses little is taken, and how little, the rest of 96 kB decides. So 6 prompts × 4 scales × 3 seeds ×
    6 moments of 64 × 64 fit; Figure raises where even the coarsest is too much.

    frames: (prompts, scales, seeds, times, 3, side, side) in [−1, 1], as ddpm_lib.prompt_films.prompt_frames gives
        them: what the network expected of the clean picture, decoded; at the last time the picture itself.
    prompts: as given to the model, all different, 1 to 12 of them. scales: of the guidance, rising, 2 to 8.
    seeds: whole numbers, 1 to 6. times: falling t, 2 to 16, the last of them 0: the end.
    caption: what stands under the figure; None for the figure's own words, "" for none.

    Two numbers are measured on the frames as given, before any packing, on values brought to [0, 1]:
    colour, the mean over all pixels of max(R, G, B) − min(R, G, B): 0 is grey, white ground counts as grey; and
    differ, the root mean square difference of two seeds' pictures, over all pairs of seeds.

    Live, `prompt`, `scale`, `seed` and `moment` (places in those lists) and `rows` ("seeds", or "prompts") can be
    read, set and observed.
    """

    modules = ("figure.js", "prompt_math.js", "prompt_film.js")
    styles = ("figure.css", "prompt_film.css")
    film = traitlets.Dict().tag(sync=True, baked=True)
    prompt = traitlets.Int(0).tag(sync=True, baked=True)
    scale = traitlets.Int(0).tag(sync=True, baked=True)
    seed = traitlets.Int(0).tag(sync=True, baked=True)
    moment = traitlets.Int(0).tag(sync=True, baked=True)
    rows = traitlets.Enum(["seeds", "prompts"], "seeds").tag(sync=True, baked=True)

    def __init__(self, frames, prompts, scales, seeds, times, *, caption=None):
        frames = torch.as_tensor(frames).detach().cpu().float()
        _check(frames, prompts, scales, seeds, times)
        self._ends, self._words = frames[:, :, :, -1], [str(p) for p in prompts]
        sheets, sides, over = pack(frames)
        colours, differences = colour(frames), differ(frames)
        super().__init__(
            film={
                "prompts": self._words,
                "scales": [float(s) for s in scales],
                "seeds": [int(s) for s in seeds],
                "times": [int(t) for t in times],
                "sheets": sheets,
                "sides": sides,
                "over": over,
                "colour": _rounded(colours.mean(2)),
                "differ": _rounded(differences) if len(seeds) > 1 else None,
            },
            scale=min(1, len(scales) - 1),
            moment=len(times) - 1,
            caption=caption,
        )

    def still(self) -> str:
        """The ends of the first seed: a row for each prompt, a column for each scale."""
        rows, columns = self._ends.shape[:2]
        side, left = 80, 200
        small = F.interpolate(self._ends[:, :, 0].flatten(0, 1), size=(48, 48), mode="area")
        inside = "".join(
            f'<text x="{left + side * g + side // 2}" y="14" text-anchor="middle">γ = {s:g}</text>'
            for g, s in enumerate(self.film["scales"])
        )
        for p, words in enumerate(self._words):
            words = words if len(words) <= 32 else words[:31] + "…"
            inside += f'<text x="{left - 12}" y="{22 + side * p + side // 2}" text-anchor="end">{escape(words)}</text>'
        address = _webp(small.unflatten(0, (rows, columns)), 60)
        inside += f'<image href="{address}" x="{left}" y="22" width="{side * columns}" height="{side * rows}"/>'
        what = f"pictures of {rows} prompts at the guidance scales {', '.join(f'{s:g}' for s in self.film['scales'])}"
        return encode.drawing(f"0 0 {left + side * columns} {24 + side * rows}", what, inside)


def colour(frames: Tensor) -> Tensor:
    """Mean of max(R, G, B) − min(R, G, B) over the pixels, of values in [0, 1]: (…, 3, side, side) → (…)."""
    return (frames.amax(-3) - frames.amin(-3)).mean((-2, -1)) / 2


def differ(frames: Tensor) -> Tensor:
    """(prompts, scales, seeds, …, 3, side, side) → (prompts, scales, …): RMS difference of two seeds.

    Of values in [0, 1], over all pairs of different seeds; 0 for a single one.
    """
    n = frames.shape[2]
    # The mean square difference of all pairs is twice the variance, with n − 1 in its denominator.
    variance = frames.var(2, correction=1 if n > 1 else 0)
    return (2 * variance.mean((-3, -2, -1))).sqrt() / 2


def pack(frames: Tensor) -> tuple[list[str], list[int], list[bool]]:
    """A sheet for each moment, as data: addresses, its pictures' side, and whether they are to be laid over the ends.

    A sheet has a row for each prompt, in it the seeds of the first scale, of the second, … The last sheet, of the
    ends, keeps the side of the frames. A sheet to be laid over the ends holds (moment − end) / 2.
    """
    moments = frames.movedim(3, 0).flatten(2, 3)  # (times, prompts, scales · seeds, 3, side, side)
    for quality in ENDS:
        ends = _webp(moments[-1], quality)
        if len(ends) <= FOR_ENDS:
            break
    tried = [_shrunk(x, moments[-1]) for x in moments[:-1]]
    for most, quality in BEFORE:
        picked = [next((small, over) for small, over, lost in ways if lost <= most) for ways in tried]
        sheets = [_webp(small, quality) for small, _ in picked] + [ends]
        if sum(map(len, sheets)) <= ROOM:
            break
    return sheets, [x.shape[-1] for x, _ in picked] + [frames.shape[-1]], [over for _, over in picked] + [False]


def _shrunk(pictures: Tensor, ends: Tensor) -> list[tuple[Tensor, bool, float]]:
    """Ways to keep pictures (rows, columns, 3, side, side), smallest first: shrunk, laid over the ends?, what is lost.

    What is lost is the RMS difference, of values in [0, 1], once they are brought back to their size.
    """
    side, ways = pictures.shape[-1], []
    for share in SHARES[:-1]:
        both = []
        for over in (False, True):
            kept = (pictures - ends) / 2 if over else pictures
            small = F.interpolate(kept.flatten(0, 1), size=(max(round(share * side), 4),) * 2, mode="area")
            back = F.interpolate(small, size=(side, side), mode="bilinear").unflatten(0, kept.shape[:2])
            lost = ((ends + 2 * back if over else back) - pictures).square().mean().sqrt() / 2
            both.append((small.unflatten(0, kept.shape[:2]), over, float(lost)))
        ways.append(min(both, key=lambda way: way[2]))
    nearly = float((pictures - ends).std()) < 0.25 * float(pictures.std())
    return [*ways, ((pictures - ends) / 2 if nearly else pictures, nearly, 0.0)]


def _webp(pictures: Tensor, quality: int) -> str:
    """(rows, columns, 3, side, side) as the address of one sheet."""
    rows, columns, _, side, _ = pictures.shape
    page = pictures.permute(2, 0, 3, 1, 4).reshape(3, rows * side, columns * side)
    return encode.webp_address(page, quality)


def _rounded(x: Tensor) -> list:
    return [[[round(v, 3) for v in line] for line in block] for block in x.tolist()]


def _check(frames: Tensor, prompts, scales, seeds, times) -> None:
    """One clear sentence where the data are not what PromptFilm's docstring asks for."""
    if isinstance(prompts, str):
        raise ValueError("prompts must be a list of strings, got one string: put it in brackets.")
    lead = tuple(map(len, (prompts, scales, seeds, times)))
    if frames.ndim != 7 or frames.shape[:4] != lead or frames.shape[4] != 3 or frames.shape[5] != frames.shape[6]:
        raise ValueError(
            f"frames must be (prompts, scales, seeds, times, 3, side, side) with {lead} first, got"
            f" {tuple(frames.shape)}."
        )
    for (name, most), n in zip(MOST.items(), lead):
        least = 2 if name in ("scales", "times") else 1
        if not least <= n <= most:
            raise ValueError(f"a film holds {least} to {most} {name}, got {n}.")
    if not bool(frames.isfinite().all()) or float(frames.abs().max()) > 1.001:
        raise ValueError("frames must lie in [-1, 1]: clamp what the decoder gave.")
    if len(set(map(str, prompts))) < len(prompts) or len(set(seeds)) < len(seeds):
        raise ValueError("the prompts must be different ones, and so must the seeds.")
    if list(scales) != sorted(set(scales)) or scales[0] < 0:
        raise ValueError(f"the scales must rise from 0 or more, got {list(scales)}.")
    if list(times) != sorted(set(times), reverse=True) or times[-1] != 0:
        raise ValueError(f"the times must fall to 0, the end, got {list(times)}.")
