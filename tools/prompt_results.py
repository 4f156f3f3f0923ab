"""The tables of the text-to-image model, for the page of results and for its card."""

import json
from pathlib import Path

from ddpm_lib.checkpoints import WEIGHTS
from tools import results

FOLDER = WEIGHTS / "emoji-diffusion"

HEAD = """## Emoji, text to image

Prompts such as “red apple, noto style”, painted with guided DDIM at scale 4 and 20 steps unless a table says otherwise.
We ask for two kinds of picture: the {kept_out} pairs of label and vendor that training never saw (*kept-out*), and
pictures that it did see (*training*). Each sample is shown to a judge, which is a classifier of labels and vendors that
was trained on real emoji alone (*emoji-words* above). In the judge's features we look for the nearest of {emoji:,} real
emoji. The sample is a hit for *label* if the nearest one has the label we asked for (of {labels}), for *label, top 5*
if that label is among the five nearest labels, and for *vendor* if the nearest one has the right vendor (of five).
Read each share between two bounds: chance, and the score of real pictures that have only gone through the model's
autoencoder."""
BOUNDS = """Chance takes other real emoji in place of samples, in ten draws. Autoencoder takes the pictures that were
asked for, encoded and decoded again; the PSNR is of their pixels."""
LANGUAGE = """The same pictures, asked for in two languages."""
SCALES = """Asked for are the kept-out pairs. Scale 1 is no guidance."""
STEPS = """Asked for are the kept-out pairs. A step takes two calls of the network."""
NEGATIVE = """For “blue heart” with the negative prompt “blue”, this is how far the mean colour of the ink moves. The
unit is the distance from real hearts of that colour to hearts of all colours, so 0 means that nothing moved, and a
positive number that the colour moved away from the one we named. *Off before* is how far the colour was off without
the negative prompt, in the same unit."""
MEMORY = """*Median distance* is the root mean square pixel distance to the nearest training picture, for values in
[−1, 1]. The last column is the share of pictures that lie closer to a training picture than 95 % of the real kept-out
pictures do. A model that only copied would have all of its samples as close as training pictures are to themselves
after the autoencoder."""

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
    found = json.loads(path.read_text(encoding="utf-8"))
    lines = [HEAD.format(**found)]
    for heading, notice, rows, columns in tables(found):
        if rows:
            lines += ["", f"### Text to image: {heading}", "", notice, "", *results.table(rows, columns), ""]
            lines += results.folded(results.makers(rows))
    if "seconds_per_image" in found:
        lines += ["", f"One picture of 20 guided steps takes {found['seconds_per_image']} s on one CPU thread."]
    return "\n".join(lines) + "\n"
