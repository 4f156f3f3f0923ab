"""Where and how big a run is, and how a listing is shown."""

import inspect
import os
import textwrap

import torch


def device() -> torch.device:
    """The accelerator if there is one (CUDA, Apple's MPS), the CPU otherwise."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def is_full_run() -> bool:
    """Whether notebooks run at full size: DDPM_RUN=full or quick decides; unset, full where there is a GPU."""
    wish = os.environ.get("DDPM_RUN", "")
    if wish not in ("", "quick", "full"):
        raise ValueError(f"DDPM_RUN must be quick or full, got {wish!r}.")
    return wish == "full" or (wish == "" and device().type != "cpu")


def quick_or_full(quick, full):
    """The first value on a CPU and in tests, the second on a GPU: the one word that scales a notebook."""
    return full if is_full_run() else quick


def show_source(*objects) -> None:
    """Show the source of functions or classes of the library, as a listing in the page."""
    from IPython.display import Markdown, display

    for item in objects:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(item)))
        display(Markdown(f"```python\n{source.rstrip()}\n```"))
