"""How a run ends before its end: by a signal, a full disk, no memory. Each is told in one sentence."""

import errno
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch


class Stopped(Exception):
    """A run was asked to stop, and did, after it had saved."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.exit_code = 128 + signal_number


@contextmanager
def signals() -> Iterator[list[int]]:
    """Note SIGINT and SIGTERM in the list that is given, instead of dying at once; a second one does that."""
    caught = []

    def note(number, frame):
        caught.append(number)
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def agree(caught: list[int]) -> int:
    """The signal that any of the processes has caught, 0 if none: they must stop after the same step."""
    number = caught[0] if caught else 0
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        flag = torch.tensor(number, device="cuda" if torch.distributed.get_backend() == "nccl" else "cpu")
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        number = int(flag)
    return number


def exit_code(work: Callable[[], Path]) -> int:
    """Do the work and print where its result lies; 0, or the exit code of what went wrong, told on stderr.

    A mistake of the library itself is no such end: it goes on, with its traceback.
    """
    try:
        print(json.dumps({"weights": str(work())}), flush=True)
        return 0
    except Stopped as stop:
        sentence, code = str(stop), stop.exit_code
    except KeyboardInterrupt:
        sentence, code = "stopped before the first step.", 128 + signal.SIGINT
    except (ValueError, FloatingPointError, ImportError) as error:
        sentence, code = str(error), 1
    except OSError as error:
        sentence, code = disk_trouble(error), 1
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        sentence, code = (
            (
                "out of memory: take each batch in more parts (--accumulate 4), or choose a smaller network;"
                " the last saved state is kept, go on with --resume."
            ),
            1,
        )
    print(f"\n{sentence}", file=sys.stderr, flush=True)
    return code


def disk_trouble(error: OSError) -> str:
    """One sentence for a file that could not be written or read."""
    kept = "what was saved before is kept, go on with --resume"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"the disk is full ({error}): make room, or choose another --out; {kept}."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return f"cannot write there ({error}): choose another --out; {kept}."
    return f"{error}; {kept}." if error.errno else str(error)


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch (on a GPU by a class of its own, on a CPU by a RuntimeError) or Python ran out of memory."""
    said = isinstance(error, RuntimeError) and "allocate memory" in str(error)
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or said
