"""A source has one name in all chapters, and every paper that a chapter links stands in the list of references."""

import re

import nbformat
import pytest

from tools import stamp
from tools.steps import ROOT

BIB = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
EPRINTS = set(re.findall(r"eprint\s*=\s*\{([^}]+)\}", BIB))
# What is easily written otherwise: by the year of the preprint, or by a name that two papers share.
WRONG = {
    r"Lin et al\.,? \(?2023": "Lin et al. 2024",
    r"Song et al\.,? \(?2020": "Song et al. 2021 (score) or Song, Meng & Ermon 2021 (DDIM)",
    r"DDIM,? \(Song et al\.": "Song, Meng & Ermon 2021",
    r"Kingma (&|and) Welling,? \(?2013": "Kingma & Welling 2014",
    r"Lipman et al\.,? \(?2022": "Lipman et al. 2023",
}


def texts():
    """(name, text) of every chapter's Markdown and of every page."""
    for path in stamp.notebooks():
        cells = nbformat.read(path, as_version=4).cells
        yield path.name, "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for path in sorted((ROOT / "book").glob("*.md")):
        yield path.name, path.read_text(encoding="utf-8")


TEXTS = dict(texts())


@pytest.mark.parametrize("name", TEXTS)
def test_a_linked_paper_stands_in_the_references(name):
    linked = set(re.findall(r"arxiv\.org/abs/([\d.]+\d)", TEXTS[name]))
    assert linked - EPRINTS == set(), "add them to book/references.bib"


@pytest.mark.parametrize("name", TEXTS)
def test_a_source_has_one_name(name):
    found = {match[0]: right for wrong, right in WRONG.items() for match in re.finditer(wrong, TEXTS[name])}
    assert found == {}


def test_the_references_name_no_paper_twice():
    keys, eprints = re.findall(r"^@\w+\{(\S+),", BIB, re.M), re.findall(r"eprint\s*=\s*\{([^}]+)\}", BIB)
    assert len(keys) > 50 and len(set(keys)) == len(keys) and len(set(eprints)) == len(eprints)


