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
    content = {"runs": [json.loads(file.read_text(encoding="utf-8")) for file in files]}
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


NAMES = {"gan": "GAN", "vae": "VAE", "diffusion": "diffusion", "real": "real data"}
FAMILY_CALLS = {"gan": 1, "vae": 1, "diffusion": 20, "real": 0}
COLUMNS = {
    "kernel": ("kernel distance", 2),
    "frechet": ("Fréchet distance", 1),
    "precision": ("precision", 2),
    "recall": ("recall", 2),
    "histogram_distance": ("class shares off", 3),
    "sharpness": ("sharpness", 2),
}
MODES = {"grid": {"modes": ("modes of 25", 1), "close": ("within 3 σ", 2), "sliced_wasserstein": ("sliced W₁", 3)},
         "stacked": {"modes": ("modes of 1,000", 0), "kl": ("KL to even", 2)}}  # fmt: skip


def calls_of(data_set: str, family: str) -> int:
    """Network calls for a sample in the tables: of diffusion 20, but 10 for the many stacked digits."""
    return 10 if (data_set, family) == ("stacked", "diffusion") else FAMILY_CALLS[family]


def budget_table(content: dict, data_set: str) -> list[dict[str, str]]:
    """What each family was given: parameters, steps, samples seen, operations and seconds of training."""
    lines = []
    for family in ("gan", "vae", "diffusion"):
        runs = [run for run in content["runs"] if (run["data_set"], run["family"]) == (data_set, family)]
        first = runs[0]
        parts = " + ".join(f"{count:,}" for count in first["parameters"])
        lines.append({
            "": NAMES[family],
            "parameters": parts + (f" = {sum(first['parameters']):,}" if " + " in parts else ""),
            "steps × batch": f"{first['steps']:,} × {first['batch_size']}",
            "10¹² operations": told([run["flops"] / 1e12 for run in runs], 2),
            "seconds, one core": told([run["seconds"] for run in runs], 0),
        })  # fmt: skip
    return lines


def quality_table(content: dict, data_set: str, families=("real", "gan", "vae", "diffusion")) -> list[dict[str, str]]:
    """What came of it, mean ± deviation over the seeds, beside real data drawn anew; with the share of failed runs."""
    lines = []
    for family in families:
        calls = calls_of(data_set, family)
        rows = rows_of(content, data_set, family, calls)
        columns = MODES.get(data_set, COLUMNS)
        cells = {head: told([row[key] for row in rows], digits) for key, (head, digits) in columns.items()}
        broken = "{} of {}".format(*failures(content, data_set, family))
        lines.append({"": NAMES[family], "calls": str(calls or "–"), **cells, "failed": broken})
    return lines


def calls_table(content: dict, data_set: str) -> list[dict[str, str]]:
    """Diffusion by network calls, beside the rivals' one: kernel distance, and processor seconds for an image."""
    lines = []
    for family in ("gan", "vae", "diffusion"):
        for calls in sorted({row["calls"] for row in all_rows(content, data_set, family)}):
            rows = rows_of(content, data_set, family, calls)
            times = [1000 * row["seconds_per_image"] for row in rows]
            lines.append({"": NAMES[family], "calls": str(calls), "kernel distance": told([r["kernel"] for r in rows]),
                          "recall": told([r["recall"] for r in rows]), "ms an image": told(times, 2)})  # fmt: skip
    for run in content["runs"]:
        if run["data_set"] == data_set and "chain" in run:
            row = run["chain"]
            lines.append({"": f"DDPM's chain, seed {run['seed']}", "calls": f"{row['calls']:,}",
                          "kernel distance": f"{row['kernel']:.2f}", "recall": "–",
                          "ms an image": f"{1000 * row['seconds_per_image']:,.0f}"})  # fmt: skip
    return lines


