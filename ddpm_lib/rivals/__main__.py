"""The command line: python -m ddpm_lib.rivals digits fashion stacked grid --seeds 0 1 2 3 4 --out runs/rivals."""

import argparse
import itertools
import os
import sys
from pathlib import Path

from ..run_ends import exit_code
from .plans import FAMILIES, PLANS
from .run import run, run_chain, run_floor
from .shipped import measure_bits, ship

DATA_SETS = list(dict.fromkeys(plan.data_set for plan in PLANS.values()))


def main(arguments: list[str] | None = None) -> int:
    """Train and measure what is not there yet, then write all of it into one file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ddpm_lib.rivals", description="GAN, VAE, diffusion, one budget.")
    parser.add_argument("data_sets", nargs="*", choices=[*DATA_SETS, []], help=f"of {', '.join(DATA_SETS)}")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=Path("runs/rivals"), help="folder of one file a run")
    parser.add_argument("--data", default=os.environ.get("DDPM_DATA"), help="folder with the data (or $DDPM_DATA)")
    parser.add_argument("--chain", action="store_true", help="draw by DDPM's thousand calls too, from trained runs")
    parser.add_argument("--ship", action="store_true", help="put all runs of --out, and weights of seed 0, in the book")
    parser.add_argument("--bits", action="store_true", help="measure the bound of the models in the book anew")
    options = parser.parse_args(arguments)
    if not options.data_sets and not (options.ship or options.bits):
        parser.error(f"name one data set or more ({', '.join(DATA_SETS)}), or ask for --ship or --bits.")
    if options.bits and (options.data_sets or options.ship or options.chain):
        parser.error("--bits is of the models in the book, and goes alone.")

    def work() -> Path:
        if options.bits:
            return measure_bits(options.data)
        for data_set, seed in itertools.product(options.data_sets if options.chain else [], options.seeds):
            found = run_chain(data_set, seed, options.out, options.data)
            print(f"{data_set} {seed}: {found['chain']}", flush=True)
        if options.chain:
            return options.out
        for seed in options.seeds:  # seed by seed, so that a run cut short has few seeds of all, not all of few
            for data_set in options.data_sets:
                run_floor(data_set, seed, options.out, options.data, f"python -m ddpm_lib.rivals {data_set}")
            for name in (f"{data}-{family}" for data in options.data_sets for family in options.families):
                command = f"python -m ddpm_lib.rivals {name.split('-')[0]} --families {PLANS[name].family}"
                found = run(PLANS[name], seed, options.out, options.data, command)
                print(f"{name} {seed}: {found['steps']} steps, {found['seconds']:.0f} s", flush=True)
        return ship(options.out) if options.ship else options.out

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
