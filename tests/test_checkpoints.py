"""Saving and loading: what is written comes back, and what cannot be read says so."""

import json
import os
import stat

import pytest
import torch
from safetensors.torch import save_file

from ddpm_lib import cosine_schedule
from ddpm_lib.checkpoints import available, load, load_pretrained, read_header, save, write_atomically
from ddpm_lib.models import DigitClassifier, UNet

MODEL = UNet(1, 8, (1, 2), 1, num_classes=3)


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "model.safetensors"
    save(path, MODEL, cosine_schedule(50), {"steps": 7}, dtype=torch.float32)
    model, schedule = load(path)
    for name, value in MODEL.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
    assert torch.equal(schedule.beta, cosine_schedule(50).beta) and schedule.name == "cosine"
    assert not model.training and read_header(path)["card"] == {"steps": 7}
    assert [f.name for f in path.parent.iterdir()] == ["model.safetensors"], "nothing is left aside"


def test_half_precision_on_disk_float32_in_memory(tmp_path):
    save(tmp_path / "m.safetensors", DigitClassifier(dim=4, features=8))
    model, schedule = load(tmp_path / "m.safetensors")
    assert schedule is None and next(model.parameters()).dtype == torch.float32


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    save(path, MODEL)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        save(path, DigitClassifier(dim=4))
    assert path.read_bytes() == before


def test_a_half_is_not_left_on_a_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file"
    write_atomically(path, b"old")
    flush, flushed = os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda number: flushed.append(os.fstat(number).st_mode) or flush(number))
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and list(map(stat.S_ISDIR, flushed)) == [False, True], "file, then folder"

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"newer")
    assert path.read_bytes() == b"new" and [file.name for file in path.parent.iterdir()] == ["file"]


def test_unreadable_files(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        load(path)
    save(path, MODEL)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="no complete safetensors"):
        load(path)
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="not written by ddpm_lib"):
        load(path)
    save_file({"w": torch.zeros(2)}, path, {"ddpm_lib": json.dumps({"model": "UNet", "config": MODEL.config})})
    with pytest.raises(ValueError, match="do not fit"):
        load(path)
    save_file({"w": torch.zeros(2)}, path, {"ddpm_lib": json.dumps({"model": "GAN", "config": {}})})
    with pytest.raises(ValueError, match="does not know"):
        load(path)


def test_what_ships():
    assert {"digits", "digits-classifier"} <= set(available())
    with pytest.raises(ValueError, match="digits"):
        load_pretrained("cats")
