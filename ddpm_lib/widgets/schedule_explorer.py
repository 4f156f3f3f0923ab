"""ScheduleExplorer: T, the betas, the kind and the data's range, and what they leave of a picture."""

import traitlets

from . import encode
from .figure import Figure

KINDS = ["linear", "cosine", "scaled-linear"]
RANGES = ["-1..1", "0..1"]


class ScheduleExplorer(Figure):
    """Curves of alpha_bar, both rates and log-SNR, and the picture at t, all following at once.

    It warns when more than 1 % of the amplitude is left at T, multiplies the betas by 1000 / T if asked, and shows
    the same picture as data in [-1, 1] and in [0, 1]: its mean, its power E[x^2], and the SNR with that power.

    schedule: the Schedule the figure starts from, made by linear_schedule, cosine_schedule or
        scaled_linear_schedule with 10 <= T <= 1000; every later one is computed in the page.
    picture: (3 or 1, side, side) in [-1, 1].
    t: the time it starts at; a quarter of T if not given.
    data_range: "-1..1" or "0..1", the range in which the picture is noised at first.
    caption: what stands under the figure; None for the figure's own words, "" for none.

    Live, `kind`, `T`, `beta_start`, `beta_end`, `t`, `data_range` and `per_thousand` (whether the betas are multiplied
    by 1000 / T, which the cosine kind's never are) can be read, set and observed.
    """

    modules = ("figure.js", "schedule_math.js", "schedule_explorer.js")
    styles = ("figure.css", "schedule_explorer.css")
    kind = traitlets.Enum(KINDS, "linear").tag(sync=True, baked=True)
    T = traitlets.Int(1000).tag(sync=True, baked=True)
    beta_start = traitlets.Float(1e-4).tag(sync=True, baked=True)
    beta_end = traitlets.Float(0.02).tag(sync=True, baked=True)
    t = traitlets.Int(250).tag(sync=True, baked=True)
    data_range = traitlets.Enum(RANGES, "-1..1").tag(sync=True, baked=True)
    per_thousand = traitlets.Bool(False).tag(sync=True, baked=True)
    picture = traitlets.Dict().tag(sync=True, baked=True)

    def __init__(self, schedule, picture, *, t=None, data_range="-1..1", caption=None, seed=0):
        if schedule.name not in KINDS:
            raise ValueError(
                f"ScheduleExplorer knows the kinds {', '.join(KINDS)}, got a schedule named {schedule.name!r}."
            )
        if not 10 <= schedule.T <= 1000:
            raise ValueError(f"ScheduleExplorer's slider runs over T = 10..1000, got T = {schedule.T}.")
        t = schedule.T // 4 if t is None else t
        if not 0 <= t <= schedule.T:
            raise ValueError(f"t must lie in 0..{schedule.T} (0 is clean data), got {t}.")
        if data_range not in RANGES:
            raise ValueError(f"data_range must be one of {', '.join(RANGES)}, got {data_range!r}.")
        clean = encode.as_picture(picture, most=1.5)
        self._schedule = schedule
        super().__init__(
            kind=schedule.name,
            T=schedule.T,
            t=t,
            data_range=data_range,
            caption=caption,
            picture={
                "clean": encode.picture_address(clean),
                "seed": seed + 2,
                "grey": bool((clean == clean[:1]).all()),  # a digit: one number a pixel, ink on paper
            },
        )
        if schedule.name != "cosine":  # whose betas are not two numbers
            self.beta_start = float(f"{float(schedule.beta[1]):.10g}")
            self.beta_end = float(f"{float(schedule.beta[-1]):.10g}")

    def variant(self) -> str:
        return "grey" if self.picture["grey"] else ""

    def still(self) -> str:
        """Signal rate, noise rate and alpha_bar against t."""
        schedule = self._schedule
        curves = [
            (schedule.signal_rate, "signal", "signal rate"),
            (schedule.noise_rate, "noise", "noise rate"),
            (schedule.alpha_bar, "middle", "alpha-bar"),
        ]
        inside = '<path d="M30 0V180H590" fill="none" stroke="currentColor" opacity=".4"/>'
        for i, (table, colour, name) in enumerate(curves):
            inside += encode.line(table, 30, 560, 180, encode.PALETTE[colour])
            inside += f'<text x="{30 + 190 * i}" y="226" fill="{encode.PALETTE[colour]}">{name}</text>'
        inside += '<text x="8" y="184">0</text><text x="8" y="6">1</text>'
        inside += '<text x="30" y="200">t = 0</text>'
        inside += f'<text x="590" y="200" text-anchor="end">t = {schedule.T}</text>'
        return encode.drawing("0 -8 640 240", "both rates and alpha-bar against t", inside)
