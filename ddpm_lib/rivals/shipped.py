"""The rivals that ship with the book: the weights of one seed each, samples of all seeds, and all numbers."""

import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoints import WEIGHTS, load, load_results, read_header, save, write_atomically
from ..schedules import linear_schedule
from .families import draw
from .measure import SHOWN, likelihood
from .plans import FAMILIES, PLANS
from .table import collect

FOLDER = WEIGHTS / "rivals"
SHEETS = ("digits", "fashion")
SEEDS, COLUMNS = 5, 12


def load_rival(name: str) -> nn.Module:
    """The sampling network of "digits-gan", "fashion-vae", …: a Generator, an ImageVAE or a UNet."""
    path = FOLDER / f"{name}.safetensors"
    if not path.exists():
        there = ", ".join(sorted(file.stem for file in FOLDER.glob("*.safetensors")))
        raise ValueError(f"no rival called {name!r} ships with the book; there are: {there}.")
    return load(path)[0]


def load_contest() -> dict:
    """All runs, {"runs": [...]}: see run.py for what a run holds and table.py for means over seeds."""
    return load_results("rivals")


def load_sheet(data_set: str) -> Tensor:
    """(3, 5, 12, 1, 28, 28) in [−1, 1]: for each family and each of five seeds twelve samples, as they came."""
    from matplotlib.image import imread

    path = FOLDER / f"{data_set}-seeds.png"
    if not path.exists():
        raise ValueError(f"there is no sheet of {data_set!r}; there are sheets of {' and '.join(SHEETS)}.")
    ink = torch.tensor(imread(path))[..., 0]  # white paper, black ink
    cells = (1 - 2 * ink).unflatten(0, (len(FAMILIES), SEEDS, 28)).unflatten(-1, (COLUMNS, 28))
    return cells.permute(0, 1, 3, 2, 4)[:, :, :, None]


def measure_bits(root: str | None, path: Path = FOLDER / "results.json") -> Path:
    """Measure the bounds of the shipped models anew (see measure.likelihood), and put them into the stored runs.

    root: where the data lie. A quarter of an hour of one core for each diffusion model; a VAE takes seconds.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    for run in content["runs"]:
        plan = PLANS[f"{run['data_set']}-{run['family']}"] if run["family"] in ("vae", "diffusion") else None
        if plan is None or run["seed"] != 0 or run["data_set"] not in SHEETS:
            continue
        started = time.time()
        found = likelihood(plan, load_rival(plan.name), plan.data(root, False))
        run |= {name: round(value, 5) for name, value in found.items() if name.startswith("bits")}
        run |= {"bits_command": "python -m ddpm_lib.rivals --bits", "bits_seconds": round(time.time() - started)}
        print(f"{plan.name}: at most {run['bits_per_dim']:.3f} ± {run['bits_error']:.3f} bits/dim", flush=True)
        write_atomically(path, (json.dumps(content, ensure_ascii=False) + "\n").encode())
    return path


def ship(runs: Path) -> Path:
    """Put the runs of a folder into the book: results.json, weights of seed 0, a sheet of samples of every seed."""
    from matplotlib.image import imsave

    collect(runs, FOLDER / "results.json")
    for data_set in SHEETS:
        rows = []
        for family in FAMILIES:
            plan = PLANS[f"{data_set}-{family}"]
            first = runs / f"{plan.name}-0.safetensors"
            schedule = linear_schedule() if family == "diffusion" else None
            save(FOLDER / f"{plan.name}.safetensors", load(first)[0], schedule, read_header(first)["card"])
            for seed in range(SEEDS):
                model, _ = load(runs / f"{plan.name}-{seed}.safetensors")
                calls = SHOWN if family == "diffusion" else 1
                images = draw(model, (1, 28, 28), COLUMNS, seed + 3000, calls).clamp(-1, 1)
                rows.append(images[:, 0].permute(1, 0, 2).flatten(1))
        imsave(FOLDER / f"{data_set}-seeds.png", (0.5 - 0.5 * torch.cat(rows)).numpy(), cmap="gray", vmin=0, vmax=1)
    return FOLDER
