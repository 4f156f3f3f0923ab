"""Prove the floors of pyproject.toml: `make lowest`.

A new environment gets the oldest release that the library promises to run with, of every package it asks for, and the
tests of maths, samplers, training and checkpoints run there. Then the oldest of what the notebooks and the export ask
for comes on top, as on a machine that had older ones, and text-to-image is tested. What these packages bring along is
as new as they allow. Run by a bare Python, the oldest that the book supports: torch 2.5 knows none newer than 3.12.
"""

import shutil
import subprocess
import sys
import tomllib

from tools.steps import ROOT, main, run_openly, run_quietly, step

FOLDER = ROOT / "_build" / "lowest"
TESTERS = ("pytest", "hypothesis", "scipy")
LIBRARY = (
    "schedules", "noising", "denoisers", "samplers", "losses", "simple", "bound", "exact", "metrics", "two_samples",
    "models", "layers", "batches", "training", "checkpoints", "runs", "run_state", "run_ends", "runtime", "examples",
    "folders",
)  # fmt: skip
NOTEBOOKS = (
    "pretrained_parts", "stable_diffusion", "emoji_diffusion", "words", "latents", "attention", "prompt_films",
    "oracle", "data",
)  # fmt: skip


def floors(extra=None):
    """The requirements of the library, or of one of its extras, each at its oldest: "torch==2.5"."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [line.replace(">=", "==") for line in lines]


def prove():
    """Make the environment anew, and run both lists of tests in it; 0 where all passed."""
    with step(f"create {FOLDER.relative_to(ROOT)}"):
        shutil.rmtree(FOLDER, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
    _install("the library's oldest", ["-e", ".", *floors(), *TESTERS])
    failed = _test("the library", LIBRARY)
    _install("the oldest of notebooks and export", [*floors("notebooks"), *floors("export")])
    return _test("what the notebooks need", NOTEBOOKS) or failed


def _install(name, requirements):
    options = ["--progress-bar", "off", "--disable-pip-version-check", "--no-compile"]
    run_quietly(f"install {name}", [FOLDER / "bin" / "python", "-m", "pip", "install", *options, *requirements])


def _test(name, files):
    command = [FOLDER / "bin" / "python", "-m", "pytest", "-q", *(f"tests/test_{file}.py" for file in files)]
    return run_openly(f"test {name} with the oldest packages", command, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")


if __name__ == "__main__":
    main(prove)
