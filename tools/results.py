"""Write book/results.md from the measured numbers: python -m tools.results."""

import json
from collections.abc import Callable
from pathlib import Path

from ddpm_lib.checkpoints import WEIGHTS, read_header
from tools import published
from tools.steps import ROOT

PAGE = ROOT / "book" / "results.md"
TITLES = {
    "digits": "Digits",
    "fashion": "Clothes",
    "cifar10": "CIFAR-10",
    "emoji": "Emoji",
    "emoji-small": "Emoji, small",
}
HEAD = """# Results

<!-- Made by python -m tools.results from ddpm_lib/weights/*.json; what is changed here is lost. -->

This page holds the numbers that were measured of the models that ship with the book. Each table can be unfolded to
show the commands that made it, and the numbers themselves are kept in a file beside the weights. Before you compare two
rows, five things are good to know.

- **The features are the book's own.** A distance between two sets of pictures is taken in the features of a small
  classifier that was trained for this book. So these numbers are *not* the FID of papers, and you can compare them
  with each other only. ([Chapter 6](06_fewer_calls.ipynb) gives the formulas.)
- **Read each number beside its floor**, which is what real training images score against the test set. A model cannot
  be expected to do better than real images do.
- **The kernel distance comes first** (Bińkowski et al. 2018). It is unbiased, so you may compare rows with different
  numbers of images, each within its deviation. Being unbiased, it can fall below zero when the distance is close to
  zero. The Fréchet distance (Heusel et al. 2017) comes out too large when there are few images, so compare it only
  between rows with the same number of images. Precision and recall (Kynkäänniemi et al. 2019) also depend on that
  number.
- **± is the standard deviation over the seeds**, each with its own noise and labels. *Images* counts those of one seed,
  times the number of seeds.
- **Calls** are evaluations of the network for one image. Samples are clipped at every step unless a table says
  otherwise.
"""

JUDGES = """Each was trained on the training set alone. A judge that errs on real test images may also err on samples.
(No model of CIFAR-10 ships; its judge is there for runs of your own.)"""
FLOOR = """These are real training images, in random draws of the given size, so no model can be expected to score
better. Agreement is the share of test images in which the judge sees their own label."""
CALLS = """Each row is one sampler at one number of calls, so you can see how few calls each of them needs."""
ODE = """Deterministic samplers all follow the same differential equation, so from the same noise they should draw the
same image. The table gives the root mean square difference to the image of the reference, over pixels in [−1, 1], as
mean ± deviation over the images. It can rank samplers where the distances between many images are too noisy to."""
CLIP = """Each setting with the guess of the clean image clipped to [−1, 1] at every step, and without."""
EMA = """Each setting with the running average of the weights, and with the weights that training ended on."""
SCALE = """From scale 1 on, the samples agree with their label more often as the scale rises, and recall falls. Spread
is the mean distance between two samples of one label, divided by that of real images."""
BOUND = """An upper bound on the negative log-likelihood of test images given their labels. Some of its terms are drawn
at random for each batch, which leaves the estimate unbiased."""


def page(weights: Path = WEIGHTS) -> str:
    """The text of the page, from all files of results in a folder."""
    parts, files = (
        [HEAD, judges(weights)],
        {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(weights.glob("*.json"))},
    )
    for name, title in TITLES.items():
        for stem, heading in ((name, title), (f"{name}-inception", f"{title}, Inception features")):
            if stem in files:
                parts.append(section(heading, files[stem]))
    from tools import prompt_results, rival_results  # they take their columns from here

    others = [prompt_results.section(weights / "emoji-diffusion"), rival_results.section(weights / "rivals")]
    return "\n".join([*parts, *filter(None, others), published_section()])


def judges(weights: Path) -> str:
    """The table of the classifiers that ship, from the headers of their files."""
    lines = ["## The judges", "", JUDGES, "", "| judge | what it tells | share of test images it gets right |",
             "|---|---|---|"]  # fmt: skip
    for file in sorted(weights.glob("*-classifier.safetensors")):
        card = read_header(file)["card"]
        for name in card:
            if name.startswith("test_accuracy"):
                told = name.removeprefix("test_accuracy").strip("_") or "all of its label"
                lines.append(f"| {file.stem.removesuffix('-classifier')} | {told} | {card[name]:.4f} |")
    return "\n".join(lines) + "\n"


def section(title: str, found: dict) -> str:
    """All tables of one model; a part that was not measured has none."""
    reference = found["reference"]
    lines = [f"## {title}", "", f"Against all {reference['images']:,} images of the test set."]
    for heading, notice, rows, columns in tables(found):
        if rows:
            lines += ["", f"### {title}: {heading}", "", notice, "", *table(rows, columns), "", *folded(makers(rows))]
    return "\n".join(lines) + "\n"


def column(name: str, digits: int) -> Callable[[dict], str]:
    return lambda row: spread(row, name, digits)