def likelihood_table(content: dict, data_set: str) -> list[dict[str, str]]:
    """What only some can say: bits per dimension, reconstruction; and how even the way between two samples is.

    The bits are of the model of seed 0 alone, an upper bound with all its terms, ± the standard error over the test
    images; everything else is mean ± deviation over the seeds.
    """
    lines = []
    for family in ("gan", "vae", "diffusion"):
        runs = [run for run in content["runs"] if (run["data_set"], run["family"]) == (data_set, family)]
        runs = [run for run in runs if "path" in run]
        bits = [f"{run['bits_per_dim']:.2f} ± {run['bits_error']:.2f}" for run in runs if bits_are_whole(run)]
        lines.append({
            "": NAMES[family],
            "bits/dim, at most": bits[0] if bits else "–",
            "reconstruction, RMS": told([run["reconstruction_rms"] for run in runs if "reconstruction_rms" in run], 3),
            "detour": told([run["path"]["detour"] for run in runs]),
            "largest step": told([run["path"]["jump"] for run in runs]),
        })  # fmt: skip
    return lines


def bits_are_whole(run: dict) -> bool:
    """Whether a run's bits are of seed 0 and leave out no term of the bound."""
    return run["seed"] == 0 and "bits_error" in run and run.get("bits_terms", 999) == 999


def summary_table(content: dict) -> list[dict[str, str]]:
    """The whole contest in a line for each family: distances, recall, modes, milliseconds an image, failed runs."""
    lines = []
    for family in ("real", "gan", "vae", "diffusion"):
        rows = {
            data: rows_of(content, data, family, calls_of(data, family)) for data in ("digits", "fashion", "stacked")
        }
        broken = [failures(content, data, family) for data in ("grid", "digits", "fashion", "stacked")]
        times = [1000 * row["seconds_per_image"] for row in rows["digits"] if "seconds_per_image" in row]
        lines.append({
            "": NAMES[family],
            "digits: distance": told([row["kernel"] for row in rows["digits"]]),
            "clothes: distance": told([row["kernel"] for row in rows["fashion"]]),
            "digits: recall": told([row["recall"] for row in rows["digits"]]),
            "clothes: recall": told([row["recall"] for row in rows["fashion"]]),
            "modes of 1,000": told([row["modes"] for row in rows["stacked"]], 0),
            "ms an image": told(times, 1),
            "failed runs": f"{sum(bad for bad, _ in broken)} of {sum(all_ for _, all_ in broken)}",
        })  # fmt: skip
    return lines


def passes(content: dict, data_set: str, rival: str, by: str = "kernel") -> int | None:
    """The fewest network calls from which diffusion beats a rival, on the mean over seeds; None if at no number."""
    limit, found = mean_std([row[by] for row in rows_of(content, data_set, rival)])[0], None
    calls = {row["calls"] for row in all_rows(content, data_set, "diffusion")}
    for count in sorted(calls, reverse=True):
        if mean_std([row[by] for row in rows_of(content, data_set, "diffusion", count)])[0] >= limit:
            break
        found = count
    return found


def all_rows(content: dict, data_set: str, family: str) -> list[dict]:
    """The rows of every number of calls, one for each seed and number."""
    calls = {row["calls"] for run in content["runs"] if (run["data_set"], run["family"]) == (data_set, family)
             for row in run.get("by_calls", [])}  # fmt: skip
    return [row for count in sorted(calls) for row in rows_of(content, data_set, family, count)]


def curve(content: dict, data_set: str) -> list[dict]:
    """Mean kernel distance over network calls, with its deviation: rows for show_records.

    A rival has one call alone; its row stands at both ends of the axis, so that it is drawn as a level line.
    """
    most, found = max(row["calls"] for row in all_rows(content, data_set, "diffusion")), []
    for family in ("gan", "vae", "diffusion"):
        for calls in sorted({row["calls"] for row in all_rows(content, data_set, family)}):
            mean, std = mean_std([row["kernel"] for row in rows_of(content, data_set, family, calls)])
            for place in (calls,) if family == "diffusion" else (1, most):
                row = {"family": NAMES[family], "calls": place, "kernel distance": mean, "kernel distance_std": std}
                found.append(row)
    return found
