"""The training loop: a generator that yields after every optimiser step.

The caller decides everything else: for step in train(...): save, plot, print or
break. What it breaks with is a usable model. One process or many, CPU or GPU,
through accelerate, which is imported here and nowhere else.
"""

import copy
import math
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .losses import check_data, simple_loss
from .schedules import Schedule


class TrainStep(NamedTuple):
    """One finished optimiser step: its number from 1, its loss, and the averaged model to sample from.

    state() copies all that train(..., resume=...) needs to go on from here, as a flat dict of tensors.
    """

    step: int
    loss: float
    ema: nn.Module
    state: Callable[[], dict[str, Tensor]]


def train(
    model: nn.Module,
    loader: Iterable,
    schedule: Schedule,
    num_steps: int,
    *,
    lr: float = 2e-4,
    lr_scale: Callable[[int], float] | None = None,
    ema_decay: float = 0.999,
    label_dropout: float = 0.1,
    loss: Callable = simple_loss,
    clip_norm: float = 1.0,
    accumulate: int = 1,
    precision: str | None = None,
    compile: bool = False,
    seed: int = 0,
    resume: dict[str, Tensor] | None = None,
) -> Iterator[TrainStep]:
    """Train `model` in place by Algorithm 1 of DDPM, one TrainStep at a time.

    loader: yields x0, or (x0, label), in batches; it is started again whenever it ends.
    lr_scale: factor on lr at each step from 0 (see warmup_cosine), constant if None.
    ema_decay: of the exponential moving average that is yielded. label_dropout: share of labels replaced
    by "none", so that the model can be guided; of several labels an image, each by itself.
    accumulate: take every batch in so many parts, one after the other: the same gradient in less memory.
    precision: "bf16" or "no"; None takes bf16 on a GPU that has it. compile: the network, by torch.compile.
    seed: of everything random: times, noise, label dropout, the network's own dropout.
    resume: state() of an earlier step; the loader must begin with the batch after it (Batches.start_at).
    Raises FloatingPointError as soon as a loss or gradient is not finite; model and average then hold the last
    good step.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    # One process may train several models in turn; accelerate would refuse a second precision.
    AcceleratorState._reset_state()
    if precision is None:
        precision = "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "no"
    accelerator = Accelerator(mixed_precision=precision)
    model.to(accelerator.device).train()
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    fused = accelerator.device.type in ("cpu", "cuda")
    adam = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0, fused=fused)
    start = unpack(resume, model, ema, adam) if resume else 0
    network, batches = accelerator.prepare(model, loader)
    if compile:
        network = torch.compile(network)
    for step, batch in zip(range(start, num_steps), _forever(batches)):
        x0, *labels = (x.to(accelerator.device) for x in (batch if isinstance(batch, (tuple, list)) else [batch]))
        if step == start:
            check_data(x0)
        for group in adam.param_groups:
            group["lr"] = lr * (lr_scale(step) if lr_scale else 1.0)
        adam.zero_grad()
        value = 0.0
        with own_randomness(seed, step, accelerator):
            labels = [drop_some(label, label_dropout) for label in labels]
            for x, *y in zip(*(part.chunk(accumulate) for part in [x0, *labels])):
                with accelerator.autocast():
                    part = loss(network, schedule, x, label=y[0] if y else None) * (len(x) / len(x0))
                part.backward()
                value += part.item()
        # Of several processes each sees the mean of all gradients: they stop together.
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip_norm).item()
        if not math.isfinite(norm):
            raise FloatingPointError(
                f"the loss became {value:.4g} and its gradient {norm:.4g} at step {step + 1}; the model still"
                f" holds step {step}. Check the data for NaN and its range, or lower lr."
            )
        adam.step()
        update_ema(ema, model, min(ema_decay, (step + 1) / (step + 11)))
        yield TrainStep(step + 1, value, ema, partial(pack, step + 1, model, ema, adam))


def drop_some(label: Tensor, share: float) -> Tensor:
    """label (batch,) or (batch, k) with about this share of its entries replaced by −1, "none"; each by itself."""
    # Drawn on the CPU, where one seed gives the same on every machine.
    return torch.where(torch.rand(label.shape).to(label.device) < share, -1, label)


@contextmanager
def own_randomness(seed: int, step: int, accelerator) -> Iterator[None]:
    """Draw everything within from a seed made of (seed, step, process); what is drawn outside goes on undisturbed.

    So a step can be taken again, after a stop, without a memory of all that was drawn before it.
    """
    number = random.Random(f"{seed} {step} {accelerator.process_index}").getrandbits(32)
    on_gpu = accelerator.device.type == "cuda"
    with torch.random.fork_rng([accelerator.device] if on_gpu else []):
        # Not torch.manual_seed: without a GPU it notes each call, with a listing, for the day that one appears.
        torch.default_generator.manual_seed(number)
        if on_gpu:
            torch.cuda.manual_seed(number)
        yield


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, decay: float) -> None:
    """ema ← decay · ema + (1 − decay) · model, for every weight, in place.

    With decay = min(0.999, step / (step + 10)) the average follows closely at first: without that ramp a
    short run would average in the random start.
    """
    averages, weights = list(ema.parameters()), list(model.parameters())
    torch._foreach_lerp_(averages, weights, 1 - decay)
    for average, value in zip(ema.buffers(), model.buffers()):
        average.copy_(value)


def warmup_cosine(num_steps: int, warmup: int = 200) -> Callable[[int], float]:
    """lr_scale that rises linearly for `warmup` steps, then falls along a half cosine to 0 at num_steps."""

    def scale(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(num_steps - warmup, 1)))

    return scale


def warmup_only(warmup: int = 200) -> Callable[[int], float]:
    """lr_scale that rises linearly for `warmup` steps and stays at 1, as in DDPM."""
    return lambda step: min(1.0, (step + 1) / max(warmup, 1))


def _forever(loader: Iterable) -> Iterator:
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise ValueError("the loader gave no batch: is there less data than one batch, with drop_last=True?")


def pack(step: int, model: nn.Module, ema: nn.Module, adam: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All that a later step depends on, copied to the CPU: weights, their average, the optimiser's moments, the step.

    Names: step, model.WEIGHT, ema.WEIGHT, and adam.MOMENT.WEIGHT.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in ema.state_dict().items()}
    for name, weight in model.named_parameters():
        tensors |= {f"adam.{moment}.{name}": value for moment, value in adam.state[weight].items()}
    copies = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    return {"step": torch.tensor(step), **copies}


@torch.no_grad()
def unpack(tensors: dict[str, Tensor], model: nn.Module, ema: nn.Module, adam: torch.optim.Optimizer) -> int:
    """Put back in place what pack() took; returns the step. Raises ValueError where it is of another model."""
    parts = {"model": {}, "ema": {}, "adam": {}}
    for key, value in tensors.items():
        part, _, name = key.partition(".")
        if part in parts:
            parts[part][name] = value
    try:
        model.load_state_dict(parts["model"])
        ema.load_state_dict(parts["ema"])
        for name, weight in model.named_parameters():
            moments = {moment: parts["adam"][f"{moment}.{name}"] for moment in ("step", "exp_avg", "exp_avg_sq")}
            # Laid out in memory as the weight is, so that the next step adds in the same order.
            adam.state[weight] = {
                moment: (torch.empty_like(weight) if value.ndim else weight.new_empty(())).copy_(value)
                for moment, value in moments.items()
            }
        return int(tensors["step"])
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"this state is not of this model: {error}") from error
