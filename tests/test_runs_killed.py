"""Killed with SIGKILL, some of the times during a save, a run loses nothing: a short form of tools/kill_runs.py."""

import subprocess
import sys


def test_killed_and_resumed():
    command = [sys.executable, "-m", "tools.kill_runs", "--kills", "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    counts = {line.strip().split("  ")[1]: int(line.split()[0]) for line in done.stdout.splitlines()}
    assert counts["kills"] == 5 and counts["during a save"] >= 1
    assert counts["runs finished, bit-equal to one never killed"] >= 1
    loaded = [counts.get(key, 0) for key in ("the newest loads", "the one before loads", "before the first save")]
    assert sum(loaded) == 5
