"""Every bad end of a run is one sentence on stderr, and keeps the last good state."""

import dataclasses
import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ddpm_lib.run_state import load_state
from tests.tiny_runs import TINY, ends, send, with_trouble


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_stops(tmp_path, capsys, number, code):
    before = signal.getsignal(number)
    assert ends(with_trouble(send(number), 5), tmp_path) == code
    assert capsys.readouterr().err.splitlines()[-1] == f"stopped at step 5, saved in {tmp_path}/tiny.run:" + (
        " go on with --resume."
    )
    assert load_state(tmp_path / "tiny.run").step == 5 and signal.getsignal(number) == before


def full_disk(output):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_memory(output):
    torch.empty(10**15)


def no_gpu_memory(output):
    raise torch.OutOfMemoryError("CUDA out of memory.")


def no_program(output):
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "git")


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (full_disk, "the disk is full"),
        (no_memory, "out of memory"),
        (no_gpu_memory, "out of memory"),
        (no_program, "a file or a program is missing"),
        (lambda output: output * float("nan"), "the loss became nan"),
    ],
)
def test_trouble_is_one_sentence_and_keeps_the_last_state(tmp_path, capsys, what, sentence):
    assert ends(with_trouble(what, 5), tmp_path) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(sentence) and "Traceback" not in said
    assert load_state(tmp_path / "tiny.run").step == 3
    assert ("Step 3 is saved in" in said and "--resume" in said) == (not sentence.startswith("the loss"))
    assert ends(TINY, tmp_path, resume=True) == 0


@pytest.mark.parametrize("what", [full_disk, no_memory, no_program])
def test_where_nothing_is_saved_nobody_is_sent_to_resume(tmp_path, capsys, what):
    assert ends(with_trouble(what, 1), tmp_path) == 1
    assert "--resume" not in capsys.readouterr().err


def test_what_helps_where_memory_is_short(tmp_path, capsys, monkeypatch):
    def told(recipe, name, **more):
        assert ends(recipe, tmp_path / name, **more) == 1
        return capsys.readouterr().err

    def too_many(root, train):
        torch.empty(10**15)

    assert "--accumulate 4" in told(with_trouble(no_memory, 1), "a")
    assert "--accumulate 10" in told(with_trouble(no_memory, 1), "b", accumulate=4)
    assert "--accumulate" not in told(with_trouble(no_memory, 1), "c", accumulate=10)
    reading = told(dataclasses.replace(TINY, data=too_many), "d")
    assert "the data did not fit" in reading and "--accumulate" not in reading
    drawing = told(dataclasses.replace(TINY, draw=lambda *a: no_memory(a)), "e", pictures=True)
    assert "--no-pictures" in drawing and "Step 3 is saved" in drawing and "--accumulate" not in drawing


def test_a_mistake_of_the_library_keeps_its_traceback(tmp_path):
    with pytest.raises(RuntimeError, match="shapes"):
        ends(with_trouble(lambda output: torch.zeros(2, 3) @ torch.zeros(2, 3), 2), tmp_path)


def test_a_disk_that_is_full_in_the_middle_of_a_save(tmp_path, capsys):
    ends(with_trouble(send(signal.SIGINT), 4), tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # no file may grow beyond this: a real, small disk
    try:
        assert ends(TINY, tmp_path, resume=True) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "the disk is full" in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.rglob("*.part")) and load_state(tmp_path / "tiny.run").step == 4
    assert ends(TINY, tmp_path, resume=True) == 0


def test_a_disk_that_fails_when_flushed(tmp_path, capsys, monkeypatch):
    ends(with_trouble(send(signal.SIGINT), 4), tmp_path)
    monkeypatch.setattr(os, "fsync", full_disk)
    assert ends(TINY, tmp_path, resume=True) == 1
    assert "No space left" in capsys.readouterr().err
    assert load_state(tmp_path / "tiny.run").step == 4


def test_a_place_that_cannot_be_written_to_is_told_at_once(tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    recipe = with_trouble(send(signal.SIGINT), 1)
    assert ends(recipe, tmp_path / "file" / "out") == 1
    assert capsys.readouterr().err.strip().startswith("cannot write there")
    assert recipe.model.calls == 0


def test_a_read_only_folder(tmp_path, capsys, monkeypatch):
    def refuse(*arguments, **more):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(arguments[0]))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)  # as it is for all but root
    assert ends(TINY, tmp_path / "closed") == 1
    assert "cannot write there" in capsys.readouterr().err


def test_data_that_cannot_be_had_are_one_sentence(tmp_path, capsys):
    def nowhere(root, train):
        raise RuntimeError("the pictures are not there.")

    assert ends(dataclasses.replace(TINY, data=nowhere), tmp_path) == 1
    assert capsys.readouterr().err.strip() == "the pictures are not there."


def test_a_compiler_that_is_missing(tmp_path, capsys):
    from torch._inductor.exc import InvalidCxxCompiler

    def no_compiler(output):
        raise InvalidCxxCompiler

    assert ends(with_trouble(no_compiler, 1), tmp_path) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("torch.compile failed (InvalidCxxCompiler: No working C++ compiler found")
    assert "leave --compile out" in said


def test_data_that_may_not_be_read_are_no_trouble_of_the_output(tmp_path, capsys):
    def closed(root, train):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "album")

    assert ends(dataclasses.replace(TINY, data=closed), tmp_path) == 1
    said = capsys.readouterr().err
    assert "the data cannot be read" in said and "album" in said and "--out" not in said


def test_no_git_on_the_machine(tmp_path):
    command = [sys.executable, "-m", "ddpm_lib.recipes", "blots", "--steps", "2", "--no-pictures", "--out", tmp_path]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
