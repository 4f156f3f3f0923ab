"""All runs in one file, and the means and spreads over their seeds that the tables show."""

import json
import statistics
from pathlib import Path

from ..checkpoints import write_atomically


def collect(runs: Path, path: Path) -> dict:
    """Write the runs' files (see run.py) into one: {"runs": [...]}, in the order of their names."""
    files = sorted(runs.glob("*-[0-9]*.json"))
    if not files:
        raise ValueError(f"there are no runs in {runs}: make them with python -m ddpm_lib.rivals digits.")
    content = {"runs": [json.loads(file.read_text()) for file in files]}
    write_atomically(path, (json.dumps(content, ensure_ascii=False) + "\n").encode())
    return content


def rows_of(content: dict, data_set: str, family: str, calls: int = 1) -> list[dict]:
    """A row for each seed: the run's own facts and what was measured of it at this number of calls.

    Runs whose training broke off have no measurements, and are left out here; count them with failures.
    """
    return [
        {**run, **row}
        for run in content["runs"]
        if (run["data_set"], run["family"]) == (data_set, family)
        for row in run.get("by_calls", [])
        if row["calls"] == calls
    ]


def failures(content: dict, data_set: str, family: str) -> tuple[int, int]:
    """How many runs failed, and of how many."""
    runs = [run for run in content["runs"] if (run["data_set"], run["family"]) == (data_set, family)]
    return sum(run["failed"] for run in runs), len(runs)


def mean_std(values: list[float]) -> tuple[float, float]:
    """Mean, and standard deviation over the seeds (0 for one alone)."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def told(values: list[float], digits: int = 2) -> str:
    """mean ± deviation as text; an empty list, where there is nothing to measure, is a dash."""
    if not values:
        return "–"
    mean, std = mean_std(values)
    return f"{mean:,.{digits}f} ± {std:.{digits}f}"
