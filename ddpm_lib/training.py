"""The training loop: a generator that yields after every optimiser step.

The caller decides everything else: for step in train(...): save, plot, print or
break. What it breaks with is a usable model. One process or many, CPU or GPU,
through accelerate, which is imported here and nowhere else.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .losses import check_data, simple_loss
from .runtime import best_precision
from .schedules import Schedule
from .seeding import own_randomness
from .training_checks import checked_when_called, forever, told_of_dropped_labels


class TrainStep(NamedTuple):
    """One finished optimiser step: its number from 1, its loss, and the averaged model to sample from.

    state() copies all that train(..., resume=...) needs to go on from here, as a flat dict of tensors.
    """

    step: int
    loss: float
    ema: nn.Module
    state: Callable[[], dict[str, Tensor]]


@checked_when_called
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
    clip_norm: float | None = 1.0,
    accumulate: int = 1,
    precision: str | None = None,
    compile: bool = False,
    seed: int = 0,
    resume: dict[str, Tensor] | None = None,
) -> Iterator[TrainStep]:
    """Train `model` in place by Algorithm 1 of DDPM, one TrainStep at a time.

    What comes back is a generator: it trains as far as it is asked to, for step in train(...), and alone not a step.
    The arguments are checked at once.

    model: its weights that require a gradient are trained; frozen ones, and ones that the loss does not reach, stay.
    loader: yields x0, or (x0, label), in batches; it is started again whenever it ends.
    lr_scale: factor on lr at each step from 0 (see warmup_cosine), constant if None.
    ema_decay: of the exponential moving average that is yielded. label_dropout: share of labels replaced
    by −1, "none", so that the model can be guided; of several labels an image, each by itself. A network that has no
    place for −1 needs label_dropout=0.
    loss: called as loss(network, schedule, x0, label=label) for a scalar, a mean over x0; label is None or a tensor of
    len(x0). network is the model or a wrapper around it, which has it as .module; all that is drawn within, by torch's
    global generators, follows `seed`.
    clip_norm: the gradient's norm is cut to it, None for never.
    accumulate: take every batch in so many parts, one after the other: the same gradient in less memory.
    precision: "bf16" or "no"; None takes bf16 on a GPU that computes in it (one that emulates it, such as a T4, would
    be slower), and "no" on a CPU, so that a seed gives the same there everywhere. compile: the network, by
    torch.compile.
    seed: of everything random: times, noise, label dropout, the network's own dropout; on CPU, CUDA, MPS and XPU.
    resume: state() of an earlier step; the loader must begin with the batch after it (Batches.start_at).
    Raises ValueError for arguments out of range, and FloatingPointError as soon as a loss or gradient is not finite;
    model and average then hold the last good step.
    """
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    # Not an Accelerator: its precision would be that of the whole process, and so of the caller's own.
    state = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))
    device = state.device
    if precision is None:
        precision = best_precision() if device.type == "cuda" else "no"
    model.to(device).train()
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    fused = device.type in ("cpu", "cuda")
    adam = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=lr, weight_decay=0.0, fused=fused)
    start = unpack(resume, model, ema, adam) if resume else 0
    network, batches = prepared(model, loader, state, precision == "bf16")
    if compile:
        network = torch.compile(network)
    for step, batch in zip(range(start, num_steps), forever(batches)):
        x0, *labels = (x.to(device) for x in (batch if isinstance(batch, (tuple, list)) else [batch]))
        if step == start:
            check_data(x0)
        for group in adam.param_groups:
            group["lr"] = lr * (lr_scale(step) if lr_scale else 1.0)
        adam.zero_grad()
        value = 0.0
        with own_randomness(seed, step, device, state.process_index):
            labels = [drop_some(label, label_dropout) for label in labels]
            with told_of_dropped_labels(labels):
                for x, *y in zip(*(part.chunk(accumulate) for part in [x0, *labels])):
                    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                        part = loss(network, schedule, x, label=y[0] if y else None) * (len(x) / len(x0))
                    part.backward()
                    value += part.item()
        norm = nn.utils.clip_grad_norm_(model.parameters(), math.inf if clip_norm is None else clip_norm).item()
        if any_process(not math.isfinite(norm + value), state):
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


def prepared(model: nn.Module, loader: Iterable, state, half: bool) -> tuple[nn.Module, Iterable]:
    """The network and the loader as they are used here: in half precision, and shared by several processes."""
    network = FloatOutputs(model) if half else model
    if state.num_processes == 1:
        return network, loader
    from accelerate.data_loader import prepare_data_loader

    if not isinstance(model, nn.parallel.DistributedDataParallel):
        place = None if state.device.type == "cpu" else [state.device]
        network = nn.parallel.DistributedDataParallel(network, device_ids=place)
    if isinstance(loader, torch.utils.data.DataLoader):  # others know how to share, as Batches does
        loader = prepare_data_loader(loader, state.device)
    return network, loader


class FloatOutputs(nn.Module):
    """A network under autocast, its outputs in float32 again: losses are taken in full precision.

    .module is the network out of any wrapper; of what else it is asked, it answers as the network.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, *inputs, **named):
        from accelerate.utils import convert_to_fp32

        return convert_to_fp32(self.network(*inputs, **named))

    def __getattr__(self, name: str):
        network = super().__getattr__("network") if name != "network" else None
        if name == "module":
            return getattr(network, "module", network)
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(network, name)


def any_process(flag: bool, state) -> bool:
    """Whether it is so in any process: all must stop after the same step."""
    if state.num_processes == 1:
        return flag
    told = torch.tensor(float(flag), device=state.device)
    torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
    return bool(told)


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


def pack(step: int, model: nn.Module, ema: nn.Module, adam: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All that a later step depends on, copied to the CPU: weights, their average, the optimiser's moments, the step.

    Names: step, model.WEIGHT, ema.WEIGHT, and adam.MOMENT.WEIGHT.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in ema.state_dict().items()}
    for name, weight in model.named_parameters():  # frozen and unused weights have no moments
        tensors |= {f"adam.{moment}.{name}": value for moment, value in adam.state.get(weight, {}).items()}
    copies = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    return {"step": torch.tensor(step), **copies}


@torch.no_grad()
def unpack(tensors: dict[str, Tensor], model: nn.Module, ema: nn.Module, adam: torch.optim.Optimizer) -> int:
    """Put back in place what pack() took; returns the step. Raises ValueError where it is of another model.

    A weight without moments, because it was frozen or unused then, begins with none.
    """
    parts = {"model": {}, "ema": {}, "adam": {}}
    for key, value in tensors.items():
        part, _, name = key.partition(".")
        if part in parts:
            parts[part][name] = value
    try:
        model.load_state_dict(parts["model"])
        ema.load_state_dict(parts["ema"])
        for name, weight in model.named_parameters():
            if not weight.requires_grad or f"exp_avg.{name}" not in parts["adam"]:
                continue
            moments = {moment: parts["adam"][f"{moment}.{name}"] for moment in ("step", "exp_avg", "exp_avg_sq")}
            # Laid out in memory as the weight is, so that the next step adds in the same order.
            adam.state[weight] = {
                moment: (torch.empty_like(weight) if value.ndim else weight.new_empty(())).copy_(value)
                for moment, value in moments.items()
            }
        return int(tensors["step"])
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"this state is not of this model: {error}") from error
