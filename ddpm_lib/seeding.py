"""Randomness of one's own: drawn from a seed, while what the caller draws goes on as if nothing had been drawn."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch


@contextmanager
def drawn_from(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Draw within from this seed, on the CPU and on `device`, with torch's global generators; afterwards they stand
    where they stood.

    device: any kind that torch knows (CUDA, MPS, XPU). Do not yield out of it: the caller would draw within.
    """
    device = torch.device(device)
    there = None if device.type == "cpu" else getattr(torch, device.type)
    place = () if device.type == "mps" else (device,)  # Apple's generator is one alone, and takes no place
    before = there.get_rng_state(*place) if there else None
    with torch.random.fork_rng([]):
        # Not torch.manual_seed: without a GPU it notes each call, with a listing, for the day that one appears.
        torch.default_generator.manual_seed(seed)
        try:
            if there:
                there.manual_seed(seed)
            yield
        finally:
            if there:
                there.set_rng_state(before, *place)


def own_randomness(
    seed: int, step: int, device: torch.device | str = "cpu", process: int = 0
) -> AbstractContextManager:
    """Draw everything within from a seed made of (seed, step, process); what is drawn outside goes on undisturbed.

    So a step can be taken again, after a stop, without a memory of all that was drawn before it.
    """
    return drawn_from(random.Random(f"{seed} {step} {process}").getrandbits(32), device)
