"""ForwardReverse: noise falls on data and is taken away again, the time under a slider."""

import torch
import torch.nn.functional as F
import traitlets

from . import encode
from .figure import Figure

MOST_POINTS, MOST_FRAMES, MOST_PICTURES = 300, 24, 16
COLUMNS = 4
SIDE = 64  # pixels of a stored reverse frame; larger ones are averaged down


class ForwardReverse(Figure):
    """Forward and reverse on a picture, on points in the plane, or on both.

    schedule: a Schedule; its T and sigma are baked in.
    points: (n, 2) clean points. Forward motion is computed in the page, x_t = signal_rate x_0 +
        noise_rate eps, with one eps per point that does not change with t; 300 points are kept.
    points_reverse: the Steps of a sampler in the plane (`list(sample_ddim(...))`), each with
        `.t` and `.x` (m, 2); 24 of them are kept and positions between them interpolated.
    picture: (3 or 1, side, side) in [-1, 1]; forward motion as for the points.
    picture_reverse: the Steps of a sampler of one picture, `.x` (1, 3 or 1, side, side) or without
        the batch; 16 are kept and shown as they are, at most 64 pixels a side, with `.x0_guess` in
        the corner where a step has one.
    caption: what stands under the figure; None for the figure's own words, "" for none.
    autoplay: for a home page: it starts by itself (unless the reader asked for reduced motion),
        turns round at either end, and keeps its controls quiet.
    seed: of the noise that the page draws.

    Live, `t`, `direction` ("forward" or "reverse") and `playing` can be read, set and observed.
    """

    modules = ("figure.js", "forward_reverse.js")
    T = traitlets.Int().tag(sync=True, baked=True)
    t = traitlets.Int(0).tag(sync=True, baked=True)
    direction = traitlets.Enum(["forward", "reverse"], "forward").tag(sync=True, baked=True)
    playing = traitlets.Bool(False).tag(sync=True, baked=True)
    autoplay = traitlets.Bool(False).tag(sync=True, baked=True)
    sigma = traitlets.Unicode().tag(sync=True, baked=True)
    points = traitlets.Dict().tag(sync=True, baked=True)
    picture = traitlets.Dict().tag(sync=True, baked=True)

    def __init__(
        self,
        schedule,
        *,
        points=None,
        points_reverse=None,
        picture=None,
        picture_reverse=None,
        caption=None,
        autoplay=False,
        seed=0,
    ):
        if points is None and picture is None:
            raise ValueError("ForwardReverse has nothing to show: give it points, a picture, or both.")
        for reverse, clean, name in [
            (points_reverse, points, "points"),
            (picture_reverse, picture, "picture"),
        ]:
            if reverse is not None and clean is None:
                raise ValueError(f"{name}_reverse needs {name}: the forward process must start somewhere.")
        self._schedule = schedule
        super().__init__(
            T=schedule.T,
            sigma=encode.numbers(schedule.sigma, "<f4"),
            points={} if points is None else self._points(points, points_reverse, seed),
            picture={} if picture is None else self._picture(picture, picture_reverse, seed),
            caption=caption,
            autoplay=autoplay,
        )

    def _points(self, points, reverse, seed):
        clean = encode.as_points(points)
        clean = torch.stack(encode.thin(clean, MOST_POINTS))
        steps = encode.thin(_falling(reverse), MOST_FRAMES)
        frames = [encode.as_points(step.x, "points_reverse")[:MOST_POINTS] for step in steps]
        everything = torch.cat([clean, *frames])
        # Pure noise reaches 3 standard deviations; a wild sampler must not shrink the rest.
        reach = float(min(max(3.3, 1.05 * everything.abs().quantile(0.998)), 12.0))
        unit = max(float(everything.abs().max()), reach) / 32767
        self._still_points = clean, reach
        baked = {
            "clean": encode.numbers((clean / unit).round(), "<i2"),
            "unit": unit,
            "reach": round(reach, 3),
            "seed": seed + 1,
        }
        if frames:
            baked["times"] = [int(step.t) for step in steps]
            baked["frames"] = encode.numbers((torch.stack(frames) / unit).round(), "<i2")
        return baked

    def _picture(self, picture, reverse, seed):
        clean = encode.as_picture(picture, most=1.5)
        self._still_picture = clean
        baked = {"clean": encode.picture_address(clean), "seed": seed + 2}
        steps = encode.thin(_falling(reverse), MOST_PICTURES)
        if steps:
            frames = [_small(encode.as_picture(step.x, "picture_reverse")) for step in steps]
            guesses = [getattr(step, "x0_guess", None) for step in steps]
            baked |= {
                "times": [int(step.t) for step in steps],
                "columns": COLUMNS,
                "side": frames[0].shape[-1],
                "frames": encode.sheet_address(frames, COLUMNS),
            }
            if any(guess is not None for guess in guesses):
                # The untouched start has no guess yet: the first one made stands in for it.
                known = next(guess for guess in guesses if guess is not None)
                seen = [known if guess is None else guess for guess in guesses]
                small = [_small(encode.as_picture(guess, "x0_guess"), 32) for guess in seen]
                baked["guesses"] = encode.sheet_address(small, COLUMNS)
                baked["guess_side"] = small[0].shape[-1]
        return baked

    def still(self) -> str:
        """Five times from clean to noise, the picture above the points."""
        schedule, generator = self._schedule, torch.Generator().manual_seed(0)
        times = [round(share * schedule.T) for share in (0, 0.06, 0.15, 0.35, 1)]

        def noised(x0):
            eps = torch.randn(x0.shape, generator=generator)
            return [schedule.signal_rate[t].float() * x0 + schedule.noise_rate[t].float() * eps for t in times]

        rows, top = [], 0
        if self.picture:
            x0 = F.interpolate(self._still_picture[None], size=(48, 48), mode="area")[0]
            sheet = encode.sheet_address(noised(x0), 5)
            rows.append(f'<image href="{sheet}" width="640" height="128"/>')
            top = 134
        if self.points:
            clean, reach = self._still_points
            for i, x in enumerate(noised(clean[:100])):
                dots = encode.dots(x, 128 * i, 128, reach, encode.PALETTE["signal"])
                rows.append(f'<g transform="translate(0 {top})">{dots}</g>')
            top += 134
        for i, t in enumerate(times):
            rows.append(f'<text x="{128 * i + 64}" y="{top + 10}" text-anchor="middle">t = {t}</text>')
        what = "data at five times, from clean to pure noise"
        return encode.drawing(f"0 0 640 {top + 16}", what, "".join(rows))


def _falling(steps):
    """The steps as a list, checked to run from noise to data."""
    steps = list(steps or [])
    times = [int(step.t) for step in steps]
    if len(steps) == 1 or any(a <= b for a, b in zip(times, times[1:])):
        raise ValueError(
            f"reverse steps must fall from t = T to t = 0, got times {times[:6]}; pass list(sample_ddim(...)) as it is."
        )
    return steps


def _small(picture, side=SIDE):
    """The picture averaged down until neither side is over `side` pixels."""
    factor = -(-max(picture.shape[1:]) // side)
    return F.avg_pool2d(picture, factor) if factor > 1 else picture
