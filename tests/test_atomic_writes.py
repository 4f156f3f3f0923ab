"""A file written by write_atomically is the old one or the new, whoever else writes, and whatever the disk can do."""

import errno
import os
import stat
import threading

import pytest

from ddpm_lib.checkpoints import write_atomically
from tests.tiny_runs import TINY, ends


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_folder_that_cannot_be_flushed(tmp_path, monkeypatch, code):
    real = os.fsync

    def fsync(number):  # as on the shared folder of a virtual machine, on SMB, through sshfs
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(code, os.strerror(code))
        return real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert ends(TINY, tmp_path) == 0


def test_a_disk_that_fails_is_not_passed_over(tmp_path, monkeypatch):
    def fail(number):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_atomically(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path, monkeypatch):
    """Each stops when its file is written aside, until the other is there too: then both take the name."""
    both, real, asides = threading.Barrier(2), os.replace, []

    def replace(aside, path):
        asides.append(aside)
        both.wait(60)
        real(aside, path)

    monkeypatch.setattr(os, "replace", replace)
    contents, errors = [b"A" * 50_000, b"B" * 70_000], []

    def write(content):
        try:
            write_atomically(tmp_path / "file", content)
        except OSError as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    [writer.start() for writer in writers]
    [writer.join() for writer in writers]
    assert errors == [] and len(set(asides)) == 2
    assert (tmp_path / "file").read_bytes() in contents
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
