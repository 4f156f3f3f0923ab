"""The command line: python -m ddpm_lib.rivals digits fashion stacked grid --seeds 0 1 2 3 4 --out runs/rivals."""

import argparse
import os
import sys
from pathlib import Path

from ..run_ends import exit_code
from .plans import FAMILIES, PLANS
from .run import run
from .table import collect

DATA_SETS = list(dict.fromkeys(plan.data_set for plan in PLANS.values()))


def main(arguments: list[str] | None = None) -> int:
    """Train and measure what is not there yet, then write all of it into one file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ddpm_lib.rivals", description="GAN, VAE, diffusion, one budget.")
    parser.add_argument("data_sets", nargs="*", choices=[*DATA_SETS, []], help=f"of {', '.join(DATA_SETS)}; or none")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=Path("runs/rivals"), help="folder of one file a run")
    parser.add_argument("--data", default=os.environ.get("DDPM_DATA"), help="folder with the data (or $DDPM_DATA)")
    parser.add_argument("--collect", type=Path, help="write all runs of --out into this file")
    options = parser.parse_args(arguments)

    def work() -> None:
        for seed in options.seeds:  # seed by seed, so that a run cut short has few seeds of all, not all of few
            for name in (f"{data}-{family}" for data in options.data_sets for family in options.families):
                command = f"python -m ddpm_lib.rivals {name.split('-')[0]} --families {PLANS[name].family}"
                found = run(PLANS[name], seed, options.out, options.data, command)
                print(f"{name} {seed}: {found['steps']} steps, {found['seconds']:.0f} s", flush=True)
        if options.collect:
            collect(options.out, options.collect)

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
