"""SamplerRace: four samplers side by side in the plane, from one noise, at equal cost."""

import math

import torch
import traitlets

from ..colours import COLOURS
from . import encode
from .figure import Figure

GRIDS = ["even", "logsnr", "karras"]
MOST_COMPONENTS = 64


class SamplerRace(Figure):
    """DDPM, DDIM, Heun and DPM-Solver++ from the same noise with the same number of network calls.

    250 points go back to the data by the exact denoiser, so that whatever is wrong at the end is the sampler's doing.
    Under each panel stands its distance to the data, `ddpm_lib.metrics.sliced_wasserstein` to a fixed draw of 1000
    real points (with an even fan of directions), beside the floor: what 250 real points get, the mean of 12 draws.
    Each run leaves its dot in a chart of distance against calls.

    race: `ddpm_lib.races.plane_race(schedule, ...)`: the schedule, 10 <= T <= 1000; the data sets, mixtures in the
        plane of up to 64 components of positive std; and the set, the calls, eta, grid and seed to begin with. The
        page computes its own runs, from noise of its own; the race's ends are drawn in the still.
    caption: what stands under the figure; None for the figure's own words, "" for none.

    Live, `dataset`, `calls`, `eta`, `grid`, `seed`, `share` (of the calls that are spent, 0..1) and `playing` can be
    read, set and observed.
    """

    modules = ("figure.js", "schedule_math.js", "samplers.js", "race_math.js", "race_panels.js", "sampler_race.js")
    styles = ("figure.css", "sampler_race.css")
    T = traitlets.Int(1000).tag(sync=True, baked=True)
    beta = traitlets.Unicode().tag(sync=True, baked=True)
    sets = traitlets.List().tag(sync=True, baked=True)
    dataset = traitlets.Unicode().tag(sync=True, baked=True)
    calls = traitlets.Int(10).tag(sync=True, baked=True)
    eta = traitlets.Float(0.0).tag(sync=True, baked=True)
    grid = traitlets.Enum(GRIDS, "logsnr").tag(sync=True, baked=True)
    seed = traitlets.Int(0).tag(sync=True, baked=True)
    share = traitlets.Float(1.0).tag(sync=True, baked=True)
    playing = traitlets.Bool(False).tag(sync=True)

    def __init__(self, race, *, caption=None):
        if not hasattr(race, "ends"):
            raise ValueError(f"SamplerRace is given a race, plane_race(schedule), got {type(race).__name__}.")
        schedule = race.schedule
        if not 10 <= schedule.T <= 1000:
            raise ValueError(f"SamplerRace runs over T = 10..1000 times, got a schedule with T = {schedule.T}.")
        self._race = race
        super().__init__(
            T=schedule.T,
            beta=encode.numbers(schedule.beta, "<f8"),
            sets=[[name, _rows(name, mixture)] for name, mixture in race.data.items()],
            dataset=race.dataset,
            calls=int(race.calls),
            eta=float(race.eta),
            grid=race.grid,
            caption=caption,
            seed=race.seed,
        )

    def still(self) -> str:
        """The ends of the four samplers over the data, with their distances and the floor."""
        race, reach = self._race, reach_of(self.sets)
        inside, side = "", 154
        for i, (name, x) in enumerate(race.ends.items()):
            title = f"DDIM, η = {race.eta:g}" if name == "DDIM" and race.eta else name
            inside += encode.dots(race.real[:400], 162 * i, side, reach, "#c9d0d6")
            inside += encode.dots(x, 162 * i, side, reach, COLOURS[name])
            inside += f'<text x="{162 * i}" y="{side + 16}" font-weight="600">{title}</text>'
            inside += f'<text x="{162 * i}" y="{side + 32}">distance {race.distances[name]:.3f}</text>'
        calls = "1 call" if race.calls == 1 else f"{race.calls} calls"
        inside += f'<text x="0" y="{side + 52}">{calls} each; as many real points get {race.floor:.3f}</text>'
        return encode.drawing("0 0 640 214", f"where four samplers end after {calls}", inside)


def reach_of(sets) -> float:
    """Half the side of a panel: all of the data, and most of the noise."""
    edge = max(max(abs(x), abs(y)) + 3 * std for _, rows in sets for _, x, y, std in rows)
    return round(max(1.15 * edge, 2.0), 3)


def _rows(name: str, data) -> list[list[float]]:
    """A mixture in the plane as rows of weight, x, y, std."""
    if len(data.means) > MOST_COMPONENTS:
        raise ValueError(f"data {name!r} must have at most {MOST_COMPONENTS} components, got {len(data.means)}.")
    if not (math.isfinite(float(data.means.sum())) and float(data.std.min()) > 0 and float(data.std.max()) < 100):
        raise ValueError(f"data {name!r} needs finite means and a positive std: a density, not spikes.")
    rows = torch.cat([data.weights[:, None], data.means.double(), data.std[:, None]], 1).tolist()
    return [[float(f"{v:.7g}") for v in row] for row in rows if row[0] > 0]
