"""What the training loop refuses, and in which words: arguments out of range, loaders without batches, labels of −1."""

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

NO_BATCH = "the loader gave no batch: is there less data than one batch, with drop_last=True?"
BAD_INDEX = re.compile(r"index.* out of (range|bounds)|device-side assert|must be non-negative", re.IGNORECASE)


def checked_when_called(train: Callable) -> Callable:
    """train(), with its arguments checked by the call: a generator would look at them at its first step only."""
    signature = inspect.signature(train)

    @functools.wraps(train)
    def checked(*arguments, **named):
        given = signature.bind(*arguments, **named)
        given.apply_defaults()
        check_arguments(**given.arguments)
        return train(*arguments, **named)

    return checked


def check_arguments(
    *,
    model: nn.Module,
    loader: Iterable,
    num_steps: int,
    lr: float,
    ema_decay: float,
    label_dropout: float,
    clip_norm: float | None,
    accumulate: int,
    precision: str | None,
    **others,
) -> None:
    """Raise ValueError, in one sentence, for what train() cannot do. others: its arguments that may be anything."""
    for name, value, least in (("num_steps", num_steps, 0), ("accumulate", accumulate, 1)):
        if int(value) != value or value < least:
            raise ValueError(f"{name} must be a whole number, {least} or more, got {value}.")
    for name, value in (("ema_decay", ema_decay), ("label_dropout", label_dropout)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {value}.")
    for name, value in (("lr", lr), ("clip_norm", 1.0 if clip_norm is None else clip_norm)):
        if not value > 0:
            raise ValueError(f"{name} must be more than 0, got {value}.")
    if precision not in (None, "bf16", "no"):
        raise ValueError(f'precision must be "bf16", "no" or None, got {precision!r}: float16 needs a scaled loss.')
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ValueError("every weight of this model is frozen: free those to train by model.requires_grad_(True).")
    if hasattr(loader, "__len__") and not len(loader):
        raise ValueError(NO_BATCH)


def forever(loader: Iterable) -> Iterator:
    """The loader's batches, over and over. Raises ValueError where it has none, or none any more."""
    passes = 0
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty and not passes:
            raise ValueError(NO_BATCH)
        if empty:
            raise ValueError(
                "the loader has run out: a generator gives its batches once, and training wants them again and"
                " again; hand over a list, a DataLoader or ddpm_lib.data.loader(...)."
            )
        passes += 1


@contextmanager
def told_of_dropped_labels(labels: list[Tensor]) -> Iterator[None]:
    """Where a network breaks on a label as on a bad index, say that label_dropout has put −1 among them."""
    try:
        yield
    except (IndexError, RuntimeError) as error:
        broken = bool(labels) and BAD_INDEX.search(str(error))
        # A GPU that has failed answers nothing more, not even this.
        if not broken or labels[0].device.type == "cpu" and not torch.cat([x.flatten() for x in labels]).lt(0).any():
            raise
        raise ValueError(
            f"the network broke on a label ({error}), and label_dropout has replaced some labels by −1, which stands"
            ' for "none": give the network a place for −1, or train with label_dropout=0.'
        ) from error
