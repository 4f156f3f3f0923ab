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


@contextmanager
def helped(advice: str) -> Iterator[None]:
    """Add to an error of memory within what helps; the innermost knows best."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error) and not getattr(error, "__notes__", ()):
            error.add_note(advice)
        raise


def less_memory(batch_size: int, accumulate: int) -> str:
    """What helps a training step that takes too much memory."""
    if accumulate >= batch_size:
        return "one picture at a time is too much: choose a smaller network (of your own pictures: a smaller --side)."
    return (
        f"take each batch in more parts (--accumulate {min(4 * accumulate, batch_size)}), or choose a smaller network"
        " (of your own pictures: a smaller --side)."
    )


def exit_code(work: Callable[[], Path]) -> int:
    """Do the work and print where its result lies; 0, or the exit code of what went wrong, told on stderr.

    Notes of an exception (what is kept, what helps) are told with it. A mistake of the library itself is no such end:
    it goes on, with its traceback.
    """
    try:
        print(json.dumps({"weights": str(work())}), flush=True)
        return 0
    except Stopped as stop:
        sentence, code = str(stop), stop.exit_code
    except KeyboardInterrupt:
        sentence, code = "stopped before a step was taken.", 128 + signal.SIGINT
    except (ValueError, FloatingPointError, ImportError) as error:
        sentence, code = str(error), 1
    except OSError as error:
        sentence, code = " ".join([disk_trouble(error), *getattr(error, "__notes__", ())]), 1
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            sentence, code = memory_trouble(error), 1
        elif type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            sentence, code = compiler_trouble(error), 1
        else:
            raise
    print(f"\n{sentence}", file=sys.stderr, flush=True)
    return code


def memory_trouble(error: Exception) -> str:
    """One sentence for too little memory, and what helps. What data/room.py says stays as it is."""
    told = isinstance(error, MemoryError) and str(error)
    first, *more = getattr(error, "__notes__", ()) or ["close other programs, or use a machine with more."]
    return " ".join([str(error) if told else f"out of memory: {first}", *more])


def compiler_trouble(error: Exception) -> str:
    """One sentence for a torch.compile that failed: most often, no compiler for it is there."""
    first = str(error).strip().partition("\n")[0]
    return f"torch.compile failed ({type(error).__name__}: {first}): leave --compile out, or give it a C++ compiler."


def disk_trouble(error: OSError) -> str:
    """One sentence for a file that could not be written or read."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"the disk is full ({error}): make room, or choose another --out."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return f"cannot write there ({error}): make it writable, close what has it open, or choose another --out."
    if error.errno == errno.ENOENT:
        return f"a file or a program is missing ({error})."
    return f"{error}." if error.errno else str(error)


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch (on a GPU by a class of its own, on a CPU by a RuntimeError) or Python ran out of memory."""
    said = isinstance(error, RuntimeError) and "allocate memory" in str(error)
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or said
