"""The page of results and the files it is made from say the same."""

import json
import re
import shutil

import pytest

from ddpm_lib.checkpoints import WEIGHTS
from tools import published
from tools.results import PAGE, images, makers, page, pairs, printed, spread, table

ROW = {"sampler": "DDIM", "calls": 10, "samples": 340, "seeds": [0, 1, 2], "scale": 1.0, "clip": True,
       "kernel": 0.25, "kernel_std": 0.1, "frechet": 9.0, "frechet_std": 1.0, "precision": 0.8, "precision_std": 0.01,
       "recall": 0.9, "recall_std": 0.02, "agreement": 0.97, "agreement_std": 0.01, "seconds": 60.0,
       "command": "python -m ddpm_lib.evaluate digits", "commit": "0123456789abc", "hardware": "one CPU"}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A folder with results of one model, and the judge of digits."""
    shutil.copy(WEIGHTS / "digits-classifier.safetensors", tmp_path)
    off = {**ROW, "clip": False, "kernel": 0.75}
    found = {"reference": {"set": "test", "images": 10_000}, "by_calls": [ROW], "clip_off": [off]}
    (tmp_path / "digits.json").write_text(json.dumps(found))
    return tmp_path


def words(text):
    """A page with plain spaces: between a number and its deviation it has spaces that no line breaks at."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_number_has_a_minus_sign_and_its_deviation_with_it():
    assert printed("-0.119 ± 0.168") == "−0.119\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.168"


def test_the_page_is_the_one_that_the_files_make():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.results"


def test_a_changed_number_changes_the_page(folder):
    before, path = page(folder), folder / "digits.json"
    assert "| DDIM | 10 | fp32 | 340 × 3 | 0.250 ± 0.100 | 9.00 ± 1.00 | 0.800 ± 0.010 |" in words(before)
    path.write_text(path.read_text().replace('"kernel": 0.25', '"kernel": 0.26'))
    assert "0.260 ± 0.100" in words(page(folder)) and page(folder) != before


def test_every_table_names_its_maker(folder):
    text = words(page(folder))
    assert "`python -m ddpm_lib.evaluate digits`, commit 0123456789, one CPU, 60 s" in text
    assert "| DDIM | 10 | yes |" in text and "| DDIM | 10 | no | 340 × 3 | 0.750" in text
    measured = text[text.index("## Digits") : text.index("## Published")]
    assert measured.count("\n| sampler") == measured.count("\n- `python")


def test_what_was_not_measured_has_no_table(folder):
    assert "bits per dimension" not in page(folder) and "Emoji" not in page(folder)


def test_the_cells():
    assert spread({"x": 1.23456}, "x", 2) == "1.23" and spread({}, "x", 2) == "–"
    assert spread({"x": 1.0, "x_std": None}, "x", 1) == "1.0"
    assert images({"samples": 1000, "seeds": [0]}) == "1,000" and words(images({"samples": 5, "draws": 10})) == "5 × 10"
    assert table([{"a": 1}], {"A": lambda row: str(row["a"])}) == ["| A |", "|---|", "| 1 |"]
    assert len(makers([ROW, ROW])) == 1 and "120 s" in makers([ROW, ROW])[0]
    other = {**ROW, "samples": 20}
    assert [row["switch"] for row in pairs([other], [ROW])] == ["no"], "a row of other counts is no partner"


def test_published_numbers_name_their_tables_and_their_sources_are_in_the_references():
    references = (PAGE.parent / "references.bib").read_text()
    for *_, source in published.CIFAR10:
        assert re.search(r"Table \d", source)
        surname = source.removeprefix("as quoted in ").split(",")[0].split()[0]
        assert f"author    = {{{surname}, " in references
