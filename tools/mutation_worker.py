"""Run ordinary tests against a changed library, many times over, in processes that need not import torch again.

The worker imports torch, pytest and diffusers once. For every job it forks; the child forgets the library, imports
it again with the change (museum.ChangedLibrary), runs the tests until one fails, and says which. Nothing is copied.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
OPTIONS = [
    "-x",
    "-q",
    "--no-header",
    "--tb=short",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:unraisableexception",
    "--rootdir",
    str(ROOT),
]


class Outcome(NamedTuple):
    """What became of a job: how is "passed", "failed" (by a test), "broken" (no test ran) or "timeout"."""

    how: str
    test: str | None
    why: str
    seconds: float


class Worker:
    """A process that tries changes of the library, one after the other; a context manager."""

    def __init__(self):
        env = os.environ | {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        command = [sys.executable, "-m", "tools.mutation_worker"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def try_out(self, texts: dict[str, str], tests: list[str], timeout: float = 120) -> Outcome:
        """Run `tests` (pytest's names) against the library with `texts` in place of its files' own; stop at a failure.

        Raises RuntimeError where the worker has died.
        """
        self.process.stdin.write(json.dumps([texts, tests, timeout]) + "\n")
        self.process.stdin.flush()
        if not (line := self.process.stdout.readline()):
            raise RuntimeError("the worker has died; what it wrote to stderr says why.")
        return Outcome(*json.loads(line))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)


class _Recorder:
    """A plugin that counts the tests that ran, and ends the process at the first that fails."""

    def __init__(self, answer: int):
        self.answer, self.why, self.ran = answer, "", 0

    def tell(self, how: str, test: str | None = None) -> None:
        os.write(self.answer, json.dumps([how, test, self.why]).encode())

    def pytest_runtest_logreport(self, report):
        self.ran += report.when == "call"
        if report.failed:
            self.why = str(getattr(report.longrepr, "reprcrash", None) or report.longrepr)[:300]
            self.tell("failed", report.nodeid)
            os._exit(0)  # pytest would sweep up for longer than most tests take

    def pytest_collectreport(self, report):
        if report.failed:
            self.why = str(report.longrepr)[-300:]


def _child(texts: dict[str, str], tests: list[str], answer: int) -> None:
    """In a fork: import the changed library, run the tests, write [how, test, why] to the file descriptor."""
    import pytest

    from ddpm_lib.museum import ChangedLibrary

    for name in [name for name in sys.modules if name.split(".")[0] == "ddpm_lib"]:
        del sys.modules[name]
    sys.meta_path.insert(0, ChangedLibrary("ddpm_lib", texts))
    seen = _Recorder(answer)
    for test in tests:  # one after the other: the first file sees most, and the others need not be read then
        pytest.main([*OPTIONS, test], plugins=[seen])
    # A test's file that cannot be imported because of the change is no test's doing.
    seen.tell("passed" if seen.ran and not seen.why else "broken")


def _fork(texts: dict[str, str], tests: list[str], timeout: float) -> Outcome:
    started = time.monotonic()
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as talk:
        child = os.fork()
        if child == 0:
            os.setsid()  # what a test starts must go with it
            os.dup2(talk.fileno(), 1)
            os.dup2(talk.fileno(), 2)
            try:
                _child(texts, tests, answer.fileno())
            finally:
                os._exit(0)
        in_time = _wait(child, started + timeout)
        answer.seek(0)
        told = answer.read()
        if not in_time:
            return Outcome("timeout", None, f"not done in {timeout:.0f} s", timeout)
        talk.seek(0)
        how, test, why = json.loads(told) if told else ("broken", None, talk.read().decode(errors="replace")[-300:])
        return Outcome(how, test, why, round(time.monotonic() - started, 2))


def _wait(child: int, until: float) -> bool:
    """Whether the child ended by itself before `until`; it is killed, with its own children, where not."""
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def serve() -> None:
    """Answer jobs, one a line of JSON: [texts, tests, timeout] → [how, test, why, seconds]."""
    import pytest  # noqa: F401 (all of these are imported for the children)
    import torch

    import ddpm_lib.museum  # noqa: F401 (also the cure for torchvision, before diffusers looks for it)

    try:
        import diffusers

        diffusers.DDIMScheduler, diffusers.DDPMScheduler, diffusers.DPMSolverMultistepScheduler  # noqa: B018
    except ImportError:
        pass  # the oracle then skips itself
    torch.testing.assert_close(torch.ones(2), torch.ones(2))  # the first comparison imports much
    gc.freeze()  # so that the children's sweeps leave all this alone, and the memory shared
    jobs, answers = sys.stdin, os.fdopen(os.dup(1), "w")
    for job in iter(jobs.readline, ""):
        print(json.dumps(_fork(*json.loads(job))), file=answers, flush=True)


if __name__ == "__main__":
    serve()
