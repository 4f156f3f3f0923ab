"""LossByTime: the loss at each time over its floor, and what a network saw and said at the time one points at."""

import math

import torch
import traitlets

from ..colours import hues_for
from . import encode
from .figure import Figure
from .grey_sheets import grey_pictures, grey_sheet

MOST_PICTURES, MOST_POINTS = 4, 80
LEVELS = 10  # grey levels of an error, on either side of 0: finer than the eye, and a third of the bytes
BOTTOM = 1e-5  # smaller losses leave a logarithmic picture
TINY = 1e-5  # errors below it are the rounding of float32


class LossByTime(Figure):
    """Curves of the loss over time, and under them the examples that stand behind one point of a curve.

    views: {name: dict(curves=…, floor=…, examples=…, log_t=…, log_loss=…)}; the reader sees one at a time.
        curves: {name: (times, losses)}, times rising from 1 on.
        floor: (times, losses), the lowest loss that any model could have, where it is known; else leave it out.
        examples: {name: LossExamples} of ddpm_lib.examples.loss_examples, all of the same samples: grey pictures
            (n, 1, side, side), at most 4, or points in the plane (n, 2), of which 80 are kept. Each belongs to the
            curve of its name; "floor" is the name of the floor.
        log_t, log_loss: whether an axis is logarithmic at first.
    t: the time it starts at, about the middle if not given.
    caption: what stands under the figure; None for the figure's own words, "" for none.

    Live, `view`, `who` (whose answers), `t`, `example`, `log_t` and `log_loss` can be read, set and observed.
    """

    modules = ("figure.js", "map_parts.js", "loss_math.js", "loss_panels.js", "loss_by_time.js")
    styles = ("figure.css", "maps.css")
    views = traitlets.List().tag(sync=True, baked=True)
    view = traitlets.Unicode("").tag(sync=True, baked=True)
    who = traitlets.Unicode("").tag(sync=True, baked=True)
    t = traitlets.Int(0).tag(sync=True, baked=True)
    example = traitlets.Int(0).tag(sync=True, baked=True)
    log_t = traitlets.Bool(False).tag(sync=True, baked=True)
    log_loss = traitlets.Bool(False).tag(sync=True, baked=True)

    def __init__(self, views, *, t=None, caption=None):
        if not views:
            raise ValueError("LossByTime has nothing to show: give it at least one view with a curve.")
        baked = [_view(name, **parts) for name, parts in views.items()]
        first = baked[0]
        answers = first["examples"]["answers"] if first["examples"] else []
        times = first["examples"]["times"] if answers else first["curves"][0]["t"]
        wanted = times[len(times) // 2] if t is None else t
        super().__init__(
            views=baked,
            view=first["name"],
            who=(answers or first["curves"])[0]["name"],
            t=min(times, key=lambda one: abs(one - wanted)),
            log_t=first["log_t"],
            log_loss=first["log_loss"],
            caption=caption,
        )

    def still(self) -> str:
        """The curves of the first view over its floor, on the axes that it begins with."""
        view = self.views[0]
        curves = [*view["curves"], *([view["floor"]] if view["floor"] else [])]
        T, top = (max(max(curve[key]) for curve in curves) for key in ("t", "loss"))
        least = max(BOTTOM, 0.8 * min(x for curve in curves for x in curve["loss"] if x > 0)) if view["log_loss"] else 0
        across, up = _axis(1 if view["log_t"] else 0, T, view["log_t"]), _axis(least, top, view["log_loss"])
        inside = '<path d="M40 0V180H590" fill="none" stroke="currentColor" opacity=".4"/>'
        for i, curve in enumerate(curves):
            colour = encode.PALETTE[curve["hue"]] if curve is not view["floor"] else "currentColor"
            places = [(across(t), up(loss)) for t, loss in zip(curve["t"], curve["loss"]) if loss >= least]
            path = "L".join(f"{40 + 550 * x:.1f} {180 - 176 * y:.1f}" for x, y in places)
            inside += f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>'
            inside += f'<text x="{40 + 190 * (i % 3)}" y="{226 + 18 * (i // 3)}" fill="{colour}">'
            inside += f"{_plain(curve['name'])}</text>"
        inside += f'<text x="34" y="184" text-anchor="end">{least:.2g}</text>'
        inside += f'<text x="34" y="10" text-anchor="end">{top:.2g}</text>'
        inside += f'<text x="40" y="200">t = {int(view["log_t"])}</text>'
        inside += f'<text x="590" y="200" text-anchor="end">t = {T}</text>'
        return encode.drawing(f"0 -8 640 {240 + 18 * ((len(curves) - 1) // 3)}", "the loss at each time t", inside)


def _axis(low, high, log):
    """A function to the share of an axis from low to high."""
    bend = math.log if log else float
    return lambda value: (bend(value) - bend(low)) / (bend(high) - bend(low) or 1.0)


def _plain(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _view(name, curves=None, floor=None, examples=None, log_t=False, log_loss=False):
    if not curves:
        raise ValueError(f'the view "{name}" has no curves: give it curves={{name: (times, losses)}}.')
    if "floor" in curves:
        raise ValueError('"floor" is the name of the floor; call that curve something else, or pass it as floor=.')
    baked = {"name": name, "log_t": log_t, "log_loss": log_loss}
    baked["curves"] = [_curve(key, *pair) for key, pair in curves.items()]
    for curve, hue in zip(baked["curves"], hues_for(list(curves))):
        curve["hue"] = hue
    baked["floor"] = _curve("floor", *floor) if floor is not None else None
    known = [*curves, *(["floor"] if floor is not None else [])]
    baked["examples"] = _examples(examples, known) if examples else None
    return baked


def _curve(name, times, losses):
    times, losses = [int(t) for t in times], [float(x) for x in losses]
    if len(times) != len(losses) or len(times) < 2:
        raise ValueError(
            f'the curve "{name}" needs one loss for each of at least two times, got {len(times)} and {len(losses)}.'
        )
    if times[0] < 1 or any(a >= b for a, b in zip(times, times[1:])):
        raise ValueError(f'the times of "{name}" must rise from 1 on (t = 0 is clean data), got {times[:6]}.')
    if not all(0 <= x < float("inf") for x in losses) or not any(losses):
        raise ValueError(f'the losses of "{name}" must be finite, not negative, and not all 0.')
    return {"name": name, "t": times, "loss": [float(f"{x:.4g}") for x in losses]}


def _examples(examples, known):
    names, records = list(examples), list(examples.values())
    strangers = [name for name in names if name not in known]
    if strangers:
        raise ValueError(f'examples of "{strangers[0]}" belong to no curve; the curves are {", ".join(known)}.')
    first = records[0]
    if any(r.times != first.times or not torch.equal(r.x0, first.x0) or not torch.equal(r.eps, first.eps)
           for r in records):  # fmt: skip
        raise ValueError("all examples of a view must be of the same samples, times and noise: use one seed for all.")
    if list(first.times) != sorted(set(first.times)):
        raise ValueError(f"the times of the examples must rise, got {list(first.times)[:6]}.")
    pictures = first.x0.ndim == 4
    most = MOST_PICTURES if pictures else MOST_POINTS
    if pictures:
        grey_pictures(first.x0, "examples")
        if len(first.x0) > most:
            raise ValueError(f"at most {most} pictures fit beside a curve, got {len(first.x0)}.")
    x0 = first.x0[:most] if pictures else encode.as_points(first.x0, "examples")[:most]
    eps = first.eps[:most].float()
    baked = {
        "kind": "pictures" if pictures else "points",
        "times": list(first.times),
        "rates": [[float(f"{rate:.6g}") for rate in row] for row in first.rates.tolist()],
        "count": len(x0),
        "side": x0.shape[-1] if pictures else 0,
        "answers": [_answer(name, r, eps, pictures) for name, r in zip(names, records)],
    }
    # A pixel is a byte on any screen; a place in the plane is drawn finer than that.
    most, dtype = (127, "i1") if pictures else (32767, "<i2")
    for key, value in (("x0", x0.float()), ("eps", eps)):
        unit = float(value.abs().max()) / most or 1.0
        baked[key] = {"numbers": encode.numbers((value / unit).round(), dtype), "unit": float(f"{unit:.8g}")}
    return baked


def _answer(name, record, eps, pictures):
    """A model's errors, guess − truth: everything else that is shown follows from them."""
    error = (record.eps_guess[:, : len(eps)].float() - eps).flatten(2)  # (K, n, numbers)
    if not bool(torch.isfinite(error).all()):
        raise ValueError(f'"{name}" answered with values that are not finite.')
    loss = error.square().mean(2)
    # One size for each time, and for pictures each sample: at small and large t errors differ a hundredfold.
    size = error.abs().amax(2 if pictures else (1, 2), keepdim=True)
    size = torch.where(size < TINY, 0.0, size)
    scaled = (error / size).nan_to_num(0, 0, 0).clamp(-1, 1)
    baked = {"name": name, "size": [float(f"{x:.4g}") for x in size.flatten().tolist()]}
    if pictures:
        baked["sheet"] = grey_sheet(scaled.reshape(-1, *record.x0.shape[-2:]), LEVELS)
        baked["loss"] = [[float(f"{x:.4g}") for x in row] for row in loss.tolist()]
    else:
        baked["numbers"] = encode.numbers((scaled * 127).round(), "i1")
        baked["loss"] = [float(f"{x:.4g}") for x in loss.mean(1).tolist()]
    return baked
