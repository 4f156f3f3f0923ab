"""What the museum shows of an exhibit: its listing, what it costs, and all costs in one picture."""

import json
from pathlib import Path

import torch

from .exhibit import Exhibit
from .trials import TRIALS

COSTS = Path(__file__).parent / "costs.json"


def costs() -> dict:
    """What each mistake costs, as python -m ddpm_lib.museum measured it: {"exhibits": {name: row}, ...}."""
    return json.loads(COSTS.read_text(encoding="utf-8"))


def cost_line(name: str) -> str:
    """The cost of one exhibit in a line: mean ± standard deviation over the seeds, right and wrong."""
    if (row := costs()["exhibits"].get(name)) is None:
        return f"{name}: not measured, it stops the program."
    right, wrong = (torch.tensor(row[key]) for key in ("right", "wrong"))
    told = [f"{values.mean():.3g} ± {values.std():.1g}" for values in (right, wrong)]
    return f"{TRIALS[row['trial']].what}:\n  distance to real data {told[0]}, with the mistake {told[1]}"


def ratios() -> list[tuple[str, list[float]]]:
    """(name, wrong / right of each seed), the dearest mistake first."""
    rows = costs()["exhibits"].items()
    found = [(name, [w / max(r, 1e-9) for w, r in zip(row["wrong"], row["right"], strict=True)]) for name, row in rows]
    return sorted(found, key=lambda item: -sum(item[1]))


def show_exhibit(exhibit: Exhibit) -> None:
    """Show what the mistake changes, as a listing of differences, and where it was published."""
    from IPython.display import Markdown, display

    display(Markdown(exhibit.listing()))


def show_costs():
    """How many times as far from real data the samples are, for each exhibit and seed; returns the figure."""
    import matplotlib.pyplot as plt

    from ..plots import ACCENT, INK

    rows = ratios()
    figure, axis = plt.subplots(figsize=(7.2, 0.27 * len(rows) + 0.8))
    for place, (_, values) in enumerate(rows):
        axis.plot(values, [place] * len(values), "o", color=ACCENT, markersize=5, alpha=0.75)
    axis.axvline(1, color=INK, linestyle=":")
    axis.set(xscale="log", xlabel="distance to real data, with the mistake ÷ without it (1: no difference)")
    axis.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axis.minorticks_off()
    axis.set_yticks(range(len(rows)), [name for name, _ in rows])
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    return figure
