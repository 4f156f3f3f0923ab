"""The tables of GAN, VAE and diffusion at one budget: for the page of results, and the card of their weights."""

import json
from collections.abc import Callable

from ddpm_lib.checkpoints import WEIGHTS
from ddpm_lib.rivals.plans import PLANS
from ddpm_lib.rivals.table import budget_table, calls_table, likelihood_table, quality_table
from tools import results

FOLDER = WEIGHTS / "rivals"
SETS = {
    "digits": "digits",
    "fashion": "clothes",
    "grid": "25 Gaussians",
    "stacked": "stacked digits",
}
HEAD = """## GAN, VAE and diffusion at one budget

Three families were trained on the same data, with the same number of floating-point operations and with parameters
within a tenth of each other, and one judge measured them all. There are five seeds each (two for stacked digits), and ±
is the standard deviation over them. [Chapter 9](09_why_diffusion_won.ipynb) explains what these numbers show and what
they do not. Distances are to 5,000 test images, from 1,000 samples (25 Gaussians: 10,000; stacked digits: 5,000). A run
counts as failed by a rule that was fixed beforehand: its precision or recall is under 0.1, or a class has less than a
fifth of its share, or it finds fewer than 20 of the 25 or 800 of the thousand modes, or its numbers are not finite.

The bits per dimension are an upper bound with all its terms. They are measured of the one model of each family that
ships (seed 0), and their ± is the standard error over 100 test images. The VAE was trained with β = 3 on its
divergence, so its bound holds, but training did not look for the lowest one."""
CARD = """# rivals

A GAN, a VAE and a diffusion model of digits and of clothes, trained at one small budget to be compared: a few minutes
of one CPU core each. Of five seeds, these are the weights of the first; `DATA-seeds.png` shows samples of all, and
`results.json` holds what was measured. Load one by `ddpm_lib.rivals.shipped.load_rival("digits-gan")`.

Made by `python -m ddpm_lib.rivals digits fashion grid stacked --data FOLDER`, then `--chain` and `--ship`.
Networks and settings: ddpm_lib/rivals/plans.py; the search for the settings: tuning.md. Stored as float16.

Trained on MNIST (Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0) and Fashion-MNIST (Zalando SE; MIT), read through
torchvision. The images themselves are not part of this package. Made for teaching: they draw badly, and are meant to
show how.
"""


def section(folder=FOLDER) -> str:
    """All tables, or nothing where nothing was measured."""
    path = folder / "results.json"
    if not path.exists():
        return ""
    content, lines = json.loads(path.read_text(encoding="utf-8")), [HEAD]
    for data_set, title in SETS.items():
        runs = [run for run in content["runs"] if run["data_set"] == data_set]
        lines += ["", f"### One budget: {title}", "", *marked(budget_table(content, data_set)), ""]
        lines += [*marked(quality_table(content, data_set)), ""]
        if data_set in ("digits", "fashion"):
            lines += [*marked(calls_table(content, data_set)), "", *marked(likelihood_table(content, data_set)), ""]
        commits = sorted({(run["commit"] or "unknown")[:10] for run in runs})
        hardware = ", ".join(sorted({run["hardware"] for run in runs}))
        made = f"- `python -m ddpm_lib.rivals {data_set}`, commits {' and '.join(commits)}, {results.machine(hardware)}"
        lines += results.folded([made])
    return "\n".join(lines) + "\n"


def marked(rows: list[dict[str, str]]) -> list[str]:
    """Rows of text as the lines of a Markdown table."""

    def cell(head: str) -> Callable[[dict], str]:
        return lambda row: results.printed(row[head]) if " ± " in row[head] else row[head]

    return results.table(rows, {head: cell(head) for head in rows[0]})


def card() -> str:
    """The text of the folder's card, its plans in a table."""
    lines = ["| plan | batch | learning rate | 10¹² operations |", "|---|---|---|---|"]
    for plan in PLANS.values():
        lines.append(f"| {plan.name} | {plan.batch_size} | {plan.lr:g} | {plan.flops / 1e12:g} |")
    return CARD + "\n" + "\n".join(lines) + "\n"


def write() -> None:
    (FOLDER / "README.md").write_text(card(), encoding="utf-8")
    print(FOLDER / "README.md")
