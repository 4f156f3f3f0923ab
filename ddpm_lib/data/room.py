"""How much memory is left, so that what cannot fit is refused before the hour that reading it would take."""

from pathlib import Path

GROUP = Path("/sys/fs/cgroup")  # of this container


def memory_left() -> int | None:
    """Bytes that this process may still take: of the machine, of its container, of its own limit. None if unknown."""
    known = [left for left in (_of_machine(), _of_container(), _of_limit()) if left is not None]
    return min(known, default=None)


def check_room(needed: int, what: str, advice: str) -> None:
    """Raises MemoryError, with what it is that needs so many bytes and what helps, if they are not there."""
    left = memory_left()
    if left is not None and needed > left:
        raise MemoryError(f"{what} need {in_words(needed)} of memory, and {in_words(left)} are free: {advice}.")


def in_words(count: int) -> str:
    """1,234,567,890 → "1.2 GB"."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:  # Windows and macOS, where accelerate has brought it along
        import psutil

        return psutil.virtual_memory().available
    except ImportError:
        return None


def _of_container() -> int | None:
    try:
        most = (GROUP / "memory.max").read_text(encoding="utf-8").strip()
        used = int((GROUP / "memory.current").read_text(encoding="utf-8"))
        given_back = dict(line.split() for line in (GROUP / "memory.stat").read_text(encoding="utf-8").splitlines())
        return None if most == "max" else int(most) - used + int(given_back.get("inactive_file", 0))
    except (OSError, ValueError):
        return None


def _of_limit() -> int | None:
    try:
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        return None if most == resource.RLIM_INFINITY else most - pages * resource.getpagesize()
    except (ImportError, OSError):
        return None
