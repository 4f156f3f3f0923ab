"""Our U-Net beside diffusers' and lucidrains', interleaved in one run: python -m benchmarks.unet --out FILE.json.

Training images a second (forward, backward, fused AdamW), milliseconds of a sampling step, memory, and the share of
the measured ceiling, for each network in each mode. See README.md.
"""

import argparse
import json
import math
import random
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ddpm_lib.runtime import provenance

from .measure import Job, Mode, ceiling, repeats_for, seconds, spread, surroundings
from .memory import peak_bytes
from .networks import NETWORKS, SIZES, forward_flops, parameters
from .table import markdown

MODES = ["fp32", "fp32+last", "fp32+compile", "fp32+last+compile"]
MODES += [mode.replace("fp32", "bf16") for mode in MODES]


class Runner:
    """A job with its readings. It stops taking new ones when its share of the time is spent."""

    def __init__(self, job: Job, batch: int, cap: float):
        self.job, self.batch, self.cap, self.spent = job, batch, cap, 0.0
        self.train, self.sample = [], []
        # The first call compiles or picks kernels; the second is what one call costs.
        first = seconds(job.train_step, job.device), seconds(job.sample_step, job.device)
        steady = seconds(job.train_step, job.device), seconds(job.sample_step, job.device)
        self.compile_seconds = sum(first) - sum(steady) if job.mode.compiled else 0.0
        self.repeats = [repeats_for(once) for once in steady]

    def read(self) -> None:
        """One reading of each, unless the time is up and there is one already."""
        if self.train and self.spent > self.cap:
            return
        start = time.perf_counter()
        self.train.append(seconds(self.job.train_step, self.job.device, self.repeats[0]))
        self.sample.append(seconds(self.job.sample_step, self.job.device, self.repeats[1]))
        self.spent += time.perf_counter() - start

    def row(self, flops: int, top: float) -> dict:
        """What was read. flops: of one forward pass for one image; top: the ceiling in FLOP/s."""
        train = spread([self.batch / s for s in self.train])
        rate = 3 * flops * train["median"]  # a backward pass costs two forward passes
        return {
            "images_per_second": train,
            "sample_ms": spread([1000 * s for s in self.sample]),
            "readings": len(self.train),
            "train_tflops": rate / 1e12,
            "share_of_ceiling": rate / top,
            "compile_seconds": self.compile_seconds,
        }


def run_size(name: str, networks: list[str], modes: list[Mode], options: argparse.Namespace) -> list[dict]:
    """All networks in all modes at one size, in turn within each round."""
    size, device = SIZES[name], options.device
    batch = options.batch or (size.batch_gpu if device == "cuda" else size.batch_cpu)
    torch.manual_seed(0)
    x = torch.randn(batch, size.channels, size.side, size.side)
    models = {network: NETWORKS[network](size) for network in networks}
    flops = {network: forward_flops(model, size) for network, model in models.items()}
    rows, runners = [], []
    # The networks of a size stay compiled side by side; those of the size before are not needed any more.
    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = 64
    for network, model in models.items():
        for mode in modes:
            row = dict(size=name, network=network, mode=str(mode), batch=batch, **surroundings(device),
                       parameters=parameters(model), forward_gflops=flops[network] / 1e9)  # fmt: skip
            rows.append(row)
            try:
                if options.memory and not (device == "cpu" and mode.compiled):
                    row["peak_bytes"] = peak_bytes(name, network, mode, batch, device, torch.get_num_threads())
                runners.append((Runner(Job(model, mode, x, device), batch, options.cap), row))
                note = f"ready, compiled in {runners[-1][0].compile_seconds:.0f} s" * mode.compiled
                print(f"{name} {network} {mode} {note}", flush=True)
            except Exception as error:  # a mode that one network cannot run must not end the run of all
                row["error"] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
                print(f"{name} {network} {mode} failed: {row['error']}", flush=True)
    tops = _ceilings(size, batch, modes, device)
    for i in range(options.rounds):
        # In another order each round: who always followed the same neighbour would find the same caches and memory.
        for runner, _ in random.Random(i).sample(runners, len(runners)):
            runner.read()
    for precision, after in _ceilings(size, batch, modes, device).items():
        tops[precision] = max(tops[precision], after, key=lambda top: top["flops"])
    for runner, row in runners:
        top = tops[runner.job.mode.precision]
        row.update(runner.row(flops[row["network"]], top["flops"]))
        row.update(rounds=options.rounds, ceiling_tflops=top["flops"] / 1e12, ceiling_of=top["what"])
    return rows


def _ceilings(size, batch: int, modes: list[Mode], device: str) -> dict[str, dict]:
    widths = [(size.dim * m, math.ceil(size.side / 2**i)) for i, m in enumerate(size.multipliers)]
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
    return {p: ceiling(device, kinds[p], widths, batch) for p in sorted({mode.precision for mode in modes})}


def _versions() -> dict[str, str | None]:
    found = {}
    for package in ("diffusers", "denoising-diffusion-pytorch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def main(arguments: list[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unet", description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["1M", "9M", "35.7M"])
    parser.add_argument("--modes", nargs="+", type=Mode.parse, default=[Mode.parse(mode) for mode in MODES])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=15, help="readings of every network in every mode")
    parser.add_argument("--cap", type=float, default=20.0, help="seconds of readings for one network in one mode")
    parser.add_argument("--batch", type=int, help="images in a batch, if not the size's own")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True, help="measure memory too")
    parser.add_argument("--out", type=Path, help="file for the results, JSON; the table lands beside it as .md")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    started, rows = time.time(), []
    result = {"rows": rows, "packages": _versions(), **provenance()}
    for name in options.sizes:
        rows += run_size(name, options.networks, options.modes, options)
        result["seconds"] = time.time() - started
        if options.out:  # after every size: what a long run has measured is kept
            options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            options.out.with_suffix(".md").write_text(markdown(result), encoding="utf-8")
    print(markdown(result))
    return result


if __name__ == "__main__":
    main()
