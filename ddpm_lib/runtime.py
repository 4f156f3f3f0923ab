"""Where and how big a run is, and how listings and tables are shown."""

import html
import inspect
import os
import platform
import re
import subprocess
import textwrap
from pathlib import Path

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


def best_precision() -> str:
    """bf16 where the GPU, or else the CPU, has instructions for it; float32 ("no") where it would be emulated."""
    if torch.cuda.is_available():
        # Without the argument torch counts emulation too: a T4 would be slower in bf16 than in float32.
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return "bf16" if any(test() for test in tests if test) else "no"


def provenance() -> dict:
    """What made a number, for its record: the commit of this code and the hardware. It never raises.

    commit: None where this code is in no repository of its own (installed from a wheel, also inside somebody else's
    repository), or where git is missing or refuses.
    """
    return {"commit": _commit(Path(__file__).resolve().parent.parent), "hardware": _hardware()}


def _commit(root: Path) -> str | None:
    """HEAD of the repository whose top folder is root; None where there is none, or no git to ask."""
    # Within a hook of git these name the repository of the hook, wherever one asks.
    surroundings = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    command = ["git", "rev-parse", "--show-toplevel", "HEAD"]
    try:
        asked = subprocess.run(
            command, cwd=root, env=surroundings, capture_output=True, encoding="utf-8", errors="replace", timeout=30
        )
        top, commit = asked.stdout.splitlines()
        return commit if asked.returncode == 0 and Path(top).samefile(root) else None
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _hardware() -> str:
    try:
        if torch.cuda.is_available():
            return torch.cuda.get_device_name()
    except RuntimeError:  # a GPU that has just failed must not cost what it had finished
        return "GPU"
    return f"CPU, {torch.get_num_threads()} thread(s), {platform.machine()}"


def show_source(*objects) -> None:
    """Show the source of functions or classes of the library, as a listing in the page."""
    from IPython.display import Markdown, display

    for item in objects:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(item)))
        display(Markdown(f"```python\n{source.rstrip()}\n```"))


class Table:
    """Rows of text as a table: HTML where it can be shown (with a true minus sign), aligned columns where not.

    rows: dicts with the same keys, which are the headings; "" heads the column of names.
    """

    def __init__(self, rows: list[dict[str, str]]):
        if not rows or any(row.keys() != rows[0].keys() for row in rows):
            raise ValueError("a table needs one row or more, all with the same headings.")
        self.rows = rows

    def _repr_html_(self) -> str:
        heads = "".join(f'<th scope="col">{html.escape(head)}</th>' if head else "<td></td>" for head in self.rows[0])
        lines = ("".join(f"<td>{_with_minus(html.escape(cell))}</td>" for cell in row.values()) for row in self.rows)
        body = "\n".join(f"<tr>{line}</tr>" for line in lines)
        # "dataframe" is what Jupyter styles, "table" what the book's pages do.
        return f'<table class="dataframe table">\n<thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody>\n</table>'

    def __repr__(self) -> str:
        widths = {head: max(len(head), *(len(row[head]) for row in self.rows)) for head in self.rows[0]}
        lines = [{head: head for head in widths}, *self.rows]
        return "\n".join("  ".join(row[head].ljust(width) for head, width in widths.items()).rstrip() for row in lines)


def _with_minus(text: str) -> str:
    """A hyphen before a number is a minus sign; one between words or digits ("v-network", "2-5") stays."""
    return re.sub(r"(?<![\w-])-(?=\.?\d)", "−", text)
