"""A training run from its recipe to its weights: saved as it goes, stopped and resumed at will.

OUT/NAME.safetensors holds the weights (float16, the average), OUT/NAME.run/ the states to go on from and the
pictures. One CPU, one GPU or several processes run the same code; of several, the first writes.
"""

import dataclasses
import hashlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from .checkpoints import save
from .data import loader
from .run_ends import Stopped, agree, is_out_of_memory, signals
from .run_pictures import pick
from .run_state import RunState, load_state, save_state, states, write_notes
from .runtime import best_precision, provenance
from .training import TrainStep, train, warmup_cosine, warmup_only


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
    OUT/NAME.run. every: steps between two saves, each with pictures. accumulate, compile: see train.
    precision: "bf16", "no", or None for what suits this machine. tracker: "tensorboard", or None.
    Raises ValueError for a run that must not be mixed with the one in OUT, and Stopped after a signal.
    """
    from accelerate import Accelerator

    folder, path = Path(out) / f"{recipe.name}.run", Path(out) / f"{recipe.name}.safetensors"
    check_tracker(tracker)
    accelerator = Accelerator(log_with=tracker, project_dir=folder)
    device, writes = accelerator.device, accelerator.is_main_process
    if states(folder) and not resume:
        raise ValueError(f"{folder} holds a run already: go on with --resume, or choose another --out.")
    torch.manual_seed(recipe.seed)  # of the weights at the start
    model, schedule = recipe.model(), recipe.schedule()
    images, labels = load_data(recipe, root, train=True)
    if images.ndim == 4:
        model = model.to(memory_format=torch.channels_last)
    facts = facts_of(recipe, model, images)
    state = _state(folder, facts, resume, writes)
    seen = pick(*load_data(recipe, root, train=False), count=64) if pictures and writes else None
    if writes:
        write_notes(folder, facts)  # a folder that cannot be written to is told now, not after the first hour
    tensors = [tensor.to(device) for tensor in (images, labels) if tensor is not None]
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
        precision=precision or best_precision(),
        compile=compile,
        seed=recipe.seed,
        resume=state.tensors,
    )
    if tracker:
        accelerator.init_trackers("tracker")
    progress = Progress(state, recipe.batch_size)
    bar = tqdm(steps, recipe.name, recipe.num_steps, initial=state.step, disable=not writes,
               mininterval=0.5 if sys.stderr.isatty() else 10)  # fmt: skip
    with signals() as caught, bar:
        for step in bar:
            progress.note(step)
            bar.set_postfix(loss=f"{progress.loss:.4f}", images_s=f"{progress.speed:.0f}", refresh=False)
            stop, due = agree(caught), step.step % every == 0 or step.step == recipe.num_steps
            if writes and (stop or due):
                notes = {"facts": facts, "loss": progress.loss, "seconds": progress.seconds}
                # The weights first: where the last state is, the run is complete.
                save(path, step.ema, schedule, card_of(facts, step.step, progress))
                save_state(folder, step.state(), notes)
            if seen and due:
                recipe.draw(folder / "pictures", step.step, step.ema, schedule, *seen)
            if tracker and step.step % 10 == 0:
                accelerator.log({"loss": progress.loss, "images/s": progress.speed}, step.step)
            if stop or step.step == recipe.num_steps:
                accelerator.wait_for_everyone()  # nobody leaves before all is written
            if stop:
                raise Stopped(f"stopped at step {step.step}, saved in {folder}: go on with --resume.", stop)
    return path


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
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise ValueError(str(error)) from error


def facts_of(recipe, model: nn.Module, images: Tensor) -> dict:
    """What a run is, for its card and its states: recipe, network, data, and which code on what machine."""
    fields = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    return {
        "recipe": {name: value.__name__ if callable(value) else value for name, value in fields.items()},
        "network": model.config,
        "data": {"images": len(images), "sha256": hashlib.sha256(images.contiguous().numpy()).hexdigest()},
        "made": {"torch": torch.__version__.split("+")[0], **provenance()},
    }


def card_of(facts: dict, steps: int, progress: Progress) -> dict:
    """The facts that go into the header of the weights."""
    numbers = {"steps": steps, "training_loss": round(progress.loss, 5), "seconds": round(progress.seconds)}
    return {"recipe": facts["recipe"], **numbers, "data": facts["data"], **facts["made"]}


def lr_scale(recipe) -> Callable[[int], float]:
    """What recipe.decay says of the learning rate."""
    if recipe.decay == "cosine":
        return warmup_cosine(recipe.num_steps, recipe.warmup)
    if recipe.decay == "none":
        return warmup_only(recipe.warmup)
    raise ValueError(f'the decay of a recipe must be "cosine" or "none", got {recipe.decay!r}.')


def _state(folder: Path, facts: dict, resume: bool, say: bool) -> RunState:
    """Where to begin: at the newest state of this very run, or at step 0."""
    state = load_state(folder) if resume else None
    if state is None:
        if resume and say:
            print(f"there is no state in {folder} yet: starting at step 0.", flush=True)
        return RunState(0, None, {})
    saved = state.notes["facts"]
    for part in ("recipe", "network", "data"):
        for key, value in facts[part].items():
            if saved[part].get(key) != value:
                raise ValueError(
                    f"the run in {folder} has {key} = {saved[part].get(key)} as its {part} and this one {value}:"
                    " resume with the same, or choose another --out."
                )
    return state


def check_tracker(name: str | None) -> None:
    if name and not any(importlib.util.find_spec(package) for package in ("tensorboard", "tensorboardX")):
        raise ValueError(f"--tracker {name} needs the package tensorboard: pip install tensorboard.")
