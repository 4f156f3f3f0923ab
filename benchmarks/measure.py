"""What is measured and on what: modes, one training step, one sampling step, the ceiling, the spread."""

import contextlib
import copy
import itertools
import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Mode:
    """How a network is run: "fp32" or "bf16", "+last" for channels_last, "+compile" for torch.compile."""

    precision: str
    channels_last: bool
    compiled: bool

    @classmethod
    def parse(cls, text: str) -> "Mode":
        precision, *rest = text.split("+")
        if precision not in ("fp32", "bf16") or not set(rest) <= {"last", "compile"}:
            raise ValueError(f"a mode is fp32 or bf16, then +last, +compile or both, as in bf16+last; got {text!r}.")
        return cls(precision, "last" in rest, "compile" in rest)

    def __str__(self) -> str:
        return self.precision + "+last" * self.channels_last + "+compile" * self.compiled

    @property
    def layout(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device: str) -> contextlib.AbstractContextManager:
        return torch.autocast(device, torch.bfloat16) if self.precision == "bf16" else contextlib.nullcontext()


class Job:
    """One network in one mode, ready to take training steps and sampling steps on fixed random images."""

    def __init__(self, model: nn.Module, mode: Mode, x: Tensor, device: str):
        self.mode, self.device = mode, device
        self.model = copy.deepcopy(model).to(device, memory_format=mode.layout)
        self.call = torch.compile(self.model) if mode.compiled else self.model
        self.x = x.to(device, memory_format=mode.layout)
        self.target = torch.randn_like(self.x)
        self.t = torch.randint(1, 1001, (len(x),), device=device)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)

    def train_step(self) -> None:
        """Forward, backward, AdamW."""
        with self.mode.autocast(self.device):
            loss = F.mse_loss(self.call(self.x, self.t).float(), self.target)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    @torch.no_grad()
    def sample_step(self) -> None:
        """One network call of a sampler."""
        with self.mode.autocast(self.device):
            self.call(self.x, self.t)


def seconds(work: Callable[[], None], device: str, repeats: int = 1) -> float:
    """Mean seconds of one call, the device's queue waited for at both ends."""
    wait(device)
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    wait(device)
    return (time.perf_counter() - start) / repeats


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def repeats_for(once: float, wanted: float = 0.1) -> int:
    """How often to repeat a call that takes `once` seconds, so that a reading lasts about `wanted` seconds."""
    return max(1, min(50, math.ceil(wanted / max(once, 1e-6))))


def spread(readings: list[float]) -> dict[str, float]:
    """Quartiles of some readings."""
    q1, median, q3 = torch.tensor(readings, dtype=torch.float64).quantile(
        torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    )
    return {"median": median.item(), "q1": q1.item(), "q3": q3.item()}


def ceiling(device: str, dtype: torch.dtype, widths: list[tuple[int, int]], batch: int, budget: float = 3.0) -> dict:
    """The most FLOP/s that convolutions and matrix products reach here, best of many: {"flops", "what"}.

    widths: (channels, side) of feature maps, whose 3 × 3 convolutions are tried in both layouts.
    """
    best, what, deadline = 0.0, "", time.perf_counter() + budget
    with torch.no_grad():
        for name, work, flops in itertools.chain(_convolutions(device, dtype, widths, batch), _products(device, dtype)):
            once = seconds(work, device)
            # One that is slow (bf16 where the processor has none) is not worth a second look.
            slow = once > budget / 10
            rate = flops / (once if slow else min(seconds(work, device, repeats_for(once, 0.02)) for _ in range(3)))
            if rate > best:
                best, what = rate, name
            if time.perf_counter() > deadline:
                break
    return {"flops": best, "what": what}


def _products(device, dtype):
    for n in (1024, 4096, 8192) if device == "cuda" else (256, 512, 1024):
        a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
        yield f"{n} × {n} matrix product", lambda a=a, b=b: a @ b, 2 * n**3


def _convolutions(device, dtype, widths, batch):
    for channels, side in widths:
        for mode in (Mode("fp32", False, False), Mode("fp32", True, False)):
            x, weight = (
                torch.randn(shape, device=device, dtype=dtype).to(memory_format=mode.layout)
                for shape in ((batch, channels, side, side), (channels, channels, 3, 3))
            )
            name = f"3 × 3 convolution, {channels} channels, side {side}, batch {batch}" + mode.channels_last * ", last"
            work = lambda x=x, weight=weight: F.conv2d(x, weight, padding=1)  # noqa: E731
            yield name, work, 2 * batch * channels**2 * 9 * side**2


def hardware(device: str) -> str:
    """The name of what computes."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    names = Path("/proc/cpuinfo")
    if names.exists():
        for line in names.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.split(':')[1].strip()} ({torch.backends.cpu.get_cpu_capability()})"
    return f"{platform.processor() or platform.machine()} ({torch.backends.cpu.get_cpu_capability()})"


def surroundings(device: str) -> dict:
    """What every row of a result says of where it was measured."""
    return {"hardware": hardware(device), "threads": torch.get_num_threads(), "torch": torch.__version__}
