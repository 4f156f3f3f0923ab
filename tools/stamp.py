"""Write the setup cell of every notebook, with the repository's address from _config.yml."""

import nbformat
import yaml

from tools.steps import ROOT, main

BOOK = ROOT / "book"
TAGS = ["remove-cell"]
SETUP = """\
try:
    import ddpm_lib  # the library behind this book
except ImportError:  # not here yet, as on Colab: fetch it
    BOOK = "{address}"
    %pip install -q "ddpm_lib[notebooks] @ git+{{BOOK}}"
    import ddpm_lib"""


def address():
    """The repository's address, as _config.yml has it."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]


def setup_cell():
    """The source of the setup cell, the same in every notebook."""
    return SETUP.format(address=address())


def notebooks():
    """Every notebook of the book, in order."""
    return sorted(BOOK.glob("*.ipynb"))


def stamp(notebook):
    """Put the setup cell second, in place of an older one; True if anything changed."""
    cell = notebook.cells[1] if len(notebook.cells) > 1 else None
    if cell is None or cell.cell_type != "code" or "import ddpm_lib  #" not in cell.source:
        cell = nbformat.v4.new_code_cell()
        notebook.cells.insert(1, cell)
    new = (setup_cell(), TAGS)
    changed = (cell.source, cell.metadata.get("tags")) != new
    cell.source, cell.metadata["tags"] = new
    return changed


def stamp_all():
    """Stamp every notebook, and say which were changed."""
    for path in notebooks():
        notebook = nbformat.read(path, as_version=4)
        if stamp(notebook):
            nbformat.write(notebook, path)
            print(f"stamped {path.name}")


if __name__ == "__main__":
    main(stamp_all)
