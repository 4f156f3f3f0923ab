"""The training loop: a generator that yields after every optimiser step.

The caller decides everything else: for step in train(...): save, plot, print or
break. What it breaks with is a usable model. One process or many, CPU or GPU,
through accelerate, which is imported here and nowhere else.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import nn

from .losses import check_data, simple_loss
from .schedules import Schedule


class TrainStep(NamedTuple):
    """One finished optimiser step: its number from 1, its loss, and the averaged model to sample from."""

    step: int
    loss: float
    ema: nn.Module


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
    precision: str | None = None,
    seed: int = 0,
) -> Iterator[TrainStep]:
    """Train `model` in place by Algorithm 1 of DDPM, one TrainStep at a time.

    loader: yields x0, or (x0, label), in batches; it is started again whenever it ends.
    lr_scale: factor on lr at each step from 0 (see warmup_cosine), constant if None.
    ema_decay: of the exponential moving average that is yielded. label_dropout: share of labels
    replaced by "none", so that the model can be guided. precision: "bf16" or "no"; None takes bf16
    on a GPU that has it. seed: of times, noise and label dropout; each process adds its own index.
    Raises FloatingPointError as soon as a loss is not finite; model and average then hold the last good step.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    # One process may train several models in turn; accelerate would refuse a second precision.
    AcceleratorState._reset_state()
    if precision is None:
        precision = "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "no"
    accelerator = Accelerator(mixed_precision=precision)
    generator = torch.Generator().manual_seed(seed + accelerator.process_index)
    model.to(accelerator.device).train()
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    wrapped, optimiser, batches = accelerator.prepare(model, optimiser, loader)
    for step, batch in enumerate(_take(_forever(batches), num_steps)):
        x0, *rest = batch if isinstance(batch, (tuple, list)) else [batch]
        label = rest[0] if rest else None
        x0 = x0.to(accelerator.device)
        if step == 0:
            check_data(x0)
        if label is not None:
            dropped = torch.rand(len(label), generator=generator) < label_dropout
            label = torch.where(dropped.to(x0.device), -1, label.to(x0.device))
        for group in optimiser.param_groups:
            group["lr"] = lr * (lr_scale(step) if lr_scale else 1.0)
        with accelerator.autocast():
            value = loss(wrapped, schedule, x0, label=label, generator=generator)
        if not math.isfinite(value.item()):
            raise FloatingPointError(
                f"the loss became {value.item()} at step {step + 1}; the model still holds step {step}."
                " Check the data for NaN and its range, or lower lr."
            )
        optimiser.zero_grad()
        accelerator.backward(value)
        accelerator.clip_grad_norm_(model.parameters(), clip_norm)
        optimiser.step()
        update_ema(ema, model, min(ema_decay, (step + 1) / (step + 11)))
        yield TrainStep(step + 1, value.item(), ema)


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


def _forever(loader: Iterable) -> Iterator:
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise ValueError("the loader gave no batch: is there less data than one batch, with drop_last=True?")


def _take(iterator: Iterator, n: int) -> Iterator:
    for _, item in zip(range(n), iterator):
        yield item
