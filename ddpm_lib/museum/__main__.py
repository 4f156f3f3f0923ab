"""Measure what each exhibit costs: python -m ddpm_lib.museum, or only some: python -m ddpm_lib.museum no-clamp."""

import argparse
import json
import time

from ..runtime import provenance
from . import COSTS, EXHIBITS, both, costs, exhibit
from .trials import TRIALS

SEEDS = (0, 1, 2)


def measure(names: list[str]) -> None:
    """Run the trials of the named exhibits, right and wrong, with every seed; store after each, beside the others."""
    stored = costs() if COSTS.exists() else {"made_by": "python -m ddpm_lib.museum", "exhibits": {}}
    right_ones: dict[str, list[float]] = {}
    for name in names:
        if (trial := exhibit(name).trial) is None:
            continue
        right, wrong = both(name)
        started = time.time()
        if trial not in right_ones:
            right_ones[trial] = [round(TRIALS[trial].measure(right, seed), 5) for seed in SEEDS]
        found = [round(TRIALS[trial].measure(wrong, seed), 5) for seed in SEEDS]
        row = {"trial": trial, "right": right_ones[trial], "wrong": found}
        stored["exhibits"][name] = row | provenance() | {"seconds": round(time.time() - started)}
        stored["exhibits"] = {name: stored["exhibits"][name] for name in EXHIBITS if name in stored["exhibits"]}
        COSTS.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{name}: right {row['right']}, wrong {row['wrong']}, {time.time() - started:.0f} s", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure the exhibits that are named, or all; a name that none has ends in a sentence and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m ddpm_lib.museum", description="Measure what each mistake costs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(EXHIBITS)}; all if left out")
    names = parser.parse_args(arguments).names
    if strange := [name for name in names if name not in EXHIBITS]:
        parser.error(f"no exhibit is called {', '.join(strange)}; there are: {', '.join(EXHIBITS)}.")
    measure(names or list(EXHIBITS))


if __name__ == "__main__":
    main()
