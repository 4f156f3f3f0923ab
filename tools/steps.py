"""Steps with a name and a time: each says when it starts, how long it took, and which one failed."""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "_build" / "logs"
HEARTBEAT = 15  # seconds without a word are long enough
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
COMPLAINT = re.compile(r"WARNING|ERROR|Error:|error:")


class StepFailed(Exception):
    """A step did not succeed; the message is for people and names the step."""


@contextmanager
def step(name):
    """Print the name, then the time that the block took, or that this step failed."""
    print(f"── {name} …", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"✗ {name}: failed after {time.monotonic() - start:.0f} s", flush=True)
        raise
    print(f"✓ {name}: {time.monotonic() - start:.1f} s", flush=True)


def run_quietly(name, command, **env):
    """Run a command with its output in a log file; a failure shows the log's end.

    While it runs, its latest line is printed every few seconds.

    Raises:
        StepFailed: the command's exit status was not 0.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / (name.replace(" ", "-") + ".log")
    with step(name), open(log, "w+b") as file:
        start = beat = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=file, stderr=subprocess.STDOUT)
        while process.poll() is None:
            time.sleep(0.05)
            if time.monotonic() - beat > HEARTBEAT:
                beat = time.monotonic()
                print(f"   {beat - start:3.0f} s  {_last_line(log)[:90]}", flush=True)
        if process.returncode:
            print("\n".join(_worth_reading(log)), flush=True)
            raise StepFailed(
                f"{name} ended with status {process.returncode}; all it said is in {log.relative_to(ROOT)}"
            )
    return log


def run_openly(name, command, **env):
    """Run a command with its output on the screen; return its exit status."""
    try:
        with step(name):
            subprocess.run(command, cwd=ROOT, env=os.environ | env, check=True)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def main(work):
    """Run a tool's `work`; a failed step ends in one sentence instead of a traceback."""
    try:
        sys.exit(work(*sys.argv[1:]))
    except StepFailed as error:
        sys.exit(f"\nStopped: {error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped by the keyboard.")


def _lines(log):
    return [COLOUR.sub("", line) for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]


def _last_line(log):
    return (_lines(log) or [""])[-1]


def _worth_reading(log):
    """The lines of a failed command's log that complain, and its last ones."""
    lines = _lines(log)
    return [line for line in lines[:-15] if COMPLAINT.search(line)] + lines[-15:]
