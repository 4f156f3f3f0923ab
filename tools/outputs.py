"""Run notebooks again from top to bottom, in quick mode, and store what they show.

What differs from run to run without telling a reader anything is left out: times, widget
state, the name of this machine's kernel. So a second run changes nothing but real changes.
"""

import base64
import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image, ImageChops, ImageStat

from tools import stamp
from tools.steps import ROOT, StepFailed, main, step

TIMEOUT = 600  # seconds a cell
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# Colab reads the last two: it opens the notebook with a GPU.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": []},
}
INVISIBLE = 0.3  # mean error of a colour, of 255
# Folded, code and output: by the page, by Lab and Notebook, by Colab (the last two).
SOLUTION_METADATA = {
    "tags": ["hide-cell", "solution"],
    "jupyter": {"outputs_hidden": True, "source_hidden": True},
    "cellView": "form",
    "collapsed": True,
}
CELL_KEYS = ("tags", "jupyter", "cellView", "collapsed")


def clean(notebook):
    """Leave in a notebook what it says and shows, and nothing of the machine it ran on."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        kept = {key: cell.metadata[key] for key in CELL_KEYS if key in cell.metadata}
        if "solution" in kept.get("tags", []):
            kept = SOLUTION_METADATA
        else:  # what somebody folded while reading is not kept
            kept["jupyter"] = {key: True for key in ("source_hidden",) if kept.get("jupyter", {}).get(key)}
            kept["collapsed"] = False
        cell.metadata = nbformat.from_dict({key: value for key, value in kept.items() if value})
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _tells(output)]
    return notebook


def _tells(output):
    """Strip one output of what is only alive with a kernel; False if nothing is left of it."""
    output.get("metadata", {}).pop("widgets", None)
    data = output.get("data")
    if data is not None and "image/png" in data:
        data["image/png"] = base64.b64encode(pack(base64.b64decode(data["image/png"]))).decode()
    if data is not None and data.pop(WIDGET_VIEW, None) is not None:
        return "text/html" in data  # a figure; a progress bar has no picture of its own
    return True


def pack(png):
    """A PNG with a palette of 256 colours, where no eye could tell: plots and grey pictures, at half their bytes.

    Coloured paintings, which a palette would show in steps, lose their opaque alpha channel and nothing else; pictures
    with transparency stay as they are.
    """
    image = Image.open(io.BytesIO(png))
    clear = "A" in image.getbands()
    if clear and image.getchannel("A").getextrema()[0] < 255:
        return png
    image = image.convert("RGB")
    packed = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    error = max(ImageStat.Stat(ImageChops.difference(image, packed.convert("RGB"))).mean)
    store = io.BytesIO()
    packed.save(store, "png", optimize=True)
    if error >= INVISIBLE:
        if not clear:
            return png
        store = io.BytesIO()
        image.save(store, "png", optimize=True)
    return store.getvalue() if store.tell() < len(png) else png


def execute(path):
    """Execute the notebook at `path` in its own folder, in quick mode, and store it, cleaned.

    Raises:
        StepFailed: a cell ended with an error; the file is left as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    stamp.stamp(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
        resources={"metadata": {"path": str(path.parent)}},
    )
    with step(f"run {path.name}"):
        try:
            client.execute()
        except CellExecutionError as error:
            raise StepFailed(f"{path.name} does not run:\n{error}") from None
    nbformat.write(clean(notebook), path)


def store(*names):
    """Execute the named notebooks, or all, two at a time."""
    os.environ.update(DDPM_RUN="quick", OMP_NUM_THREADS="1")
    bin_folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = bin_folder + os.pathsep + os.environ["PATH"]
    paths = [(ROOT / name).resolve() for name in names] or stamp.notebooks()
    with ThreadPoolExecutor(2) as pool:
        failures = [error for error in pool.map(_try, paths) if error]
    if failures:
        raise StepFailed("\n\n".join(map(str, failures)))


def _try(path):
    try:
        execute(path)
    except StepFailed as error:
        return error


if __name__ == "__main__":
    main(store)
