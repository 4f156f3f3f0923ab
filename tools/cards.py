"""Write a card for each file of weights, from what its header and its measured results say."""

import json
from pathlib import Path

from ddpm_lib.checkpoints import WEIGHTS, available, load, read_header
from tools import prompt_card, rival_results
from tools.results import section

DRAWS = {
    "digits": "handwritten digits, 28 × 28, labels 0 to 9 or none",
    "blots": "points in the plane: six round blots on a circle",
    "fashion": "clothes, 28 × 28 and grey, ten kinds or none",
    "cifar10": "small photographs, 32 × 32",
    "emoji": "emoji, 32 × 32, asked for by artist (vendor), by group, by both or by neither",
    "emoji-words": "emoji, 64 × 64: the thing and the artist (vendor)",
}
DATA = {
    "digits": "MNIST (Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0), read through torchvision",
    "fashion": "Fashion-MNIST (Zalando SE; MIT), read through torchvision",
    "cifar10": "CIFAR-10 (A. Krizhevsky, V. Nair, G. Hinton)",
    "emoji": "emoji of five sets: Noto Emoji and its older blobs (Google; Apache 2.0), Twemoji (Twitter, Inc and other"
    " contributors; CC BY 4.0), Fluent Emoji, 3D and flat (Microsoft; MIT)",
}
DATA["emoji-words"] = DATA["emoji"]
JUDGES = "Distances are taken in the features of the book's own classifier: they are not Inception-FID and compare with"
LIMITS = f"Made for teaching. It knows its training data and nothing else. {JUDGES} nobody else's numbers."


def subject(name: str) -> str:
    """The data set that weights belong to: emoji for emoji-small and for emoji-classifier."""
    return name.removesuffix("-classifier").removesuffix("-small")


def about(name: str, header: dict) -> str:
    what = DRAWS[subject(name)]
    if name.endswith("-classifier"):
        width = header["config"]["features"]
        kind = what.split(",")[0]
        return f"A judge: a small classifier of {kind}. The book's distances are taken in its {width} features."
    target = {"eps": "the noise", "x0": "the clean image", "v": "v"}[header["config"].get("predicts", "eps")]
    part = " Of all groups it knows two, smileys and flags." if name == "emoji-small" else ""
    network = {"MLP": "A small network of points"}.get(header["model"], "A U-Net")
    return f"{network} that draws {what}.{part} It predicts {target}."


def card(name: str) -> str:
    """The text of NAME.md."""
    header, (model, schedule) = read_header(WEIGHTS / f"{name}.safetensors"), load(WEIGHTS / f"{name}.safetensors")
    facts = dict(header["card"])
    recipe, data = facts.pop("recipe", {}), facts.pop("data", {})
    count = sum(weights.numel() for weights in model.parameters())
    rows = {
        "network": f"{header['model']}, {count:,} parameters",
        "built with": ", ".join(f"{key}={value}" for key, value in header["config"].items()),
        "schedule": f"{schedule.name}, T = {schedule.T}" if schedule else None,
        "made by": f"`python -m ddpm_lib.recipes {name}`",
        **{key.replace("_", " "): value for key, value in facts.items()},
        **{f"recipe: {key.replace('_', ' ')}": value for key, value in recipe.items() if key != "name"},
        **{f"data: {key}": value for key, value in data.items()},
        "on disk": "float16",
    }
    lines = [f"# {name}", "", about(name, header), "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in rows.items() if value is not None]
    return "\n".join([*lines, "", *quality(name), *ends(name)]) + "\n"


def ends(name: str) -> list[str]:
    """Where the data came from, and what the weights are no good for."""
    if name == "blots":
        known = "Trained on points drawn from a known density (ddpm_lib.exact.six_blots), so that chapter 4 can say"
        return [f"{known} how far it is from the best possible network.", "", "Made for teaching."]
    return [f"Trained on {DATA[subject(name)]}. The images themselves are not part of this package.", "", LIMITS]


def quality(name: str) -> list[str]:
    """What was measured on the weights: nothing, or a few sentences and the tables of the results page."""
    path = WEIGHTS / f"{name}.json"
    if not path.exists():
        return []
    found, lines = json.loads(path.read_text(encoding="utf-8")), []
    if "classifier_agreement" in found:
        agreed = found["classifier_agreement"]
        lines.append(
            f"The judge sees the asked label in {agreed['agreement']:.1%} of {agreed['samples']:,} samples at guidance"
            f" scale {agreed['scale']:g}."
        )
    if "seconds_per_image_20_steps" in found:
        lines.append(
            f"One image takes {found['seconds_per_image_20_steps']} s in 20 DPM-Solver++ steps, one CPU thread."
        )
    return ["\n".join(lines), "", section("Measured", found)]


def write(folder: Path = WEIGHTS) -> None:
    prompt_card.write()
    rival_results.write()
    for name in available():
        (folder / f"{name}.md").write_text(card(name), encoding="utf-8")
        print(folder / f"{name}.md")


if __name__ == "__main__":
    write()
