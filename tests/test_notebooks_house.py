"""Every notebook keeps the house rules, and every rule is seen to fail on a notebook that does not."""

import copy
import io
import re

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from ddpm_lib import widgets
from tools import house_rules, outputs, stamp
from tools.steps import ROOT

SOLUTION = house_rules.SOLUTION_METADATA
CHECKED = {"tags": ["nbval-check-output"]}


@pytest.mark.parametrize("path", stamp.notebooks(), ids=lambda path: path.name)
def test_a_notebook_keeps_the_house_rules(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    breaches = house_rules.check(notebook)
    assert not breaches, "\n" + "\n".join(breaches)


def test_a_picture_is_packed_only_where_no_eye_could_tell():
    def png(image):
        store = io.BytesIO()
        image.save(store, "png")
        return store.getvalue()

    def back(data):
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"), dtype=int)

    row = np.arange(200, dtype=np.uint8)
    grey = Image.fromarray(np.random.default_rng(0).integers(0, 200, (200, 200), dtype=np.uint8)).convert("RGBA")
    red, green = np.meshgrid(row, row)
    colours = Image.fromarray(np.stack([red, green, (90 * (red > 99)).astype(np.uint8)], -1))
    glass = grey.copy()
    glass.putalpha(120)
    packed = outputs.pack(png(grey))
    assert len(packed) < 0.7 * len(png(grey)) and np.array_equal(back(packed), back(png(grey)))
    assert outputs.pack(png(colours)) == png(colours)
    assert outputs.pack(png(glass)) == png(glass)
    assert outputs.pack(packed) == packed  # a second run changes nothing


def test_there_are_notebooks():
    assert len(stamp.notebooks()) >= 6


def shown(text):
    return [new_output("stream", name="stdout", text=text)]


@pytest.fixture
def good():
    """The smallest notebook that keeps every rule."""
    cells = [new_markdown_cell("# A title"), new_code_cell(stamp.setup_cell())]
    cells[1].metadata["tags"] = list(stamp.TAGS)
    for i in range(3):
        cells.append(new_code_cell(f"print({i})", metadata=CHECKED, outputs=shown(f"{i}\n")))
    for m in range(1, 7):
        cells += [
            new_markdown_cell(f"### Exercise 1.{m}\n\nTry it."),
            new_code_cell("# Your turn."),
            new_code_cell(f"# Solution 1.{m}\nx = {m}", metadata=copy.deepcopy(SOLUTION)),
        ]
    code = [cell for cell in cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
    return new_notebook(cells=cells, metadata=copy.deepcopy(outputs.METADATA))


def test_the_good_notebook_is_good(good):
    assert house_rules.check(good) == []


def source(index, text):
    def spoil(notebook):
        notebook.cells[index].source = text

    return spoil


def output(index, *new):
    def spoil(notebook):
        notebook.cells[index].outputs = list(new)

    return spoil


def tags(index, *new):
    def spoil(notebook):
        notebook.cells[index].metadata["tags"] = list(new)

    return spoil


def without(index):
    def spoil(notebook):
        del notebook.cells[index]

    return spoil


def set_metadata(index, key, value):
    def spoil(notebook):
        target = notebook if index is None else notebook.cells[index]
        target.metadata[key] = value

    return spoil


def recount(notebook):
    notebook.cells[3].execution_count = 99


def forget(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []


def lengthen(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source != stamp.setup_cell():
            cell.source += "\nx = 1" * 7


def html(text):
    return new_output("display_data", data={"text/html": text, "text/plain": "a figure"})


BAD = {
    "metadata of the notebook": (set_metadata(None, "widgets", {}), "widgets does not belong"),
    "kernel's name": (set_metadata(None, "kernelspec", {"name": "mine"}), "kernelspec must be"),
    "no gpu on colab": (set_metadata(None, "accelerator", "TPU"), "accelerator must be"),
    "metadata of a cell": (set_metadata(2, "executionInfo", {}), "executionInfo does not belong"),
    "mistyped tag": (tags(2, "nbval-check-outputs"), "nbval-check-outputs is not known"),
    "no title": (source(0, "A title"), "opens with its title"),
    "two titles": (source(5, "# Exercise 1.1"), "one title"),
    "another setup cell": (source(1, "import ddpm_lib"), "second cell is the setup cell"),
    "setup cell not hidden": (tags(1), "second cell is the setup cell"),
    "long cell": (source(2, "x = 1\n" * 16), "16 lines"),
    "long cells": (lengthen, "half of the code cells"),
    "wide line": (source(2, "x = " + "1 + " * 18 + "1"), "characters in one line"),
    "large output": (output(2, *shown("x" * 160_000)), "an output is larger"),
    "large figure": (output(2, html("x" * 160_000)), "an output is larger"),
    "large notebook": (source(0, "# A title\n" + "x" * 1_000_000), "the notebook is larger"),
    "no python": (source(2, "x = = 1"), "does not parse"),
    "star import": (source(2, "from math import *"), "star import"),
    "shell command": (source(2, "!ls"), "`!` commands"),
    "captured shell command": (source(2, "files = !ls"), "`!` commands"),
    "absolute path": (source(2, "open('/data/x.png')"), "absolute path"),
    "semicolon": (source(2, "plt.plot(x);"), "`;` at a line's end"),
    "semicolon and comment": (source(2, "plt.plot(x);  # drawn"), "`;` at a line's end"),
    "wrong counts": (recount, "execution counts"),
    "never run": (forget, "no output is stored"),
    "missing output": (output(3), "no output is stored"),
    "error": (output(2, new_output("error", ename="E", evalue="", traceback=[])), "is an error"),
    "stderr": (output(2, new_output("stream", name="stderr", text="W")), "writes to stderr"),
    "live widget": (
        output(2, new_output("display_data", data={outputs.WIDGET_VIEW: {"model_id": "1"}})),
        "a live widget",
    ),
    "machine's path": (output(2, *shown("saved to /home/someone/x.png")), "path of the machine"),
    "too little checked": (tags(2), "nbval-check-output"),
    "no starter": (without(6), "must be a starter cell"),
    "no solution": (without(7), "no cell `# Solution 1.1`"),
    "solution of another": (source(7, "# Solution 1.9\nx = 1"), "no cell `# Solution 1.1`"),
    "solution not folded": (tags(7, "solution"), "# Solution 1.1: its metadata"),
    "solution open in Lab": (set_metadata(7, "jupyter", {}), "# Solution 1.1: its metadata"),
    "answer open in Lab": (set_metadata(7, "jupyter", {"source_hidden": True}), "# Solution 1.1: its metadata"),
    "answer open on Colab": (set_metadata(7, "collapsed", False), "# Solution 1.1: its metadata"),
    "solution open on Colab": (set_metadata(7, "cellView", "code"), "# Solution 1.1: its metadata"),
    "fold left open": (source(5, "### Exercise 1.1\n\n<details>\n<summary>Solution</summary>"), "a fold is a cell"),
    "solution without exercise": (source(8, "### Question"), "solution 1.2: there is no such exercise"),
    "too few exercises": (source(11, "No exercise"), "5 exercises; this chapter has at least 6"),
    "exercise numbers": (source(11, "### Exercise 1.7"), "numbered 1, 2, 3"),
    "picture elsewhere": (source(5, "![x](https://a.b/c.png)"), "asks another host"),
    "image elsewhere": (source(5, '<img src="//a.b/c.png">'), "asks another host"),
    "script elsewhere": (output(2, html('<script src="https://a.b/c.js">')), "asks another host"),
    "module elsewhere": (output(2, html('import x from "https://a.b/c.js"')), "asks another host"),
}


@pytest.mark.parametrize("spoil, complaint", BAD.values(), ids=BAD)
def test_a_bad_notebook_is_found(good, spoil, complaint):
    spoil(good)
    assert any(complaint in breach for breach in house_rules.check(good))


@pytest.mark.parametrize(
    "spoil",
    [
        source(2, "class SimpleDiffusion:\n" + "    x = 1\n" * 30),  # the growing class may be long
        source(2, "print('a; b;')  # a ; in a comment;"),
        source(2, "print('a/b', 'https://a.b', 1 / 2)"),
        source(5, "### Exercise 1.1\n\n[a paper](https://a.b/c) and ![ours](x.png)"),
        output(2, html('<svg xmlns="http://www.w3.org/2000/svg"></svg><a href="https://a.b">b</a>')),
    ],
)
def test_what_is_allowed_is_not_found(good, spoil):
    spoil(good)
    assert house_rules.check(good) == []


def test_the_exercises_of_an_appendix_have_a_letter(good):
    for cell in good.cells:
        cell.source = cell.source.replace("Exercise 1.", "Exercise A.").replace("Solution 1.", "Solution A.")
    assert house_rules.check(good) == []
    good.cells[-1].source = "# Solution B.6\nx = 3"
    assert any("no cell `# Solution A.6`" in breach for breach in house_rules.check(good))


def test_a_solution_may_stand_on_paper_before_its_code_or_instead_of_it(good):
    paper = "<details>\n<summary>Solution 1.1, on paper</summary>\n\nBecause $1 = 1$.\n\n</details>"
    good.cells.insert(7, new_markdown_cell(paper))
    assert house_rules.check(good) == []
    good.cells[7].source = paper.replace("1.1", "1.3")
    assert any("no cell `# Solution 1.1`" in breach for breach in house_rules.check(good))
    good.cells[7].source = paper
    del good.cells[8], good.cells[6]  # the code, and the starter
    for count, cell in enumerate((cell for cell in good.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
    assert house_rules.check(good) == []


def test_storing_outputs_folds_a_solution_whole(good):
    good.cells[7].metadata = {"tags": ["hide-cell", "solution"], "jupyter": {"source_hidden": True}}
    good.cells[2].metadata["collapsed"] = True
    outputs.clean(good)
    assert house_rules.check(good) == []
    assert good.cells[7].metadata["jupyter"]["outputs_hidden"] and "collapsed" not in good.cells[2].metadata


def test_storing_outputs_cleans_what_is_of_this_run_only(good):
    view = new_output("display_data", data={outputs.WIDGET_VIEW: {}, "text/plain": "0%"})
    figure = html("<figure></figure>")
    figure.data[outputs.WIDGET_VIEW] = {"model_id": "1"}
    good.cells[2].outputs += [view, figure]
    good.cells[2].metadata["execution"] = {"iopub.status.busy": "2026"}
    good.cells[2].metadata["jupyter"] = {"outputs_hidden": True}
    good.metadata = {"kernelspec": {"name": "my-own"}, "widgets": {"state": {}}}
    assert house_rules.check(good) != []
    outputs.clean(good)
    assert house_rules.check(good) == []
    assert len(good.cells[2].outputs) == 2, "a progress bar goes, a figure stays"


def test_the_stamp_replaces_an_older_setup_cell_and_nothing_else(good):
    number, second = len(good.cells), good.cells[2].source
    good.cells[1].source = "try:\n    import ddpm_lib  # an older one\nexcept ImportError:\n    pass"
    assert stamp.stamp(good)
    assert not stamp.stamp(good), "a second time there is nothing to do"
    assert (len(good.cells), good.cells[2].source) == (number, second)
    assert house_rules.check(good) == []
    del good.cells[1]
    assert stamp.stamp(good)
    assert (len(good.cells), good.cells[2].source) == (number, second)


def stored_figures():
    """(where, class, html) of each figure in the stored outputs, and of that on the home page."""
    pages = {path.name: nbformat.read(path, as_version=4).cells for path in stamp.notebooks()}
    for name, cells in pages.items():
        for output in (output for cell in cells if cell.cell_type == "code" for output in cell.outputs):
            html = output.get("data", {}).get("text/html", "")
            if kind := re.match(r'<figure class="ddpm-figure" data-figure="(\w+)-', html):
                yield name, getattr(widgets, kind[1]), html
    home = ROOT / "book" / "_static" / "home_figure.html"
    yield home.name, widgets.ForwardReverse, home.read_text(encoding="utf-8")


def test_stored_figures_are_those_of_the_present_code():
    shown = list(stored_figures())
    stale = [
        f"{where}: {cls.__name__}"
        for where, cls, html in shown
        if cls._css not in html or cls._esm.replace("export default { render };", "").strip() not in html
    ]
    assert stale == [], "make outputs"
    assert {cls.__name__ for _, cls, _ in shown} == set(widgets.__all__), "a figure that no page shows"