SETTING = {"sampler": lambda row: row["sampler"], "calls": lambda row: f"{row['calls']:,}"}
DTYPE = {"network in": lambda row: row.get("dtype", "fp32")}
IMAGES = {"images": lambda row: images(row)}
DISTANCES = {
    "kernel": column("kernel", 3),
    "Fréchet": column("frechet", 2),
    "precision": column("precision", 3),
    "recall": column("recall", 3),
}
RMS = {"reference": lambda row: row["reference"], "RMS": column("rms", 4)}
BITS = {
    "terms of T − 1": lambda row: str(row["times"]),
    "variance": lambda row: row["variance"],
    "bits/dim": column("bits_per_dim", 3),
}


def tables(found: dict) -> list[tuple[str, str, list[dict], dict]]:
    """(heading, what to notice, rows, columns) of each table of a model, in the order of the page."""

    def rows(part: str) -> list[dict]:
        return sorted(found.get(part, []), key=lambda row: (row.get("sampler", ""), row.get("calls", 0)))

    measured = {**IMAGES, **DISTANCES, **{name.replace("_", ", "): column(name, 3) for name in agreements(found)}}
    clipped = {**SETTING, "clipped": lambda row: row["switch"], **measured}
    averaged = {**SETTING, "EMA": lambda row: row["switch"], **measured}
    guided = {"scale": lambda row: f"{row['scale']:g}", **SETTING, **measured, "spread": column("spread", 3)}
    return [
        ("the floor", FLOOR, found.get("floors", []), measured),
        ("quality against network calls", CALLS, rows("by_calls"), {**SETTING, **DTYPE, **measured}),
        ("distance to the converged solution", ODE, rows("ode"), {**SETTING, **IMAGES, **RMS}),
        ("clipping on and off", CLIP, pairs(rows("by_calls"), rows("clip_off")), clipped),
        ("averaging on and off", EMA, pairs(rows("by_calls"), rows("ema_off")), averaged),
        ("guidance", SCALE, sorted(found.get("by_scale", []), key=lambda row: row["scale"]), guided),
        ("bits per dimension", BOUND, found.get("bits", []), {**IMAGES, **BITS}),
    ]


def agreements(found: dict) -> list[str]:
    """The names of the shares of agreement that rows of this model have; none without labels."""
    first = next(iter(found.get("by_calls", []) or found.get("by_scale", [])), {})
    return [name for name in first if name.startswith("agreement") and not name.endswith("_std")]


def pairs(on: list[dict], off: list[dict]) -> list[dict]:
    """Rows with something switched off, each after the row of the same setting with it on (where there is one)."""
    same, rows = ("sampler", "calls", "samples", "seeds"), []
    for row in off:
        rows += [{**other, "switch": "yes"} for other in on if all(other[key] == row[key] for key in same)]
        rows.append({**row, "switch": "no"})
    return rows


def table(rows: list[dict], columns: dict) -> list[str]:
    """The lines of a Markdown table. columns: {heading: row → text}."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(show(row) for show in columns.values()) + " |" for row in rows]


def makers(rows: list[dict]) -> list[str]:
    """The commands that made the rows, each with its commit, hardware and seconds."""
    makers = {}
    for row in rows:
        key = (row["command"], row["commit"], machine(row["hardware"]))
        makers[key] = makers.get(key, 0) + row["seconds"]
    return [
        f"- `{command}`, commit {(commit or 'unknown')[:10]}, {hardware}, {seconds:,.0f} s for these rows"
        for (command, commit, hardware), seconds in makers.items()
    ]


def folded(lines: list[str]) -> list[str]:
    """Lines that a reader unfolds, on the page and in a card: there are more of them than of the tables' own."""
    return ['<details class="made"><summary>How it was measured</summary>', "", *lines, "", "</details>"]


def machine(hardware: str) -> str:
    """The hardware as a result file names it, in words: "CPU, 1 thread(s), x86_64" has one thread."""
    return hardware.replace(" 1 thread(s)", " 1 thread").replace("thread(s)", "threads")


def spread(row: dict, name: str, digits: int) -> str:
    """The value, with its deviation where it has one."""
    if name not in row:
        return "–"
    deviation = row.get(f"{name}_std")
    told = f"{row[name]:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")
    return printed(told)


def printed(number: str) -> str:
    """A number as a page prints it: with a true minus sign, and not torn from its deviation at the end of a line."""
    return number.replace("-", "−").replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def images(row: dict) -> str:
    """The images of one seed (or draw), times the seeds."""
    times = row.get("draws") or len(row.get("seeds", [0]))
    return f"{row['samples']:,}" + (f"\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{times}" if times > 1 else "")


def published_section() -> str:
    columns = ("model", "calls", "FID", "bits/dim", "source")
    lines = ["## Published numbers: CIFAR-10", "", published.SCALE, ""]
    lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(cell) if cell else "–" for cell in row) + " |" for row in published.CIFAR10]
    return "\n".join([*lines, "", published.NOTES]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
