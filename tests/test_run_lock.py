"""Two runs never write to one folder; a lock that nobody holds keeps nobody out."""

import dataclasses
import errno
import json
import os
import platform
import signal
import subprocess
import sys

import pytest

from ddpm_lib import run_lock
from ddpm_lib.run_lock import locked
from ddpm_lib.run_state import states
from tests.tiny_runs import TINY, ends, quick, with_trouble


def test_a_second_run_is_refused_and_the_first_is_not_disturbed(tmp_path, capsys):
    tried = []

    def another(output):
        tried.append(ends(TINY, tmp_path, resume=True))

    quick(with_trouble(another, 5), tmp_path)
    assert tried == [1]
    said = capsys.readouterr().err
    assert f"another run (process {os.getpid()} on {platform.node()}, since 20" in said and "--out" in said
    assert [file.name for file in states(tmp_path / "tiny.run")] == [f"state-{n:08d}.safetensors" for n in (8, 6)]
    assert not (tmp_path / "tiny.run" / "lock").exists()
    assert ends(TINY, tmp_path, resume=True) == 0


HOLD = """
import sys, time
from ddpm_lib.run_lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_run_locks_nobody_out_and_its_halves_go(tmp_path):
    folder = tmp_path / "tiny.run"
    other = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=f"process {other.pid} "), locked(folder):
            pass
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
        other.stdout.close()
    assert (folder / "lock").exists()
    halves = [folder / "state-00000003.safetensors.77-aa.part", tmp_path / "tiny.safetensors.77-bb.part"]
    (tmp_path / "other.safetensors.77-cc.part").write_bytes(b"not this run's")
    [half.write_bytes(b"half") for half in halves]
    with locked(folder):
        assert not any(half.exists() for half in halves)
    assert [file.name for file in tmp_path.rglob("*")] == ["other.safetensors.77-cc.part"]


@pytest.fixture
def no_locks(monkeypatch):
    """A file system without locks."""

    def refuse(number):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(run_lock, "_lock", refuse)


def test_without_locks_the_file_is_the_lock(tmp_path, no_locks):
    me = {"machine": platform.node(), "since": "2026-11-28 09:00"}
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for holder, free in [
        ({**me, "process": os.getppid()}, False),
        ({**me, "process": ended.pid}, True),
        ({**me, "process": 1, "machine": "elsewhere"}, False),
        (None, True),
    ]:
        folder = tmp_path / "tiny.run"
        folder.mkdir(exist_ok=True)
        (folder / "lock").write_text("" if holder is None else json.dumps(holder))
        if free:
            with locked(folder):
                assert json.loads((folder / "lock").read_text())["process"] == os.getpid()
        else:
            with pytest.raises(ValueError, match="delete .*lock"), locked(folder):
                pass


def test_a_run_that_never_began_leaves_no_folder(tmp_path):
    def nowhere(root, train):
        raise RuntimeError("the pictures are not there.")

    assert ends(dataclasses.replace(TINY, data=nowhere), tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_windows(tmp_path, monkeypatch):
    """With a stand-in for msvcrt: one lock a file, on a byte beyond what is read, which its holder's end frees."""
    held, folder = set(), tmp_path / "tiny.run"

    class Msvcrt:
        LK_NBLCK = 2

        @staticmethod
        def locking(number, mode, count):
            assert (mode, count, os.lseek(number, 0, os.SEEK_CUR)) == (2, 1, run_lock.BEYOND)
            if os.fstat(number).st_ino in held:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            held.add(os.fstat(number).st_ino)

    real = os.close

    def close(number):
        ino = os.fstat(number).st_ino
        real(number)
        closed.append(ino)

    closed = []
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt)
    monkeypatch.setattr(run_lock, "WINDOWS", True)
    with locked(folder):
        (mine,) = held
        with pytest.raises(ValueError, match=f"another run .process {os.getpid()} "), locked(folder):
            pass
        monkeypatch.setattr(os, "close", close)
    assert closed[0] == mine and not folder.exists(), "closed before it is deleted"
