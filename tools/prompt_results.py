"""The tables of the text-to-image model, for the page of results and for its card."""

import json
from pathlib import Path

from ddpm_lib.checkpoints import WEIGHTS
from tools import results

FOLDER = WEIGHTS / "emoji-diffusion"

HEAD = """## Emoji, text to image

Prompts such as “red apple, noto style”: guided DDIM, at scale 4 and 20 steps where nothing else is said. Asked are
the {kept_out} pairs of label and vendor that training never saw (*kept-out*), and prompts for pictures that it did see
(*training*). Each sample is shown to a judge, a classifier of labels and vendors that was trained on real emoji alone
(*emoji-words* above); the sample counts as a hit if, in the judge's features, the nearest of {emoji:,} real emoji has
the asked label (of {labels}), if the asked label is among the five nearest labels, if the nearest has the asked vendor
(of five). Read each share between two bounds: chance, and what real pictures score when they have only gone through
the model's autoencoder."""
BOUNDS = """Chance: other real emoji in place of samples, ten draws. Autoencoder: the asked pictures themselves,
encoded and decoded; PSNR is of the pixels."""
LANGUAGE = """The same pictures asked for in two languages."""
SCALES = """Kept-out pairs. Without guidance (scale 1) a sample wanders; with too much, it glares."""
STEPS = """Kept-out pairs. Two calls of the network a step."""
NEGATIVE = """“blue heart” with the negative prompt “blue”: how far the mean colour of the ink moves, in units of the
distance from real hearts of that colour to hearts of all colours; 0 is nowhere, positive is away from the colour named.
Beside it, in the same unit, how far the colour was off before."""
MEMORY = """The root mean square pixel distance to the nearest training picture, values in [−1, 1]; and the share of
pictures that lie closer to one than 95 % of the real kept-out pictures do. A model that only copied would have all of
its samples as close as training pictures are to themselves after the autoencoder."""

COUNT = {"set": lambda row: row["set"], "images": lambda row: results.images(row)}
SHARES = {"label": results.column("label", 3), "label, top 5": results.column("label_top5", 3),
          "vendor": results.column("vendor", 3)}  # fmt: skip
LANGUAGES = {"language": lambda row: row["language"]}
SCALE, STEP = {"scale": lambda row: f"{row['scale']:g}"}, {"steps": lambda row: str(row["steps"])}


def tables(found: dict) -> list[tuple[str, str, list[dict], dict]]:
    """(heading, what to notice, rows, columns) of each table."""
    bounds = [{**row, "samples": row["images"]} for row in found.get("bounds", [])]
    return [
        ("the bounds", BOUNDS, bounds, {"bound": lambda row: row["kind"], **COUNT, **SHARES,
                                        "PSNR": results.column("psnr", 2)}),
        ("by language", LANGUAGE, found.get("by_language", []), {**LANGUAGES, **COUNT, **SHARES}),
        ("guidance", SCALES, found.get("by_scale", []), {**SCALE, **COUNT, **SHARES}),
        ("steps", STEPS, found.get("by_steps", []), {**STEP, **COUNT, **SHARES}),
        ("negative prompts", NEGATIVE, found.get("negative", []),
         {"colour": lambda row: row["colour"], "images": lambda row: results.images(row),
          "shift": results.column("shift", 2), "off before": results.column("off_colour", 2)}),
        ("memory", MEMORY, found.get("memory", []),
         {"pictures": lambda row: row["what"], "images": lambda row: results.images(row),
          "median distance": results.column("median", 3),
          "closer than 95 % of real": results.column("closer_than_5pct_of_real", 3)}),
    ]  # fmt: skip


def section(folder: Path = FOLDER) -> str:
    """All tables, or nothing where the model was not measured."""
    path = folder / "results.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_text())
    lines = [HEAD.format(**found)]
    for heading, notice, rows, columns in tables(found):
        if rows:
            lines += ["", f"### Text to image: {heading}", "", notice, "", *results.table(rows, columns), ""]
            lines += results.makers(rows)
    if "seconds_per_image" in found:
        lines += ["", f"One picture of 20 guided steps takes {found['seconds_per_image']} s on one CPU thread."]
    return "\n".join(lines) + "\n"
