"""Write a card for each file of weights, from what its header and its measured results say."""

import json
from pathlib import Path

from ddpm_lib.checkpoints import WEIGHTS, available, load, read_header

ABOUT = {
    "digits": "A class-conditional U-Net that draws handwritten digits, 28 × 28, labels 0 to 9 or none."
    " It predicts the noise.",
    "digits-classifier": "The judge: a small classifier of handwritten digits."
    " The book's distances are taken in its 128 features.",
}
DATA = (
    "Trained on MNIST (Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0), read through torchvision. The images"
    " themselves are not part of this package."
)
LIMITS = (
    "Made for teaching. It knows digits as they were written for MNIST and nothing else. Distances are taken in the"
    " features of the book's own classifier: they are not Inception-FID and compare with nobody else's numbers."
)


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
    lines = [f"# {name}", "", ABOUT[name], "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in rows.items() if value is not None]
    return "\n".join([*lines, "", *_quality(name), DATA, "", LIMITS]) + "\n"


def _quality(name: str) -> list[str]:
    path = WEIGHTS / f"{name}.json"
    if not path.exists():
        return []
    found = json.loads(path.read_text())
    agreed, floor, n = found["classifier_agreement"], found["floor"], found["samples"]
    lines = [
        "## Measured",
        "",
        f"By `{found['command']}` on {found['hardware']}, {found['seconds']:,} s,",
        f"{n:,} samples a row against {n:,} of MNIST's test images.",
        "",
        f"- The judge sees the asked label in {agreed['agreement']:.1%} of {agreed['samples']:,} samples"
        f" at guidance scale {agreed['scale']:g}.",
        f"- {found['seconds_per_image_20_steps']} s for one guided image, 20 DPM-Solver++ steps, one CPU thread.",
        "- Floor, real training images against real test images:"
        f" Fréchet {floor['frechet']:.2f} ± {floor['frechet_std']:.2f}, kernel {floor['kernel']:.3f}"
        f" ± {floor['kernel_std']:.3f} (mean and deviation of {floor['draws']} random draws)."
    ]
    lines += ["", "| guidance scale | agreement | Fréchet | precision | recall | spread |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {r['scale']:g} | {r['agreement']:.3f} | {r['frechet']} | {r['precision']} | {r['recall']} | {r['spread']} |"
        for r in found["by_scale"]
    ]
    lines += ["", "| sampler | network calls | Fréchet | kernel |", "|---|---|---|---|"]
    lines += [f"| {r['sampler']} | {r['calls']} | {r['frechet']} | {r['kernel']} |" for r in found["by_calls"]]
    return [*lines, ""]


def write(folder: Path = WEIGHTS) -> None:
    for name in available():
        (folder / f"{name}.md").write_text(card(name), encoding="utf-8")
        print(folder / f"{name}.md")


if __name__ == "__main__":
    write()
