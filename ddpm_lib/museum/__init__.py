"""The bug museum: mistakes that were really published, each of them a few words away from this library.

An exhibit is a small change of one file. both(name) imports the library twice, right and with the mistake, so that
the two can be run side by side; show_exhibit(name) shows the change and where it was seen; trials measure its cost.
"""

import json
from pathlib import Path

from .broken import RIGHT, ChangedLibrary, Library, broken
from .exhibit import Exhibit, Source
from .in_sampling import SAMPLING
from .in_training import TRAINING

EXHIBITS = {exhibit.name: exhibit for exhibit in (*TRAINING, *SAMPLING)}
COSTS = Path(__file__).parent / "costs.json"

__all__ = ["EXHIBITS", "ChangedLibrary", "Exhibit", "Library", "Source", "both", "costs", "exhibit", "show_exhibit"]


def exhibit(name: str) -> Exhibit:
    """The exhibit of that name; a clear error if there is none."""
    if name not in EXHIBITS:
        raise ValueError(f"the museum has no exhibit {name!r}; it has {', '.join(EXHIBITS)}.")
    return EXHIBITS[name]


def both(name: str) -> tuple[Library, Library]:
    """The library as it is, and with the exhibit's mistake: right, wrong = both("rand-for-randn")."""
    return RIGHT, broken(exhibit(name))


def show_exhibit(name: str) -> None:
    """Show what the mistake changes, as a listing of differences, and where it was published."""
    from IPython.display import Markdown, display

    display(Markdown(exhibit(name).listing()))


def costs() -> dict:
    """What each mistake costs, as python -m ddpm_lib.museum measured it: {"exhibits": {name: row}, ...}."""
    return json.loads(COSTS.read_text(encoding="utf-8"))
