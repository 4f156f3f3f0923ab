"""One run: a plan and a seed, trained, measured, and written down; and what runs are measured against."""

import json
import time
from pathlib import Path

import torch

from ..checkpoints import load, save, write_atomically
from ..denoisers import Denoiser, clip
from ..runtime import provenance
from ..samplers import last, sample_ddpm
from ..schedules import linear_schedule
from .budget import count_parameters
from .families import begin
from .measure import SAMPLES, SHOWN, failed, judge_of, measure
from .plans import PLANS, Plan


def run(plan: Plan, seed: int, out: Path, root: str | None = None, command: str = "") -> dict:
    """Train and measure; writes OUT/NAME-SEED.json, and its weights beside it. A run that is there is not run again.

    root: where the data lie. The seconds are the processor's, of the training alone: on one thread they are the same
    whatever else the machine does. A training that breaks off with numbers that are not finite is a failed run, and
    is written down as one.
    """
    path = out / f"{plan.name}-{seed}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    networks, steps, num_steps, cost = begin(plan, root, seed)
    found = {
        "data_set": plan.data_set,
        "family": plan.family,
        "seed": seed,
        "parameters": [count_parameters(network) for network in networks],
        "steps": num_steps,
        "batch_size": plan.batch_size,
        "flops": cost * num_steps,
    }
    start, losses, error = time.process_time(), [], None
    try:
        for step in steps:
            losses.append(step.loss)
    except FloatingPointError as stopped:
        error = str(stopped)
    found |= {"seconds": time.process_time() - start, "threads": torch.get_num_threads(), "stopped": error}
    found["loss"] = [round(sum(part) / len(part), 5) for part in pieces(losses, 50)]
    if error is None:
        if hasattr(step.ema, "config") and plan.data_set != "grid":
            schedule = linear_schedule() if plan.family == "diffusion" else None
            facts = {"plan": plan.name, **{key: found[key] for key in ("seed", "steps", "flops", "seconds")}}
            save(path.with_suffix(".safetensors"), step.ema, schedule, {**facts, **provenance()})
        found |= measure(plan, step.ema, root, seed)
        shown = [row for row in found["by_calls"] if row["calls"] in (SHOWN, 10, 1)][-1]
        found |= {"failed": failed(plan, shown)}
    found |= {"failed": found.get("failed", True), "command": command, **provenance()}
    write_atomically(path, (json.dumps(found, indent=1) + "\n").encode())
    return found


def run_floor(data_set: str, seed: int, out: Path, root: str | None = None, command: str = "") -> dict:
    """What real training samples score, as many as the models' and drawn with this seed: nobody can be asked for more.

    Writes OUT/DATA_SET-real-SEED.json, a run of the family "real" with no calls.
    """
    path = out / f"{data_set}-real-{seed}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    plan = PLANS[f"{data_set}-gan"]
    train, n = plan.data(root, True), SAMPLES[data_set]
    drawn = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:n]]
    row = {"calls": 0, **judge_of(plan, plan.data(root, False))(drawn)}
    found = {"data_set": data_set, "family": "real", "seed": seed, "samples": n, "by_calls": [row]}
    found |= {"failed": failed(plan, row), "command": command, **provenance()}
    write_atomically(path, (json.dumps(found, indent=1) + "\n").encode())
    return found


def run_chain(data_set: str, seed: int, out: Path, root: str | None = None, samples: int = 250) -> dict:
    """DDPM's own thousand calls for a trained run, added to its file as "chain": dear, so with few samples.

    Compare its kernel distance alone with those of more samples: the other numbers depend on their count.
    """
    plan, path = PLANS[f"{data_set}-diffusion"], out / f"{data_set}-diffusion-{seed}.json"
    if not path.exists():
        raise ValueError(f"there is no run {path.name}: train it first.")
    found = json.loads(path.read_text(encoding="utf-8"))
    if "chain" not in found:
        (model, _), schedule = load(path.with_suffix(".safetensors")), linear_schedule()
        test, random = plan.data(root, False), torch.Generator().manual_seed(seed + 1000)
        start, denoise = time.process_time(), clip(Denoiser(model, schedule))
        parts = torch.randn(samples, *test.shape[1:], generator=random).split(125)
        drawn = torch.cat([last(sample_ddpm(denoise, schedule, part, generator=random)).x for part in parts])
        row = {"calls": schedule.T, "samples": samples, "seconds_per_image": (time.process_time() - start) / samples}
        found["chain"] = {**row, **judge_of(plan, test)(drawn.clamp(-1, 1))}
        write_atomically(path, (json.dumps(found, indent=1) + "\n").encode())
    return found


def pieces(numbers: list[float], count: int) -> list[list[float]]:
    """A list cut into at most `count` parts of about the same length, none empty."""
    size = max(1, -(-len(numbers) // count))
    return [numbers[i : i + size] for i in range(0, len(numbers), size)]
