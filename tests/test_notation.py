"""Every name in the code column of book/notation.md exists in the library."""

import importlib
import re
from pathlib import Path

import pytest
import torch

import ddpm_lib

PAGE = Path(__file__).parent.parent / "book" / "notation.md"


def code_names():
    """The names in backticks in the columns headed "in code", of all tables of the page."""
    column = None
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            column = None
        elif "in code" in cells:
            column = cells.index("in code")
        elif column is not None:
            yield from re.findall(r"`([^`]+)`", cells[column])


NAMES = sorted(set(code_names()))


def things():
    """What the names without a module begin with."""
    schedule = ddpm_lib.linear_schedule(10)
    exact = ddpm_lib.ExactDenoiser(torch.zeros(1, 2), schedule)
    step = next(ddpm_lib.sample_ddim(exact, schedule, torch.zeros(1, 2), [10, 0]))
    return {"schedule": schedule, "guess": exact(torch.zeros(1, 2), 5), "step": step, "ddpm_lib": ddpm_lib}


def test_the_page_names_enough():
    assert len(NAMES) >= 25


@pytest.mark.parametrize("name", NAMES)
def test_the_name_exists(name):
    first, *rest = re.sub(r"\(.*\)$", "", name).split(".")
    known = things()
    if first in known:
        thing = known[first]
    elif hasattr(ddpm_lib, first):
        thing = getattr(ddpm_lib, first)
    else:
        thing = importlib.import_module(f"ddpm_lib.{first}")
    for part in rest:
        assert hasattr(thing, part), f"book/notation.md names {name}, which the library does not have"
        thing = getattr(thing, part)
