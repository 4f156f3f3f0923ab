"""Prove everything: style, pages, library, notebooks. Every part runs, even if one fails."""

import os
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tools import site
from tools.steps import LOGS, StepFailed, main, run_openly

# Two torch threads on a busy machine of two cores wait for each other, so each gets one;
# and no test may depend on what a hub serves today.
ENV = {"DDPM_RUN": "quick", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
# A whole file goes to one worker, in the order of tests/conftest.py (the slowest first).
WORKERS = ["-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"]
NBVAL = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "120"]


def prove():
    """Run every part, print a table of what passed, and return 1 if anything failed."""
    start = time.monotonic()
    rows = [
        ("style", *_command("style", "ruff", "check", "--quiet", ".")),
        ("pages", *_pages()),
        ("library and site", *_pytest("library and site", "tests")),
        ("notebooks", *_pytest("notebooks", *NBVAL, "book")),
    ]
    print(f"\n{'part':20}{'passed':>8}{'failed':>8}{'seconds':>9}")
    for name, passed, failed, seconds in rows:
        print(f"{name:20}{passed:8}{failed:8}{seconds:9.0f}{'   ✗' if failed else ''}")
    passed, failed = (sum(row[i] for row in rows) for i in (1, 2))
    print(f"\nEverything took {time.monotonic() - start:.0f} s.")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def _command(name, module, *arguments):
    """Run a module of this Python as a step; return (passed, failed, seconds)."""
    start = time.monotonic()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    status = run_openly(name, [sys.executable, "-m", module, *arguments], **ENV, PATH=path)
    return status == 0, status != 0, time.monotonic() - start


def _pages():
    start = time.monotonic()
    try:
        site.build()
    except StepFailed as error:
        print(error, flush=True)
        return 0, 1, time.monotonic() - start
    return 1, 0, time.monotonic() - start


def _pytest(name, *arguments):
    """Run pytest as a step; a run that ends badly without a failed test counts as one."""
    LOGS.mkdir(parents=True, exist_ok=True)
    report = LOGS / f"{name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    _, bad_end, seconds = _command(name, "pytest", *WORKERS, f"--junitxml={report}", *arguments)
    passed = failed = 0
    if report.exists():
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            total, bad, skipped = (int(suite.get(key)) for key in ("tests", "failures", "skipped"))
            bad += int(suite.get("errors"))
            passed, failed = passed + total - bad - skipped, failed + bad
    return passed, max(failed, int(bad_end)), seconds


if __name__ == "__main__":
    main(prove)
