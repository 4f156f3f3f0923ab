"""One run: a plan and a seed, trained, measured, and written down."""

import json
import time
from pathlib import Path

import torch

from ..checkpoints import save, write_atomically
from ..runtime import provenance
from .budget import count_parameters
from .families import begin
from .measure import SHOWN, failed, measure
from .plans import Plan


def run(plan: Plan, seed: int, out: Path, root: str | None = None, command: str = "") -> dict:
    """Train and measure; writes OUT/NAME-SEED.json, and its weights beside it. A run that is there is not run again.

    root: where the data lie. The seconds are the processor's, of the training alone: on one thread they are the same
    whatever else the machine does. A training that breaks off with numbers that are not finite is a failed run, and
    is written down as one.
    """
    path = out / f"{plan.name}-{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
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
            save(path.with_suffix(".safetensors"), step.ema, card={"plan": plan.name, "seed": seed, **provenance()})
        found |= measure(plan, step.ema, root, seed)
        shown = [row for row in found["by_calls"] if row["calls"] in (SHOWN, 10, 1)][-1]
        found |= {"failed": failed(plan, shown)}
    found |= {"failed": found.get("failed", True), "command": command, **provenance()}
    write_atomically(path, (json.dumps(found, indent=1) + "\n").encode())
    return found


def pieces(numbers: list[float], count: int) -> list[list[float]]:
    """A list cut into at most `count` parts of about the same length, none empty."""
    size = max(1, -(-len(numbers) // count))
    return [numbers[i : i + size] for i in range(0, len(numbers), size)]
