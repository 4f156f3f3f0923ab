"""The bug museum: mistakes that were really published, each of them a few words away from this library.

An exhibit is a small change of one file. both(name) imports the library twice, right and with the mistake, so that
the two can be run side by side; show_exhibit(name) shows the change and where it was seen; trials measure its cost.
"""

from .broken import RIGHT, ChangedLibrary, Library, broken
from .exhibit import Exhibit, Source
from .in_sampling import SAMPLING
from .in_training import TRAINING
from .shown import COSTS, cost_line, costs, ratios, show_costs
from .shown import show_exhibit as _show

EXHIBITS = {exhibit.name: exhibit for exhibit in (*TRAINING, *SAMPLING)}

__all__ = [
    "COSTS", "EXHIBITS", "RIGHT", "ChangedLibrary", "Exhibit", "Library", "Source", "both", "broken", "cost_line",
    "costs", "exhibit", "ratios", "show_costs", "show_exhibit",
]  # fmt: skip


def exhibit(name: str) -> Exhibit:
    """The exhibit of that name; a clear error if there is none."""
    if name not in EXHIBITS:
        raise ValueError(f"the museum has no exhibit {name!r}; it has {', '.join(EXHIBITS)}.")
    return EXHIBITS[name]


def both(name: str) -> tuple[Library, Library]:
    """The library as it is, and with the exhibit's mistake: right, wrong = both("rand-for-randn")."""
    return RIGHT, broken(exhibit(name))


def show_exhibit(name: str) -> None:
    """Show what the mistake of that name changes, as a listing of differences, and where it was published."""
    _show(exhibit(name))
