"""Where a training run stands, on disk: the newest state and the one before, each one safetensors file.

A state holds the tensors of TrainStep.state() (weights, average, optimiser) and, as JSON in its header, the
recipe, the loss and the seconds so far. No random state is in it: each step draws from (seed, step, process), and
the order of the batches from (seed, epoch). No pickle: loading runs nobody's code.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from .checkpoints import write_atomically

KEY = "ddpm_lib_run"
NAME = re.compile(r"state-(\d+)\.safetensors$")


class RunState(NamedTuple):
    """A state read back: its step, its tensors for train(..., resume=...), and what was noted with them."""

    step: int
    tensors: dict[str, Tensor] | None
    notes: dict


def save_state(folder: str | Path, tensors: dict[str, Tensor], notes: dict) -> Path:
    """Write folder/state-STEP.safetensors, atomically, and keep but this one and the newest before it.

    States of later steps go as well: a run goes on from the newest that can be read, so they are damaged. One that
    cannot be deleted now (open in another program, on Windows) is told in a printed line, and tried again next time.
    """
    from safetensors.torch import save as to_bytes

    step = int(tensors["step"])
    path = Path(folder) / f"state-{step:08d}.safetensors"
    write_atomically(path, to_bytes(tensors, {KEY: json.dumps(notes, ensure_ascii=False)}))
    before = [old for old in states(folder) if step_of(old) < step]
    for old in states(folder):
        if old not in (path, *before[:1]):
            try:
                old.unlink()
            except OSError as error:
                print(f"\nthe old state {old.name} cannot be deleted yet ({error.strerror}).", flush=True)
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
    """One state, copied: nothing of the file stays open or mapped, so that it can be deleted while the state is used.

    Raises ValueError if the file is cut short, or is no state of a run.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            notes = (file.metadata() or {}).get(KEY)
            if notes is None:
                raise ValueError(f"{path} is no state of a training run: its header does not say which.")
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
        return RunState(int(tensors["step"]), tensors, json.loads(notes))
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}).") from error


def states(folder: str | Path) -> list[Path]:
    """The files of all states of a run, the newest first."""
    return sorted((file for file in Path(folder).glob("state-*.safetensors") if NAME.match(file.name)), key=step_of,
                  reverse=True)  # fmt: skip


def step_of(path: Path) -> int:
    """The step in the name of a state: a number, and not text, which would put 100,000,000 before 99,999,999."""
    return int(NAME.match(path.name)[1])
