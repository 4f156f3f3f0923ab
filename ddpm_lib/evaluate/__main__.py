"""The command line: which model, which parts, how many samples; see python -m ddpm_lib.evaluate --help."""

import argparse
import os
import shlex
import sys
from pathlib import Path

import torch

from ..checkpoints import WEIGHTS
from ..judges import JUDGE_OF
from . import PARTS, evaluate
from .sampling import NAMES
from .text_to_image import NAME as TEXT_TO_IMAGE
from .text_to_image import TEXT_PARTS, evaluate_text_to_image


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m ddpm_lib.evaluate", description="Measure a model.")
    parser.add_argument("name", choices=[*JUDGE_OF, TEXT_TO_IMAGE])
    parser.add_argument("--data", default=os.environ.get("DDPM_DATA"), help="folder with the data (or $DDPM_DATA)")
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="folder of NAME.safetensors; NAME.json goes there"
    )
    parser.add_argument("--raw", help="the weights before averaging: a checkpoint, or the folder NAME.run of a run")
    both = dict.fromkeys([*PARTS, *TEXT_PARTS])
    parser.add_argument(
        "--parts", nargs="+", choices=both,
        help=f"which ({' '.join(PARTS)}; ema needs --raw); of {TEXT_TO_IMAGE} {' '.join(TEXT_PARTS)}",
    )  # fmt: skip
    parser.add_argument("--samples", type=int, default=1000, help="for each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--calls", type=int, nargs="+", default=[5, 10, 20, 50])
    parser.add_argument("--off-calls", type=int, nargs="+", default=[10, 50], help="for clipping and averaging off")
    parser.add_argument("--samplers", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--scales", type=float, nargs="+", help="of guidance")
    parser.add_argument("--ode-samples", type=int, default=32)
    parser.add_argument("--bits-samples", type=int, default=100, help="test images for each seed")
    parser.add_argument("--bits-times", type=int, default=100, help="terms of the bound that are drawn, of T − 1")
    parser.add_argument("--features", choices=["classifier", "inception"], default="classifier")
    parser.add_argument("--inception-weights", help="a file of torch-fidelity's; without it, it downloads its own")
    parser.add_argument("--compile", action="store_true", help="torch.compile the network: for long runs")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="of the network while sampling")
    parser.add_argument("--prompts", type=int, default=500, help="of emoji-diffusion: training prompts to ask for")
    parser.add_argument("--again", action="store_true", help="measure anew what the file holds already")
    options = parser.parse_args(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    of_text = options.name == TEXT_TO_IMAGE
    options.scales = options.scales or ([1, 2, 4, 7.5, 12] if of_text else [0, 1, 2, 3, 5, 8])
    strange = set(options.parts or []) - set(TEXT_PARTS if of_text else PARTS)
    if strange:
        parser.error(f"{options.name} has no part {', '.join(strange)}")
    torch.manual_seed(0)
    try:
        measure = evaluate_text_to_image if of_text else evaluate
        print(measure(options, f"python -m ddpm_lib.evaluate {shlex.join(without_paths(given))}"))
    except (ValueError, RuntimeError, OSError) as error:
        if isinstance(error, RuntimeError) and type(error) is not RuntimeError:
            raise
        sys.exit(str(error))


def without_paths(arguments: list[str]) -> list[str]:
    """The arguments that say what was measured, without the folders of the machine it was measured on."""
    kept, skip = [], False
    for word in arguments:
        if not skip and word.split("=")[0] not in ("--data", "--weights", "--raw", "--inception-weights"):
            kept.append(word)
        skip = word in ("--data", "--weights", "--raw", "--inception-weights")
    return kept


if __name__ == "__main__":
    main()
