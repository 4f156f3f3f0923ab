"""One run at a time in a folder: a lock that ends with the process that holds it, however it ends.

The lock is the operating system's, on the file FOLDER/lock, so that what a killed run left behind locks nobody out.
Some shared folders know no such locks: there the file itself is the lock, and a run is taken for ended where its
process is gone.
"""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WINDOWS = os.name == "nt"
BEYOND = 1 << 20  # where Windows locks: bytes that it locks cannot be read, and the notes are before them


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if need be. Raises ValueError if another run, anywhere, holds it.

    Who holds it may write to the folder alone: files that a killed run was about to write (*.part) are deleted.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    number = _take(folder / "lock")
    try:
        for half in [*folder.rglob("*.part"), *folder.parent.glob(f"{folder.stem}.safetensors.*.part")]:
            with suppress(OSError):
                half.unlink()
        yield
    finally:
        if WINDOWS:
            os.close(number)  # Windows deletes no open file
        with suppress(OSError):
            (folder / "lock").unlink()
        if not WINDOWS:
            os.close(number)
        with suppress(OSError):
            folder.rmdir()  # where nothing has been written; a folder with files in it stays


def _take(path: Path) -> int:
    """Open and lock the file; returns its number."""
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            holder = _read(number)
            try:
                free, doubt = _lock(number), ""
            except OSError:  # no locks on this file system
                free, doubt = holder is None or _is_gone(holder), f" If no such run is left, delete {path}."
            if not free:
                raise ValueError(_told(path, holder) + doubt)
            # Whoever held it may have deleted the file since it was opened: then this is the lock of nothing.
            if _same(number, path):
                os.ftruncate(number, 0)
                os.lseek(number, 0, os.SEEK_SET)
                me = {"process": os.getpid(), "machine": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M")}
                os.write(number, json.dumps(me).encode())
                return number
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _lock(number: int) -> bool:
    """Lock the file; False if another holds it. Raises OSError where the file system has no locks."""
    try:
        if WINDOWS:
            import msvcrt

            os.lseek(number, BEYOND, os.SEEK_SET)
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except (BlockingIOError, PermissionError):
        return False


def _read(number: int) -> dict | None:
    """What the holder noted of itself."""
    os.lseek(number, 0, os.SEEK_SET)
    with suppress(ValueError):
        noted = json.loads(os.read(number, 1000))
        if isinstance(noted, dict):
            return noted
    return None


def _is_gone(holder: dict) -> bool:
    """Whether its process has ended; one of another machine, or of Windows, cannot be asked."""
    if holder.get("machine") != platform.node() or WINDOWS:
        return False
    try:
        os.kill(int(holder["process"]), 0)
    except (ProcessLookupError, KeyError, ValueError):
        return True
    except PermissionError:  # somebody else's, and alive
        return False
    return int(holder["process"]) == os.getpid()


def _same(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), os.stat(path))
    except FileNotFoundError:
        return False


def _told(path: Path, holder: dict | None) -> str:
    who = "" if holder is None else (
        f" (process {holder.get('process')} on {holder.get('machine')}, since {holder.get('since')})"
    )  # fmt: skip
    return f"another run{who} is writing to {path.parent}: wait for its end, or choose another --out."
