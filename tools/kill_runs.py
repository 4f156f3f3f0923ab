"""Kill a small training run with SIGKILL again and again, and see that it always goes on: make sure by counting.

python -m tools.kill_runs --kills 50: each run is killed at a random moment, every third one as soon as a file is seen
being written. After each kill the newest state, or the one before, must load and be no older than what was there;
the run is then resumed. A run that comes to its end must hold the same average, bit for bit, as one never killed.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import torch
import torch._dynamo  # noqa: F401 loaded here once, with accelerate, instead of by each run for ten seconds
from accelerate import Accelerator  # noqa: F401

from ddpm_lib import checkpoints, linear_schedule
from ddpm_lib.data import moons
from ddpm_lib.models import MLP
from ddpm_lib.recipes import Recipe
from ddpm_lib.run_ends import exit_code
from ddpm_lib.run_state import read_state, states
from ddpm_lib.runs import run


def points(root: None, train: bool) -> tuple[torch.Tensor, None]:
    return moons(2000, generator=torch.Generator().manual_seed(int(train))), None


RECIPE = Recipe("points", points, MLP, linear_schedule, num_steps=400, batch_size=64, lr=1e-3, warmup=50)


def start(out: Path, every: int = 5) -> int:
    """Start, or go on with, the run in a process of its own; returns its number.

    A fork of this warm process: it has imported everything, and saves the ten seconds that this takes.
    """
    number = os.fork()
    if number:
        return number
    log = os.open(out.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1), os.dup2(log, 2)
    os._exit(exit_code(partial(run, RECIPE, out, resume=True, every=every, pictures=False, precision="no")))


def finished(number: int) -> bool:
    """Whether the process has ended by itself, well; complains where it ended badly."""
    ended, status = os.waitpid(number, os.WNOHANG)
    if ended and os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"the run ended with exit code {os.waitstatus_to_exitcode(status)}; see its log.")
    return bool(ended)


def kill(number: int, out: Path, moment: float, in_a_save: bool) -> bool:
    """Kill the run after `moment` seconds, or then as soon as a file is half written; False if it ended before."""
    due = time.monotonic() + moment
    while time.monotonic() < due or (in_a_save and not held_in_a_save(number, out)):
        if finished(number):
            return False
        if not in_a_save:
            time.sleep(0.001)
    os.kill(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    return os.WIFSIGNALED(status)


def held_in_a_save(number: int, out: Path) -> bool:
    """Stop the process where it stands, if that is within a save; else it goes on.

    Seen from outside a save is over too soon: it must be held before one can say that it has not ended.
    """
    if not halves(number, out):
        return False
    os.kill(number, signal.SIGSTOP)
    os.waitid(os.P_PID, number, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    if halves(number, out):
        return True
    os.kill(number, signal.SIGCONT)
    return False


def halves(number: int, out: Path) -> bool:
    """Whether the process has, or had, a file half written; what others left is cleared away by the next run."""
    return any(out.rglob(f"*.{number}-*.part"))


def examine(number: int, out: Path, counts: Counter, step_before: int) -> int:
    """Count what the kill left behind; returns the step of the state that loads."""
    folder = out / "points.run"
    counts["during a save"] += halves(number, out)
    if (out / "points.safetensors").exists():
        checkpoints.MODELS["MLP"] = MLP
        checkpoints.load(out / "points.safetensors")  # the weights are never a half either
    files = states(folder)
    if len(files) > 3:
        raise RuntimeError(f"{len(files)} states are left, two (three within a save) were to be kept.")
    for age, path in enumerate(files[:2]):
        try:
            step = read_state(path).step
        except ValueError:
            continue
        counts["the newest loads" if age == 0 else "the one before loads"] += 1
        if step < step_before:
            raise RuntimeError(f"step {step_before} was on the disk, and step {step} is left.")
        return step
    if files or step_before:
        raise RuntimeError("there was a state, and none loads.")
    counts["before the first save"] += 1
    return 0


def average(out: Path) -> dict[str, torch.Tensor]:
    state = read_state(states(out / "points.run")[0])
    return {name: value for name, value in state.tensors.items() if name == "step" or name.startswith("ema.")}


def complete(out: Path, folder: Path, counts: Counter) -> None:
    """Compare a run at its end with the one never killed; clear it away."""
    ours, theirs = average(out), average(folder / "unkilled")
    if ours.keys() != theirs.keys() or not all(torch.equal(ours[name], theirs[name]) for name in ours):
        raise RuntimeError("the average of the killed run differs from that of the unkilled one.")
    counts["runs finished, bit-equal to one never killed"] += 1
    shutil.rmtree(out)


def kill_runs(kills: int, folder: Path, seed: int = 0) -> Counter:
    """Kill runs in `folder` that many times; returns the counts, and raises RuntimeError at the first thing lost."""
    torch.set_num_threads(1)
    chance, counts, step, out = random.Random(seed), Counter(kills=0), 0, folder / "killed"
    begun = time.monotonic()
    os.waitpid(start(folder / "unkilled"), 0)
    length = time.monotonic() - begun
    number = start(out)
    while counts["kills"] < kills:
        if kill(number, out, chance.uniform(0, length / 4), in_a_save=counts["kills"] % 3 == 2):
            counts["kills"] += 1
            step = examine(number, out, counts, step)
        else:
            complete(out, folder, counts)
            step = 0
        number = start(out)
    os.waitpid(number, 0)
    complete(out, folder, counts)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.kill_runs", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = kill_runs(options.kills, Path(folder), options.seed)
    for what, count in counts.items():
        print(f"{count:5}  {what}")
    print(f"{time.monotonic() - begun:5.0f}  seconds")


if __name__ == "__main__":
    sys.exit(main())
