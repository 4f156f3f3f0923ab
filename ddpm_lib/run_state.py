"""Where a training run stands, on disk: the newest state and the one before, each one safetensors file.

A state holds the tensors of TrainStep.state() (weights, average, optimiser) and, as JSON in its header, the
recipe, the loss and the seconds so far. No random state is in it: each step draws from (seed, step, process), and
the order of the batches from (seed, epoch). No pickle: loading runs nobody's code.
"""

import json
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from .checkpoints import write_atomically

KEY = "ddpm_lib_run"


class RunState(NamedTuple):
    """A state read back: its step, its tensors for train(..., resume=...), and what was noted with them."""

    step: int
    tensors: dict[str, Tensor] | None
    notes: dict


def save_state(folder: str | Path, tensors: dict[str, Tensor], notes: dict) -> Path:
    """Write folder/state-STEP.safetensors, atomically, and keep but this one and the one before."""
    from safetensors.torch import save as to_bytes

    path = Path(folder) / f"state-{int(tensors['step']):08d}.safetensors"
    write_atomically(path, to_bytes(tensors, {KEY: json.dumps(notes, ensure_ascii=False)}))
    for old in states(folder)[2:]:
        old.unlink()
    return path


def write_notes(folder: str | Path, facts: dict) -> None:
    """Write folder/run.json, what the run is, for people to read."""
    write_atomically(Path(folder) / "run.json", (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())


def load_state(folder: str | Path) -> RunState | None:
    """The newest state that can be read, with a printed line for each that cannot; None where there is none at all.

    Raises ValueError where there are states and none can be read.
    """
    damaged = []
    for path in states(folder):
        try:
            return read_state(path)
        except ValueError as error:
            damaged.append(str(error))
            print(error, flush=True)
    if damaged:
        raise ValueError(f"no state in {folder} can be read; begin again with another --out.")
    return None


def read_state(path: str | Path) -> RunState:
    """One state. Raises ValueError if the file is cut short, or is no state of a run."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            notes = (file.metadata() or {}).get(KEY)
        if notes is None:
            raise ValueError(f"{path} is no state of a training run: its header does not say which.")
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}).") from error
    return RunState(int(tensors["step"]), tensors, json.loads(notes))


def states(folder: str | Path) -> list[Path]:
    """The files of all states of a run, the newest first."""
    return sorted(Path(folder).glob("state-*.safetensors"), reverse=True)
