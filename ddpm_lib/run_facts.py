"""What a run is, for its card and its states; and whether it may go on from a state."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from .data.batches import to_floats
from .run_state import RunState, load_state
from .runtime import provenance
from .training import warmup_cosine, warmup_only

ELSEWHERE = "choose another --out (for your own pictures another --name does it too)"
MAY_CHANGE = ("num_steps", "warmup")  # the length of a run, and what --steps makes of it


def facts_of(recipe, model: nn.Module, images: Tensor, precision: str) -> dict:
    """Recipe, network, data, how it is trained, and which code on what machine."""
    fields = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    return {
        "recipe": {name: value.__name__ if callable(value) else value for name, value in fields.items()},
        "network": model.config,
        "data": {"images": len(images), "sha256": fingerprint(images)},
        "training": {"precision": precision},
        "made": {"torch": torch.__version__.split("+")[0], **provenance()},
    }


def fingerprint(images: Tensor) -> str:
    """sha256 of all numbers as floats; of bytes too, a piece at a time."""
    found = hashlib.sha256()
    for part in images.split(1000):
        found.update(to_floats(part).contiguous().numpy())
    return found.hexdigest()


def card_of(facts: dict, steps: int, loss: float, seconds: float) -> dict:
    """The facts that go into the header of the weights."""
    found = {"recipe": facts["recipe"], "steps": steps, "training_loss": round(loss, 5), "seconds": round(seconds)}
    if "planned_before" in facts:
        found["planned_before"] = facts["planned_before"]
    return {**found, "data": facts["data"], **facts["training"], **facts["made"]}


def lr_scale(recipe) -> Callable[[int], float]:
    """What recipe.decay says of the learning rate."""
    if recipe.decay == "cosine":
        return warmup_cosine(recipe.num_steps, recipe.warmup)
    if recipe.decay == "none":
        return warmup_only(recipe.warmup)
    raise ValueError(f'the decay of a recipe must be "cosine" or "none", got {recipe.decay!r}.')


def begin(folder: Path, facts: dict, recipe, precision: str | None, resume: bool, tell: Callable) -> RunState:
    """Where to begin: at the newest state of this very run, or at step 0. facts are brought up to what the state says.

    A run may be given another length (num_steps, and warmup with it), if it has not gone further: the learning rate
    then follows the curve of the new length from the next step on. precision: as asked for, None to go on as before.
    Raises ValueError for the state of another run.
    """
    state = load_state(folder) if resume else None
    if state is None:
        if resume:
            tell(f"there is no state in {folder} yet: starting at step 0.")
        return RunState(0, None, {})
    saved = state.notes["facts"]
    longer = saved["recipe"]["num_steps"] != facts["recipe"]["num_steps"]
    for part in ("recipe", "network", "data"):
        for key, value in facts[part].items():
            if saved[part].get(key) != value and not (longer and part == "recipe" and key in MAY_CHANGE):
                hint = " (which follows from --side)" if key == "patch" else ""
                raise ValueError(
                    f"the run in {folder} has {key} = {saved[part].get(key)} as its {part} and this one {value}{hint}:"
                    f" resume with the same, or {ELSEWHERE}."
                )
    _keep_precision(folder, facts, saved, precision, tell)
    if "planned_before" in saved:
        facts["planned_before"] = saved["planned_before"]
    if longer:
        _change_length(folder, facts, saved, state.step, recipe, tell)
    return state


def _keep_precision(folder: Path, facts: dict, saved: dict, asked: str | None, tell: Callable) -> None:
    """Let a run go on in the precision that it began with; states of earlier versions do not say which."""
    begun = saved.get("training", {}).get("precision")
    if begun is None:
        return
    if asked not in (None, begun):
        raise ValueError(
            f"the run in {folder} was begun with --precision {begun}, and this one asks for {asked}: leave --precision"
            f" out to go on as it was begun, or {ELSEWHERE}."
        )
    if begun != facts["training"]["precision"]:
        tell(f"going on with --precision {begun}, as this run was begun; this machine by itself would take"
             f" {facts['training']['precision']}.")  # fmt: skip
    facts["training"]["precision"] = begun


def _change_length(folder: Path, facts: dict, saved: dict, step: int, recipe, tell: Callable) -> None:
    """Note, and say, that the run shall be longer or shorter than it was planned to be."""
    before, now = saved["recipe"]["num_steps"], recipe.num_steps
    if now < step:
        raise ValueError(f"the run in {folder} has gone {step} steps already: ask for {step} or more, not {now}.")
    old = {key: saved["recipe"][key] for key in MAY_CHANGE}
    facts["planned_before"] = [*facts.get("planned_before", []), {"until_step": step, **old}]
    rates = [lr_scale(dataclasses.replace(recipe, **plan))(step) * recipe.lr for plan in (old, {})]
    tell(f"from step {step:,} on this run has {now:,} steps instead of {before:,}: the learning rate goes on along the"
         f" curve of the new length, at {rates[1]:.2g} instead of {rates[0]:.2g}.")  # fmt: skip
