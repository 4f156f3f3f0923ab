"""Numbers that the prose quotes from a result file: each carries its source, and a test compares the two.

In Markdown the source stands behind the number, as a comment that no reader sees:

    The VAE's recall is 0.91<!--= rivals("digits", "vae", "recall") | .2f -->.

`python -m tools.quoted` writes the present values into the text; `tests/test_quoted.py` fails on a number that
is no longer equal to its source.
"""

import json
import re
from pathlib import Path

import nbformat

from ddpm_lib.checkpoints import read_header
from ddpm_lib.rivals import table
from tools.steps import ROOT, main

QUOTE = re.compile(r"(?P<said>[-−+]?[\d,]*\.?\d+)(?P<unit> ?%?)<!--=(?P<source>[^|]+)\|(?P<form>[^>]+?)-->")
OPEN = "<!--="
WEIGHTS = ROOT / "ddpm_lib" / "weights"


def result(path: str):
    """A result file under ddpm_lib/weights/, by its name without the ending: "digits", "emoji-diffusion/results"."""
    return json.loads((WEIGHTS / f"{path}.json").read_text(encoding="utf-8"))


def row(rows: list[dict], **wanted) -> dict:
    """The one row of a list that has these values.

    Raises:
        LookupError: no row has them, or more than one.
    """
    found = [row for row in rows if wanted.items() <= row.items()]
    if len(found) != 1:
        raise LookupError(f"{len(found)} rows have {wanted}")
    return found[0]


def rivals(data_set: str, family: str, key: str, calls: int | None = None, spread: bool = False) -> float:
    """Mean (or deviation, with spread=True) over the seeds of what was measured of a family on a data set."""
    content = result("rivals/results")
    rows = table.rows_of(content, data_set, family, table.calls_of(data_set, family) if calls is None else calls)
    return table.mean_std([row[key] for row in rows])[spread]


def museum(exhibit: str) -> dict:
    """What an exhibit of the bug museum was measured to cost."""
    return json.loads((ROOT / "ddpm_lib" / "museum" / "costs.json").read_text(encoding="utf-8"))["exhibits"][exhibit]


def benchmark(name: str):
    """A result file of benchmarks/, by its name without the ending."""
    return json.loads((ROOT / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))


def card(name: str) -> dict:
    """What the weights of a shipped model say of their making: steps, seconds, training_loss, recipe, data."""
    return read_header(WEIGHTS / f"{name}.safetensors")["card"]


SOURCES = {f.__name__: f for f in (result, row, rivals, museum, benchmark, card, abs, min, max, len, round, sum)}


def value(source: str, form: str) -> str:
    """What a source says today, as the text writes it. The form is a format of Python: `.2f`, `,.0f`, `.0%`."""
    number = eval(source.strip(), {"__builtins__": {}}, SOURCES)
    return format(number, form.strip()).removesuffix("%").replace("-", "−")


def renew(text: str) -> str:
    """The text with the present value in each quoted number."""
    return QUOTE.sub(lambda m: value(m["source"], m["form"]) + m[0][len(m["said"]) :], text)


def stale(text: str) -> list[str]:
    """A sentence for each quoted number that is not what its source says, or that cannot be read."""
    found = [
        f"{m['said']} is quoted from {m['source'].strip()}, which says {value(m['source'], m['form'])}"
        for m in QUOTE.finditer(text)
        if m["said"].replace("-", "−") != value(m["source"], m["form"])
    ]
    for start in (m.start() for m in re.finditer(re.escape(OPEN), text)):
        if not any(m.start() <= start < m.end() for m in QUOTE.finditer(text)):
            found.append(f"no number and source can be read at {text[max(start - 30, 0) : start + 50]!r}")
    return found


def texts() -> list[Path]:
    """Every text with prose of ours: chapters, pages, and the notes beside the results."""
    pages = [*(ROOT / "book").glob("*.ipynb"), *(ROOT / "book").glob("*.md"), ROOT / "README.md"]
    return sorted([*pages, ROOT / "ddpm_lib" / "rivals" / "tuning.md"])


def prose(path: Path) -> list[str]:
    """The Markdown of a file, cell by cell."""
    if path.suffix == ".md":
        return [path.read_text(encoding="utf-8")]
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]


def write():
    """Write the present value into every quoted number of every text."""
    for path in texts():
        if path.suffix == ".md":
            path.write_text(renew(path.read_text(encoding="utf-8")), encoding="utf-8")
            continue
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = renew(cell.source)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(write)
