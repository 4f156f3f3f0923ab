"""Peak memory of training: python -m benchmarks.memory SIZE NETWORK MODE prints it, in a process of its own."""

import argparse
import json
import subprocess
import sys

import torch

from .measure import Job, Mode
from .networks import NETWORKS, SIZES


def peak_bytes(size: str, network: str, mode: Mode, batch: int, device: str, threads: int) -> int:
    """Bytes that two training steps need beyond an idle process: weights, gradients, moments, activations.

    On a GPU what torch allocated there; on a CPU the growth of the process's resident memory, measured in a new
    process, since a high-water mark never falls.
    """
    if device == "cuda":
        return _gpu_bytes(size, network, mode, batch)
    command = [sys.executable, "-m", "benchmarks.memory", size, network, str(mode), str(batch), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring memory failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])["bytes"]


def _train(size: str, network: str, mode: Mode, batch: int, device: str) -> None:
    shape = SIZES[size]
    x = torch.randn(batch, shape.channels, shape.side, shape.side)
    job = Job(NETWORKS[network](shape), mode, x, device)
    for _ in range(2):
        job.train_step()


def _gpu_bytes(size: str, network: str, mode: Mode, batch: int) -> int:
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    _train(size, network, mode, batch, "cuda")
    return torch.cuda.max_memory_allocated() - before


def _cpu_bytes(size: str, network: str, mode: Mode, batch: int) -> int:
    # The tiny network first: it pays for the libraries that are loaded with the first step.
    _train("tiny", network, mode, 1, "cpu")
    before = _resident("VmRSS")
    with open("/proc/self/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")  # Linux: the high-water mark starts again from here
    _train(size, network, mode, batch, "cpu")
    return _resident("VmHWM") - before


def _resident(what: str) -> int:
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(what))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("mode", type=Mode.parse)
    parser.add_argument("batch", type=int)
    parser.add_argument("threads", type=int)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print(json.dumps({"bytes": _cpu_bytes(options.size, options.network, options.mode, options.batch)}))


if __name__ == "__main__":
    main()
