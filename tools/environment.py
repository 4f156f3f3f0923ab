"""Set up .venv: the library, the book's tools and the tests', in the exact versions of constraints.txt.

Run by a bare `python3 -m tools.environment .venv`: this file uses the standard library only.
A stamp in the environment remembers what it was made from, so that it is made again only
when pyproject.toml or constraints.txt change.
"""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

from tools import vendor
from tools.steps import ROOT, StepFailed, main, run_quietly, step

OLDEST = (3, 11)
SOURCES = ("pyproject.toml", "constraints.txt")


def set_up(venv=".venv"):
    """Bring the environment and the vendored assets up to date; quick when they are."""
    if sys.version_info < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        found = ".".join(map(str, sys.version_info[:2]))
        raise StepFailed(
            f"the book needs Python {wanted} or newer and {sys.executable} is {found}; "
            "name another with `make PYTHON=python3.12 …`"
        )
    venv = ROOT / venv
    stamp = venv / ".book-stamp"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != _fingerprint():
        _create(venv)
        python = venv / "bin" / "python"
        run_quietly(
            "install the packages",
            [python, "-m", "pip", "install", "--progress-bar", "off",
             "--disable-pip-version-check", "-c", "constraints.txt", "-e", ".[book,test]"],
        )  # fmt: skip
        stamp.write_text(_fingerprint(), encoding="utf-8")
    vendor.fetch(venv / "bin")


def _create(venv):
    if (venv / "bin" / "python").exists():
        return
    if importlib.util.find_spec("ensurepip") is None:
        raise StepFailed(
            f"{sys.executable} cannot make virtual environments; on Debian and Ubuntu "
            "`apt-get install python3-venv` adds what is missing"
        )
    with step(f"create {venv.relative_to(ROOT)}"):
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)


def _fingerprint():
    sources = b"".join((ROOT / name).read_bytes() for name in SOURCES)
    return hashlib.sha256(sources + str(Path(ROOT)).encode()).hexdigest()


if __name__ == "__main__":
    main(set_up)
