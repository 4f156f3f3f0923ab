"""PictureProcess: a picture of the reader's choice on its way to noise, by the chain and by the jump, and back."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
import traitlets

from . import encode
from .figure import Figure

MOST_PICTURES, MOST_SIDE = 6, 128


class PictureProcess(Figure):
    """The forward process on bundled pictures or on the reader's own, and the way back in one stroke.

    Forward: beside one another the chain, x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) z_t with fresh noise at
    each step (Ho et al. 2020, equation 2), really walked in the page, and the jump x_t = signal_rate x_0 +
    noise_rate eps (equation 4). Below them the histograms of all values of both, with mean and standard deviation.
    A switch forgets sqrt(1 - beta): the chain's variance then grows to that of x_0 plus the sum of the betas.
    Back: x_0 = (x_t - noise_rate eps') / signal_rate, with eps' = eps + error * (other noise of variance 1): the
    error arrives multiplied by noise_rate / signal_rate.

    The reader's own file (a click, the keyboard, or drag and drop) is read, cropped to its middle square and
    scaled to 128 pixels by the browser. It does not leave the page.

    schedule: a Schedule; its betas are baked in.
    pictures: name -> (3 or 1, side, side) in [-1, 1], 1 to 6 of them, side <= 128, as
        `ddpm_lib.pictures.sample_pictures` has them.
    t: where time stands at first. mode: "forward" or "back". error: of eps, 0..0.2, for the way back.
    caption: what stands under the figure; None for the figure's own words, "" for none. seed: of the noise.

    Live, `t`, `mode`, `forget`, `error` and `choice` can be read, set and observed.
    """

    modules = ("figure.js", "schedule_math.js", "picture_math.js", "picture_panels.js", "picture_process.js")
    styles = ("figure.css", "picture_process.css")
    betas = traitlets.Unicode().tag(sync=True, baked=True)
    pictures = traitlets.List().tag(sync=True, baked=True)
    choice = traitlets.Int(0).tag(sync=True, baked=True)
    t = traitlets.Int().tag(sync=True, baked=True)
    mode = traitlets.Enum(["forward", "back"], "forward").tag(sync=True, baked=True)
    forget = traitlets.Bool(False).tag(sync=True, baked=True)
    error = traitlets.Float(0.05).tag(sync=True, baked=True)
    seed = traitlets.Int(0).tag(sync=True, baked=True)

    def __init__(self, schedule, pictures, *, t=None, mode="forward", error=0.05, caption=None, seed=0):
        if not isinstance(pictures, Mapping) or not 1 <= len(pictures) <= MOST_PICTURES:
            raise ValueError(f"pictures must be a dict of 1 to {MOST_PICTURES} pictures by name.")
        clean = {str(name): encode.as_picture(x, name, most=1.5) for name, x in pictures.items()}
        for name, x in clean.items():
            if x.shape[-1] > MOST_SIDE:
                raise ValueError(
                    f"{name} may have at most {MOST_SIDE} pixels a side, got {x.shape[-1]}: average it down."
                )
        t = schedule.T // 4 if t is None else t
        if not 0 <= t <= schedule.T:
            raise ValueError(f"t must lie in 0..{schedule.T} (0 is clean data), got {t}.")
        if mode not in ("forward", "back"):
            raise ValueError(f'mode must be "forward" or "back", got {mode!r}.')
        if not 0 <= error <= 0.2:
            raise ValueError(f"error must lie in 0..0.2, a share of eps, got {error}.")
        self._schedule, self._clean = schedule, clean
        super().__init__(
            betas=encode.numbers(schedule.beta, "<f4"),
            pictures=[{"name": name, "clean": encode.picture_address(x)} for name, x in clean.items()],
            t=t,
            mode=mode,
            error=error,
            caption=caption,
            seed=seed,
        )

    def variant(self) -> str:
        return self.mode

    def still(self) -> str:
        """Five times from clean to noise. Forward: by the chain, and below by the jump, with each one's deviation.

        Back: by the jump, and below it back in one stroke with the error in eps.
        """
        schedule, x0 = self._schedule, next(iter(self._clean.values()))
        x0 = F.interpolate(x0[None], size=(48, 48), mode="area")[0]
        generator = torch.Generator().manual_seed(0)
        eps, other = (torch.randn(x0.shape, generator=generator) for _ in range(2))
        times = [max(1, round(share * schedule.T)) for share in (0, 0.25, 0.5, 0.75, 1)]
        forth, back, inside, chain = [], [], "", self._chain(x0, times, generator)
        for i, t in enumerate(times):
            signal, noise = schedule.signal_rate[t].float(), schedule.noise_rate[t].float()
            forth.append(signal * x0 + noise * eps)
            back.append((forth[-1] - noise * (eps + self.error * other)) / signal.clamp(min=1e-6))
            sigma = float(noise / signal.clamp(min=1e-6))
            says = f"t = {t}, × {sigma:.3g}" if self.mode == "back" else f"t = {t}"
            inside += f'<text x="{128 * i + 60}" y="146" text-anchor="middle">{says}</text>'
        rows = (forth, back) if self.mode == "back" else (chain, forth)
        for pictures, y in zip(rows, (0, 154)):
            inside += f'<image href="{encode.sheet_address(pictures, 5)}" y="{y}" width="640" height="128"/>'
        if self.mode == "back":
            inside += f'<text x="0" y="298">back in one stroke, with an error of {100 * self.error:.3g} % in eps</text>'
            what = "a picture at five times, and what one stroke back makes of it"
        else:
            far = [f"{float(a.std()):.2f}, {float(b.std()):.2f}" for a, b in zip(chain, forth)]
            inside += '<text x="0" y="298">above step by step, below in one jump; standard deviations of both:</text>'
            for i, words in enumerate(far):
                inside += f'<text x="{128 * i + 60}" y="316" text-anchor="middle">{words}</text>'
            what = "a picture at five times of the chain, and the same times by one jump"
        return encode.drawing("0 0 640 322", what, inside)

    def _chain(self, x0, times, generator):
        """x0 at the given times, walked step by step with fresh noise."""
        shown, x = [], x0
        for t, beta in enumerate(self._schedule.beta[: times[-1] + 1].float()):
            if t:
                x = (1 - beta).sqrt() * x + beta.sqrt() * torch.randn(x.shape, generator=generator)
            shown += [x] if t in times else []
        return shown
