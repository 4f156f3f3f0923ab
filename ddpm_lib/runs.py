"""A training run from its recipe to its weights: saved as it goes, stopped and resumed at will.

OUT/NAME.safetensors holds the weights (float16, the average), OUT/NAME.run/ the states to go on from and the
pictures. One CPU, one GPU or several processes run the same code; of several, the first writes.
"""

import importlib.util
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .checkpoints import save
from .data import loader
from .data.batches import to_floats
from .data.found import say
from .run_ends import Stopped, agree, helped, is_out_of_memory, less_memory, signals
from .run_facts import ELSEWHERE, begin, card_of, facts_of, lr_scale
from .run_lock import locked
from .run_pictures import pick
from .run_state import RunState, save_state, states, step_of, write_notes
from .runtime import best_precision
from .training import TrainStep, train


def run(
    recipe,
    out: str | Path,
    root: str | None = None,
    *,
    resume: bool = False,
    every: int = 500,
    pictures: bool = True,
    accumulate: int = 1,
    precision: str | None = None,
    compile: bool = False,
    tracker: str | None = None,
) -> Path:
    """Train a recipe to its end; returns the path of NAME.safetensors.

    recipe: a recipes.Recipe; its batch is shared by all processes. root: where its data lie. resume: go on from
    OUT/NAME.run; recipe.num_steps may then be another than before, see run_facts.begin. every: steps between two
    saves, each with pictures. accumulate, compile: see train.
    precision: "bf16", "no", or None: as the run was begun, at its beginning what suits this machine.
    tracker: "tensorboard", or None.
    Raises ValueError for a run that must not be mixed with the one in OUT, also while another process is at it, and
    Stopped after a signal.
    """
    from accelerate import Accelerator

    folder, path = Path(out) / f"{recipe.name}.run", Path(out) / f"{recipe.name}.safetensors"
    check_tracker(tracker)
    accelerator = Accelerator(log_with=tracker, project_dir=folder)
    device, writes = accelerator.device, accelerator.is_main_process
    with locked(folder) if writes else nullcontext(), kept(folder):
        if states(folder) and not resume:
            raise ValueError(f"{folder} holds a run already: go on with --resume, or {ELSEWHERE}.")
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(recipe.seed)  # of the weights at the start
            model, schedule = recipe.model(), recipe.schedule()
        with helped("the data did not fit: close other programs, or take less data (of pictures: a smaller side)."):
            images, labels = load_data(recipe, root, train=True)
            if images.ndim == 4:
                model = model.to(memory_format=torch.channels_last)
            facts = facts_of(recipe, model, images, precision or best_precision())
            state = begin(folder, facts, recipe, precision, resume, say if writes else lambda text: None)
            seen = pick(*load_data(recipe, root, train=False), count=64) if pictures and writes else None
            seen = seen and (to_floats(seen[0]), seen[1])
            tensors = [tensor.to(device) for tensor in (images, labels) if tensor is not None]
        if writes and state.step >= recipe.num_steps:
            say(f"this run has all of its {recipe.num_steps:,} steps: --resume with more --steps would go on.")
        if writes:
            write_notes(folder, facts)  # a folder that cannot be written to is told now, not after the first hour
        batches = loader(*tensors, batch_size=recipe.batch_size, seed=recipe.seed, flip=recipe.flip)
        batches.start_at(state.step)
        steps = train(
            model,
            batches,
            schedule,
            recipe.num_steps,
            lr=recipe.lr,
            lr_scale=lr_scale(recipe),
            ema_decay=recipe.ema_decay,
            label_dropout=recipe.label_dropout,
            loss=recipe.loss,
            accumulate=accumulate,
            precision=facts["training"]["precision"],
            compile=compile,
            seed=recipe.seed,
            resume=state.tensors,
        )
        if tracker:
            accelerator.init_trackers("tracker")
        progress = Progress(state, recipe.batch_size)
        bar = tqdm(steps, recipe.name, recipe.num_steps, initial=state.step, disable=not writes,
                   mininterval=0.5 if sys.stderr.isatty() else 10)  # fmt: skip
        with signals() as caught, bar, helped(less_memory(recipe.batch_size, accumulate)):
            for step in bar:
                if state.tensors:
                    state.tensors.clear()  # four times the network: it is in the model and its optimiser by now
                progress.note(step)
                bar.set_postfix(loss=f"{progress.loss:.4f}", images_s=f"{progress.speed:.0f}", refresh=False)
                stop, due = agree(caught), step.step % every == 0 or step.step == recipe.num_steps
                if writes and (stop or due):
                    notes = {"facts": facts, "loss": progress.loss, "seconds": progress.seconds}
                    # The weights first: where the last state is, the run is complete.
                    save(path, step.ema, schedule, card_of(facts, step.step, progress.loss, progress.seconds))
                    save_state(folder, step.state(), notes)
                if seen and due:
                    with helped("drawing the pictures took too much: leave them out (--no-pictures)."):
                        recipe.draw(folder / "pictures", step.step, step.ema, schedule, *seen)
                if tracker and step.step % 10 == 0:
                    accelerator.log({"loss": progress.loss, "images/s": progress.speed}, step.step)
                if stop or step.step == recipe.num_steps:
                    accelerator.wait_for_everyone()  # nobody leaves before all is written
                if stop:
                    raise Stopped(f"stopped at step {step.step}, saved in {folder}: go on with --resume.", stop)
        return path


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Add to trouble with a disk or with memory, within, what is kept; to nothing where nothing has been saved."""
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as error:
        if saved := states(folder):
            error.add_note(f"Step {step_of(saved[0])} is saved in {folder}: --resume goes on from there.")
        raise


class Progress:
    """The smoothed loss and the time of a run, over all its parts; the speed of this part."""

    def __init__(self, state: RunState, batch_size: int):
        self.loss, self.seconds = state.notes.get("loss"), state.notes.get("seconds", 0.0)
        self.batch_size, self.speed = batch_size, 0.0
        self.steps, self.before, self.started = 0, self.seconds, time.monotonic()

    def note(self, step: TrainStep) -> None:
        self.loss = step.loss if self.loss is None else 0.99 * self.loss + 0.01 * step.loss
        self.steps += 1
        here = time.monotonic() - self.started
        self.seconds, self.speed = self.before + here, self.steps * self.batch_size / here


def load_data(recipe, root: str | None, train: bool) -> tuple[Tensor, Tensor | None]:
    """The recipe's images and labels; where they cannot be had, a ValueError that says so."""
    try:
        return recipe.data(root, train)
    except OSError as error:
        raise ValueError(f"the data cannot be read ({error})." if error.errno else str(error)) from error
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise ValueError(str(error)) from error


def check_tracker(name: str | None) -> None:
    if name and not any(importlib.util.find_spec(package) for package in ("tensorboard", "tensorboardX")):
        raise ValueError(f"--tracker {name} needs the package tensorboard: pip install tensorboard.")
